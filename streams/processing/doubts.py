"""What is no fault of a record and yet is seldom meant: said before it is sent, never by workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PRICE = "unit_price_cents"
COST = "unit_cost_cents"
_PRICED = ("item_listed", "item_changed")


def of_prices(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, why) of every price that is seldom meant.

    >>> list(of_prices({"type": "item_listed", "unit_price_cents": 100, "unit_cost_cents": 120}))
    [('unit_cost_cents', 'A unit costs the shop 120 and is sold at 100: every one is a loss.')]
    >>> list(of_prices({"type": "order_placed", "lines": [{"unit_price_cents": 0}]}))[0][0]
    'lines[0].unit_price_cents'
    """
    kind, lines = record.get("type"), record.get("lines")
    if kind == "order_placed" and isinstance(lines, list):
        for i, line in enumerate(lines):
            if isinstance(line, dict) and _is_zero(line.get(PRICE)):
                yield f"lines[{i}].{PRICE}", "It was sold for nothing: a gift? It counts as a price of 0."
    if kind not in _PRICED:
        return
    price, cost = record.get(PRICE), record.get(COST)
    if _is_zero(price):
        yield PRICE, "It is offered for nothing: a price that is not known is left out."
    elif isinstance(price, int) and isinstance(cost, int) and cost > price:
        yield COST, f"A unit costs the shop {cost} and is sold at {price}: every one is a loss."


def _is_zero(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found == 0

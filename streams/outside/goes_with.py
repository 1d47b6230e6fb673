"""What goes with some items, by what shoppers buy, put into carts or look at in one visit: a version of ``recommend``
is asked for the cart that they would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.nearest import hint
from streams.columns.shopper_events import item_code
from streams.decisions.recommendations import FOR_CARTS
from streams.features.kinds.bought import code_of, halves
from streams.features.kinds.cart import CART_TOLD

TASK, IN_CART = "recommend", "items.in_cart"


class UnknownItems(RuntimeError):
    """A version names none of the items that are asked about."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Going:
    """An item that goes with those that are asked about."""

    item_id: str
    weight: float
    """Its share of all that goes with them, 0 to 1: comparable in a list only."""
    of: str
    """With which of them it goes best."""


def going_with(model: Any, items: Sequence[str]) -> list[Going]:
    """What goes best with at most eight items, best first, by a loaded version of ``recommend``; those that it does not
    name say nothing. Raises ``UnknownItems`` where it names none of them, and ``ValueError`` for more than eight."""
    wanted, names = list(dict.fromkeys(items)), model.names
    if len(wanted) > CART_TOLD:
        raise ValueError(f"{len(wanted)} items: at most {CART_TOLD} are looked at.")
    if not set(wanted) & set(names):
        close = hint(wanted[0], names)
        raise UnknownItems(f"Version {model.version} names {len(names):,} items, none of these{close}")
    code = np.zeros((1, CART_TOLD), np.int64)
    code[0, : len(wanted)] = code_of(np.array([item_code(item) for item in wanted], np.uint64)).astype(np.int64)
    row = np.zeros((1, sum(model.widths)), np.float32)
    start = sum(model.widths[: model.features.index(IN_CART)])
    row[:, start : start + 2 * CART_TOLD] = halves(code)
    said = model.score(row)
    place, weight, of = (said[name][0] for name in FOR_CARTS)
    return [
        Going(names[int(place[k])], round(float(weight[k]), 4), names[int(of[k])])
        for k in np.flatnonzero(weight > 0).tolist()
    ]

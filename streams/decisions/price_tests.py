"""What items sold once they were in an experiment with prices: tried at another price, or left as they were."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.features.kinds.decay import DAY_MS
from streams.records.outcomes import outcome_id
from streams.records.prices import PriceTested

#: What suggestions note of an item that they tell of an experiment: 1 where another price is to be tried, and 2 more
#: where that is the higher one; NaN of others.
NOTED = "price_optimize.tested"
#: For so long after it entered an item is measured, and for as long before.
WINDOW_DAYS = 14
_MEASURED = -1
BEGAN, CODE, BEFORE_UNITS, BEFORE_REVENUE, UNITS, REVENUE, LAST_UNITS, LAST_REVENUE, PRICE, COST = (
    Column(f"price_tested/{name}", "i8")
    for name in (
        "began", "code", "before_units", "before_revenue", "units", "revenue", "last_units", "last_revenue", "price",
        "cost",
    )
)  # fmt: skip


class PriceTests:
    """Says ``PriceTested`` of items that were in an experiment for ``WINDOW_DAYS``, once of each.

    Prevents that an experiment is judged by those of its items that went on selling: whoever was drawn counts, also
    where nobody set the price, or few then bought. What was sold is the growth of totals, up to the end of the last day
    of the window on which anything was told of the item, for after that nothing was sold in it.
    """

    columns = (
        BEGAN, CODE, BEFORE_UNITS, BEFORE_REVENUE, UNITS, REVENUE, LAST_UNITS, LAST_REVENUE, PRICE, COST,
    )  # fmt: skip
    reads = (
        "sales.units", "sales.revenue", "sales.units_15d", "sales.revenue_15d",
        "price.now", "price.usual", "price.cost",
    )  # fmt: skip

    def __init__(self, experiments: bool, assumed_margin: float, currency: str, rules: str) -> None:
        self._on, self._margin, self._currency, self._rules = experiments, assumed_margin, currency, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        if not self._on:
            # What runs now was not followed to its end: it is nobody's 14 days.
            began = state.cells(BEGAN, group.row)
            running = state.flat["i8"][began] > 0
            state.flat["i8"][began[running]] = _MEASURED
            return
        cell = dict(zip(self.columns, (state.cells(column, group.row) for column in self.columns), strict=True))
        flat, now = state.flat["i8"], group.now_ms
        read = dict(zip(self.reads, (group.feature(a).astype(np.float64) for a in self.reads), strict=True))
        units, revenue = (np.rint(read[name]).astype(np.int64) for name in ("sales.units", "sales.revenue"))
        began = flat[cell[BEGAN]]
        running, end = began > 0, began + WINDOW_DAYS * DAY_MS
        within = np.flatnonzero(running & (now <= end))
        flat[cell[LAST_UNITS][within]], flat[cell[LAST_REVENUE][within]] = units[within], revenue[within]
        over = np.flatnonzero(running & (now >= end))
        found = {column: flat[cell[column][over]] for column in self.columns}
        flat[cell[BEGAN][over]] = _MEASURED
        noted = group.noted(NOTED)
        new = np.flatnonzero(np.isfinite(noted) & (began == 0))
        cost = np.where(read["price.cost"] > 0, read["price.cost"], read["price.usual"] * (1 - self._margin))
        entering = {
            BEGAN: now, CODE: noted, UNITS: units, REVENUE: revenue, LAST_UNITS: units, LAST_REVENUE: revenue,
            BEFORE_UNITS: read["sales.units_15d"], BEFORE_REVENUE: read["sales.revenue_15d"],
            PRICE: read["price.now"], COST: np.rint(cost),
        }  # fmt: skip
        for column, values in entering.items():
            flat[cell[column][new]] = values[new].astype(np.int64)
        for k, i in enumerate(over.tolist()):
            sold, paid = (
                int(found[last][k] - found[first][k]) for first, last in ((UNITS, LAST_UNITS), (REVENUE, LAST_REVENUE))
            )
            drawn = int(found[CODE][k])
            tested = PriceTested(
                outcome_id=outcome_id("price_tested", group.key[i], str(int(found[BEGAN][k])), ""),
                item_id=group.key[i],
                event_time_ms=int(now[i]),
                due=group.due[i],
                began_ms=int(found[BEGAN][k]),
                arm="up" if drawn & 2 else "down",
                held=not drawn & 1,
                units=sold,
                revenue_cents=paid,
                margin_cents=paid - sold * int(found[COST][k]),
                before_units=int(found[BEFORE_UNITS][k]),
                before_revenue_cents=int(found[BEFORE_REVENUE][k]),
                price_before_cents=int(found[PRICE][k]),
                price_cents=int(read["price.now"][i]),
                currency=self._currency,
                rules=self._rules,
            )
            yield i, tested

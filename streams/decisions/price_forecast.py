"""What a unit of an item will be paid with, said once a week and whenever it has moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Rows
from streams.decisions.again import SaidLast
from streams.decisions.decider import Group, Said
from streams.records.demand import Cents5, PriceForecast

#: The task whose answers are said.
TASK = "price_forecast"
OUTPUTS = ("price_week_1_quantiles", "price_week_2_quantiles")
SAID = SaidLast("price_forecast")


@dataclass(frozen=True, slots=True)
class PriceForecastPolicy:
    """When a forecast of prices is said.

    Prevents two accidents: a record per item and day that says the same price in other decimals (one a week is said of
    an item whose price stays), and a buyer who plans with the price of a promotion that is over (what is foretold of
    the next week has left the middle half of what was said last: said at once).
    """

    again_days: float = 7.0
    least_share: float = 0.05
    """A middle that moved by a smaller share of what was said has not moved; nor has one that moved by a cent."""

    def moved(self, middle: Floats, low: Floats, high: Floats) -> Bools:
        """[n] whether the middle of the next week lies so far outside of the middle half that was said last."""
        beyond = np.maximum(np.maximum(low - middle, middle - high), 0.0)
        found: Bools = beyond >= np.maximum((low + high) / 2 * self.least_share, 1.0)
        return found


class PriceForecasts:
    """Says ``PriceForecast`` of items that the task judged; ``currency`` and ``rules`` are said with it."""

    columns = SAID.columns
    reads = ("sales.units_8d", "sales.revenue_8d", "sales.units_29d", "sales.revenue_29d")

    def __init__(self, policy: PriceForecastPolicy, currency: str, rules: str) -> None:
        self._policy, self._currency, self._rules = policy, currency, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        known = np.flatnonzero(group.whole(TASK))
        if not len(known):
            return
        told = np.stack([group.answer(TASK, output)[known] for output in OUTPUTS], axis=1)
        half = told[:, 0, 1], told[:, 0, 2], told[:, 0, 3]
        some, said = SAID.again(TASK, state, group, known, half, self._policy)
        cents = whole_cents(told[some]).tolist()
        units, paid, units_28d, paid_28d = (group.feature(address)[known[some]] for address in self.reads)
        week, month = (np.round(p / np.maximum(u, 1.0)).tolist() for p, u in ((paid, units), (paid_28d, units_28d)))
        for k, (i, each) in enumerate(zip(known[some].tolist(), said, strict=True)):
            yield (
                i,
                PriceForecast(
                    **each,
                    next_week=_cents(cents[k][0]),
                    week_after=_cents(cents[k][1]),
                    paid_7d_cents=int(week[k]) if units[k] > 0 else None,
                    paid_28d_cents=int(month[k]),
                    currency=self._currency,
                    rules=self._rules,
                ),
            )


def whole_cents(told: Floats) -> Ints:
    """[…, 5] quantiles in whole cents. Ranges reach half a cent beyond what they are to hold: they end at the cent
    within.

    >>> whole_cents(np.array([124.5, 124.5, 125.0, 125.5, 149.2])).tolist()
    [125, 125, 125, 125, 149]
    """
    low, high = np.floor(told + 0.5), np.ceil(told - 0.5)
    return np.where(np.arange(told.shape[-1]) <= 2, low, np.maximum(high, low[..., 2:3])).astype(np.int64)


def _cents(numbers: list[int]) -> Cents5:
    p05, p25, p50, p75, p95 = numbers
    return Cents5(p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)

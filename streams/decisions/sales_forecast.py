"""What an item will sell, said once a week and whenever it has moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Rows
from streams.decisions.again import SaidLast
from streams.decisions.decider import Group, Said
from streams.records.demand import SalesForecast, Units5

#: The task whose answers are said.
TASK = "sales"
OUTPUTS = ("units_7d", "units_7d_quantiles", "units_14d", "units_14d_quantiles")

#: So many weeks before are said.
WEEKS = 8

SAID = SaidLast("sales_forecast")


def foretold(group: Group, places: Ints) -> Floats:
    """[m, 12] what the task says of places that it answered: of 7 days, then of 14, the mean and the quantiles."""
    return np.column_stack([group.answer(TASK, output)[places] for output in OUTPUTS])


@dataclass(frozen=True, slots=True)
class ForecastPolicy:
    """When a forecast is said.

    Prevents two accidents: a record per item and day that says the same in other decimals (only one a week is said of
    an item whose sales go on as foretold), and a buyer who reads last week's number of an item that took off yesterday
    (what is foretold has left the middle half of what was said last: said at once).
    """

    again_days: float = 7.0
    least_units: float = 3.0
    """A middle that moved by fewer units has not moved: an item that sells two a week instead of one is no news."""

    def moved(self, middle: Floats, low: Floats, high: Floats) -> Bools:
        """[n] whether the middle of 7 days lies so far outside of the middle half that was said last."""
        centre = (low + high) / 2
        found: Bools = ((middle < low) | (middle > high)) & (np.abs(middle - centre) >= self.least_units)
        return found


class SalesForecasts:
    """Says ``SalesForecast`` of items that the task judged; ``rules`` is said with it."""

    columns = SAID.columns
    reads = ("sales.units_7d", "sales.units_30d", "sales.week_units")

    def __init__(self, policy: ForecastPolicy, rules: str) -> None:
        self._policy, self._rules = policy, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        known = np.flatnonzero(group.whole(TASK))
        if not len(known):
            return
        told = foretold(group, known)
        half = told[:, 2], told[:, 3], told[:, 4]
        some, said = SAID.again(TASK, state, group, known, half, self._policy)
        units = [group.feature(address)[known[some]] for address in self.reads]
        weeks = units[2][:, WEEKS:0:-1].astype(np.int64).tolist()
        rounded = told[some].round(1).tolist()
        for k, (i, each) in enumerate(zip(known[some].tolist(), said, strict=True)):
            yield (
                i,
                SalesForecast(
                    **each,
                    next_7_days=_units(rounded[k][:6]),
                    next_14_days=_units(rounded[k][6:]),
                    units_7d=int(units[0][k]),
                    units_30d=int(units[1][k]),
                    weeks=tuple(weeks[k]),
                    rules=self._rules,
                ),
            )


def _units(numbers: list[float]) -> Units5:
    mean, p05, p25, p50, p75, p95 = numbers
    return Units5(mean=mean, p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)

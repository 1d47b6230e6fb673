"""A row of a series, a morning and a day ahead: what was known that morning, and the day's calendar and price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.checks.freshretail.data import DAYS, KNOWN, Floats, Ints, Series, recovered, summed

Rows32 = npt.NDArray[np.float32]

AHEAD = 7
#: No row of the first four weeks: too little is known.
WARM_UP = 28
WEATHER = ("precpt", "avg_temperature", "avg_humidity", "avg_wind_level")
#: A ratio of two paces is drawn towards 1 with the weight of so many units a day.
FEW = 0.3
#: A day of so many holds as a day like the one ahead: free or not.
LIKE_DAYS = 42


@dataclass(frozen=True)
class Rows:
    """m rows."""

    x: Rows32
    """[m, features]"""
    series: Ints
    day: Ints
    """The day that is foretold."""
    names: tuple[str, ...]

    def columns(self, names: Iterable[str]) -> Ints:
        """The places of features."""
        return np.array([self.names.index(name) for name in names], np.int64)


class History:
    """What is known of series up to a cut."""

    def __init__(self, s: Series, cut: int) -> None:
        self.s, self.cut = s, cut
        told, self.there = recovered(s, cut)
        self.told = told
        self._free = s.known["holiday_flag"].mean(axis=0) > 0.5

    def rows(self, mornings: Iterable[int], ahead: Iterable[int] | None, seed: int = 0) -> Rows:
        """Rows of mornings (days, the first that is not known) and days ahead (1 is the morning's own); ``ahead`` None:
        one day ahead of each morning, drawn, that is over at the cut."""
        rng, parts, days = np.random.default_rng(seed), list[Rows32](), list[int]()
        names: tuple[str, ...] = ()
        for morning in mornings:
            known = self._known(morning)
            last = min(AHEAD, self.cut - morning)
            for step in (int(rng.integers(1, last + 1)),) if ahead is None else ahead:
                day = morning + step - 1
                found = known | self._ahead(morning, day, known["pace"]) | {"ahead": np.full(len(self.told), step)}
                names = tuple(found)
                parts.append(np.stack([np.asarray(v, np.float32) for v in found.values()], axis=1))
                days.append(day)
        n = len(self.told)
        return Rows(np.concatenate(parts), np.tile(np.arange(n), len(days)), np.repeat(days, n), names)

    def _known(self, morning: int) -> dict[str, Floats]:
        """[n] each: what was known of every series that morning. The first ones are named as the features of the task
        ``sales``, of units as they would have been sold."""
        s, told = self.s, self.told[:, :morning]
        sold, stock = s.daily[:, :morning], s.in_stock[:, :morning]
        found = {f"units_{d}d": told[:, -d:].sum(axis=1) for d in (7, 14)}
        found["units_30d"] = told[:, -28:].mean(axis=1) * 30
        for half in (1, 3, 10):
            weight = 0.5 ** (np.arange(morning)[::-1] / half)
            found[f"units_decayed_{half}d"] = told @ weight / weight.sum()
        found["pace"] = np.maximum(told[:, -28:].mean(axis=1), 0.05)
        for d in (7, 28):
            found[f"sold_{d}d"] = sold[:, -d:].mean(axis=1)
            found[f"days_in_stock_{d}d"] = stock[:, -d:].mean(axis=1)
            found[f"sold_in_stock_{d}d"] = (sold * stock)[:, -d:].sum(axis=1) / np.maximum(stock[:, -d:].sum(axis=1), 1)
            found[f"discount_{d}d"] = s.known["discount"][:, morning - d : morning].mean(axis=1)
            found[f"activity_{d}d"] = s.known["activity_flag"][:, morning - d : morning].mean(axis=1)
        found["there_7d"] = self.there[:, morning - 7 : morning].mean(axis=1)
        found["spread_28d"], found["none_28d"] = told[:, -28:].std(axis=1), (sold[:, -28:] == 0).mean(axis=1)
        found["discount_least_28d"] = s.known["discount"][:, morning - 28 : morning].min(axis=1)
        for name in ("store_id", "product_id", "third_category_id"):
            month = np.maximum(summed(told[:, -28:].sum(axis=1), s.group[name]), 0.1)
            for d in (2, 7):
                found[f"share_{d}d_{name}"] = summed(told[:, -d:].sum(axis=1), s.group[name]) / month * 28 / d
        return found

    def _ahead(self, morning: int, day: int, pace: Floats) -> dict[str, Floats]:
        """[n] each: of the day ahead what is known before it. What the weather will be stands for its forecast."""
        s, told = self.s, self.told[:, :morning]
        like = [d for d in range(max(0, morning - LIKE_DAYS), morning) if self._free[d] == self._free[day]]
        some, every = told[:, like].mean(axis=1), told[:, -LIKE_DAYS:].mean(axis=1)
        same = [d for d in range(day - 7, -1, -7) if d < morning][:4]
        found = {"like": (some + FEW) / (every + FEW)}
        for name in ("store_id", "product_id", "third_category_id"):
            found[f"like_{name}"] = (summed(some, s.group[name]) + FEW) / (summed(every, s.group[name]) + FEW)
        found |= {"same_1": told[:, same[0]], "same_4": told[:, same].mean(axis=1)}
        found |= {f"weekday_{k}": np.full(len(told), float(day % 7 == k)) for k in range(7)}
        for name in KNOWN:
            found[f"{name}_ahead"] = s.known[name][:, day]
        usual = s.known["discount"][:, morning - 28 : morning].mean(axis=1)
        found["discount_change"] = s.known["discount"][:, day] / np.maximum(usual, 0.1)
        found["activity_change"] = found["activity_flag_ahead"] - s.known["activity_flag"][
            :, morning - 28 : morning
        ].mean(axis=1)
        found["warmer"] = found["avg_temperature_ahead"] - s.known["avg_temperature"][:, morning - 7 : morning].mean(
            axis=1
        )
        return found | {
            name: s.group[name].astype(np.float64) for name in ("city_id", "first_category_id", "third_category_id")
        }


#: Features that the weather of the day ahead is in.
OF_WEATHER = (*(f"{name}_ahead" for name in WEATHER), "warmer")
#: Codes: of no use to a network that takes them for numbers.
CODES = ("city_id", "first_category_id", "third_category_id")
assert AHEAD < WARM_UP < DAYS

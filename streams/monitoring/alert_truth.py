"""Whether churn alerts came true: the one code for the card, the report and whoever reads a log's outcomes.

An alert says that no order comes within some days. It is judged only when all of these days lie within the data, so
an alert near the end counts neither way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.decisions.churn_alert import LEVELS
from streams.features.kinds.decay import DAY_MS

#: An alert speaks of so many days.
ALERT_DAYS = 30
#: A shopper who has not ordered for so many days has lapsed: an alert in time is out ``ALERT_DAYS`` before.
LAPSE_DAYS = 2 * ALERT_DAYS
#: What alerts per shopper and month are told of.
MONTH_DAYS = 30
#: A 95% interval is so many standard deviations wide to either side.
_WIDE = 1.959964


@dataclass(frozen=True, slots=True)
class Alerts:
    """n alerts, in any order."""

    shopper: Ints
    """Whose: any number per shopper, the same as in ``Orders``."""
    at_ms: Ints
    """Event time."""
    level: Ints
    """1 watch, 2 high, 3 critical: the place in ``LEVELS``."""
    score: Floats

    def __len__(self) -> int:
        return len(self.at_ms)

    def select(self, chosen: Bools) -> Alerts:
        """Some of the alerts."""
        return Alerts(self.shopper[chosen], self.at_ms[chosen], self.level[chosen], self.score[chosen])


class Orders:
    """The orders of a log, to be asked which came next. ``end_ms``: what lies after it is not known."""

    def __init__(self, shopper: Ints, at_ms: Ints, end_ms: int) -> None:
        self.end_ms = end_ms
        # One ascending key for (shopper, time): times are below 2^48 ms.
        self._key = np.sort((shopper << 48) + at_ms)

    def after(self, shopper: Ints, at_ms: Ints) -> Ints:
        """[n] time of the first order later than ``at_ms``; int64's largest when the log has none."""
        place = np.searchsorted(self._key, (shopper << 48) + at_ms, side="right")
        key = np.r_[self._key, -1][place]
        return np.where(key >> 48 == shopper, key & ((1 << 48) - 1), np.iinfo(np.int64).max)

    def lapses(self, days: int = LAPSE_DAYS) -> tuple[Ints, Ints]:
        """(shopper, time of their last order) of every order that no other followed for so many days."""
        shopper, at_ms = self._key >> 48, self._key & ((1 << 48) - 1)
        silent = self.after(shopper, at_ms) > at_ms + days * DAY_MS
        silent &= at_ms + days * DAY_MS <= self.end_ms
        return shopper[silent], at_ms[silent]


def came_true(shopper: Ints, at_ms: Ints, orders: Orders, days: int = ALERT_DAYS) -> tuple[Bools, Bools]:
    """[n] whether each time can be judged, and whether no order came within ``days`` after it."""
    until = at_ms + days * DAY_MS
    return until <= orders.end_ms, orders.after(shopper, at_ms) > until


def share(hit: Bools, shopper: Ints) -> dict[str, Any]:
    """How many, how many hits, and the share's 95% interval: Wilson's, of as many independent ones as there are after
    a shopper's own were found to resemble each other.

    >>> share(np.array([True] * 7 + [False] * 3), np.arange(10))
    {'judged': 10, 'came_true': 7, 'interval': [0.3825, 0.8979]}
    >>> share(np.array([True] * 7 + [False] * 3), np.array([1] * 7 + [2] * 3))["interval"]
    [0.1188, 0.9758]
    """
    n, k = len(hit), int(hit.sum())
    if not n:
        return {"judged": 0, "came_true": 0, "interval": [0.0, 1.0]}
    p = k / n
    _, group = np.unique(shopper, return_inverse=True)
    shoppers = int(group.max()) + 1
    off = np.bincount(group, hit - p)
    independent = float(n)
    if 0 < k < n:
        apart = float((off**2).sum()) / n**2 * shoppers / max(1, shoppers - 1)
        independent = n / max(1.0, apart / (p * (1 - p) / n))
    z = _WIDE**2 / independent
    middle, half = (p + z / 2) / (1 + z), math.sqrt(p * (1 - p) * z + z**2 / 4) / (1 + z)
    return {
        "judged": n,
        "came_true": k,
        "interval": [round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)],
    }


def truth(alerts: Alerts, orders: Orders, days: int = ALERT_DAYS) -> dict[str, dict[str, Any]]:
    """Per level: how many alerts can be judged, how many came true, and the 95% interval of the share."""
    known, true = came_true(alerts.shopper, alerts.at_ms, orders, days)
    found = {}
    for level, name in enumerate(LEVELS[1:], start=1):
        some = known & (alerts.level == level)
        found[name] = share(true[some], alerts.shopper[some])
    return found


def base_rate(shopper: Ints, at_ms: Ints, orders: Orders, days: int = ALERT_DAYS) -> dict[str, Any]:
    """What share of all scored due points no order followed: what an alert at random would reach."""
    known, true = came_true(shopper, at_ms, orders, days)
    return share(true[known], shopper[known])


def foretold(alerts: Alerts, orders: Orders, begin_ms: int = 0, days: int = LAPSE_DAYS) -> dict[str, Any]:
    """How many of the lapses (no order for ``days``) that began after ``begin_ms`` had an alert from the last order on
    and before they were complete, and how many days before, at the median."""
    shopper, last_ms = orders.lapses(days)
    some = last_ms >= begin_ms
    shopper, last_ms = shopper[some], last_ms[some]
    key = np.sort((alerts.shopper << 48) + alerts.at_ms)
    place = np.searchsorted(key, (shopper << 48) + last_ms)
    first = np.r_[key, -1][place]
    at_ms = first & ((1 << 48) - 1)
    told = (first >> 48 == shopper) & (at_ms < last_ms + days * DAY_MS)
    before = (last_ms + days * DAY_MS - at_ms)[told] / DAY_MS
    return {
        "lapses": len(shopper),
        "foretold": int(told.sum()),
        "days_before": round(float(np.median(before)), 1) if len(before) else None,
    }


def per_shopper_month(alerts: Alerts, shoppers: int, begin_ms: int, end_ms: int) -> float:
    """How many alerts a shopper gets in 30 days."""
    months = (end_ms - begin_ms) / (MONTH_DAYS * DAY_MS)
    return round(len(alerts) / (shoppers * months), 4) if shoppers and months > 0 else 0.0

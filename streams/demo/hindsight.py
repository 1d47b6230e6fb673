"""Looks back on a recording whose end is known: did alerts come true, was the score right, and did shoppers with an
offer order?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from streams.columns.arrays import Ints
from streams.decisions.churn_alert import LEVELS
from streams.demo.recording import Recording
from streams.monitoring.alert_truth import (
    ALERT_DAYS,
    LAPSE_DAYS,
    Alerts,
    Orders,
    base_rate,
    came_true,
    foretold,
    per_shopper_month,
    share,
    truth,
)

OFFER_DAYS = 7
#: Scores are held against what came in so many ranges of equal width.
RANGES = 10


class Hindsight:
    """One look at a recording; times are UTC milliseconds since 1970."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._index = {name: i for i, name in enumerate(recording.acts)}
        placed = [(self._index[name], order.at_ms) for name in recording.acts for order in recording.orders(name)]
        self._buyers = len({i for i, _ in placed})
        buyer, ordered_ms = _columns(placed, 2)
        self._orders = Orders(buyer, ordered_ms, recording.end_ms)
        alerts = recording.alerts
        self._alerts = Alerts(
            *self._places((alert.shopper_id, alert.event_time_ms) for alert in alerts),
            np.array([LEVELS.index(alert.level) for alert in alerts], np.int64),
            np.array([alert.score for alert in alerts], np.float64),
        )

    def summary(self) -> dict[str, Any]:
        """``alert_truth`` by level (judged, came_true, interval, promised) and ``alerts_by_month``, ``base_rate`` of
        all whom the model judged, its ``calibration``, lapses ``foretold``, ``alerts_per_shopper_month``, and how many
        ``offered`` shoppers ordered within 7 days."""
        recording = self._recording
        judged = self._places((answer.shopper, answer.at_ms) for answer in recording.judged)
        said = np.array([answer.score for answer in recording.judged], np.float64)
        promised: dict[str, float | None] = {alert.level: alert.promised for alert in recording.alerts}
        found = truth(self._alerts, self._orders)
        rate = base_rate(*judged, self._orders)
        offered, offered_ms = self._places((offer.shopper_id, offer.event_time_ms) for offer in recording.offers)
        known, silent = came_true(offered, offered_ms, self._orders, OFFER_DAYS)
        ordered = share(~silent[known], offered[known])
        return {
            "alert_truth": {name: {**told, "promised": promised.get(name)} for name, told in found.items()},
            "alert_days": ALERT_DAYS,
            "alerts_by_month": self._by_month(),
            "base_rate": round(rate["came_true"] / rate["judged"], 4) if rate["judged"] else None,
            "calibration": calibration(*judged, said, self._orders),
            "foretold": {**foretold(self._alerts, self._orders), "lapse_days": LAPSE_DAYS},
            "alerts_per_shopper_month": per_shopper_month(
                self._alerts, self._buyers, recording.first_ms or 0, recording.end_ms
            ),
            "offered": {"judged": ordered["judged"], "ordered_within_7_days": ordered["came_true"]},
        }

    def _by_month(self) -> list[dict[str, Any]]:
        """Per calendar month (UTC) and level: how many alerts, how many of them can be judged, how many came true."""
        alerts, recording = self._alerts, self._recording
        known, true = came_true(alerts.shopper, alerts.at_ms, self._orders)
        month = _months(alerts.at_ms)
        first, last = _months(np.array([recording.first_ms or 0, recording.end_ms]))
        rows = []
        for each in range(int(first), int(last) + 1) if recording.acts else ():
            row: dict[str, Any] = {"month": str(np.datetime64(each, "M"))}
            for level, name in enumerate(LEVELS[1:], start=1):
                here = (month == each) & (alerts.level == level)
                hits = int((here & known & true).sum())
                row[name] = {"alerts": int(here.sum()), "judged": int((here & known).sum()), "came_true": hits}
            rows.append(row)
        return rows

    def _places(self, said: Iterable[tuple[str, int]]) -> tuple[Ints, Ints]:
        """[n] shoppers by number, and times."""
        shopper, at_ms = _columns([(self._index.setdefault(name, len(self._index)), at) for name, at in said], 2)
        return shopper, at_ms


def calibration(shopper: Ints, at_ms: Ints, score: Any, orders: Orders) -> list[dict[str, Any]]:
    """Per range of the score: how many answers can be judged, what they said on average, and after what share of them
    no order came within the days that they speak of, with its 95% interval. Ranges without any are left out."""
    known, silent = came_true(shopper, at_ms, orders)
    place = np.minimum((score * RANGES).astype(np.int64), RANGES - 1)
    found = []
    for each in range(RANGES):
        here = known & (place == each)
        if here.any():
            told = share(silent[here], shopper[here])
            bounds = {"from": each / RANGES, "to": (each + 1) / RANGES}
            found.append({**bounds, "said": round(float(score[here].mean()), 4), **told})
    return found


def _months(at_ms: Ints) -> Ints:
    months: Ints = at_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return months


def period(recording: Recording) -> dict[str, Any]:
    """What was really replayed: its first and its last day (UTC), how many days that is, and how many shoppers."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).date() for ms in (recording.first_ms or 0, recording.end_ms))
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "days": (last - first).days + 1,
        "shoppers": len(recording.acts),
    }


def _columns(rows: list[Any], width: int) -> Any:
    return np.array(rows, np.int64).reshape(-1, width).T

"""Looks back on a log whose end is known: did alerts come true, and what did shoppers with an offer do?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from streams.access import Access
from streams.decisions.churn_alert import LEVELS, TASK
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.alert_truth import (
    ALERT_DAYS,
    LAPSE_DAYS,
    Alerts,
    Orders,
    base_rate,
    foretold,
    per_shopper_month,
    share,
    truth,
)
from streams.reading import Reader
from streams.records.events import OrderPlaced, ShopperEvent
from streams.topics import SCORES

OFFER_DAYS = 7


class _Scored(msgspec.Struct):
    key: str
    event_time_ms: int
    answers: dict[str, msgspec.Raw]


@dataclass
class Hindsight:
    """Takes what was sent and what was said; ``summary`` holds one against the other."""

    event_time_ms: Callable[[ShopperEvent], int]
    orders: list[tuple[int, int]] = field(default_factory=list)
    alerts: list[tuple[int, int, int, float]] = field(default_factory=list)
    promised: dict[str, float | None] = field(default_factory=dict)
    offers: list[tuple[int, int]] = field(default_factory=list)
    scored: list[tuple[int, int]] = field(default_factory=list)
    first_ms: int | None = None
    end_ms: int = 0
    _shoppers: dict[str, int] = field(default_factory=dict)

    def passing(self, events: Iterable[ShopperEvent]) -> Iterable[ShopperEvent]:
        """The same events, noted on their way."""
        for event in events:
            at = self.event_time_ms(event)
            self.first_ms = at if self.first_ms is None else self.first_ms
            self.end_ms = max(self.end_ms, at)
            if isinstance(event, OrderPlaced):
                self.orders.append((self._shopper(event.shopper_id), at))
            yield event

    def take(self, outcome: dict[str, Any]) -> None:
        """Take an alert or an offer, as read from its topic."""
        shopper, at = self._shopper(outcome["shopper_id"]), outcome["event_time_ms"]
        if "level" in outcome:
            self.promised[outcome["level"]] = outcome["promised"]
            self.alerts.append((shopper, at, LEVELS.index(outcome["level"]), outcome["score"]))
        elif "discount_percent" in outcome and "expires_at_ms" in outcome:
            self.offers.append((shopper, at))

    def read_scores(self, kafka: Access, tell: Callable[[int], None] = lambda _n: None) -> None:
        """Read from its topic whom the churn model judged, and when."""
        decode = msgspec.json.Decoder(_Scored).decode
        with Reader(kafka) as reader:
            for partition in range(reader.partitions(SCORES.name)):
                place = (SCORES.name, partition)
                for record in reader.between(place, *reader.extent(place)):
                    said = decode(record.value or b"")
                    if TASK in said.answers:
                        self.scored.append((self._shopper(said.key), said.event_time_ms))
                tell(len(self.scored))

    def summary(self) -> dict[str, Any]:
        """``alert_truth`` by level (judged, came_true, interval, promised), ``base_rate`` of all whom the model judged,
        lapses ``foretold``, ``alerts_per_shopper_month``, and how many ``offered`` shoppers ordered within 7 days."""
        buyer, ordered_ms = _columns(self.orders, 2)
        orders = Orders(buyer, ordered_ms, self.end_ms)
        shopper, at_ms, level = _columns([a[:3] for a in self.alerts], 3)
        alerts = Alerts(shopper, at_ms, level, np.array([a[3] for a in self.alerts], np.float64))
        found = truth(alerts, orders)
        judged, judged_ms = _columns(self.scored, 2)
        offered, offered_ms = _columns(self.offers, 2)
        known = offered_ms + OFFER_DAYS * DAY_MS <= self.end_ms
        came = orders.after(offered, offered_ms) <= offered_ms + OFFER_DAYS * DAY_MS
        ordered = share(came[known], offered[known])
        return {
            "alert_truth": {name: {**told, "promised": self.promised.get(name)} for name, told in found.items()},
            "alert_days": ALERT_DAYS,
            "base_rate": _rate(base_rate(judged, judged_ms, orders)),
            "foretold": {**foretold(alerts, orders), "lapse_days": LAPSE_DAYS},
            "alerts_per_shopper_month": per_shopper_month(
                alerts, len(np.unique(buyer)), self.first_ms or 0, self.end_ms
            ),
            "offered": {"judged": ordered["judged"], "ordered_within_7_days": ordered["came_true"]},
        }

    def _shopper(self, name: str) -> int:
        return self._shoppers.setdefault(name, len(self._shoppers))


def _rate(told: dict[str, Any]) -> float | None:
    return round(told["came_true"] / told["judged"], 4) if told["judged"] else None


def _columns(rows: list[Any], width: int) -> Any:
    return np.array(rows, np.int64).reshape(-1, width).T

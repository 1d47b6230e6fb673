"""What went through the demo: what shoppers did, and what was said of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.producer.replay import event_time_ms
from streams.records.events import OrderPlaced, ShopperEvent
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import ChurnAlerted
from streams.records.words import order_cents

ORDER = str(OrderPlaced.__struct_config__.tag)


class Act(NamedTuple):
    """Something that a shopper did. Times are UTC milliseconds since 1970."""

    at_ms: int
    type: str
    """As on the wire, such as ``order_placed``."""
    cents: int
    """What was paid, of an order."""


class Judged(NamedTuple):
    """The churn model's answer: how likely no order comes within 30 days."""

    shopper: str
    at_ms: int
    score: float
    silence: bool
    """Whether silence made the shopper due, and no event of theirs."""


@dataclass
class Recording:
    """Filled while the demo runs, by one thread what was sent and by another what was said; read afterwards."""

    acts: dict[str, list[Act]] = field(default_factory=lambda: defaultdict(list))
    """By shopper, in order of time."""
    alerts: list[ChurnAlerted] = field(default_factory=list)
    offers: list[OfferMade] = field(default_factory=list)
    withheld: list[OfferWithheld] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """How many answers each task gave."""
    scored: set[str] = field(default_factory=set)
    """Ids of the records that said them."""
    first_ms: int | None = None
    end_ms: int = 0

    def passing(self, events: Iterable[ShopperEvent]) -> Iterable[ShopperEvent]:
        """The same events, noted on their way."""
        for event in events:
            at = event_time_ms(event)
            self.first_ms = at if self.first_ms is None else min(self.first_ms, at)
            self.end_ms = max(self.end_ms, at)
            cents = order_cents(event) if isinstance(event, OrderPlaced) else 0
            self.acts[event.shopper_id].append(Act(at, str(event.__struct_config__.tag), cents))
            yield event

    def orders(self, shopper: str) -> list[Act]:
        """A shopper's orders, in order of time."""
        return [act for act in self.acts.get(shopper, ()) if act.type == ORDER]

    def add(self, outcome: ChurnAlerted | OfferMade | OfferWithheld) -> None:
        """Take what was said, as read from its topic."""
        if isinstance(outcome, ChurnAlerted):
            self.alerts.append(outcome)
        elif isinstance(outcome, OfferMade):
            self.offers.append(outcome)
        else:
            self.withheld.append(outcome)

"""Nights at which the replay is held, so that days of items end as they do in a shop.

An item is looked at when its day is over, as far as partitions of shoppers have told what was done to it. In a replay
at full speed one runs weeks ahead of another, so that what is foretold would stand on the sales of some shoppers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from streams.features.kinds.decay import DAY_MS, HOUR_MS
from streams.producer.replay import event_time_ms
from streams.records.events import ShopperEvent

#: A week apart, as forecasts are said; the last one on the last day. Each takes seconds: thousands of items are due.
NIGHTS, APART_DAYS = 2, 7
#: So long after midnight UTC: fewer than one order in a hundred comes in the hour before (the households are American),
#: and watermarks have passed midnight.
HOURS = 6


@dataclass
class Nights:
    """Holds the replay at some nights until the worker has processed what was before."""

    last_day: Callable[[], int]
    """Days since 1970 of the last sale; asked once events come."""
    caught_up: Callable[[int], None]
    """Returns when so many records of shoppers are processed, and none waits in any log."""

    def paced(self, events: Iterable[ShopperEvent]) -> Iterator[ShopperEvent]:
        """The events, each after the night before it."""
        ends: list[int] | None = None
        for n, event in enumerate(events):
            if ends is None:
                last = self.last_day()
                ends = [(last - APART_DAYS * k) * DAY_MS + HOURS * HOUR_MS for k in range(NIGHTS)]
                ends = [end for end in ends if end > event_time_ms(event)]
            if ends and event_time_ms(event) >= ends[-1]:
                self.caught_up(n)
                ends = [end for end in ends if end > event_time_ms(event)]
            yield event

"""The end of a day as what makes due: an item is looked at when the day of its last record is over, and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Readable
from streams.features.catalogue import Catalogue
from streams.features.days import UTC, Days
from streams.state.codec import NEVER


@dataclass(frozen=True, slots=True)
class DayEnd:
    """Due at the first moment of the shop's day that is 1, 7 and 30 days after that of the last record.

    Prevents three accidents: nobody looks at an item that sells no more; a shop with many items that rarely sell
    looks at each of them every day; and what sells around the clock is never looked at, for records of the next day
    come before the watermark, which waits for late ones, has passed midnight.
    """

    time_zone: str = UTC
    after_days: tuple[int, ...] = (1, 7, 30)
    _days: Days = field(default_factory=Days, compare=False)

    @property
    def kind(self) -> Literal["day"]:
        """What outcomes call it."""
        return "day"

    @property
    def stays(self) -> bool:
        """A day is over, also when the next one has begun."""
        return True

    def __post_init__(self) -> None:
        object.__setattr__(self, "_days", Days(self.time_zone))

    def may_fire(self, time_ms: Ints, seen_ms: Ints) -> Bools:
        """[n] whether a day ends between a record of this time and a watermark of ``seen_ms``."""
        return self._days.number(seen_ms) > self._days.number(time_ms)

    def due_ms(self, rows: Readable, catalogue: Catalogue, last_event_ms: Ints, fired: Ints) -> Ints:
        """[k] when each row's timer fires, UTC milliseconds, having fired ``fired`` times since its last record."""
        later = np.array(self.after_days)[np.minimum(fired, len(self.after_days) - 1)]
        day = self._days.number(last_event_ms)
        # Where clocks go back across midnight, they show the day before again when the next one has begun already.
        day = day + (self._days.start_ms(day + 1) <= last_event_ms)
        return np.where(fired < len(self.after_days), self._days.start_ms(day + later), NEVER)

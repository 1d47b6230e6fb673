"""Silence as an event: when a shopper is overdue by their own rhythm, a timer makes them due, again and again while
the silence lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Column, Readable
from streams.features.catalogue import Catalogue
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.rhythm import RhythmKind
from streams.state.codec import NEVER

#: When the row was last heard of: the largest event time, or the watermark where that had passed it already.
LAST_EVENT = Column("last_event", "i8")
#: How often a silence made its shopper due so far; the next event sets it to 0.
FIRED = Column("silence/fired", "u1")


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """How long a shopper may be silent before they become due, and due again while the silence lasts.

    Prevents two accidents: leaving goes unnoticed because it makes no event, and a silence judged at its first overdue
    moment is never judged again, however long it lasts. The first wait after the last event is ``mean + spreads ·
    spread`` of the gaps between the shopper's own last orders, within [shortest, longest]; ``unknown_days`` until
    there are two gaps to know a rhythm by. A silence that lasts ``growth`` times as long makes due again, and so on,
    ``firings`` times in all; the next event begins anew.
    """

    shortest_days: float = 3.0
    longest_days: float = 60.0
    unknown_days: float = 21.0
    spreads: float = 2.0
    growth: float = 1.25
    firings: int = 12

    @property
    def kind(self) -> Literal["silence"]:
        """What outcomes call it."""
        return "silence"

    @property
    def stays(self) -> bool:
        """An event ends the silence."""
        return False

    @property
    def shortest_ms(self) -> int:
        return int(self.shortest_days * DAY_MS)

    def may_fire(self, time_ms: Ints, seen_ms: Ints) -> Bools:
        """[n] whether the timer may fire between an event of this time and a watermark of ``seen_ms``."""
        return seen_ms >= time_ms + self.shortest_ms

    def due_ms(self, rows: Readable, catalogue: Catalogue, last_event_ms: Ints, fired: Ints) -> Ints:
        """[k] when each row's timer fires, UTC milliseconds, having fired ``fired`` times in this silence."""
        known = catalogue.kind(RhythmKind).summary(rows)
        wait = np.where(known.gaps >= 2, known.mean + self.spreads * known.spread, self.unknown_days)
        days = np.clip(wait, self.shortest_days, self.longest_days)
        # One product after the other: a power may have other last bits on another machine.
        multiples = np.cumprod(np.concatenate(([1.0], np.full(self.firings - 1, self.growth))))
        days = days * multiples[np.minimum(fired, self.firings - 1)]
        return np.where(fired < self.firings, last_event_ms + np.rint(days * DAY_MS).astype(np.int64), NEVER)

"""Silence as an event: when a shopper is overdue by their own rhythm, a timer makes them due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.features.columns import Readable
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.rhythm import RhythmKind
from streams.processing.batch import Ints


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """How long a shopper may be silent before they become due.

    Prevents the accident that leaving goes unnoticed because it makes no event. The wait after the last event is
    ``mean + spreads · spread`` of the gaps between the shopper's own last orders, within [shortest, longest];
    ``unknown_days`` until there are two gaps to know a rhythm by. A timer fires once; the next event sets it anew.
    """

    shortest_days: float = 3.0
    longest_days: float = 60.0
    unknown_days: float = 21.0
    spreads: float = 2.0

    @property
    def shortest_ms(self) -> int:
        return int(self.shortest_days * DAY_MS)

    def due_ms(self, rows: Readable, rhythm: RhythmKind, last_event_ms: Ints) -> Ints:
        """[k] when each row's timer fires, UTC milliseconds."""
        known = rhythm.summary(rows)
        wait = np.where(known.gaps >= 2, known.mean + self.spreads * known.spread, self.unknown_days)
        days = np.clip(wait, self.shortest_days, self.longest_days)
        return last_event_ms + np.rint(days * DAY_MS).astype(np.int64)

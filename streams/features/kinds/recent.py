"""The last 32 events of a shopper: the sequence that sequence models read, and what the current session looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from streams.features.columns import Column, Rows
from streams.features.kinds.last import Field, LastN
from streams.features.signals import Run
from streams.processing.batch import Bools, Floats, Ints, type_codes
from streams.records.events import ShopperEvent

EVENTS_KEPT = 32
#: A pause this long ends a session (the usual web-analytics convention).
SESSION_GAP_MS = 1_800_000


@dataclass(frozen=True, slots=True)
class Session:
    """Of the session that the newest event belongs to, as far as the last 32 events show it: ``events`` (of some
    types), its length in ``minutes``, or 1 while it is ``open`` (younger than 30 minutes) and 0 after. Cold start 0."""

    what: Literal["events", "minutes", "open"]
    types: tuple[type[ShopperEvent], ...] = ()


class RecentKind:
    """Keeps time, type, category, item and money of the last 32 events."""

    def __init__(self, sources: Sequence[Session]) -> None:
        fields = (Field("type", "u1"), Field("category", "u4"), Field("item", "u4"), Field("cents", "i8"))
        self._events = LastN("events", EVENTS_KEPT, fields)
        self.columns: tuple[Column, ...] = self._events.columns

    def fold(self, state: Rows, run: Run) -> None:
        self._events.fold(state, run)

    def sequence(self, rows: Rows) -> tuple[Bools, Ints, dict[str, npt.NDArray[Any]]]:
        """[k, 32] each, newest first: filled, event time in ms, and ``type``, ``category``, ``item``, ``cents``."""
        return self._events.newest_first(rows)

    def read(self, rows: Rows, now_ms: Ints, source: Session) -> Floats:
        filled, time, fields = self.sequence(rows)
        pause = np.zeros(time.shape, np.bool_)
        pause[:, 1:] = time[:, :-1] - time[:, 1:] > SESSION_GAP_MS
        inside = filled & ~np.logical_or.accumulate(pause, axis=1)
        if source.what == "open":
            return (filled[:, 0] & (now_ms - time[:, 0] <= SESSION_GAP_MS)).astype(np.float64)
        if source.what == "minutes":
            oldest = np.where(inside, time, time[:, :1]).min(axis=1)
            return (time[:, 0] - oldest) / 60_000
        if source.types:
            inside &= np.isin(fields["type"], type_codes(*source.types))
        return inside.sum(axis=1).astype(np.float64)

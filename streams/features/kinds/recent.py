"""The last 32 events of a shopper: the sequence that sequence models read, and what the current session looks like."""

from __future__ import annotations

import collections.abc
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints, of_types
from streams.columns.layout import Column, Readable, Rows
from streams.columns.shopper_events import category_code, item_code
from streams.features.kinds.last import Field, LastN
from streams.features.signals import Run
from streams.records.events import ShopperEvent

EVENTS_KEPT = 32
#: A pause this long ends a session (the usual web-analytics convention).
SESSION_GAP_MS = 1_800_000


#: The column of their categories.
CATEGORIES = f"last{EVENTS_KEPT}/events/category"


@dataclass(frozen=True, slots=True)
class Session:
    """Of the session that the newest event belongs to, as far as the last 32 events show it: ``events`` (of some
    types), its length in ``minutes``, or 1 while it is ``open`` (younger than 30 minutes) and 0 after. Cold start 0."""

    what: Literal["events", "minutes", "open"]
    types: tuple[type[ShopperEvent], ...] = ()


#: Hash buckets of what a model tells apart by name; 0 is "none". All are exact in float32.
BUCKETS = {"category": 4096, "item": 16384}
HOUR_MS = 3_600_000


def bucket(what: str, name: str) -> int:
    """The bucket of an item's id or of a category's name, as ``Sequence`` has it."""
    code = item_code(name) & 0xFFFF_FFFF if what == "item" else category_code(name)
    return code % BUCKETS[what] + 1 if code else 0


@dataclass(frozen=True, slots=True)
class Sequence:
    """One field of the last 32 events, newest first, 0 where there is none: 32 numbers.

    ``gap_hours`` is the time from an event to the next one, of the newest to now, at most a year.
    """

    what: Literal["type", "category", "item", "cents", "gap_hours"]


class RecentKind:
    """Keeps time, type, category, item and money of the last 32 events."""

    def __init__(self, sources: collections.abc.Sequence[Session | Sequence]) -> None:
        fields = (Field("type", "u1"), Field("category", "u4"), Field("item", "u4"), Field("cents", "i8"))
        self._events = LastN("events", EVENTS_KEPT, fields)
        self.columns: tuple[Column, ...] = self._events.columns
        self._members = {s: of_types(*s.types) for s in sources if isinstance(s, Session)}

    def fold(self, state: Rows, run: Run) -> None:
        self._events.fold(state, run)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        self._events.merge(state, row, other)

    def sequence(self, rows: Readable) -> tuple[Bools, Ints, dict[str, npt.NDArray[Any]]]:
        """[k, 32] each, newest first: filled, event time in ms, and ``type``, ``category``, ``item``, ``cents``."""
        return self._events.newest_first(rows)[1:]

    def read(self, rows: Readable, now_ms: Ints, source: Session | Sequence) -> Floats:
        filled, time, fields = self.sequence(rows)
        if isinstance(source, Sequence):
            return self._tensor(filled, time, fields, now_ms, source.what)
        pause = np.zeros(time.shape, np.bool_)
        pause[:, 1:] = time[:, :-1] - time[:, 1:] > SESSION_GAP_MS
        inside = filled & ~np.logical_or.accumulate(pause, axis=1)
        if source.what == "open":
            return (filled[:, 0] & (now_ms - time[:, 0] <= SESSION_GAP_MS)).astype(np.float64)
        if source.what == "minutes":
            oldest = np.where(inside, time, time[:, :1]).min(axis=1)
            return (time[:, 0] - oldest) / 60_000
        if source.types:
            inside &= self._members[source][fields["type"]]
        return inside.sum(axis=1).astype(np.float64)

    def _tensor(
        self, filled: Bools, time: Ints, fields: dict[str, npt.NDArray[Any]], now_ms: Ints, what: str
    ) -> Floats:
        if what == "gap_hours":
            later = np.c_[now_ms, time[:, :-1]]
            return np.where(filled, np.clip((later - time) / HOUR_MS, 0, 8760), 0.0)
        values = fields[what]
        if what in BUCKETS:
            return np.where(values != 0, values.astype(np.int64) % BUCKETS[what] + 1, 0).astype(np.float64)
        return values.astype(np.float64)

"""Hot rows of one partition's keys in one block of memory, backed by a durable tier.

Rows are found by key, touched in place and written behind: what changed since the last flush is packed and
handed to the flush (``streams/state/write_behind.py``). Rows that are clean and long unused are evicted when the
block reaches its limit; only their timer stays in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Rows
from streams.state.codec import NEVER, TIMER, Codec
from streams.state.cold_timers import ColdTimers
from streams.state.keys import ROW, is_blank, row_key

#: Records of a tier that are read at a time.
AT_ONCE = 4096


class Tier(Protocol):
    """Where rows live that are not in memory: keys are ``row_key(key)``, values packed rows."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""

    def behind(self, key: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """The next records behind a key, at most so many, in order of keys; the first ones are behind ``b""``."""


class Arena:
    """The rows of one partition. ``limit`` is the most rows kept in memory (at least one slice's keys),
    ``room`` how many to begin with."""

    def __init__(self, codec: Codec, tier: Tier | None = None, limit: int = 1_000_000, room: int = 1024) -> None:
        self.codec, self.tier, self.limit = codec, tier, limit
        self.rows = Rows.zeros(codec.layout, room)
        self.timer: Ints = np.full(room, NEVER, np.int64)
        self.dirty: Bools = np.zeros(room, np.bool_)
        self._used: Ints = np.zeros(room, np.int64)
        self._clock = 0
        self._index: dict[str, int] = {}
        self._key: list[str | None] = []
        self._free: list[int] = []
        self.cold = ColdTimers()
        """The timers of rows that are not in memory."""

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        """Whether a key's row is in memory."""
        return key in self._index

    def keys(self) -> Iterator[str]:
        """The keys whose rows are in memory."""
        return iter(self._index)

    @property
    def places(self) -> Ints:
        """[len] the rows that are somebody's."""
        return np.fromiter(self._index.values(), np.int64, len(self._index))

    def places_of(self, keys: Sequence[str]) -> Ints:
        """[n] the rows of keys that are in memory; using them so does not count. Raises ``KeyError``."""
        return np.fromiter(map(self._index.__getitem__, keys), np.int64, len(keys))

    def key(self, row: int) -> str:
        """Whose row it is."""
        found = self._key[row]
        assert found is not None, f"row {row} is nobody's"
        return found

    @property
    def armed(self) -> int:
        """How many timers are set, in memory or evicted."""
        return int((self.timer[: len(self._key)] != NEVER).sum()) + len(self.cold)

    def find(self, keys: Sequence[str]) -> Ints:
        """[n] the row of each key; loads evicted rows and makes rows for new keys."""
        index = self._index
        try:
            found = np.fromiter(map(index.__getitem__, keys), np.int64, len(keys))
        except KeyError:
            self._admit([s for s in dict.fromkeys(keys) if s not in index])
            found = np.fromiter(map(index.__getitem__, keys), np.int64, len(keys))
        self._clock += 1
        self._used[found] = self._clock
        return found

    def evicted(self) -> Iterator[tuple[list[str], Rows]]:
        """The rows that are not in memory, some at a time, with their keys."""
        at = ROW
        while self.tier is not None and at[:1] == ROW and (found := self.tier.behind(at, AT_ONCE)):
            at = found[-1][0]
            if cold := self._not_here(found):
                yield [name for name, _ in cold], self.codec.unpack([row for _, row in cold])

    def warm(self, behind: bytes, most: int) -> bytes | None:
        """Bring the next rows of the tier into memory that are not there, of so many; they are the first to be evicted.
        Returns behind which key to go on, None where there are no more or there is no room."""
        room = self.limit - len(self._index)
        if self.tier is None or room <= 0:
            return None
        found = self.tier.behind(behind, most)
        cold = self._load(self._not_here(found)[:room])
        self._used[self.places_of(cold)] = 0
        return found[-1][0] if len(found) == most and found[-1][0][:1] == ROW else None

    def _not_here(self, found: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
        """Of records of the tier the rows that are not in memory, with their keys."""
        rows = [(key[1:].decode(), row) for key, row in found if key[:1] == ROW]
        return [(name, row) for name, row in rows if name not in self._index]

    def _stored(self, keys: Sequence[str]) -> list[tuple[str, bytes]]:
        found = [] if self.tier is None else [(key, self.tier.get(row_key(key))) for key in keys]
        return [(key, row) for key, row in found if row is not None]

    def _admit(self, keys: Sequence[str]) -> None:
        known = set(self._load(self._stored(keys)))
        self._place([key for key in keys if key not in known], None)

    def _load(self, stored: Sequence[tuple[str, bytes]], fired: bool = False) -> list[str]:
        """Bring rows of the tier into memory: whose they are. Blank ones are nobody's. ``fired``: their timers have."""
        some = [(key, row) for key, row in stored if not is_blank(row)]
        names = [key for key, _ in some]
        if some:
            rows = self.codec.unpack([row for _, row in some])
            self._place(names, rows)
            if not fired:
                self.cold.unset(names, rows.column(TIMER.name))
        return names

    def _place(self, keys: list[str], rows: Rows | None) -> None:
        places: list[int] = []
        never_used = len(self._key)
        for key in keys:
            if self._free:
                place = self._free.pop()
                self._key[place] = key
            else:
                place = len(self._key)
                self._key.append(key)
            self._index[key] = place
            places.append(place)
        if places and len(self._key) > len(self.rows):
            self._grow(max(2 * len(self.rows), len(self._key)))
        at = np.array(places, np.int64)
        if rows is None:
            at = at[at < never_used]  # all others are zero
            self.rows.words[at] = 0
            self.timer[at] = NEVER
        else:
            self.rows.words[at] = rows.words
            self.timer[at] = rows.column(TIMER.name)
        self.dirty[at] = False

    def _grow(self, capacity: int) -> None:
        rows = Rows.zeros(self.codec.layout, capacity)
        rows.words[: len(self.rows)] = self.rows.words
        self.timer = np.concatenate([self.timer, np.full(capacity - len(self.rows), NEVER, np.int64)])
        self.dirty = np.concatenate([self.dirty, np.zeros(capacity - len(self.rows), np.bool_)])
        self._used = np.concatenate([self._used, np.zeros(capacity - len(self.rows), np.int64)])
        self.rows = rows

    def next_timer(self) -> int:
        """No timer fires before this; ``NEVER`` where none is set."""
        return min(int(self.timer[: len(self._key)].min(initial=NEVER)), self.cold.first())

    def due(self, watermark_ms: int) -> Ints:
        """Rows whose timer is at or before the watermark, ascending by key's place; loads evicted ones."""
        # Those whose row went from the tier left theirs behind, as did those of them who came back.
        if passed := [key for key in self.cold.take(watermark_ms) if key not in self._index]:
            self.find(self._load(self._stored(list(dict.fromkeys(passed))), fired=True))
        return np.flatnonzero(self.timer[: len(self._key)] <= watermark_ms)

    def drain_dirty(self, next_offset: int) -> dict[bytes, bytes]:
        """Pack what changed since last time, by key; from here on it counts as clean."""
        changed = np.flatnonzero(self.dirty[: len(self._key)])
        self.rows.data[TIMER.name][changed] = self.timer[changed]
        self.dirty[changed] = False
        packed = self.codec.pack(self.rows, changed, next_offset)
        return {row_key(self.key(place)): value for place, value in zip(changed.tolist(), packed, strict=True)}

    def evict(self, keep: Mapping[bytes, bytes] | None = None) -> int:
        """Drop the longest unused clean rows beyond the limit; returns how many.

        ``keep`` are rows on their way to the tier: they are not there yet, so they stay.
        """
        excess = len(self._index) - self.limit
        if excess <= 0 or self.tier is None:
            return 0
        places = self.places
        places = places[~self.dirty[places]]
        places = places[np.argsort(self._used[places], kind="stable")][:excess]
        dropped = [place for place in places.tolist() if not keep or row_key(self.key(place)) not in keep]
        self.cold.set([self.key(place) for place in dropped], self.timer[np.array(dropped, np.int64)])
        self.drop(dropped)
        return len(dropped)

    def drop(self, places: Sequence[int]) -> None:
        """Drop rows that nobody asks for any more."""
        for place in places:
            del self._index[self.key(place)]
            self._key[place] = None
            self.timer[place] = NEVER
            self._free.append(place)

"""Hot rows of one partition's keys in one block of memory, backed by a durable tier.

Rows are found by key, touched in place and written behind: what changed since the last flush is packed and
handed to the flush (``streams/state/write_behind.py``). Rows that are clean and long unused are evicted when the
block reaches its limit; only their timer stays in memory.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Column, Layout, Rows
from streams.state.keys import DIGEST_BYTES, HEADER_BYTES, row_key

#: A timer that never fires.
NEVER = np.iinfo(np.int64).max
TIMER = Column("timer/due", "i8")


class Tier(Protocol):
    """Where rows live that are not in memory: keys are ``row_key(key)``, values packed rows."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Every key and value, in order of keys."""

    def rows_behind(self, key: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """The next rows behind a key, at most so many, in order of keys."""


def row_bytes(value: bytes) -> bytes:
    """A packed row without its header: what two workers' rows must agree on."""
    return value[HEADER_BYTES:]


class Codec:
    """Packs rows and unpacks them, also those that an older layout packed.

    A packed row is the eight-byte name of its layout, the offset up to which its partition was applied when it was
    packed (eight bytes, big-endian), a bit for each eight-byte word of the row that is not zero (the first word's is
    the highest of the first byte), and these words: most of a row is zero. Columns are matched by name (which says
    what a column means), so a column that both layouts have is carried over and a new one starts cold. Raises
    ``ValueError`` for a row whose layout is not known: better to stop than to misread.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._known: dict[bytes, Layout] = {}
        self._dense: set[bytes] = set()
        self._add(layout)
        self.migrated = 0
        self.name = packed_name(layout)
        """The eight bytes that new rows begin with."""

    def learn(self, description: bytes) -> None:
        """Make rows of a described layout readable."""
        self._add(Layout.from_description(description))

    def _add(self, layout: Layout) -> None:
        self._known[packed_name(layout)] = self._known[layout.digest] = layout
        self._dense.add(layout.digest)  # as rows were packed before: all words

    def pack(self, rows: Rows, index: Ints, next_offset: int) -> list[bytes]:
        """The packed form of some rows, as they stand before the partition's record ``next_offset``."""
        words = rows.words[index]
        some = words != 0
        bits = np.packbits(some, axis=1)
        width, held = bits.shape[1], bits.tobytes()
        ends = (8 * np.cumsum(np.count_nonzero(some, axis=1))).tolist()
        values, header = words[some].tobytes(), self.name + next_offset.to_bytes(8, "big")
        starts = [0, *ends]
        return [
            header + held[i * width : (i + 1) * width] + values[a:b]
            for i, (a, b) in enumerate(itertools.pairwise(starts))
        ]

    def blank(self, next_offset: int) -> bytes:
        """The packed form of a row that says nothing of anybody."""
        row = Rows.zeros(self.layout, 1)
        row.data[TIMER.name] = NEVER
        return self.pack(row, np.zeros(1, np.int64), next_offset)[0]

    def unpack(self, packed: Sequence[bytes]) -> Rows:
        """Rows in the current layout."""
        ours = self.name
        if all(p[:DIGEST_BYTES] == ours for p in packed):
            return self._read(self.layout, packed)
        rows = Rows.zeros(self.layout, len(packed))
        by_name: dict[bytes, list[int]] = {}
        for i, value in enumerate(packed):
            by_name.setdefault(bytes(value[:DIGEST_BYTES]), []).append(i)
        for name, index in by_name.items():
            layout = self._known.get(name)
            if layout is None:
                raise ValueError(
                    f"A row has the unknown layout {name.hex()}. The feature table was written by a newer version, or "
                    "lost its layout records: run that version, or empty it and replay the log."
                )
            some = [packed[i] for i in index]
            if name in self._dense:
                old = Rows.from_bytes(layout, b"".join(p[HEADER_BYTES:] for p in some))
            else:
                old = self._read(layout, some)
            for column in self.layout.columns:
                if column in layout.columns:
                    rows.data[column.name][index] = old.data[column.name]
            self.migrated += len(index) * (layout is not self.layout)
        return rows

    @staticmethod
    def _read(layout: Layout, packed: Sequence[bytes]) -> Rows:
        words = layout.itemsize // 8
        width = (words + 7) // 8
        start = HEADER_BYTES + width
        bits = np.frombuffer(b"".join(p[HEADER_BYTES:start] for p in packed), np.uint8).reshape(len(packed), width)
        some = np.unpackbits(bits, axis=1, count=words).astype(np.bool_)
        rows = Rows.zeros(layout, len(packed))
        rows.words[some] = np.frombuffer(b"".join(p[start:] for p in packed), np.uint64)
        return rows


def packed_name(layout: Layout) -> bytes:
    """Eight bytes that name a layout whose rows are packed without their zeros."""
    return hashlib.blake2b(b"without zeros" + layout.describe(), digest_size=DIGEST_BYTES).digest()


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
        self._cold_timers: dict[str, int] = {}
        # The same timers, the next one first; entries of keys that came back or were set anew are passed over.
        self._cold_order: list[tuple[int, str]] = []

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
        return int((self.timer[: len(self._key)] != NEVER).sum()) + len(self._cold_timers)

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

    def load_all(
        self, packed: Iterable[tuple[bytes, bytes]], show: Callable[[list[str], Rows], None] | None = None
    ) -> None:
        """Fill the arena from a table: rows up to the limit, of the others the timers only. ``show`` is shown all
        rows, some at a time, with their keys."""
        block: list[tuple[str, bytes]] = []
        for key, value in packed:
            if key[:1] == b"s":
                block.append((key[1:].decode(), value))
                if len(block) >= 4096:
                    self._load_block(block, show)
                    block = []
        self._load_block(block, show)

    def _load_block(self, block: list[tuple[str, bytes]], show: Callable[[list[str], Rows], None] | None) -> None:
        if not block:
            return
        rows = self.codec.unpack([value for _, value in block])
        if show is not None:
            show([key for key, _ in block], rows)
        room = max(0, self.limit - len(self._index))
        if room:
            self._place([key for key, _ in block[:room]], Rows(rows.layout, rows.words[:room]))
        due = rows.column(TIMER.name)
        for i in range(room, len(block)):
            self._chill(block[i][0], int(due[i]))

    def evicted(self) -> Iterator[tuple[list[str], Rows]]:
        """The rows that are not in memory, some at a time, with their keys."""
        every = () if self.tier is None else self.tier.items()
        named = ((key[1:].decode(), value) for key, value in every if key[:1] == b"s")
        cold = (row for row in named if row[0] not in self._index)
        while block := list(itertools.islice(cold, 4096)):
            yield [name for name, _ in block], self.codec.unpack([held for _, held in block])

    def _chill(self, key: str, due: int) -> None:
        if due != NEVER:
            self._cold_timers[key] = due
            heapq.heappush(self._cold_order, (due, key))
            if len(self._cold_order) > 2 * len(self._cold_timers) + 1024:
                # Shoppers that came back left theirs behind.
                self._cold_order = [(at, name) for name, at in self._cold_timers.items()]
                heapq.heapify(self._cold_order)

    def _admit(self, keys: list[str]) -> None:
        if self.tier is None:
            self._place(keys, None)
            return
        stored = [(key, self.tier.get(row_key(key))) for key in keys]
        known = [(key, value) for key, value in stored if value is not None]
        if known:
            self._place([key for key, _ in known], self.codec.unpack([value for _, value in known]))
        self._place([key for key, value in stored if value is None], None)

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
            self._cold_timers.pop(key, None)
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
        first = int(self.timer[: len(self._key)].min(initial=NEVER))
        return min(first, self._cold_order[0][0]) if self._cold_order else first

    def due(self, watermark_ms: int) -> Ints:
        """Rows whose timer is at or before the watermark, ascending by key's place; loads evicted ones."""
        order, passed = self._cold_order, []
        while order and order[0][0] <= watermark_ms:
            due, key = heapq.heappop(order)
            if self._cold_timers.get(key) == due:
                passed.append(key)
        if passed:
            self.find(list(dict.fromkeys(passed)))
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
        dropped = 0
        for place in places.tolist():
            key = self.key(place)
            if keep and row_key(key) in keep:
                continue
            self._chill(key, int(self.timer[place]))
            self._drop(place)
            dropped += 1
        return dropped

    def drop(self, places: Ints) -> None:
        """Drop rows that nobody asks for any more."""
        for place in places.tolist():
            self._drop(place)

    def disarm(self, keys: Iterable[str]) -> None:
        """No timer of these, whose rows are not in memory, fires any more."""
        for key in keys:
            self._cold_timers.pop(key, None)

    def _drop(self, place: int) -> None:
        del self._index[self.key(place)]
        self._key[place] = None
        self.timer[place] = NEVER
        self._free.append(place)

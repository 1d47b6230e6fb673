"""The ids of events that were applied and may come again: what makes an event that is sent twice a duplicate.

An id is known as long as the five minutes of event time that its event lies in are not wholly behind the watermark.
Whatever is sent again later than that is late, and changes nothing either: so the set is exact, however many events
lie between, and it is bounded by the events of the allowed lateness.

In memory it is a hash table of arrays (open addressing, linear probing): 12 bytes a slot, 20 to 40 bytes per id. In the
feature table it is a chunk of 8 bytes per id for each flush and five minutes, deleted once they are behind it.
A chunk counts only when the progress record has come to the flush it was written by, so the set that a restart finds is
the one that belongs to that progress: nothing is known that was not yet applied.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Hashes, Ints, in_turn
from streams.state.keys import IDS

#: Ids are forgotten in steps of so much event time.
BUCKET_MS = 300_000
_ABSENT = -1
_SMALLEST = 1024
#: The table is made anew when it is fuller than this …
_FULL = 0.6
#: … and then as full as this.
_FRESH = 0.3


class AppliedIds:
    """The ids known in one partition. An id is a 64-bit hash of key and event id together. ``prefix``: what the keys of
    its chunks in the feature table begin with."""

    def __init__(self, prefix: bytes = IDS) -> None:
        self._prefix = prefix
        self._ids: Hashes = np.zeros(_SMALLEST, np.uint64)  # 0: an empty slot
        self._bucket: npt.NDArray[np.int32] = np.zeros(_SMALLEST, np.int32)
        self._held = 0
        # Since the last flush: ids and their buckets.
        self._added: list[tuple[Hashes, Ints]] = []
        self._flushed_offset = 0
        self._flushed_floor = 0
        # bucket → keys of its chunks in the feature table
        self._chunks: dict[int, list[bytes]] = {}

    def __len__(self) -> int:
        """How many ids are held, some of them perhaps not needed any more."""
        return self._held

    @property
    def nbytes(self) -> int:
        """Memory of the table."""
        return self._ids.nbytes + self._bucket.nbytes

    def admit(self, ids: Hashes, time_ms: Ints, watermark_ms: Ints, late: Bools) -> Bools:
        """[n] whether each event's id is known when its turn comes; from then on it is, unless the event is late.

        ``watermark_ms`` [n] stands before each event, and never falls. Of two events with one id the first counts,
        also when their times differ.
        """
        if not len(ids):
            return np.zeros(0, np.bool_)
        ids = np.where(ids == 0, np.uint64(1), ids)
        bucket, floor = time_ms // BUCKET_MS, _floor(watermark_ms)
        if self._held + len(ids) > _FULL * len(self._ids):
            self._rebuild(int(floor[0]), len(ids))
        held, slot = self._find(ids)
        known = held >= floor
        repeated = _repeated(ids)
        if len(repeated):
            known[repeated] = _in_turn(ids[repeated], held[repeated], bucket[repeated], floor[repeated], late[repeated])
        new = np.flatnonzero(~known & ~late)
        if len(repeated):
            # An id may be new twice, when its time passed in between: the later one stays.
            _, from_end = np.unique(ids[new][::-1], return_index=True)
            new = new[len(new) - 1 - np.sort(from_end)[::-1]]
        self._insert(ids[new], bucket[new], slot[new])
        self._added.append((ids[new], bucket[new]))
        return known

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Chunks of what was added since last time, and deletions of those that nothing needs any more.

        A chunk is deleted one flush after its time passed. Before, a worker that recovers what the last flush left
        still needs it to judge the same events alike.
        """
        floor = int(_floor(np.array(watermark_ms)))
        changes: dict[bytes, bytes | None] = {}
        for bucket in [b for b in self._chunks if b < self._flushed_floor]:
            changes |= dict.fromkeys(self._chunks.pop(bucket))
        ids, buckets = self._since_flush(floor)
        order = np.argsort(buckets, kind="stable")
        starts = np.flatnonzero(np.diff(buckets[order], prepend=-1))
        span = self._flushed_offset.to_bytes(8, "big") + next_offset.to_bytes(8, "big")
        for some in np.split(order, starts[1:]) if len(order) else []:
            bucket = int(buckets[some[0]])
            key = self._prefix + bucket.to_bytes(8, "big") + span
            changes[key] = ids[some].astype("<u8").tobytes()
            self._chunks.setdefault(bucket, []).append(key)
        self._added = []
        if floor > self._flushed_floor and np.count_nonzero(self._bucket >= floor) < self._held // 2:
            self._rebuild(floor, 0)
        self._flushed_offset, self._flushed_floor = next_offset, floor
        return changes

    def recover(self, chunks: Iterable[tuple[bytes, bytes]], next_offset: int, watermark_ms: int) -> None:
        """Fill the empty set with the chunks of the feature table, as it was before the record ``next_offset``."""
        floor = int(_floor(np.array(watermark_ms)))
        self._flushed_offset, self._flushed_floor = next_offset, floor
        for key, value in chunks:
            place = key[len(self._prefix) :]
            bucket, until = int.from_bytes(place[:8], "big"), int.from_bytes(place[16:24], "big")
            self._chunks.setdefault(bucket, []).append(key)
            if bucket >= floor and until <= next_offset:
                ids = np.frombuffer(value, "<u8").astype(np.uint64)
                if self._held + len(ids) > _FULL * len(self._ids):
                    self._rebuild(floor, len(ids))
                self._insert(ids, np.full(len(ids), bucket), self._home(ids))

    def _since_flush(self, floor: int) -> tuple[Hashes, Ints]:
        ids = np.concatenate([np.zeros(0, np.uint64), *(added[0] for added in self._added)])
        buckets = np.concatenate([np.zeros(0, np.int64), *(added[1] for added in self._added)])
        some = buckets >= floor
        return ids[some], buckets[some]

    # -- the table

    def _home(self, ids: Hashes) -> Ints:
        # Where the search for each id begins: its upper half, mixed once more, as a fraction of the table.
        upper = (ids * np.uint64(0x9E37_79B9_7F4A_7C15)) >> np.uint64(32)
        return ((upper * np.uint64(len(self._ids))) >> np.uint64(32)).astype(np.int64)

    def _find(self, ids: Hashes) -> tuple[Ints, Ints]:
        """[n] the bucket that each id is held with, -1 where it is not, and the slot where the search ended: its
        own, or the empty one where it would be put."""
        found = np.full(len(ids), _ABSENT, np.int64)
        slot = self._home(ids)
        left = np.arange(len(ids))
        while len(left):
            at = slot[left]
            there = self._ids[at]
            same = np.flatnonzero(there == ids[left])
            if len(same):
                found[left[same]] = self._bucket[at[same]]
                there[same] = 0
            on = there != 0
            left, at = left[on], at[on] + 1
            at[at == len(self._ids)] = 0
            slot[left] = at
        return found, slot

    def _insert(self, ids: Hashes, bucket: Ints, at: Ints) -> None:
        """Hold ids, none of them twice, each at the first free slot from ``at`` on; one that is held gets its new
        bucket."""
        while len(ids):
            there = self._ids[at]
            free = np.flatnonzero(there == 0)
            self._ids[at[free]] = ids[free]  # of several that want a slot, the last one has it
            mine = self._ids[at] == ids
            self._held += int(np.count_nonzero(mine[free]))
            self._bucket[at[mine]] = bucket[mine]
            ids, bucket, at = ids[~mine], bucket[~mine], at[~mine] + 1
            at[at == len(self._ids)] = 0

    def _rebuild(self, floor: int, room: int) -> None:
        """Forget what nothing needs any more, and make room for so many ids."""
        needed = np.flatnonzero((self._bucket >= floor) & (self._ids != 0))
        ids, bucket = self._ids[needed], self._bucket[needed].astype(np.int64)
        size = max(_SMALLEST, int((len(ids) + room) / _FRESH))
        self._ids, self._bucket, self._held = np.zeros(size, np.uint64), np.zeros(size, np.int32), 0
        self._insert(ids, bucket, self._home(ids))
        # A history that is replayed is never flushed.
        self._added = [self._since_flush(floor)]


def _floor(watermark_ms: Ints) -> Ints:
    """The oldest bucket that is not wholly behind the watermark."""
    return np.maximum(watermark_ms // BUCKET_MS, 0)


def _repeated(ids: Hashes) -> Ints:
    """The events whose id stands more than once among these."""
    # Equal ones share a bin. Of at least four times as many bins as events few have two, so there is little to sort.
    bins = 4 << len(ids).bit_length()
    bin_ = (ids & np.uint64(bins - 1)).astype(np.int64)
    candidates = np.flatnonzero(np.bincount(bin_, minlength=bins)[bin_] > 1)
    ranked = np.sort(ids[candidates])
    twice = ranked[1:][ranked[1:] == ranked[:-1]]
    return candidates[np.isin(ids[candidates], twice)] if len(twice) else np.zeros(0, np.int64)


def _in_turn(ids: Hashes, held: Ints, bucket: Ints, floor: Ints, late: Bools) -> Bools:
    """Whether each is known when its turn comes: the first of each id, then the second of each, and so on."""
    _, first, group = np.unique(ids, return_index=True, return_inverse=True)
    holds, known = held[first], np.empty(len(ids), np.bool_)
    for some in in_turn(group):
        known[some] = holds[group[some]] >= floor[some]
        new = some[~known[some] & ~late[some]]
        holds[group[new]] = bucket[new]
    return known

"""What becomes of each record: applied, duplicate, late (or dead, which decoding decides).

records in = applied + duplicate + late + dead, always; ``tests/laws/test_log_decides.py`` adds it up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.features.columns import Column, Rows
from streams.processing.batch import Bools, EventBatch, Ints

#: How many event ids a shopper's row remembers.
IDS_KEPT = 32
IDS = Column("recent/event_ids", "u8", IDS_KEPT)
IDS_COUNT = Column("recent/event_ids/count", "u4")
_BLOCK = 2048
APPLIED = Column("applied/offset+1", "i8")


@dataclass(frozen=True, slots=True)
class Fates:
    """[n] each: exactly one is true per event, or none when it is to be applied."""

    duplicate: Bools
    late: Bools

    @property
    def applied(self) -> Bools:
        """The events to apply."""
        return ~(self.duplicate | self.late)


def watermarks(clock_ms: Ints, newest_ms: int, allowed_lateness_ms: int) -> tuple[Ints, Ints]:
    """[n] each: the newest event time up to and with each record, and the watermark before each.

    ``clock_ms`` [n]: event time of each record; ``newest_ms``: the newest before all of them.

    >>> [found.tolist() for found in watermarks(np.array([5, 3, 9]), 4, 1)]
    [[5, 5, 9], [3, 4, 4]]
    """
    newest = np.maximum.accumulate(np.maximum(clock_ms, newest_ms))
    return newest, np.r_[newest_ms, newest[:-1]] - allowed_lateness_ms


def judge(batch: EventBatch, rows: Ints, by_shopper: Ints, state: Rows, watermark_before: Ints) -> Fates:
    """Decide each event's fate as if the events came one by one; ``by_shopper`` is their stable order by row.

    A duplicate is an event at or below the row's last applied offset (the broker delivered it again), or one whose
    id is among the shopper's last 32 applied ids. Late is older than the watermark stood before it.
    """
    redelivered = batch.offset < state.flat["i8"][state.cells(APPLIED, rows)]
    late = (batch.time_ms < watermark_before) & ~redelivered
    duplicate = redelivered.copy()
    ids = _nonzero(batch.id_hash)
    suspects = _suspects(ids, rows, by_shopper, state, ~redelivered)
    for row in np.unique(rows[suspects]).tolist():
        _one_by_one(np.flatnonzero(rows == row), ids, row, state, duplicate, late)
    return Fates(duplicate, late & ~duplicate)


def remember(batch: EventBatch, rows: Ints, applied: Ints, state: Rows) -> None:
    """Write the applied events' ids and offsets into their rows. ``applied``: by shopper, in log order."""
    row = rows[applied]
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]]) if len(row) else np.zeros(0, np.int64)
    rank = np.arange(len(row)) - np.repeat(first, np.diff(np.r_[first, len(row)]))
    counts = state.cells(IDS_COUNT, row)
    slot = (state.flat["u4"][counts].astype(np.int64) + rank) % IDS_KEPT
    state.flat["u8"][state.cells(IDS, row) + slot] = _nonzero(batch.id_hash[applied])
    np.add.at(state.flat["u4"], counts, np.uint32(1))
    np.maximum.at(state.flat["i8"], state.cells(APPLIED, row), batch.offset[applied] + 1)


def _nonzero(ids: np.typing.NDArray[np.uint64]) -> np.typing.NDArray[np.uint64]:
    # An empty slot of the ring is 0.
    return np.where(ids == 0, np.uint64(1), ids)


def _suspects(ids: np.typing.NDArray[np.uint64], rows: Ints, by_shopper: Ints, state: Rows, fresh: Bools) -> Ints:
    """Events that may be duplicates: their id is in the ring, or is said twice in this batch by one shopper."""
    ring = state.column(IDS.name)
    seen = np.zeros(len(ids), np.bool_)
    # Rings are 256 bytes each: a few thousand at a time stay in the cache, a shopper's own from event to event.
    for a in range(0, len(ids), _BLOCK):
        some = by_shopper[a : a + _BLOCK]
        same = ring[rows[some]] == ids[some, None]
        if same.any():
            seen[some] = same.any(axis=1)
    mixed = ids ^ (rows.astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15))
    # Equal ones share a bin. Of at least four times as many bins as events few have two, so there is little to sort.
    bins = 4 << len(ids).bit_length()
    bin_ = (mixed & np.uint64(bins - 1)).astype(np.int64)
    ranked = np.sort(mixed[np.bincount(bin_, minlength=bins)[bin_] > 1])
    said_twice = ranked[1:][ranked[1:] == ranked[:-1]]
    if len(said_twice):
        seen |= np.isin(mixed, said_twice)
    return np.flatnonzero(seen & fresh)


def _one_by_one(
    events: Ints, ids: np.typing.NDArray[np.uint64], row: int, state: Rows, duplicate: Bools, late: Bools
) -> None:
    at = np.array([row])
    count = int(state.flat["u4"][state.cells(IDS_COUNT, at)][0])
    cells = state.cells(IDS, at) + np.arange(max(0, count - IDS_KEPT), count) % IDS_KEPT
    recent = state.flat["u8"][cells].tolist()
    for i in events.tolist():
        if duplicate[i]:
            continue
        event_id = int(ids[i])
        if event_id in recent[-IDS_KEPT:]:
            duplicate[i] = True
        elif not late[i]:
            recent.append(event_id)

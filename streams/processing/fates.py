"""What becomes of each record: applied, duplicate, late, forwarded (or dead, which decoding decides).

records in = applied + duplicate + late + forwarded + dead, and what workers wrote (tick, choice, merged), always;
``tests/laws/test_log_decides.py`` and ``test_identity.py`` add it up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, EventBatch, Ints
from streams.columns.layout import Column, Rows
from streams.processing.order_book import settle
from streams.records.events import ShopperIdentified
from streams.state.applied_ids import AppliedIds

APPLIED = Column("applied/offset+1", "i8")
_IDENTIFIED = TYPE_CODE[ShopperIdentified]


@dataclass(frozen=True, slots=True)
class Fates:
    """[n] each: exactly one is true per event, or none when it is to be applied."""

    duplicate: Bools
    late: Bools
    forwarded: Bools | None = None
    """Of somebody else by now, to whom they are sent on; None: of nobody."""
    refused: Bools | None = None
    """Dead letters after all, which what the partition knows refuses; None: no event is."""

    @property
    def applied(self) -> Bools:
        """The events to apply."""
        found = ~(self.duplicate | self.late)
        for others in (self.forwarded, self.refused):
            if others is not None:
                found &= ~others
        return found


@dataclass(frozen=True, slots=True)
class Judged:
    """What a slice's records come to, before they are folded."""

    batch: EventBatch
    fates: Fates
    """Of the batch."""
    newest_ms: Ints
    """[len(slice)] the newest event time up to and with each record."""
    before_ms: Ints
    """[len(slice)] the watermark before each record …"""
    watermark_ms: Ints
    """… and once it was seen."""
    late_before_ms: Ints
    """[len(batch)] what is older than this is late."""


def watermarks(clock_ms: Ints, newest_ms: int, allowed_lateness_ms: int, least_ms: int) -> tuple[Ints, Ints, Ints]:
    """[n] each: the newest event time up to and with each record, and the watermark before and after each.

    ``clock_ms`` [n]: event time of each record; ``newest_ms``: the newest before all of them. The watermark lies
    ``allowed_lateness_ms`` behind, and never before ``least_ms``.

    >>> [found.tolist() for found in watermarks(np.array([5, 3, 9]), 4, 1, 0)]
    [[5, 5, 9], [3, 4, 4], [4, 4, 8]]
    """
    newest = np.maximum.accumulate(np.maximum(clock_ms, newest_ms))
    before = np.maximum(np.concatenate(([newest_ms], newest[:-1])) - allowed_lateness_ms, least_ms)
    return newest, before, np.maximum(newest - allowed_lateness_ms, least_ms)


def once(
    batch: EventBatch, rows: Ints, state: Rows, ids: AppliedIds, watermark_before: Ints, timeless: Bools | None = None
) -> Fates:
    """Decide each record's fate as if they came one by one, and remember the ids of those that are new.

    Late is older than the watermark stood before it. A duplicate is a record at or below the row's last applied offset
    (the broker delivered it again), or one whose id is known. The same id with another event time is a duplicate all
    the same, as long as the first one's time is not behind the watermark. Those that are ``timeless`` are never late.
    """
    redelivered = batch.offset < state.flat["i8"][state.cells(APPLIED, rows)]
    late = batch.time_ms < watermark_before
    if timeless is not None:
        late &= ~timeless
    # Redelivered ones are judged as well: their row is ahead of the progress record, the set of ids is not.
    known = ids.admit(batch.identity, batch.time_ms, watermark_before, late)
    duplicate = redelivered | known
    return Fates(duplicate, late & ~duplicate)


def judge(
    batch: EventBatch, rows: Ints, state: Rows, ids: AppliedIds, watermark_before: Ints
) -> tuple[EventBatch, Fates]:
    """``once`` for events of shoppers: an order that is placed again under another event id is a duplicate, too; that
    somebody was identified is never late. The batch comes back with what its cancellations and returns refund."""
    fates = once(batch, rows, state, ids, watermark_before, batch.type == _IDENTIFIED)
    return settled(batch, rows, state, fates)


def settled(batch: EventBatch, rows: Ints, state: Rows, fates: Fates) -> tuple[EventBatch, Fates]:
    """Enter the orders among those that are to be applied: see ``judge``."""
    batch, placed_before = settle(batch, rows, fates.applied, state)
    return batch, replace(fates, duplicate=fates.duplicate | placed_before)

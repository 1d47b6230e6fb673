"""Moves what is known of an id to whom it belongs, once it is identified (``identity.py``): out of its row, over the
log, into theirs."""

from __future__ import annotations

import numpy as np

from streams.columns.arrays import EventBatch, Ints
from streams.processing.decode import Decoded
from streams.processing.entity import Emitted, Entity, Side
from streams.processing.fates import APPLIED, Judged
from streams.processing.folding import Folding
from streams.processing.identity import IDENTIFIED, Moved, When, ends, forwarded_to
from streams.processing.merging import described, one_row
from streams.processing.rounds import BUCKET
from streams.processing.rules import Rules
from streams.processing.silence import LAST_EVENT
from streams.records.events import ShopperMerged
from streams.records.slices import Slice


class Moving:
    """Of one partition, whose rows ``folding`` folds."""

    def __init__(self, entity: Entity, folding: Folding, side: Side) -> None:
        self._entity, self._folding, self._side = entity, folding, side
        own = (column for merge in entity.merges for column in merge.columns)
        self._columns = (*folding.catalogue.columns, BUCKET, LAST_EVENT, *own)
        self._told: list[Moved] = []

    def cuts(self, decoded: Decoded, rules: Rules) -> list[int]:
        """Places in a slice before which all must be done, so that what is moved to here may be taken at the start of
        each part: nothing is known of its shopper before it, in the same part."""
        if self._side.identities is None:
            return []
        batch, arena = decoded.batch, self._folding.arena
        at = [int(batch.position[i]) for i, record in forwarded_to(decoded).items() if ends(record)]
        at += [i for i, said in decoded.merges if ends(said)]
        found = [place for i in at for place in (i, i + 1)]
        if decoded.merges:
            heard: dict[str, list[int]] = {said.shopper_id: [] for _, said in decoded.merges}
            for key, position in zip(batch.keys, batch.position.tolist(), strict=True):
                if key in heard:
                    heard[key].append(position)
            watermark = self._side.watermarks_ms(decoded.clock_ms, rules)
            timer = arena.timer[arena.find([said.shopper_id for _, said in decoded.merges])]
            start = 0
            for (i, said), due in zip(decoded.merges, timer.tolist(), strict=True):
                if due <= watermark[i] or any(start <= position < i for position in heard[said.shopper_id]):
                    found.append(i)
                    start = i
                heard[said.shopper_id].append(i)
        return found

    def begin(self, decoded: Decoded, slice_: Slice, rules: Rules) -> list[str]:
        """A slice begins that need not be cut: take what is moved to here; gives the fate of each."""
        identities = self._side.identities
        if identities is None:
            return ["tick"] * len(decoded.merges)
        identities.begin(decoded)
        if not decoded.merges:
            return []
        watermark = self._side.watermarks_ms(decoded.clock_ms, rules)
        return [self._into(i, said, int(slice_.offsets[i]), int(watermark[i]), rules) for i, said in decoded.merges]

    def _into(self, position: int, said: ShopperMerged, offset: int, watermark_ms: int, rules: Rules) -> str:
        """Take what was known of another id, which stands at an offset of this log; gives the record's fate."""
        identities, arena = self._side.identities, self._folding.arena
        assert identities is not None
        rows = arena.find([said.shopper_id])
        self._folding.forget(rows)
        row, state = int(rows[0]), arena.rows
        fate = identities.receive(position, said, state, row, offset)
        if fate == "forwarded":
            self._told.append(identities.pass_on(said, offset, rules))
        elif fate == "merged":
            state.data[APPLIED.name][row], arena.dirty[row] = offset + 1, True
            if said.via[0] != said.shopper_id:  # Of one that comes back, all is still there.
                other = one_row(state.layout, said.columns)
                self._side.joins(state, row, other, said, offset)
                for merge in self._entity.merges:
                    merge.take(state, row, other)
                self._folding.merge(row, other)
            self._side.came(said, offset, watermark_ms)
            self._folding.hear_of(row, max(said.event_time, watermark_ms), rules)
        return fate

    def out(self, batch: EventBatch, rows: Ints, applied: Ints, judged: Judged, rules: Rules) -> list[Emitted]:
        """What a slice says to others' logs, in the order of its own: events of ids that were identified before, all
        that is known of those that are identified in it. ``applied``: of its batch."""
        identities, state = self._side.identities, self._folding.arena.rows
        if identities is None:
            return []
        told, forwarded = self._told, judged.fates.forwarded
        if forwarded is not None and forwarded.any():
            told += identities.forward(batch, np.flatnonzero(forwarded).tolist(), rules)
        for i in applied[batch.type[applied] == IDENTIFIED].tolist():
            row, offset, time_ms = int(rows[i]), int(batch.offset[i]), int(batch.time_ms[i])
            # Who somebody is may be said late: what had ended by then is over.
            passed = int(judged.watermark_ms[batch.position[i]])
            left = self._side.left(state, row, batch.keys[i], When(offset, max(time_ms, passed), passed))
            held = described(state, row, self._columns)
            told.append(identities.close(batch.records[i], (offset, time_ms), held, left, rules))
        self._told = []
        told.sort(key=lambda one: one[0])
        return [Emitted(self._entity.name, home, value) for _, home, value in told]

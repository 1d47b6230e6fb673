"""Moves what is known of an id to whom it belongs, once it is identified (``identity.py``): out of its row, over the
log, into theirs."""

from __future__ import annotations

import numpy as np

from streams.columns.arrays import EventBatch, Ints
from streams.processing.entity import Emitted, Entity, Side
from streams.processing.fates import APPLIED, Fates
from streams.processing.folding import LAST_EVENT, Folding
from streams.processing.identity import IDENTIFIED, Moved
from streams.processing.merging import described, one_row
from streams.processing.rounds import BUCKET
from streams.processing.rules import Rules
from streams.records.events import ShopperMerged
from streams.state.arena import NEVER


class Moving:
    """Of one partition, whose rows ``folding`` folds."""

    def __init__(self, entity: Entity, folding: Folding, side: Side) -> None:
        self._entity, self._folding, self._side = entity, folding, side
        own = (column for merge in entity.merges for column in merge.columns)
        self._columns = (*folding.catalogue.columns, BUCKET, LAST_EVENT, *own)

    def out(self, batch: EventBatch, rows: Ints, applied: Ints, fates: Fates, rules: Rules) -> list[Emitted]:
        """What a slice says to others' logs: events of ids that were identified before, and all that is known of one
        that is identified by it. ``applied``: of its batch."""
        identities, arena = self._side.identities, self._folding.arena
        if identities is None:
            return []
        found: list[Moved] = []
        if fates.forwarded is not None and fates.forwarded.any():
            found += identities.forward(batch, np.flatnonzero(fates.forwarded).tolist(), rules)
        for i in applied[batch.type[applied] == IDENTIFIED].tolist():
            row, offset, time_ms = int(rows[i]), int(batch.offset[i]), int(batch.time_ms[i])
            names = self._side.left(arena.rows, row, offset, time_ms)
            held = described(arena.rows, row, self._columns)
            found.append(identities.close(arena.rows, row, batch.records[i], (offset, time_ms), held, names, rules))
            arena.timer[row] = NEVER
        return [Emitted(self._entity.name, home, value) for home, value in found]

    def into(self, said: ShopperMerged, offset: int, watermark_ms: int, rules: Rules) -> tuple[str, list[Emitted]]:
        """Take what was known of another id, which stands at an offset of this log; gives the record's fate."""
        identities, arena = self._side.identities, self._folding.arena
        if identities is None:
            return "tick", []
        row = int(arena.find([said.shopper_id])[0])
        fate = identities.receive(said, arena.rows, row, offset)
        if fate == "duplicate":
            return fate, []
        if fate == "forwarded":
            home, value = identities.pass_on(said, offset, rules)
            return fate, [Emitted(self._entity.name, home, value)]
        state = arena.rows
        state.data[APPLIED.name][row], arena.dirty[row] = offset + 1, True
        if said.via[0] != said.shopper_id:  # Of one that comes back, all is still there.
            other = one_row(state.layout, said.columns)
            self._side.joins(state, row, other, said, offset)
            for merge in self._entity.merges:
                merge.take(state, row, other)
            self._folding.merge(row, other)
        self._folding.hear_of(row, max(said.event_time, watermark_ms), rules)
        return fate, []

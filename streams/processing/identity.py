"""Who turned out to be whom in one partition of shoppers (docs/decisions/0015).

An id that is identified is closed at that place of its log. What its row held goes to the log of whom it belongs to as
one record (``ShopperMerged``), and so does every later event of it (``EventForwarded``). Each is known by the place in
the log where it stood: a receiver passes over what is not beyond the last one of its source, so what a crash makes a
worker say again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, EventBatch, Ints
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import ShopperColumns
from streams.processing.decode import Decoded, dead_letter
from streams.processing.fates import APPLIED, Fates, once, settled
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.records.events import EventForwarded, ShopperIdentified, ShopperMerged, encode_event
from streams.records.slices import Slice
from streams.state.applied_ids import AppliedIds
from streams.state.keys import ALIAS

#: The offset behind the record that closed the row, 0 while it is open; ``REOPENED`` for good once it led back to
#: itself.
CLOSED = Column("identity/closed", "i8")
REOPENED = -1
#: No record is sent on to more ids than this: whoever it comes to then keeps it.
MOST_IDS = 16
IDENTIFIED = TYPE_CODE[ShopperIdentified]
#: Where it stood, and a record for a partition of the same log: offset, partition, bytes.
Moved = tuple[int, int, bytes]


class When(NamedTuple):
    """A record by which somebody turns out to be another one."""

    offset: int
    at_ms: int
    """When that was known, UTC milliseconds: the record's time, or the watermark where that had passed it."""
    watermark_ms: int
    """Where the watermark stands once it was seen."""


class Left(NamedTuple):
    """What goes with a row that is another one's."""

    categories: list[str]
    items: list[str]
    """Names behind hashes that the row holds."""
    windows: dict[str, bytes]
    """What follows offers, by campaign."""


class Identities:
    """The ids of one partition that were identified, and how far what others moved here has come. ``group``: the
    workers that keep it; ``partitions``: how many its log has."""

    def __init__(self, partition: int, partitions: int, group: str) -> None:
        self._partition, self._partitions, self._group = partition, partitions, group
        self._who: dict[str, str] = {}
        """Id → who it turned out to be. Ahead of the rows after a crash: ``CLOSED`` says whether it holds."""
        self._new: dict[bytes, bytes | None] = {}
        self._seen: dict[int, int] = {}
        """Partition → the offset there of what came last from it."""
        self._forwarded: dict[int, EventForwarded] = {}
        """By place in the batch: the slice's events that were forwarded to here."""
        self._fresh: dict[int, bool] = {}
        """By position in the slice: whether what was moved to here comes for the first time."""

    def begin(self, decoded: Decoded) -> None:
        """A slice begins: which of what was moved to here comes for the first time, in the order of the log."""
        self._forwarded = forwarded_to(decoded)
        came = [(int(decoded.batch.position[i]), record) for i, record in self._forwarded.items()]
        self._fresh = {}
        for position, record in sorted([*came, *decoded.merges], key=lambda one: one[0]):
            self._fresh[position] = record.source_offset > self._seen.get(record.source_partition, -1)
            if self._fresh[position]:
                self._seen[record.source_partition] = record.source_offset

    def judge(
        self, batch: EventBatch, rows: Ints, state: Rows, ids: AppliedIds, watermark_before: Ints
    ) -> tuple[EventBatch, Fates]:
        """Every event's fate, see ``fates.judge``. What was forwarded to here is known by where it came from, and late
        never: that was judged there."""
        fates = self._once(batch, rows, state, ids, watermark_before)
        closed = state.flat["i8"][state.cells(CLOSED, rows)]
        logins = (batch.type == IDENTIFIED) & fates.applied
        if logins.any() or (closed != 0).any():
            fates = self._of_closed(batch, rows, state, fates, closed, logins)
        return settled(batch, rows, state, fates)

    def _once(self, batch: EventBatch, rows: Ints, state: Rows, ids: AppliedIds, watermark_before: Ints) -> Fates:
        if not self._forwarded:
            return once(batch, rows, state, ids, watermark_before, batch.type == IDENTIFIED)
        own = np.ones(len(batch), np.bool_)
        own[list(self._forwarded)] = False
        some = replace(batch, **{name: getattr(batch, name)[own] for name in ("offset", "time_ms", "identity", "type")})
        judged = once(some, rows[own], state, ids, watermark_before[own], some.type == IDENTIFIED)
        duplicate, late = np.zeros(len(batch), np.bool_), np.zeros(len(batch), np.bool_)
        duplicate[own], late[own] = judged.duplicate, judged.late
        for i in self._forwarded:
            redelivered = batch.offset[i] < state.data[APPLIED.name][rows[i]]
            duplicate[i] = not self._fresh[int(batch.position[i])] or redelivered
        return Fates(duplicate, late)

    def _of_closed(
        self, batch: EventBatch, rows: Ints, state: Rows, fates: Fates, closed: Ints, logins: Bools
    ) -> Fates:
        """The same where rows are closed, by what came before or by logins among these."""
        applied, duplicate, refused = fates.applied, fates.duplicate.copy(), np.zeros(len(batch), np.bool_)
        gone = closed > 0
        for i in np.flatnonzero(logins).tolist():
            key, who = batch.keys[i], batch.records[i].identified_as
            if gone[i] or closed[i] == REOPENED:
                duplicate[i] = gone[i] and self._who[key] == who
                refused[i] = not duplicate[i]
                continue
            self._who[key] = who
            self._new[ALIAS + key.encode()] = who.encode()
            gone[i + 1 :] |= rows[i + 1 :] == rows[i]
        forwarded = applied & gone & ~logins
        for i, record in self._forwarded.items():
            if forwarded[i] and ends(record):
                state.data[CLOSED.name][rows[i]] = REOPENED
                forwarded[i] = False
        return Fates(duplicate, fates.late, forwarded, refused)

    def refuse(self, decoded: Decoded, fates: Fates, slice_: Slice) -> None:
        """Make dead letters of those that were refused."""
        if fates.refused is None:
            return
        batch = decoded.batch
        for i in np.flatnonzero(fates.refused).tolist():
            who = self._who[batch.keys[i]]
            detail = f"It was identified as {who[:64]!r} before, and the first word holds."
            letter = dead_letter(slice_, int(batch.position[i]), "identified_before", detail, "identified_as")
            decoded.dead.append(letter)

    def forward(self, batch: EventBatch, forwarded: Iterable[int], rules: Rules) -> list[Moved]:
        """Send some events of a batch on to whom they belong."""
        found = []
        for i in forwarded:
            key, came = batch.keys[i], self._forwarded.get(i)
            record = EventForwarded(
                group=self._group,
                shopper_id=self._who[key],
                via=[key] if came is None else [*came.via, key],
                source_partition=self._partition,
                source_offset=int(batch.offset[i]),
                event=batch.records[i] if came is None else came.event,
            )
            found.append(self._moved(record, rules))
        return found

    def close(
        self,
        said: ShopperIdentified,
        at: tuple[int, int],
        columns: dict[str, list[int | float]],
        left: Left,
        rules: Rules,
    ) -> Moved:
        """Send what was known of an id on to who it turned out to be. ``at``: offset and event time of the record that
        says so; ``columns``: what its row holds; ``left``: what goes with it."""
        record = ShopperMerged(
            group=self._group,
            shopper_id=said.identified_as,
            via=[said.shopper_id],
            source_partition=self._partition,
            source_offset=at[0],
            event_time=at[1],
            columns=columns,
            categories=left.categories,
            items=left.items,
            windows=left.windows,
        )
        return self._moved(record, rules)

    def receive(
        self, position: int, said: ShopperMerged, state: Rows, row: int, offset: int
    ) -> Literal["merged", "forwarded", "duplicate"]:
        """What becomes of what was known of another id, at a position of the slice and an offset of this log."""
        if not self._fresh[position] or offset < state.data[APPLIED.name][row]:
            return "duplicate"
        if state.data[CLOSED.name][row] > 0:
            if not ends(said):
                return "forwarded"
            state.data[CLOSED.name][row] = REOPENED
        return "merged"

    def pass_on(self, said: ShopperMerged, offset: int, rules: Rules) -> Moved:
        """Send it on to whom it belongs."""
        record = msgspec.structs.replace(
            said,
            shopper_id=self._who[said.shopper_id],
            via=[*said.via, said.shopper_id],
            source_partition=self._partition,
            source_offset=offset,
        )
        return self._moved(record, rules)

    def _moved(self, record: EventForwarded | ShopperMerged, rules: Rules) -> Moved:
        (home,) = homes([record.shopper_id.encode()], rules.decode.partitioner, self._partitions).tolist()
        return record.source_offset, home, encode_event(record)

    def progress(self) -> dict[str, Any]:
        """How far what others moved here has come, by partition."""
        return {"moved": {str(source): offset for source, offset in sorted(self._seen.items())}}

    def drain_changes(self) -> dict[bytes, bytes | None]:
        """Who turned out to be whom since this was last called, as records of the feature table: before the rows."""
        changes, self._new = self._new, {}
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any]) -> None:
        """Take it back."""
        self._seen = {int(source): offset for source, offset in meta.get("moved", {}).items()}
        self._who = {key[1:].decode(): value.decode() for key, value in records if key[:1] == ALIAS}


def ends(record: EventForwarded | ShopperMerged) -> bool:
    """Whether a record has come to an end though its shopper was identified: ids led in a circle, or on and on."""
    return record.shopper_id in record.via or len(record.via) >= MOST_IDS


def forwarded_to(decoded: Decoded) -> dict[int, EventForwarded]:
    """By place in its batch: the events of a slice that were forwarded to its partition."""
    return decoded.columns.forwarded if isinstance(decoded.columns, ShopperColumns) else {}

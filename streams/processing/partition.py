"""One partition's log, applied: slice in, outcomes out. Pure: no Kafka, no clock, no thread.

The same code runs in the worker, in the plain loop of the tests and under the training replay. Its state after
record n is a function of records 0 to n alone.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from streams.columns.arrays import EventBatch, Ints, stable_order
from streams.columns.layout import Layout, Readable
from streams.decisions.decider import Seen
from streams.features.catalogue import Catalogue
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.known import Known
from streams.monitoring.late_labels import Waits
from streams.processing import recalibrating
from streams.processing.applied import Applied, late_event
from streams.processing.decode import Decoded, decode
from streams.processing.due import DuePoints, Features
from streams.processing.entity import Entity, Start, outcomes
from streams.processing.fates import APPLIED
from streams.processing.folding import Folding
from streams.processing.grouping import grouped, records_of
from streams.processing.in_force import InForce, Refused
from streams.processing.model import Shelf
from streams.processing.moving import Moving
from streams.processing.partition_records import Turn
from streams.processing.recovering import read_back
from streams.processing.rounds import BUCKET
from streams.processing.rules import Rules
from streams.processing.scoring import score
from streams.processing.silence import FIRED, LAST_EVENT
from streams.processing.sweeping import Sweeping
from streams.records.events import LogIdled
from streams.records.slices import Slice
from streams.state import keys
from streams.state.arena import Arena, Tier
from streams.state.codec import TIMER, Codec

#: By task, what it answers.
Outputs = Mapping[str, Sequence[Any]]


def row_layout(entity: Entity, catalogue: Catalogue | None = None, outputs: Outputs | None = None) -> Layout:
    """The packed row: feature columns, what was applied, timers, decisions, and answers that wait for their labels."""
    own = (APPLIED, BUCKET, LAST_EVENT, TIMER, FIRED)
    waiting = (*Waits(outputs or {}).columns, *recalibrating.columns_of(outputs or {}))
    return Layout((*(catalogue or entity.catalogue).columns, *own, *entity.row_columns, *waiting))


def outputs_of(shelf: Shelf | None, entity: str) -> Outputs:
    """What the tasks about an entity answer, also those of which a shop has to train its own version first: it says
    what waits for labels."""
    return {} if shelf is None else {task: shelf.outputs(task) for task in shelf.tasks_of(entity)}


class OtherLog(RuntimeError):
    """The state counts the offsets of another log than the one that is there now."""


class PartitionProcessor:
    """State and progress of one partition of an entity's log.

    The models of ``shelf`` score every due point, in the versions that the log chose last; the rules are those that the
    log chose last. A log that chose nothing yet begins with the package's versions and ``rules``, and the state
    remembers which. Without a shelf nothing is scored; a ``collector`` (the training replay) takes the due points
    instead, with the features ``collected``. ``refused`` is told of versions that were chosen and cannot serve.
    ``log_id`` names the log whose offsets the state counts: a topic deleted and made anew is another log, and taking
    its records for known ones would lose them (``OtherLog``). ``group`` names the workers that keep the state: what
    others chose in a log that they share is followed until the first choice of its own. ``room``: how many shoppers to
    make room for at once. ``partitions``: how many the topic has; None where it is not judged whether a record is in
    the partition of its key. ``at_once``: False, what is in ``tier`` is read back by ``recover``, before anything else.
    """

    def __init__(
        self,
        entity: Entity,
        partition: int,
        rules: Rules,
        shelf: Shelf | None = None,
        *,
        catalogue: Catalogue | None = None,
        layout: Layout | None = None,
        tier: Tier | None = None,
        limit: int = 1_000_000,
        collector: Callable[[list[DuePoints], Features], None] | None = None,
        collected: tuple[str, ...] = (),
        refused: Refused = lambda _task, _version, _error: None,
        log_id: str = "",
        group: str = "",
        room: int = 1024,
        partitions: int | None = None,
        at_once: bool = True,
    ) -> None:
        self.entity, self.partition, self.log_id = entity, partition, log_id
        self.catalogue = (catalogue or entity.catalogue).in_zone(rules.time_zone)
        self._partitions, self._group = partitions, group
        self._scored, self._collector, self._collected = shelf is not None, collector, collected
        self.in_force = InForce(entity.name, partition, group, rules, self.catalogue, shelf, refused)
        outputs = outputs_of(shelf, entity.name)
        self._label_reads = Waits(outputs).reads
        self.codec = Codec(layout or row_layout(entity, self.catalogue, outputs))
        self.arena = Arena(self.codec, tier, limit, room)
        self.next_offset = 0
        self.fates: Counter[str] = Counter()
        """What became of the records before ``next_offset``; after a crash some of the applied ones are counted as
        duplicates."""
        self.lag_ms = 0
        """How long after the newest event time the newest record was appended: small in a live partition."""
        self._new_records: dict[bytes, bytes] = {keys.LAYOUT + self.codec.name: self.codec.layout.describe()}
        self._ahead: dict[str, int] = {}
        """Whose rows a crash left ahead of the progress record, and the offset before which each stands."""
        self.side = entity.side(Start(partition, partitions, rules, group, outputs))
        if tier is None:
            self._begin()
        elif at_once:
            for _ in self.recover(tier):
                pass

    @property
    def rules(self) -> Rules:
        """The rules that hold."""
        return self.in_force.rules

    def _places_read(self) -> dict[str, slice]:
        """Where in a row of what is read each feature stands that a model or a decision reads."""
        wanted = [*self.in_force.addresses, *self.entity.reads, *self._label_reads]
        return self.catalogue.places(self._collected if self._collector is not None else tuple(dict.fromkeys(wanted)))

    def known(self) -> Known:
        """What became known of earlier answers since this was last asked."""
        return self.side.known(self.arena.rows, self.arena.places, self.watermark_ms)

    @property
    def _timer_kind(self) -> Literal["silence", "day"]:
        return self.entity.timer(self.rules).kind

    @property
    def watermark_ms(self) -> int:
        """Nothing older is still awaited, UTC milliseconds. Never falls: where rules that allow more lateness begin to
        hold, it stands still until the newest event is as far ahead."""
        return self.side.watermark_ms(self.rules)

    @property
    def newest_ms(self) -> int:
        """Largest event time seen, UTC milliseconds since 1970."""
        return self.side.newest_ms

    @property
    def today(self) -> int:
        """Day of the watermark, days since 1970."""
        return self.watermark_ms // DAY_MS

    def recover(self, tier: Tier) -> Iterator[None]:
        """Come back from a table, in steps between which others have their turn. Nothing else may be asked before the
        last. Raises ``OtherLog``."""
        found = yield from read_back(tier, self.arena, self.side.wishes)
        meta, self._ahead = found.progress, found.ahead
        if meta:
            if self.log_id and meta.get("log_id", self.log_id) not in ("", self.log_id):
                raise OtherLog(
                    f"The feature table of partition {self.partition} belongs to topic {meta['log_id']}, but "
                    f"{self.entity.log} is {self.log_id}: it was deleted and made anew. Start under another "
                    "OFFERSTREAM_APP_ID, or delete the changelog topic and the data folder."
                )
            self.next_offset, self.lag_ms = meta["next_offset"], meta["lag_ms"]
            self.fates = Counter(meta.get("fates", {}))
            self.in_force.restore(meta, found.campaigns)
        self.side.plan(self.in_force.plans)
        self.side.restore(found.beside, meta, self.rules)
        self._begin(found.blanks)

    def _begin(self, blanks: Sequence[bytes] = ()) -> None:
        self.in_force.begin()
        self._folding = Folding(self.arena, self.catalogue, self.entity, self.side)
        self._moving = Moving(self.entity, self._folding, self.side)
        self._sweeping = Sweeping(self._folding, self.side.forgetting, self.next_offset, blanks)
        self._places = self._places_read()

    def drain_changes(self) -> dict[bytes, bytes | None]:
        """What changed since last time, by table key: what is known beside the rows, layout, rows; the progress record
        last. None deletes.

        The progress record says that every record before ``next_offset`` is in the rows, so it must not become
        durable before they do.
        """
        changes = self.side.drain_changes(self.next_offset, self.watermark_ms)
        changes |= self.in_force.drain_changes() | self._new_records | self._sweeping.drain(self.next_offset)
        changes |= self.arena.drain_dirty(self.next_offset)
        self._new_records = {}
        if changes or self.next_offset:
            progress = {
                "next_offset": self.next_offset,
                "lag_ms": self.lag_ms,
                "fates": self.fates,
                "log_id": self.log_id,
                **self.in_force.progress(),
                **self.side.progress(),
            }
            changes[keys.PROGRESS] = msgspec.json.encode(progress)
        return changes

    def pass_over(self, next_offset: int) -> None:
        """Take note that the records before ``next_offset`` that were not applied are gone from the log."""
        self.next_offset = max(self.next_offset, next_offset)

    def apply(self, slice_: Slice) -> Applied:
        """Apply a slice. Records below ``next_offset`` were applied before and are passed over as duplicates."""
        result = Applied()
        skip = int(np.searchsorted(np.asarray(slice_.offsets), self.next_offset))
        if skip:
            result.fates["duplicate"] += min(skip, len(slice_))
            slice_ = slice_.cut(skip, len(slice_))
        if not len(slice_):
            return result
        clock = time.perf_counter
        t0 = clock()
        decoded = decode(slice_, self.rules.decode, self._partitions, self.entity.wire, self._group)
        if len(slice_) > 1:
            turns = [i for i, _ in decoded.turns]
            cuts = {*turns, *(i + 1 for i in turns), *self.side.cuts(decoded, self.rules)}
            cuts |= {*self._moving.cuts(decoded, self.rules), *self._folding.parts(decoded.clock_ms, self.rules)} - {0}
            if cuts:
                return self._apply_parts(slice_, cuts, result)
        t1 = clock()
        self._folding.begin(decoded.clock_ms, self.rules)
        merged = Counter(self._moving.begin(decoded, slice_, self.rules))
        result.fates += merged
        self.fates += merged
        rows = self.arena.find(decoded.batch.keys)
        self._folding.forget(rows)
        t2 = clock()
        self._apply_decoded(decoded, rows, slice_, result)
        result.seconds["decode"] = t1 - t0
        result.seconds["fold"] += t2 - t1
        for _, said in decoded.turns:
            self._turn(said, result)
        return result

    def _turn(self, said: Turn, result: Applied) -> None:
        """From here on something else holds."""
        fate = "tick" if isinstance(said, LogIdled) else "choice"
        result.fates[fate] += 1
        self.fates[fate] += 1
        if not isinstance(said, LogIdled):
            stood, before, planned = self.watermark_ms, self.rules, self.in_force.plans
            self.in_force.follow(said)
            if self.in_force.plans is not planned:
                armed = self.side.alarms
                self.side.plan(self.in_force.plans)
                now = self.side.alarms
                if now is not None and (armed is None or now.waits != armed.waits):
                    self._folding.rearm({key for key, stands in self._ahead.items() if stands >= self.next_offset})
            if self.rules is not before:
                self.side.under(self.rules, stood)
            self._places = self._places_read()
        elif self._collector is None:
            result.emitted += self.side.fall_idle(self.next_offset - 1, self.rules)

    def apply_history(self, batch: EventBatch, rows: Ints, first: int, clock_ms: Ints) -> Applied:
        """Apply events that were decoded before. ``rows`` [k] are the places of their shoppers in the arena;
        ``clock_ms`` [n] the times of all n events of this stretch of the log, of which the k may be some, from the
        offset ``first`` on: time goes on with all of them."""
        n, appended = len(clock_ms), int(np.max(clock_ms))
        nothing: list[bytes | None] = [None] * n
        slice_ = Slice("history", self.partition, range(first, first + n), [appended] * n, nothing, nothing)
        result = Applied()
        self._folding.begin(clock_ms, self.rules)
        self._folding.forget(rows)
        self._apply_decoded(Decoded(batch, clock_ms, 0), rows, slice_, result)
        return result

    def at_once(self, clock_ms: Ints) -> int:
        """How many of the records that come next, with such event times, ``apply_history`` may take together."""
        return next(iter(self._folding.parts(clock_ms, self.rules)), len(clock_ms))

    def _step(self, ends: Ints, slice_: Slice, result: Applied) -> None:
        """Decide what timers make due before each end of quiet hours that the first record's watermark passes at once:
        a decision may wait for that end."""
        arena = self.arena
        while len(ends := ends[ends > arena.next_timer()]):
            watermark, nothing = ends[:1] - 1, decode(slice_.cut(0, 0), self.rules.decode, wire=self.entity.wire).batch
            none, passed = np.zeros(0, np.int64), Applied()
            due = self._folding.fold(nothing, none, none, watermark, self.rules, self._read)
            if due.points and self._collector is None:
                self._score_and_decide(due.points, due.read(), nothing, slice_.cut(0, 1), watermark, passed)
            passed.count_due(due, self._timer_kind)
            result.add(passed)
            ends = ends[1:]

    def _apply_decoded(self, decoded: Decoded, rows: Ints, slice_: Slice, result: Applied) -> None:
        """Take a decoded slice, of which nothing was applied before."""
        clock = time.perf_counter
        t0 = clock()
        steps = self.side.steps(decoded, self.rules)
        judged = self.side.judge(decoded, rows, self.arena.rows, slice_, self.rules)
        self._step(steps, slice_, result)
        batch, fates, watermark = judged.batch, judged.fates, judged.watermark_ms
        by_row = stable_order(rows)
        applied = by_row[fates.applied[by_row]]
        due = self._folding.fold(batch, rows, applied, watermark, self.rules, self._read)
        self._folding.hear_news(decoded.news, np.asarray(slice_.offsets, np.int64), watermark, due)
        features = due.read()
        # Not the block from before: a timer of an evicted row may have made it grow.
        state = self.arena.rows
        np.maximum.at(state.flat["i8"], state.cells(APPLIED, rows[applied]), batch.offset[applied] + 1)
        self.next_offset = int(slice_.offsets[-1]) + 1
        self.lag_ms = int(slice_.timestamps_ms[-1]) - int(judged.newest_ms[-1])
        result.seconds["fold"] = clock() - t0
        if self._collector is not None:
            self._collector(due.points, features)
        else:
            if due.points:
                self._score_and_decide(due.points, features, batch, slice_, watermark, result)
            in_order = np.sort(applied)
            self.side.note(self.arena.rows, rows, batch, in_order, judged)
            moved = self._moving.out(batch, rows, in_order, judged, self.rules)
            told = self.side.emit(batch, in_order, judged, slice_, self.rules)
            result.emitted, result.outcomes = told.emitted + moved, result.outcomes + told.outcomes
            late = np.flatnonzero(fates.late).tolist()
            result.late = [late_event(slice_, batch, self.arena.key(int(rows[i])), i, judged) for i in late]
        result.count_due(due, self._timer_kind)
        self.fates.update(result.count(decoded, fates, applied))

    def _apply_parts(self, slice_: Slice, cuts: set[int], result: Applied) -> Applied:
        """Apply a slice in parts, so that each choice holds from where it stands in the log, and what decisions wait
        for is known before it comes."""
        bounds = sorted({0, *cuts, len(slice_)})
        for start, stop in itertools.pairwise(bounds):
            result.add(self.apply(slice_.cut(start, stop)))
        return result

    def _read(self, rows: Readable, now: Ints) -> Features:
        return self.catalogue.read(rows, now, tuple(self._places))

    # -- score and decide

    def _score_and_decide(
        self,
        due: list[DuePoints],
        features: Features,
        batch: EventBatch,
        slice_: Slice,
        watermark: Ints,
        result: Applied,
    ) -> None:
        if not self._scored:
            return
        clock = time.perf_counter
        t0 = clock()
        arena = self.arena
        keys_ = [arena.key(row) for points in due for row in points.row.tolist()]
        made_due = records_of(due, batch)
        scores = score(self.in_force.serving, features, self._places, keys_.__getitem__, self.catalogue, made_due)
        for points in due:
            arena.dirty[points.row] = True
        seen, offsets = Seen(features, self._places, scores), np.asarray(slice_.offsets, np.int64)
        groups = grouped(due, keys_, seen, batch, offsets, watermark, self._timer_kind, made_due)
        self.side.correct(arena.rows, groups, scores)
        t1 = clock()
        result.publish(outcomes(self.side.deciders, arena.rows, groups), self.rules.publish_from_ms)
        self._folding.set_decided(due, self.rules)
        result.seconds |= {"score": t1 - t0, "decide": clock() - t1}
        result.scores += scores.values()

"""One partition's log, applied: slice in, outcomes out. Pure: no Kafka, no clock, no thread.

The same code runs in the worker, in the plain loop of the tests and under the training replay. Its state after
record n is a function of records 0 to n alone.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from streams.columns.arrays import EventBatch, Ints, stable_order
from streams.columns.layout import Layout, Readable
from streams.decisions.decider import Group, Seen
from streams.features.catalogue import Catalogue
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.known import Known
from streams.monitoring.late_labels import Waits
from streams.processing.decode import Choice, Decoded, Turn, decode
from streams.processing.due import DuePoints, Features
from streams.processing.entity import Emitted, Entity, Start, outcomes
from streams.processing.fates import APPLIED, Judged
from streams.processing.folding import LAST_EVENT, Folding
from streams.processing.rounds import BUCKET
from streams.processing.rules import Rules
from streams.processing.scoring import Model, Serving, Shelf, TaskScores, score, serve, shipped_stages
from streams.processing.silence import FIRED
from streams.records.events import LogIdled
from streams.records.outcomes import AnyOutcome, ChurnAlerted, DeadLetter, Due, LateEvent, OfferMade, outcome_id
from streams.records.serving import ModelsChosen, Stages
from streams.records.slices import Slice
from streams.state import keys
from streams.state.arena import TIMER, Arena, Codec, Tier

#: By task, what it answers.
Outputs = Mapping[str, Sequence[Any]]


def row_layout(entity: Entity, catalogue: Catalogue | None = None, outputs: Outputs | None = None) -> Layout:
    """The packed row: feature columns, what was applied, timers, decisions, and answers that wait for their labels."""
    own = (APPLIED, BUCKET, LAST_EVENT, TIMER, FIRED)
    waiting = Waits(outputs or {}).columns
    return Layout((*(catalogue or entity.catalogue).columns, *own, *entity.row_columns, *waiting))


def outputs_of(shelf: Shelf | None, entity: str) -> Outputs:
    """What the tasks about an entity answer."""
    return {} if shelf is None else {task: shelf.model(task).outputs for task in shelf.tasks_of(entity)}


@dataclass(slots=True)
class Applied:
    """What a slice came to. ``fates`` counts its records; outputs are in deterministic order."""

    fates: Counter[str] = field(default_factory=Counter)
    types: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Events by code of their type, and fate."""
    outcomes: list[AnyOutcome] = field(default_factory=list)
    emitted: list[Emitted] = field(default_factory=list)
    """Records for the logs of other entities, in order."""
    late: list[LateEvent] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    suppressed: Counter[str] = field(default_factory=Counter)
    """Alerts and offers that were decided but are too old to be published, by kind."""
    seconds: dict[str, float] = field(default_factory=dict)
    scores: list[TaskScores] = field(default_factory=list)
    """What each task answered."""
    due_kinds: Counter[str] = field(default_factory=Counter)
    rounds: int = 0

    def add(self, other: Applied) -> None:
        """Take what the records after these came to."""
        self.fates += other.fates
        self.types += other.types
        self.due_kinds += other.due_kinds
        self.suppressed += other.suppressed
        self.outcomes += other.outcomes
        self.emitted += other.emitted
        self.late += other.late
        self.dead += other.dead
        self.scores += other.scores
        self.rounds += other.rounds
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @property
    def due_points(self) -> int:
        """Shoppers that were due in this slice."""
        return self.due_kinds.total()


class OtherLog(RuntimeError):
    """The state counts the offsets of another log than the one that is there now."""


class OtherRules(RuntimeError):
    """The log names rules that this version or this worker's settings cannot keep."""


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
    the partition of its key.
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
        refused: Callable[[str, str, Exception], None] = lambda _task, _version, _error: None,
        log_id: str = "",
        group: str = "",
        room: int = 1024,
        partitions: int | None = None,
    ) -> None:
        self.entity, self.partition, self.rules, self.log_id, self.group = entity, partition, rules, log_id, group
        self.catalogue = (catalogue or entity.catalogue).in_zone(rules.time_zone)
        self._partitions = partitions
        self._shelf, self._collector, self._collected = shelf, collector, collected
        self._refused = refused
        self._serving: list[Serving] = []
        self.stages: dict[str, Stages] = {}
        """Which versions serve, as the log chose; tasks that it never chose for serve the package's own."""
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
        self.begun = False
        """Whether the state was taken back from the tier, with the rules and versions that its log began with."""
        self.chose = False
        """Whether the group has chosen in this log: what others choose is theirs from then on."""
        self.side = entity.side(Start(partition, partitions, rules, outputs))
        if tier is not None:
            self._recover(tier)
        if not self.begun and shelf is not None:
            self.stages = shipped_stages(shelf, entity.name)
        self._folding = Folding(self.arena, self.catalogue, entity, self.side)
        self._serve(self.stages)

    def known(self) -> Known:
        """What became known of earlier answers since this was last asked."""
        return self.side.known(self.arena.rows, self.arena.places, self.watermark_ms)

    def _choose(self, choice: Choice) -> None:
        """From here on in the log other versions serve, or other rules hold."""
        own = choice.group in ("", self.group)
        if self.chose and not own:
            return
        self.chose |= own
        if isinstance(choice, ModelsChosen):
            self._serve(self.stages | {task: self._standing(task, s) for task, s in choice.stages.items()})
        else:
            stood = self.watermark_ms
            # Another group that shares this log may add up another currency, and count other days.
            self.rules = self._rules_of(choice.digest, choice.rules).in_units_of(self.rules)
            self.side.under(self.rules, stood)

    def _standing(self, task: str, stages: Stages) -> Stages:
        if stages.live is not None or task not in self.stages:
            return stages
        return msgspec.structs.replace(stages, live=self.stages[task].live)

    def _rules_of(self, digest: str, described: dict[str, Any]) -> Rules:
        rules = Rules.of(described)
        if rules.digest != digest:
            raise OtherRules(
                f"The log of partition {self.partition} is under rules {digest} of a newer version, which decide what "
                "this one does not know. Run that version."
            )
        return rules

    def _check_units(self, table: Rules) -> None:
        for what, name, held, ours in (
            ("adds up", "CURRENCY", table.decode.currency, self.rules.decode.currency),
            ("counts days of", "TIME_ZONE", table.time_zone, self.rules.time_zone),
        ):
            if held != ours:
                raise OtherRules(
                    f"The feature table of partition {self.partition} {what} {held}, this worker is set to {ours}. Set "
                    f"OFFERSTREAM_{name} back, or start under another OFFERSTREAM_APP_ID."
                )

    def _serve(self, stages: dict[str, Stages]) -> None:
        self.stages = stages
        self._serving = (
            []
            if self._shelf is None
            else serve(self._shelf, self.entity.name, self.catalogue.inputs, stages, self._refused, self._serving)
        )
        wanted = self._collected if self._collector is not None else self._addresses()
        self._places = self.catalogue.places(wanted)

    @property
    def _timer_kind(self) -> Literal["silence", "day"]:
        return self.entity.timer(self.rules).kind

    @property
    def serving(self) -> Sequence[Serving]:
        """What scores now, by task."""
        return self._serving

    def live(self, task: str) -> Model | None:
        """The live model of a task; None where it does not serve."""
        return next((serving.live for serving in self._serving if serving.live.task == task), None)

    @property
    def missing(self) -> set[str]:
        """Tasks of which a chosen version could not be loaded."""
        return {task.live.task for task in self._serving if not task.whole}

    @property
    def models(self) -> list[Model]:
        """Every model that scores now: live, canary and shadow."""
        return [model for task in self._serving for model in task.staged.values()]

    def _addresses(self) -> tuple[str, ...]:
        """Every feature that a model or a decision reads, each once."""
        wanted: list[str] = []

        def take(model: Model) -> None:
            wanted.extend(a for a in model.features if a in self.catalogue.features)
            wanted.extend(condition.address for condition in model.population)
            for upstream in model.upstream:
                take(upstream)

        for model in self.models:
            take(model)
        return tuple(dict.fromkeys([*wanted, *self.entity.reads, *self._label_reads]))

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

    def _recover(self, tier: Tier) -> None:
        beside: list[tuple[bytes, bytes]] = []
        meta: dict[str, Any] = {}

        def rows() -> Iterator[tuple[bytes, bytes]]:
            # In order of keys: layouts come before the rows that need them.
            for key, value in tier.items():
                kind = key[:1]
                if kind == keys.LAYOUT:
                    self.codec.learn(value)
                elif key == keys.PROGRESS:
                    meta.update(msgspec.json.decode(value))
                elif kind == keys.ROW:
                    yield key, value
                else:
                    beside.append((key, value))

        self.arena.load_all(rows())
        if meta:
            if self.log_id and meta.get("log_id", self.log_id) not in ("", self.log_id):
                raise OtherLog(
                    f"The feature table of partition {self.partition} belongs to topic {meta['log_id']}, but "
                    f"{self.entity.log} is {self.log_id}: it was deleted and made anew. Start under another "
                    "OFFERSTREAM_APP_ID, or delete the changelog topic and the data folder."
                )
            self.next_offset, self.lag_ms = meta["next_offset"], meta["lag_ms"]
            self.fates = Counter(meta.get("fates", {}))
            self.chose = meta.get("chose", False)
            self.stages = msgspec.convert(meta.get("stages", {}), dict[str, Stages])
            if "rules" in meta:
                rules = self._rules_of(meta["rules_digest"], meta["rules"])
                self._check_units(rules)
                self.rules, self.begun = rules, True
        self.side.restore(beside, meta, self.rules)

    def take_changes(self) -> dict[bytes, bytes | None]:
        """What changed since last time, by table key: what is known beside the rows, layout, rows; the progress record
        last. None deletes.

        The progress record says that every record before ``next_offset`` is in the rows, so it must not become
        durable before they do.
        """
        changes = self.side.take_changes(self.next_offset, self.watermark_ms)
        changes |= self._new_records | self.arena.take_dirty(self.next_offset)
        self._new_records = {}
        if changes or self.next_offset:
            progress = {
                "next_offset": self.next_offset,
                "lag_ms": self.lag_ms,
                "fates": self.fates,
                "stages": self.stages,
                "chose": self.chose,
                "rules_digest": self.rules.digest,
                "rules": self.rules.described(),
                "log_id": self.log_id,
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
        decoded = decode(slice_, self.rules.decode, self._partitions, self.entity.wire)
        if decoded.turns and len(slice_) > 1:
            return self._apply_around(slice_, [i for i, _ in decoded.turns], result)
        t1 = clock()
        rows = self.arena.find(decoded.batch.keys)
        t2 = clock()
        self._take(decoded, rows, slice_, result)
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
            self._choose(said)
        elif self._collector is None:
            result.emitted += self.side.fall_idle(self.next_offset - 1, self.rules)

    def apply_history(self, batch: EventBatch, rows: Ints) -> Applied:
        """Apply events that were decoded before, all of them there: offsets follow on one another. ``rows`` [n] are
        the places of their shoppers in the arena."""
        n, appended = len(batch), int(np.max(batch.time_ms))
        nothing: list[bytes | None] = [None] * n
        first = int(batch.offset[0])
        slice_ = Slice("history", self.partition, range(first, first + n), [appended] * n, nothing, nothing)
        result = Applied()
        self._take(Decoded(batch, batch.time_ms, 0), rows, slice_, result)
        return result

    def _take(self, decoded: Decoded, rows: Ints, slice_: Slice, result: Applied) -> None:
        """Take a decoded slice, of which nothing was applied before."""
        clock = time.perf_counter
        t0 = clock()
        judged = self.side.judge(decoded, rows, self.arena.rows, slice_, self.rules)
        batch, fates, watermark = judged.batch, judged.fates, judged.watermark_ms
        by_row = stable_order(rows)
        applied = by_row[fates.applied[by_row]]
        due = self._folding.fold(batch, rows, applied, watermark, self.rules, self._read)
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
            result.emitted = self.side.emit(batch, np.sort(applied), judged, slice_, self.rules)
            if due.points:
                self._score_and_decide(due.points, features, batch, slice_, watermark, result)
            late = np.flatnonzero(fates.late).tolist()
            result.late = [self._late(slice_, batch, self.arena.key(int(rows[i])), i, judged) for i in late]
        result.rounds = len(due.points)
        for points in due.points:
            result.due_kinds[self._timer_kind if points.timer else "event"] += len(points)
        result.dead = decoded.dead
        counted = {
            "applied": _records(batch, fates.applied),
            "duplicate": _records(batch, fates.duplicate & ~_any(batch, fates.applied)),
            "late": _records(batch, fates.late),
            "dead": len(result.dead),
            "tick": decoded.ticks,
        }
        result.fates.update(counted)
        self.fates.update(counted)
        for fate, index in (("applied", applied), ("duplicate", fates.duplicate), ("late", fates.late)):
            kinds = np.unique(batch.type[index], return_counts=True)
            result.types.update({(kind, fate): n for kind, n in zip(*(a.tolist() for a in kinds), strict=True)})

    def _apply_around(self, slice_: Slice, turns: list[int], result: Applied) -> Applied:
        """Apply a slice in parts, so that each choice of models holds from where it stands in the log."""
        bounds = sorted({0, *turns, *(i + 1 for i in turns), len(slice_)})
        for start, stop in itertools.pairwise(bounds):
            result.add(self.apply(slice_.cut(start, stop)))
        return result

    def _late(self, slice_: Slice, batch: EventBatch, key: str, i: int, judged: Judged) -> LateEvent:
        position = int(batch.position[i])
        origin = slice_.origin(position)
        return LateEvent(
            late_id=outcome_id("late_event", origin.topic, str(origin.partition), str(origin.offset)),
            key=key,
            event_id=batch.event_ids[i],
            event_time_ms=int(batch.time_ms[i]),
            watermark_ms=int(judged.late_before_ms[i]),
            source_topic=origin.topic,
            source_partition=origin.partition,
            source_offset=origin.offset,
            original=slice_.values[position] or b"",
        )

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
        if not self._serving and self._shelf is None:
            return
        clock = time.perf_counter
        t0 = clock()
        arena = self.arena
        keys_ = [arena.key(row) for points in due for row in points.row.tolist()]
        scores = score(
            self._serving, features, self._places, keys_.__getitem__, self.catalogue, _records_of(due, batch)
        )
        seen = Seen(features, self._places, scores)
        offsets, groups, start = np.asarray(slice_.offsets, np.int64), list[Group](), 0
        for points in due:
            arena.dirty[points.row] = True
            span = slice(start, start := start + len(points))
            # A timer fires at the record whose watermark passes it, before that record is applied.
            by_timer = points.timer
            position = np.searchsorted(watermark, points.now_ms) if by_timer else batch.position[points.event]
            offset = offsets[position]
            groups.append(
                Group(
                    seen=seen,
                    span=span,
                    row=points.row,
                    now_ms=points.now_ms,
                    key=keys_[span],
                    due=self._refs(points, batch),
                    event_type=np.zeros(len(points), np.int64) if by_timer else batch.type[points.event],
                    offset=offset,
                    day=watermark[position] // DAY_MS,
                    before=(offset if by_timer else offset + 1).tolist(),
                )
            )
        self.side.correct(arena.rows, groups, scores)
        t1 = clock()
        result.outcomes = self._published(outcomes(self.side.deciders, arena.rows, groups), result)
        result.seconds |= {"score": t1 - t0, "decide": clock() - t1}
        result.scores = list(scores.values())

    def _published(self, decided: list[AnyOutcome], result: Applied) -> list[AnyOutcome]:
        """The outcomes without alerts and offers that are too old for marketing; those are counted."""
        start = self.rules.publish_from_ms
        if start <= 0:
            return decided
        old = [isinstance(o, (ChurnAlerted, OfferMade)) and o.event_time_ms < start for o in decided]
        result.suppressed.update(type(o).__name__ for o, is_old in zip(decided, old, strict=True) if is_old)
        return [o for o, is_old in zip(decided, old, strict=True) if not is_old]

    def _refs(self, points: DuePoints, batch: EventBatch) -> list[Due]:
        if points.timer:
            return [Due(kind=self._timer_kind, ref=str(now)) for now in points.now_ms.tolist()]
        return [Due(kind="event", ref=batch.event_ids[i]) for i in points.event.tolist()]


def _records_of(due: Sequence[DuePoints], batch: EventBatch) -> list[Any]:
    """[n] the record that made each due point due; None where a timer did."""
    return [batch.records[i] if i >= 0 else None for points in due for i in points.event.tolist()]


def _records(batch: EventBatch, chosen: np.ndarray) -> int:
    """How many records the chosen rows of a batch come from."""
    position = batch.position[chosen]
    return int(np.count_nonzero(np.diff(position, prepend=-1)))


def _any(batch: EventBatch, chosen: np.ndarray) -> np.ndarray:
    """[n] whether any row of the same record is among the chosen."""
    if len(batch) == 0 or batch.position[-1] - batch.position[0] + 1 == len(batch):
        return chosen  # a row per record
    return np.isin(batch.position, batch.position[chosen])

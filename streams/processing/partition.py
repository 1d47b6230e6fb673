"""One partition's log, applied: slice in, outcomes out. Pure: no Kafka, no clock, no thread.

The same code runs in the worker, in the plain loop of the tests and under the training replay. Its state after
record n is a function of records 0 to n alone.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from streams.columns.arrays import EventBatch, Ints, stable_order
from streams.columns.layout import Layout, Readable
from streams.decisions.decider import Group, Seen
from streams.features.catalogue import CATALOGUE, Catalogue
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.favourites import slot_of
from streams.monitoring.alert_labels import AlertLabels
from streams.monitoring.late_labels import Labels, LateLabels
from streams.processing import deciding, order_book, recalibrating
from streams.processing.deciding import Deciding
from streams.processing.decode import NO_TIME, Choice, Decoded, decode
from streams.processing.due import DuePoints, Features
from streams.processing.fates import APPLIED, judge, watermarks
from streams.processing.folding import LAST_EVENT, Folding
from streams.processing.names import CategoryNames
from streams.processing.recalibrating import Recalibrating
from streams.processing.rounds import BUCKET
from streams.processing.rules import Rules
from streams.processing.scoring import Model, Serving, Shelf, TaskScores, score, serve, shipped_stages
from streams.processing.silence import FIRED
from streams.records.outcomes import ChurnAlerted, DeadLetter, Due, LateEvent, OfferMade, Outcome, outcome_id
from streams.records.serving import ModelsChosen, Stages
from streams.records.slices import Slice
from streams.state import keys
from streams.state.applied_ids import AppliedIds
from streams.state.arena import TIMER, Arena, Codec, Tier


def row_layout(catalogue: Catalogue) -> Layout:
    """The packed row: feature columns, what was applied, timers and decisions."""
    own = (APPLIED, *order_book.COLUMNS, BUCKET, LAST_EVENT, TIMER, FIRED, *recalibrating.COLUMNS)
    return Layout((*catalogue.columns, *own, *deciding.COLUMNS))


@dataclass(slots=True)
class Applied:
    """What a slice came to. ``fates`` counts its records; outputs are in deterministic order."""

    fates: Counter[str] = field(default_factory=Counter)
    types: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Events by code of their type, and fate."""
    outcomes: list[Outcome] = field(default_factory=list)
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


def watermark_of(newest_ms: int, rules: Rules, least_ms: int) -> int:
    """The watermark of a partition whose newest event time is this; ``least_ms``: where it stood under other rules."""
    return max(newest_ms - rules.allowed_lateness_ms, least_ms)


class OtherLog(RuntimeError):
    """The state counts the offsets of another log than the one that is there now."""


class OtherRules(RuntimeError):
    """The log names rules that this version or this worker's settings cannot keep."""


class PartitionProcessor:
    """State and progress of one partition.

    The models of ``shelf`` score every due point, in the versions that the log chose last; the rules are those that the
    log chose last. A log that chose nothing yet begins with the package's versions and ``rules``, and the state
    remembers which. Without a shelf nothing is scored; a ``collector`` (the training replay) takes the due points
    instead, with the features ``collected``. ``refused`` is told of versions that were chosen and cannot serve.
    ``log_id`` names the log whose offsets the state counts: a topic deleted and made anew is another log, and taking
    its records for known ones would lose them (``OtherLog``). ``room``: how many shoppers to make room for at once.
    ``partitions``: how many the topic has; None where it is not judged whether a record is in the partition of its key.
    """

    def __init__(
        self,
        partition: int,
        rules: Rules,
        shelf: Shelf | None = None,
        *,
        catalogue: Catalogue = CATALOGUE,
        layout: Layout | None = None,
        tier: Tier | None = None,
        limit: int = 1_000_000,
        collector: Callable[[list[DuePoints], Features], None] | None = None,
        collected: tuple[str, ...] = (),
        refused: Callable[[str, str, Exception], None] = lambda _task, _version, _error: None,
        log_id: str = "",
        room: int = 1024,
        partitions: int | None = None,
    ) -> None:
        self.partition, self.rules, self.log_id = partition, rules, log_id
        self.catalogue = catalogue.in_zone(rules.time_zone)
        self._partitions = partitions
        self._shelf, self._collector, self._collected = shelf, collector, collected
        self._refused = refused
        self._serving: list[Serving] = []
        self.stages: dict[str, Stages] = {}
        """Which versions serve, as the log chose; tasks that it never chose for serve the package's own."""
        self.codec = Codec(layout or row_layout(self.catalogue))
        self.arena = Arena(self.codec, tier, limit, room)
        self._folding = Folding(self.arena, self.catalogue)
        self.applied_ids = AppliedIds()
        self.next_offset = 0
        self.fates: Counter[str] = Counter()
        """What became of the records before ``next_offset``; after a crash some of the applied ones are counted as
        duplicates."""
        self.newest_ms = NO_TIME
        self._least_watermark_ms = NO_TIME
        self.lag_ms = 0
        """How long after the newest event time the newest record was appended: small in a live partition."""
        self.names = CategoryNames()
        self.recalibrating = Recalibrating()
        self._new_records: dict[bytes, bytes] = {keys.LAYOUT + self.codec.layout.digest: self.codec.layout.describe()}
        self.begun = False
        """Whether the state was taken back from the tier, with the rules and versions that its log began with."""
        if tier is not None:
            self._recover(tier)
        if not self.begun and shelf is not None:
            self.stages = shipped_stages(shelf)
        self._serve(self.stages)
        self._late_labels = LateLabels(swept_ms=max(0, self.watermark_ms))
        self._alert_labels = AlertLabels(swept_ms=max(0, self.watermark_ms))
        self._deciding = Deciding(self._late_labels, self._alert_labels)
        self._deciding.under(self.rules)

    def known_labels(self) -> Labels:
        """Scores of the driving output whose label became known since this was last asked."""
        return self._late_labels.sweep(self.arena.rows, self.arena.places, self.watermark_ms)

    def judged_alerts(self) -> Counter[tuple[str, bool]]:
        """(level, whether no order came within its 30 days) → alerts judged since this was last asked."""
        return self._alert_labels.known(self.arena.rows, self.arena.places, self.watermark_ms)

    def _choose(self, choice: Choice) -> None:
        """From here on in the log other versions serve, or other rules hold."""
        if isinstance(choice, ModelsChosen):
            self._serve(self.stages | {task: self._standing(task, s) for task, s in choice.stages.items()})
        else:
            self._least_watermark_ms = self.watermark_ms
            self.rules = self._rules_of(choice.digest, choice.rules)
            self._deciding.under(self.rules)

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
        for what, name, held, ours in (
            ("adds up", "CURRENCY", rules.decode.currency, self.rules.decode.currency),
            ("counts days of", "TIME_ZONE", rules.time_zone, self.rules.time_zone),
        ):
            if held != ours:
                raise OtherRules(
                    f"The feature table of partition {self.partition} {what} {held}, this worker is set to {ours}. Set "
                    f"OFFERSTREAM_{name} back, or start under another OFFERSTREAM_APP_ID."
                )
        return rules

    def _serve(self, stages: dict[str, Stages]) -> None:
        self.stages = stages
        self._serving = [] if self._shelf is None else serve(self._shelf, stages, self._refused, self._serving)
        wanted = self._collected if self._collector is not None else self._addresses()
        self._places = self.catalogue.places(wanted)

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
        return tuple(dict.fromkeys([*wanted, *deciding.READS]))

    @property
    def watermark_ms(self) -> int:
        """Largest event time seen less the allowed lateness, UTC milliseconds. Never falls: where rules that allow more
        begin to hold, it stands still until the newest event is as far ahead."""
        return watermark_of(self.newest_ms, self.rules, self._least_watermark_ms)

    @property
    def today(self) -> int:
        """Day of the watermark, days since 1970."""
        return self.watermark_ms // DAY_MS

    def _recover(self, tier: Tier) -> None:
        chunks: list[tuple[bytes, bytes]] = []
        sums: list[tuple[bytes, bytes]] = []

        def rows() -> Iterator[tuple[bytes, bytes]]:
            # In order of keys: layouts and names come before the rows that need them.
            for key, value in tier.items():
                kind = key[:1]
                if kind == keys.LAYOUT:
                    self.codec.learn(value)
                elif kind == keys.NAME:
                    self.names.restore(key, value)
                elif key == keys.PROGRESS:
                    meta = msgspec.json.decode(value)
                    if self.log_id and meta.get("log_id", self.log_id) not in ("", self.log_id):
                        raise OtherLog(
                            f"The feature table of partition {self.partition} belongs to topic {meta['log_id']}, but "
                            f"the events topic is {self.log_id}: it was deleted and made anew. Start under another "
                            "OFFERSTREAM_APP_ID, or delete the changelog topic and the data folder."
                        )
                    self.next_offset, self.newest_ms = meta["next_offset"], meta["newest_ms"]
                    self.lag_ms = meta["lag_ms"]
                    self.fates = Counter(meta.get("fates", {}))
                    self.stages = msgspec.convert(meta.get("stages", {}), dict[str, Stages])
                    self._least_watermark_ms = meta.get("least_watermark_ms", NO_TIME)
                    if "rules" in meta:
                        self.rules = self._rules_of(meta["rules_digest"], meta["rules"])
                        self.begun = True
                elif kind == keys.IDS:
                    chunks.append((key, value))
                elif kind == keys.TALLY:
                    sums.append((key, value))
                elif kind == keys.ROW:
                    yield key, value

        self.arena.load_all(rows())
        self.applied_ids.recover(chunks, self.next_offset, self.watermark_ms)
        self.recalibrating.restore(sums)

    def take_changes(self) -> dict[bytes, bytes | None]:
        """What changed since last time, by table key: rows, names, layout, ids; the progress record last. None deletes.

        The progress record says that every record before ``next_offset`` is in the rows, so it must not become
        durable before they do.
        """
        changes = self.recalibrating.take_changes(self.next_offset, self.today)  # before the rows
        changes |= self._new_records | self.names.take_changes() | self.arena.take_dirty(self.next_offset)
        changes |= self.applied_ids.take_changes(self.next_offset, self.watermark_ms)
        self._new_records = {}
        if changes or self.next_offset:
            progress = {
                "next_offset": self.next_offset,
                "newest_ms": self.newest_ms,
                "lag_ms": self.lag_ms,
                "fates": self.fates,
                "least_watermark_ms": self._least_watermark_ms,
                "stages": self.stages,
                "rules_digest": self.rules.digest,
                "rules": self.rules.described(),
                "log_id": self.log_id,
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
        decoded = decode(slice_, self.rules.decode, self._partitions)
        if decoded.chosen and len(slice_) > 1:
            return self._apply_around(slice_, [i for i, _ in decoded.chosen], result)
        t1 = clock()
        rows = self.arena.find(decoded.batch.shopper_ids)
        t2 = clock()
        self._take(decoded, rows, slice_, result)
        result.seconds["decode"] = t1 - t0
        result.seconds["fold"] += t2 - t1
        if decoded.chosen:
            result.fates["choice"] += 1
            self.fates["choice"] += 1
            self._choose(decoded.chosen[0][1])
        return result

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
        batch, clock = decoded.batch, time.perf_counter
        self.names.learn(decoded.category_names)
        newest, watermark_before, watermark = watermarks(
            decoded.clock_ms, self.newest_ms, self.rules.allowed_lateness_ms, self._least_watermark_ms
        )
        t0 = clock()
        by_shopper = stable_order(rows)
        batch, fates = judge(batch, rows, self.arena.rows, self.applied_ids, watermark_before[batch.position])
        applied = by_shopper[fates.applied[by_shopper]]
        due = self._folding.fold(batch, rows, applied, watermark, self.rules, self._read)
        features, category = due.read()
        # Not the block from before: a timer of an evicted shopper may have made it grow.
        state = self.arena.rows
        np.maximum.at(state.flat["i8"], state.cells(APPLIED, rows[applied]), batch.offset[applied] + 1)
        self.newest_ms = int(newest[-1])
        self.next_offset = int(slice_.offsets[-1]) + 1
        self.lag_ms = int(slice_.timestamps_ms[-1]) - self.newest_ms
        result.seconds["fold"] = clock() - t0
        if self._collector is not None:
            self._collector(due.points, features)
        elif due.points:
            self._score_and_decide(due.points, features, category, batch, slice_, watermark, result)
        result.rounds = len(due.points)
        for points in due.points:
            result.due_kinds["silence" if points.silence else "event"] += len(points)
        result.dead = decoded.dead
        result.late = (
            []
            if self._collector is not None
            else [
                self._late(slice_, batch, self.arena.shopper(int(rows[i])), i, watermark_before)
                for i in np.flatnonzero(fates.late).tolist()
            ]
        )
        counted = {
            "applied": len(applied),
            "duplicate": int(fates.duplicate.sum()),
            "late": int(fates.late.sum()),
            "dead": len(result.dead),
            "tick": decoded.ticks,
        }
        result.fates.update(counted)
        self.fates.update(counted)
        for fate, index in (("applied", applied), ("duplicate", fates.duplicate), ("late", fates.late)):
            kinds = np.unique(batch.type[index], return_counts=True)
            result.types.update({(kind, fate): n for kind, n in zip(*(a.tolist() for a in kinds), strict=True)})

    def _apply_around(self, slice_: Slice, chosen: list[int], result: Applied) -> Applied:
        """Apply a slice in parts, so that each choice of models holds from where it stands in the log."""
        bounds = sorted({0, *chosen, *(i + 1 for i in chosen), len(slice_)})
        for start, stop in itertools.pairwise(bounds):
            result.add(self.apply(slice_.cut(start, stop)))
        return result

    def _late(self, slice_: Slice, batch: EventBatch, shopper: str, i: int, watermark_before: Ints) -> LateEvent:
        position = int(batch.position[i])
        offset = int(batch.offset[i])
        return LateEvent(
            late_id=outcome_id("late_event", slice_.topic, str(slice_.partition), str(offset)),
            shopper_id=shopper,
            event_id=batch.event_ids[i],
            event_time_ms=int(batch.time_ms[i]),
            watermark_ms=int(watermark_before[position]),
            source_topic=slice_.topic,
            source_partition=slice_.partition,
            source_offset=offset,
            original=slice_.values[position] or b"",
        )

    def _read(self, rows: Readable, now: Ints) -> tuple[Features, Ints]:
        features = self.catalogue.read(rows, now, tuple(self._places))
        return features, np.zeros(len(now), np.int64) if self._collector is not None else self._favourite(rows, now)

    def _favourite(self, rows: Readable, now: Ints) -> Ints:
        """[k] hash of the newest category among the last events that lies in the heaviest slot, 0 when none does."""
        heaviest = self.catalogue.favourites.weights(rows, now).argmax(axis=1)
        filled, _, fields = self.catalogue.recent.sequence(rows)
        category = fields["category"].astype(np.int64)
        fits = filled & (category != 0) & (slot_of(category) == heaviest[:, None])
        return np.where(fits.any(axis=1), category[np.arange(len(category)), fits.argmax(axis=1)], 0)

    def favourite_category(self, shopper: str, now_ms: int) -> str | None:
        """The name of what a shopper likes most; None where nothing is known."""
        row = self.arena.find([shopper])
        (code,) = self._favourite(self.arena.rows.pick(row), np.array([now_ms])).tolist()
        return self.names.of_code(code, self.next_offset)

    # -- score and decide

    def _score_and_decide(
        self,
        due: list[DuePoints],
        features: Features,
        category: Ints,
        batch: EventBatch,
        slice_: Slice,
        watermark: Ints,
        result: Applied,
    ) -> None:
        if not self._serving:
            return
        clock = time.perf_counter
        t0 = clock()
        arena = self.arena
        shoppers = [arena.shopper(row) for points in due for row in points.row.tolist()]
        scores = score(self._serving, features, self._places, shoppers.__getitem__)
        seen = Seen(features, self._places, scores, self.names.of_buckets)
        offsets, groups, start = np.asarray(slice_.offsets, np.int64), list[Group](), 0
        for points in due:
            arena.dirty[points.row] = True
            span = slice(start, start := start + len(points))
            # A silence is known from the record on whose watermark passes it, and before that record is applied.
            silence = points.silence
            position = np.searchsorted(watermark, points.now_ms) if silence else batch.position[points.event]
            offset = offsets[position]
            before = (offset if silence else offset + 1).tolist()
            groups.append(
                Group(
                    seen=seen,
                    span=span,
                    row=points.row,
                    now_ms=points.now_ms,
                    shopper=shoppers[span],
                    due=self._refs(points, batch),
                    event_type=np.zeros(len(points), np.int64) if silence else batch.type[points.event],
                    favourite=[
                        self.names.of_code(code, at) for code, at in zip(category[span].tolist(), before, strict=True)
                    ],
                    offset=offset,
                    day=watermark[position] // DAY_MS,
                    before=before,
                )
            )
        for task in scores.values():
            self.recalibrating.recalibrate(arena.rows, groups, task)
        t1 = clock()
        result.outcomes = self._published(self._deciding.outcomes(arena.rows, groups), result)
        result.seconds |= {"score": t1 - t0, "decide": clock() - t1}
        result.scores = list(scores.values())

    def _published(self, decided: list[Outcome], result: Applied) -> list[Outcome]:
        """The outcomes without alerts and offers that are too old for marketing; those are counted."""
        start = self.rules.publish_from_ms
        if start <= 0:
            return decided
        old = [isinstance(o, (ChurnAlerted, OfferMade)) and o.event_time_ms < start for o in decided]
        result.suppressed.update(type(o).__name__ for o, is_old in zip(decided, old, strict=True) if is_old)
        return [o for o, is_old in zip(decided, old, strict=True) if not is_old]

    def _refs(self, points: DuePoints, batch: EventBatch) -> list[Due]:
        if points.silence:
            return [Due(kind="silence", ref=str(now)) for now in points.now_ms.tolist()]
        return [Due(kind="event", ref=batch.event_ids[i]) for i in points.event.tolist()]

"""What a slice of an entity's log came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streams.columns.arrays import Bools, EventBatch, Ints
from streams.processing.decode import Decoded
from streams.processing.due import DueRows
from streams.processing.entity import Emitted
from streams.processing.fates import Fates, Judged
from streams.processing.scoring import TaskScores
from streams.records.ads import AdDecided
from streams.records.offers import OfferMade
from streams.records.outcomes import AnyOutcome, ChurnAlerted, DeadLetter, LateEvent, outcome_id
from streams.records.slices import Slice


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
    passed_over: int = 0
    """Events after which nobody was due, for they had been due as often as they may."""

    def count(self, decoded: Decoded, fates: Fates, applied: Ints) -> dict[str, int]:
        """Count what became of a decoded slice's records, which is returned. ``applied``: of its batch."""
        self.dead, batch = decoded.dead, decoded.batch
        counted = {
            "applied": _records(batch, fates.applied),
            "duplicate": _records(batch, fates.duplicate & ~_any(batch, fates.applied)),
            "late": _records(batch, fates.late),
            "forwarded": 0 if fates.forwarded is None else _records(batch, fates.forwarded),
            "dead": len(self.dead),
            "tick": decoded.ticks,
        }
        self.fates.update(counted)
        by_fate = {"applied": applied, "duplicate": fates.duplicate, "late": fates.late}
        if fates.forwarded is not None:
            by_fate["forwarded"] = fates.forwarded
        for fate, index in by_fate.items():
            many = np.bincount(batch.type[index]).tolist()
            self.types.update({(kind, fate): n for kind, n in enumerate(many) if n})
        return counted

    def publish(self, decided: Sequence[AnyOutcome], from_ms: int) -> None:
        """Take outcomes. Alerts and offers of before that time are too old for marketing: they are only counted."""
        if from_ms <= 0:
            self.outcomes += decided
            return
        for outcome in decided:
            if isinstance(outcome, (ChurnAlerted, OfferMade, AdDecided)) and outcome.event_time_ms < from_ms:
                self.suppressed[type(outcome).__name__] += 1
            else:
                self.outcomes.append(outcome)

    def count_due(self, due: DueRows, timer_kind: str) -> None:
        """Count what became due, by what made it so."""
        self.rounds += len(due.points)
        self.passed_over += due.passed_over
        for points in due.points:
            if points.kinds is None:
                self.due_kinds[timer_kind if points.timer else "event"] += len(points)
            else:
                self.due_kinds.update(points.kinds)

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
        self.passed_over += other.passed_over
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @property
    def due_points(self) -> int:
        """Shoppers that were due in this slice."""
        return self.due_kinds.total()


def _records(batch: EventBatch, chosen: Bools) -> int:
    """How many records the chosen rows of a batch come from."""
    position = batch.position[chosen]
    return int(np.count_nonzero(position[1:] != position[:-1]) + (len(position) > 0))


def _any(batch: EventBatch, chosen: Bools) -> Bools:
    """[n] whether any row of the same record is among the chosen."""
    if len(batch) == 0 or batch.position[-1] - batch.position[0] + 1 == len(batch):
        return chosen  # a row per record
    return np.isin(batch.position, batch.position[chosen])


def late_event(slice_: Slice, batch: EventBatch, key: str, i: int, judged: Judged) -> LateEvent:
    """What is told of the i-th event of a batch, which came too late."""
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

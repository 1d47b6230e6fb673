"""Joins answers to what came: one due point per row and answer waits until its label is known.

A task says what its answers are held against (``models/task.py``: ``Grows``, ``Next``), by the addresses of features:
how much a total has grown within so many days, or what the next record of a sequence was. The waiting due point is in
the row, so it survives restarts and moves with the partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.features.kinds.decay import DAY_MS

#: Answers are rounded to 4 decimals.
UNIT = 10_000


def code_of(digest: str) -> int:
    """What the row remembers of a model: 32 bits of its digest."""
    return int(digest[:8], 16)


class Answer(Protocol):
    """An output of a task whose label becomes known; ``models.task.Output`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def label(self) -> Any: ...


@dataclass(slots=True)
class Labels:
    """k answers [k, width], the labels [k] that became known, and ``code_of`` whose answer each was."""

    answer: Floats
    label: Floats
    model: Ints

    @staticmethod
    def none(width: int = 1) -> Labels:
        """No labels."""
        return Labels(np.zeros((0, width)), np.zeros(0), np.zeros(0, np.int64))

    def __add__(self, other: Labels) -> Labels:
        return Labels(np.r_[self.answer, other.answer], np.r_[self.label, other.label], np.r_[self.model, other.model])


#: (task, output)
Name = tuple[str, str]


@dataclass(slots=True)
class Waiting:
    """The due points that wait for the label of one output of a task."""

    task: str
    output: Answer
    told: Labels = field(default_factory=Labels.none)
    due: Column = field(init=False)
    start: Column = field(init=False)
    seen: Column = field(init=False)
    model: Column = field(init=False)
    answer: Column = field(init=False)

    def __post_init__(self) -> None:
        name = f"late_label/{self.task}.{self.output.name}"
        self.due, self.start, self.seen = (Column(f"{name}/{what}", "i8") for what in ("due", "start", "seen"))
        self.model, self.answer = Column(f"{name}/model", "u4"), Column(f"{name}/answer", "f8", self.output.width)
        self.told = Labels.none(self.output.width)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What it remembers in the row."""
        return (self.due, self.start, self.seen, self.model, self.answer)

    @property
    def reads(self) -> tuple[str, ...]:
        """Addresses that the label is made of."""
        return tuple(self.output.label.addresses)

    def decide(self, state: Rows, group: Group, swept_ms: int) -> None:
        """Take note of a group's answers, and of what came since those that wait."""
        answer = group.answer(self.task, self.output.name).reshape(len(group), -1)
        known = np.flatnonzero(np.isfinite(answer).all(axis=1))
        row, now = group.row, group.now_ms
        total = group.feature(self.output.label.total).astype(np.float64).round().astype(np.int64)
        waiting = state.flat["i8"][state.cells(self.due, row)]
        if not waiting.any() and not len(known):
            return
        over = self._over(state, group, waiting, total, swept_ms)
        fresh = np.zeros(len(row), np.bool_)
        fresh[known] = True
        fresh &= (waiting == 0) | over
        gone = over & ~fresh
        state.flat["i8"][state.cells(self.due, row[gone])] = 0
        chosen = row[fresh]
        scores = group.seen.scores.get(self.task)
        if scores is None or not len(chosen):
            return
        codes = np.array([code_of(model.digest) for model in scores.models], np.int64)
        flat = state.flat["i8"]
        flat[state.cells(self.due, chosen)] = now[fresh]
        flat[state.cells(self.start, chosen)] = flat[state.cells(self.seen, chosen)] = total[fresh]
        state.flat["u4"][state.cells(self.model, chosen)] = codes[scores.used[group.span][fresh]].astype(np.uint32)
        cells = state.cells(self.answer, chosen)[:, None] + np.arange(self.output.width)
        state.flat["f8"][cells] = answer[fresh]

    def _over(self, state: Rows, group: Group, waiting: Ints, total: Ints, swept_ms: int) -> Any:
        """[k] which wait no more: their label is told, or cannot be known."""
        label, row, now = self.output.label, group.row, group.now_ms
        flat = state.flat["i8"]
        if label.days is None:
            came = total - flat[state.cells(self.start, row)]
            over = (waiting > 0) & (now > waiting) & (came > 0)
            sequence = group.feature(label.sequence)
            readable = over & (came <= sequence.shape[1])
            value = sequence[np.arange(len(row)), np.clip(came - 1, 0, sequence.shape[1] - 1)]
            # 0 is "none", such as an event without a category: nothing was foretold of it.
            self._tell(state, row[readable & (value > 0)], value[readable & (value > 0)].astype(np.float64))
            return over
        horizon = int(label.days * DAY_MS)
        within = (waiting > 0) & (now <= waiting + horizon)
        flat[state.cells(self.seen, row[within])] = total[within]
        over = (waiting > 0) & ~within
        self._settle(state, row[over & (waiting + horizon > swept_ms)])
        return over

    def sweep(self, state: Rows, places: Ints, swept_ms: int, watermark_ms: int) -> Labels:
        """What became known since last time, also of those of ``places`` that nothing came of."""
        days = self.output.label.days
        if watermark_ms > swept_ms and days is not None:
            over = state.flat["i8"][state.cells(self.due, places)] + int(days * DAY_MS)
            began = state.flat["i8"][state.cells(self.due, places)] > 0
            self._settle(state, places[began & (over > swept_ms) & (over <= watermark_ms)])
        told, self.told = self.told, Labels.none(self.output.width)
        return told

    def _settle(self, state: Rows, row: Ints) -> None:
        flat = state.flat["i8"]
        grown = flat[state.cells(self.seen, row)] - flat[state.cells(self.start, row)]
        self._tell(state, row, self.output.label.of(grown))

    def _tell(self, state: Rows, row: Ints, label: Floats) -> None:
        if len(row):
            cells = state.cells(self.answer, row)[:, None] + np.arange(self.output.width)
            model = state.flat["u4"][state.cells(self.model, row)].astype(np.int64)
            self.told += Labels(state.flat["f8"][cells], np.asarray(label, np.float64), model)


@dataclass(slots=True)
class LateLabels:
    """The answers of one partition that wait. ``outputs``: by task, those that say what they are held against. Nothing
    is counted twice: ``swept_ms`` is how far labels were told."""

    outputs: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    swept_ms: int = 0
    waiting: tuple[Waiting, ...] = field(init=False)
    #: What every partition remembers, whatever its tasks: nothing. Its own are ``row_columns``.
    columns: ClassVar[tuple[Column, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        self.waiting = waits(self.outputs)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Take note of a group; says nothing."""
        for each in self.waiting:
            if each.task in group.seen.scores:
                each.decide(state, group, self.swept_ms)
        return ()

    def sweep(self, state: Rows, places: Ints, watermark_ms: int) -> dict[Name, Labels]:
        """By task and output, what became known since last time."""
        found = {(w.task, w.output.name): w.sweep(state, places, self.swept_ms, watermark_ms) for w in self.waiting}
        self.swept_ms = max(self.swept_ms, watermark_ms)
        return {name: labels for name, labels in found.items() if len(labels.label)}


def waits(outputs: Mapping[str, Sequence[Answer]]) -> tuple[Waiting, ...]:
    """What waits for labels, of the outputs of some tasks."""
    return tuple(Waiting(task, o) for task, some in outputs.items() for o in some if o.label is not None)

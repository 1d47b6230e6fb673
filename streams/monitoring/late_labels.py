"""Joins answers to what came: one due point per row and answer waits until its label is known.

A task says what its answers are held against (``models/task.py``: ``Grows``, ``PerUnit``, ``Next``), by addresses of
features: how much totals have grown within so many days, or what the next record of a sequence was. The waiting due
point is in the row, so it survives restarts and moves with the partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Answered, Group, Said
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.recent import bucket
from streams.monitoring.kinds import Output


def code_of(digest: str) -> int:
    """What the row remembers of a model: 32 bits of its digest."""
    return int(digest[:8], 16)


@dataclass(slots=True)
class Labels:
    """k answers [k, width], the labels [k] that became known, and ``code_of`` whose answer each was."""

    answer: Floats
    label: Floats
    model: Ints

    @staticmethod
    def join(parts: Sequence[Labels]) -> Labels:
        """All of them in one."""
        return Labels(
            np.concatenate([part.answer for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.model for part in parts]),
        )


#: (task, output)
Name = tuple[str, str]


class Waits:
    """The outputs that wait for labels, in order of their names, and what the row remembers of each: when it was due,
    where its totals stood then and stood last, whose answer it was, and the answer.

    A layout puts columns of one size into the order of their names, so what is remembered of all outputs lies side by
    side, and one step of numpy takes all of them, however many there are.
    """

    def __init__(self, outputs: Mapping[str, Sequence[Output]]) -> None:
        found = [(f"{task}.{o.name}", task, o) for task, some in outputs.items() for o in some if o.label is not None]
        self.outputs = [(task, output) for _, task, output in sorted(found, key=lambda each: each[0])]
        names = sorted(name for name, *_ in found)
        self.widths = np.array([output.width for _, output in self.outputs], np.int64)
        self.horizon_ms = np.array([int((o.label.days or 0) * DAY_MS) for _, o in self.outputs], np.int64)
        self.next = np.array([o.label.days is None for _, o in self.outputs], np.bool_)
        # Where what is told begins later than the due point, its totals are taken once more then.
        self.after_ms = np.array([int(o.label.after_days * DAY_MS) or -1 for _, o in self.outputs], np.int64)
        self.later = bool((self.after_ms > 0).any())
        counts = [len(output.label.totals) for _, output in self.outputs]
        self.of_total = np.repeat(np.arange(len(counts)), counts)
        """[totals] whose each is: one of an output comes after the other."""
        self.first = np.cumsum([0, *counts])[:-1]
        """[outputs] the place of each one's first total."""
        every = [total for _, output in self.outputs for total in output.label.totals]
        self.totals = list(dict.fromkeys(every))
        """Addresses of the totals, each once …"""
        self.total_of = np.array([self.totals.index(total) for total in every], np.int64)
        """[totals] … and which of them each is."""
        self.widths_before = np.cumsum([0, *self.widths])[:-1]
        """[outputs] the place of each one's first number."""
        self.due = [Column(f"late_label/due/{name}", "i8") for name in names]
        self.start, self.seen = (
            [Column(f"late_label/{what}/{name}", "i8", n) for name, n in zip(names, counts, strict=True)]
            for what in ("start", "seen")
        )
        self._offsets: dict[str, Ints] = {}
        self.model = [Column(f"late_label/model/{name}", "u4") for name in names]
        self.answer = [
            Column(f"late_label/answer/{name}", "f8", output.width)
            for name, (_, output) in zip(names, self.outputs, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a row remembers."""
        return (*self.due, *self.start, *self.seen, *self.model, *self.answer)

    @property
    def reads(self) -> tuple[str, ...]:
        """Addresses that labels are made of."""
        sequences = [o.label.sequence for (_, o), comes in zip(self.outputs, self.next, strict=True) if comes]
        return tuple(dict.fromkeys([*(total for _, o in self.outputs for total in o.label.totals), *sequences]))

    def block(self, state: Rows, columns: Sequence[Column], row: Ints) -> Ints:
        """[k, cells] where the cells of some columns, which lie side by side, are in each row."""
        first = columns[0]
        if first.name not in self._offsets:
            self._offsets[first.name] = np.arange(sum(column.cells for column in columns))
        return state.cells(first, row)[:, None] + self._offsets[first.name]


class LateLabels:
    """The answers of one partition that wait. ``outputs``: by task, those that say what they are held against. Nothing
    is counted twice: ``swept_ms`` is how far labels were told."""

    #: What every partition remembers, whatever its tasks: nothing. Its own are ``Waits.columns``.
    columns: ClassVar[tuple[Column, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    def __init__(self, outputs: Mapping[str, Sequence[Output]] | None = None, swept_ms: int = 0) -> None:
        self.waits, self.swept_ms = Waits(outputs or {}), swept_ms
        self._told: dict[int, list[Labels]] = {}
        self._bucket_of: dict[str, Floats] = {}
        """By digest of a version that answers now, the hash bucket of each of its names."""

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Take note of a group's answers, and of what came since those that wait; says nothing."""
        if not len(self.waits):
            return ()
        read = group.seen.once("late labels", lambda: self._read(group))
        answers, totals, models = (part[group.span] for part in (read[0], read[2], read[3]))
        known: Bools = read[1][group.span]
        waits, flat, row, now = self.waits, state.flat["i8"], group.row, group.now_ms[:, None]
        due_cells = waits.block(state, waits.due, row)
        due = flat[due_cells]
        waiting = due > 0
        if not waiting.any() and not known.any():
            return ()
        within = waiting & ~waits.next & (now <= due + waits.horizon_ms)
        seen_cells, start_cells = waits.block(state, waits.seen, row), waits.block(state, waits.start, row)
        flat[seen_cells] = np.where(within[:, waits.of_total], totals, flat[seen_cells])
        if waits.later:
            before = within & (now <= due + waits.after_ms)
            flat[start_cells] = np.where(before[:, waits.of_total], totals, flat[start_cells])
        over = waiting & ~waits.next & ~within
        for k in np.flatnonzero(over.any(axis=0)).tolist():
            some = over[:, k] & (due[:, k] + waits.horizon_ms[k] > self.swept_ms)
            self._settle(state, row[some], k)
        grown = (totals - flat[start_cells])[:, waits.first]
        came = np.where(waiting & waits.next & (now > due), grown, 0)
        for k in np.flatnonzero((came > 0).any(axis=0)).tolist():
            self._next(state, group, k, came[:, k])
        over |= came > 0
        fresh = known & (~waiting | over)
        flat[due_cells] = np.where(fresh, now, np.where(over, 0, due))
        if fresh.any():
            for cells in (start_cells, seen_cells):
                flat[cells] = np.where(fresh[:, waits.of_total], totals, flat[cells])
            model_cells = waits.block(state, waits.model, row)
            state.flat["u4"][model_cells] = np.where(fresh, models, state.flat["u4"][model_cells])
            answer_cells = waits.block(state, waits.answer, row)
            wide, held = np.repeat(fresh, waits.widths, axis=1), state.flat["f8"]
            held[answer_cells] = np.where(wide, answers, held[answer_cells])
        return ()

    def _read(self, group: Group) -> tuple[Floats, Bools, Ints, np.ndarray]:
        """Of all due points of a slice: the answers [n, all widths], which are known [n, outputs], where their totals
        stand, and whose they are."""
        seen, waits = group.seen, self.waits
        # As they were read: float32 holds whole numbers up to 2^24, larger totals to 7 digits.
        total = np.stack([seen.feature(address) for address in waits.totals], axis=1).round().astype(np.int64)
        n = len(total)
        answers = np.full((n, int(waits.widths.sum())), np.nan)
        models = np.zeros((n, len(waits)), np.uint32)
        codes: dict[str, Any] = {}
        for k, (task, output) in enumerate(waits.outputs):
            if (scores := seen.scores.get(task)) is None:
                continue
            if task not in codes:
                named = np.array([code_of(model.digest) for model in scores.models], np.uint32)
                codes[task] = named[scores.used] if len(named) > 1 else named[0]
            answer = seen.answer(task, output.name).reshape(n, -1)
            if self._named(output):
                answer = self._buckets(output.label.names, scores, answer)
            answers[:, waits.widths_before[k] : waits.widths_before[k] + output.width] = answer
            models[:, k] = codes[task]
        known = np.logical_and.reduceat(np.isfinite(answers), waits.widths_before, axis=1)
        return answers, known, total[:, waits.total_of], models

    @staticmethod
    def _named(output: Output) -> bool:
        return output.label.days is None and bool(output.label.names)

    def _buckets(self, what: str, scores: Answered, answer: Floats) -> Floats:
        """Places in the names of whichever version answered, as the hash buckets of those names: versions name other
        items, and in another order. -1, for none, and NaN stay."""
        found = answer.copy()
        for which, model in enumerate(scores.models):
            if model.digest not in self._bucket_of:
                serving = {each.digest for each in scores.models}
                self._bucket_of = {digest: kept for digest, kept in self._bucket_of.items() if digest in serving}
                self._bucket_of[model.digest] = np.array([bucket(what, name) for name in model.names], np.float64)
            buckets = self._bucket_of[model.digest]
            mine = (scores.used == which)[:, None] & (answer >= 0) & (answer < len(buckets))
            found[mine] = buckets[answer[mine].astype(np.int64)]
        return found

    def _next(self, state: Rows, group: Group, k: int, came: Ints) -> None:
        """What came next, of those of a group that something came of."""
        sequence = group.feature(self.waits.outputs[k][1].label.sequence)
        place = np.clip(came - 1, 0, sequence.shape[1] - 1)
        value = sequence[np.arange(len(came)), place]
        # 0 is "none", such as an event without a category: nothing was foretold of it.
        told = (came > 0) & (came <= sequence.shape[1]) & (value > 0)
        self._tell(state, group.row[told], k, value[told])

    def sweep(self, state: Rows, places: Ints, watermark_ms: int) -> dict[Name, Labels]:
        """By task and output, what became known since last time, also of those of ``places`` that nothing came of."""
        if len(self.waits) and watermark_ms > self.swept_ms and len(places):
            due = state.flat["i8"][self.waits.block(state, self.waits.due, places)]
            end = due + self.waits.horizon_ms
            over = (due > 0) & ~self.waits.next & (end > self.swept_ms) & (end <= watermark_ms)
            for k in np.flatnonzero(over.any(axis=0)).tolist():
                self._settle(state, places[over[:, k]], k)
        self.swept_ms = max(self.swept_ms, watermark_ms)
        told, self._told = self._told, {}
        return {
            (self.waits.outputs[k][0], self.waits.outputs[k][1].name): Labels.join(labels) for k, labels in told.items()
        }

    def _settle(self, state: Rows, row: Ints, k: int) -> None:
        flat, of_each = state.flat["i8"], np.arange(self.waits.start[k].cells)
        seen, start = (
            flat[state.cells(column, row)[:, None] + of_each] for column in (self.waits.seen[k], self.waits.start[k])
        )
        label = self.waits.outputs[k][1].label.of(seen - start)
        told = np.isfinite(label)
        self._tell(state, row[told], k, label[told])

    def _tell(self, state: Rows, row: Ints, k: int, label: Any) -> None:
        if len(row):
            column = self.waits.answer[k]
            answer = state.flat["f8"][state.cells(column, row)[:, None] + np.arange(column.cells)]
            model = state.flat["u4"][state.cells(self.waits.model[k], row)].astype(np.int64)
            self._told.setdefault(k, []).append(Labels(answer, np.asarray(label, np.float64), model))

"""Corrects what a model says of horizons by what its forecasts came to so far in this partition's log.

For every due point the sums of days that were over when it became known are final: events older than the watermark are
late. So what is learned for a day is a function of the log before that day, whether the log is live, a backlog or a
replay, however it is cut (``streams/monitoring/calibration.py`` says what is learned, and how).

The sums are records of the feature table. They are written before the rows of the same flush: when a crash leaves rows
ahead of the progress record, the sums are ahead of all of them, and due points that are in them already are not counted
again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from streams.columns.arrays import TYPE_CODE, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.calibration import JUDGED_DAYS, WIDTH, InRow, Recalibration, Waiting
from streams.monitoring.late_labels import code_of
from streams.processing.model import Output
from streams.processing.scoring import DECIMALS, TaskScores
from streams.records.tags import tag_of
from streams.state.keys import TALLY, sums_stand_at

#: Sums of a day change no more once so many days lie between it and the watermark's.
_FINAL_DAYS = JUDGED_DAYS + 2
#: The key of a task's sums that may still change: the task. Of these: offset, model, number of days. Of each day: the
#: day and its sums.
_OPEN_KEY, _OPEN, _DAY = struct.Struct(">cI"), struct.Struct(">QII"), struct.Struct(">I")
#: The key of a day whose sums are final: model, day.
_FINAL = struct.Struct(">cII")
#: What was learned is remembered for so many days.
_REMEMBERED = 64
Outputs = Mapping[str, Sequence[Output]]


def judged(outputs: Outputs) -> dict[str, Output]:
    """By task that is recalibrated, the output that is judged: of ``JUDGED_DAYS`` days. Raises ``ValueError`` for a
    task with two of them."""
    found: dict[str, Output] = {}
    for task, some in sorted(outputs.items()):
        mine = [o for o in some if o.recalibrated and o.horizon_days == JUDGED_DAYS]
        if len(mine) > 1:
            named = ", ".join(f"{task}.{output.name}" for output in mine)
            raise ValueError(f"A task is recalibrated by one output of {JUDGED_DAYS} days, not: {named}.")
        if mine:
            found[task] = mine[0]
    return found


def columns_of(outputs: Outputs) -> tuple[Column, ...]:
    """What a row remembers of the tasks that are recalibrated."""
    return tuple(column for task in judged(outputs) for column in (*InRow.of(task).columns, _model(task)))


def _model(task: str) -> Column:
    return Column(f"calibration/{task}/model", "u4")


class Recalibrating:
    """The tasks of one partition that are recalibrated. ``outputs``: by task. Raises ``ValueError`` for a task with two
    outputs that might be judged."""

    def __init__(self, outputs: Outputs) -> None:
        self.tasks = {task: Recalibrated(task, output) for task, output in judged(outputs).items()}

    @property
    def starts(self) -> list[Column]:
        """When what waits in a row began; 0 where nothing does."""
        return [each.waiting.in_row.start for each in self.tasks.values()]

    def recalibrate(self, state: Rows, groups: Sequence[Group], scores: Mapping[str, TaskScores]) -> None:
        """Count a slice's due points, then correct each task's live model's answers of each by what was known when it
        became due. What the model said stays in ``foretold``."""
        for task, told in scores.items():
            told.foretold = dict(told.answers)
            if (mine := self.tasks.get(task)) is not None:
                mine.recalibrate(state, groups, told)

    def drain_changes(self, next_offset: int, today: int) -> dict[bytes, bytes | None]:
        """Sums that changed since this was last called, as records of the feature table; None deletes. To be written
        before the rows of the same flush. When this is called again, the flush before has come to its end: a day whose
        sums are final stays among those that may still change until then, for any part of a flush may be lost."""
        changes: dict[bytes, bytes | None] = {}
        for each in self.tasks.values():
            changes |= each.drain_changes(next_offset, today)
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the sums back from the feature table. Of a day that is there twice, those that may still change count:
        they stand where all the others do. Days of a flush that was cut off before these are made anew."""
        found = {key: value for key, value in records if key[:1] == TALLY}
        for each in self.tasks.values():
            # Where there was one task only, its key had no name.
            still = found.get(each.key, found.get(TALLY) if len(self.tasks) == 1 else None)
            if still is not None:
                each.begin_at(still)
        final = {key: value for key, value in found.items() if len(key) == _FINAL.size}
        for each in self.tasks.values():
            others = {other.model for other in self.tasks.values()} - {each.model}
            each.restore({key: value for key, value in final.items() if _FINAL.unpack(key)[1] not in others})


class Recalibrated:
    """The sums of one task, of the model that is live now; begins anew with another one. ``output`` is judged."""

    def __init__(self, task: str, output: Output) -> None:
        self._in_row, self._column = InRow.of(task), _model(task)
        self.key = _OPEN_KEY.pack(TALLY, zlib.crc32(task.encode()))
        self._judged = output.name
        (self._event,) = (code for cls, code in TYPE_CODE.items() if tag_of(cls) == output.event)
        self.model = 0
        """``code_of`` the live model; 0 before anything was scored."""
        self._until = 0
        self.waiting = Waiting(self._in_row)
        """Scores that wait for their labels, and what became of those that did."""
        self._learned: dict[int, Recalibration] = {}
        self._written: set[bytes] = set()
        """Keys of days that are in the feature table as they are here."""
        self._gone: set[bytes] = set()
        """Keys of days that count no more, once the flush that says so has come to its end."""

    def recalibrate(self, state: Rows, groups: Sequence[Group], scores: TaskScores) -> None:
        """See ``Recalibrating``."""
        if self._judged not in scores.answers:
            return
        self._begin(code_of(scores.models[0].digest))
        judged = scores.foretold[self._judged]
        mine = np.isfinite(judged) & (scores.used == 0)
        for group in groups:
            self._count(state, group, judged[group.span], mine[group.span])
        day = np.concatenate([group.day for group in groups])
        scores.learned_day = np.where(mine, day, -1)
        for output in scores.models[0].outputs:
            if output.recalibrated and output.horizon_days is not None:
                corrected = scores.foretold[output.name].copy()
                for today in np.unique(day[mine]).tolist():
                    some = mine & (day == today)
                    corrected[some] = self.learned(today).apply(corrected[some], output.horizon_days)
                scores.answers[output.name] = np.round(corrected, DECIMALS)

    def learned(self, today: int) -> Recalibration:
        """What was known when a day (since 1970) began."""
        if today not in self._learned:
            if len(self._learned) >= _REMEMBERED:
                self._learned.pop(min(self._learned))
            self._learned[today] = Recalibration.learned(self.waiting.sums(), today)
        return self._learned[today]

    def _begin(self, model: int) -> None:
        if model != self.model:
            self.model, self.waiting, self._learned = model, Waiting(self._in_row), {}

    def _count(self, state: Rows, group: Group, judged: np.ndarray, mine: np.ndarray) -> None:
        # What was forwarded may be of a day that is over, whose sums are final.
        mine = mine & ((group.event_type == 0) | (group.now_ms // DAY_MS >= group.day))
        if not mine.any():
            return
        row, models = group.row[mine], state.flat["u4"]
        cells = state.cells(self._column, row)
        other = models[cells] != self.model
        # What another model foretold is not held against this one: these shoppers begin to wait anew.
        state.flat["i8"][state.cells(self._in_row.start, row[other])] = 0
        models[cells] = self.model
        came = group.event_type[mine] == self._event
        counted = group.offset[mine] >= self._until
        self.waiting.observe(state, row, group.now_ms[mine], judged[mine], came, counted)

    def drain_changes(self, next_offset: int, today: int) -> dict[bytes, bytes | None]:
        """See ``Recalibrating``."""
        tallies = self.waiting.sums()
        tallies.forget(today - _REMEMBERED)
        if not tallies.changed:
            return {}
        tallies.changed.clear()
        header, changes = next_offset.to_bytes(8, "big"), dict[bytes, bytes | None]()
        keys = {_FINAL.pack(TALLY, self.model, d): d for d in tallies.days}
        written = self._written & keys.keys()
        final = {key for key, day in keys.items() if day < today - _FINAL_DAYS} - written
        for key in final:
            changes[key] = header + tallies.days[keys[key]].astype("<i8").tobytes()
        changes |= dict.fromkeys(self._gone - keys.keys())
        self._gone, self._written = self._written - written, written | final
        still = sorted(day for key, day in keys.items() if key not in written)
        blocks = [_DAY.pack(day) + tallies.days[day].astype("<i8").tobytes() for day in still]
        changes[self.key] = _OPEN.pack(next_offset, self.model, len(still)) + zlib.compress(b"".join(blocks), 1)
        self._until = next_offset
        return changes

    def begin_at(self, still: bytes) -> None:
        """Take back the sums that may still change."""
        self._until, self.model, n = _OPEN.unpack_from(still)
        blocks, size = zlib.decompress(still[_OPEN.size :]), _DAY.size + 8 * WIDTH
        for i in range(n):
            day = _DAY.unpack_from(blocks, i * size)[0]
            self.waiting.tallies.days[day] = _sums(blocks, i * size + _DAY.size)

    def restore(self, final: Mapping[bytes, bytes]) -> None:
        """Take back the days whose sums are final, once what may still change is there; no other task's."""
        for key, value in final.items():
            _, model, day = _FINAL.unpack(key)
            if sums_stand_at(value) > self._until:
                continue
            if model == self.model:
                self.waiting.tallies.days.setdefault(day, _sums(value, 8))
                self._written.add(key)
            else:
                self._gone.add(key)


def _sums(block: bytes, start: int) -> Ints:
    return np.frombuffer(block, "<i8", WIDTH, start).astype(np.int64)

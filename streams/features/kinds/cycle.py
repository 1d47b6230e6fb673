"""When in the week or the day something happens: shares of its weekdays or hours, in the shop's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.days import UTC, Days
from streams.features.kinds.decay import DAY_MS, HOUR_MS, accumulate, faded, merge_faded, quotient
from streams.features.kinds.last import row_sum
from streams.features.signals import PerSignal, Run, Signal, Signals

HALF_LIFE_MS = 90 * DAY_MS
SLOTS = {"weekday": 7, "hour": 24}
#: 1970-01-01 was a Thursday; slot 0 is Monday.
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class Cycle:
    """[7 or 24] share of a signal in each weekday (Monday first) or hour of the day, old parts faded with a half-life
    of 90 days. All 0 while there is none."""

    signal: Signal
    of: Literal["weekday", "hour"]


class CycleKind:
    """Per signal and cycle so many decayed sums, with one landmark. ``days`` says when a day begins."""

    def __init__(self, sources: Sequence[Cycle], signals: Signals, days: Days | None = None) -> None:
        self._days = days or Days()
        zone = f"@{self._days.time_zone}" if self._days.time_zone != UTC else ""
        self._columns, self._of = {}, {}
        for s in sources:
            name = f"cycle/{s.signal.name}/{s.of}/90d{zone}"
            self._columns[s] = Column(f"{name}/sums", "f8", SLOTS[s.of]), Column(f"{name}/landmark", "i8")
        for of in dict.fromkeys(s.of for s in sources):
            mine = {s.signal.name: pair for s, pair in self._columns.items() if s.of == of}
            self._of[of] = [PerSignal({name: pair[i] for name, pair in mine.items()}, signals) for i in (0, 1)]
        self.columns: tuple[Column, ...] = tuple(column for pair in self._columns.values() for column in pair)

    def fold(self, state: Rows, run: Run) -> None:
        for of, (sums, marks) in self._of.items():
            entries = sums.of(run.entries)
            if len(entries):
                q, weight = quotient(entries.time_ms, HALF_LIFE_MS)
                cells, landmarks, slot = (
                    sums.cells(state, entries),
                    marks.cells(state, entries),
                    self._slot(of, entries.time_ms),
                )
                accumulate(state, cells, landmarks, q, weight * entries.value, slot, SLOTS[of])

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for sums, mark in self._columns.values():
            merge_faded(state, row, other, sums, mark)

    def _slot(self, of: str, time_ms: Ints) -> Ints:
        local = self._days.local_ms(time_ms)
        return (local // DAY_MS + _THURSDAY) % 7 if of == "weekday" else local // HOUR_MS % 24

    def read(self, rows: Readable, now_ms: Ints, source: Cycle) -> Floats:
        sums, mark = self._columns[source]
        weight = faded(rows.column(sums.name), rows.column(mark.name)[:, None], now_ms[:, None], HALF_LIFE_MS)
        total = row_sum(weight)
        return weight / np.where(total > 0, total, 1.0)[:, None]

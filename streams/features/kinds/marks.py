"""Marks in time and life-long totals: when something first and last happened, how often or how much in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds.decay import DAY_MS
from streams.features.signals import Run, Signal

#: "Never" as a number of days, and the most that any age can read: ten years.
MAX_DAYS = 3_650.0


@dataclass(frozen=True, slots=True)
class DaysSince:
    """Days since the signal last (or first) happened, at most ``MAX_DAYS``. Cold start ``MAX_DAYS`` (first: 0)."""

    signal: Signal
    which: str = "last"

    @property
    def grows(self) -> bool:
        """See ``Feature.grows``."""
        return self.which == "first"

    @property
    def words(self) -> dict[float, str]:
        """See ``Feature.in_words``."""
        return {0.0: "not before now"} if self.which == "first" else {0.0: "just now", MAX_DAYS: "never"}


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of a signal over the shopper's whole life. Cold start 0."""

    signal: Signal
    grows = True


class MarkKind:
    """First and last times (UTC milliseconds, first kept negated so that both are maxima) and totals."""

    def __init__(self, sources: Sequence[DaysSince | Total]) -> None:
        self._columns: dict[tuple[str, str], Column] = {}
        for source in sources:
            what = "total" if isinstance(source, Total) else source.which
            self._columns[what, source.signal.name] = Column(f"{what}/{source.signal.name}", "i8")
        self.columns: tuple[Column, ...] = tuple(self._columns.values())

    def fold(self, state: Rows, run: Run) -> None:
        flat = state.flat["i8"]
        for (what, signal), column in self._columns.items():
            entries = run.entries.get(signal)
            if entries is None:
                continue
            cells = state.cells(column, entries.row)
            if what == "total":
                np.add.at(flat, cells, entries.value)
            elif what == "last":
                np.maximum.at(flat, cells, entries.time_ms)
            else:
                # 0 means never, so the negated time is kept above the largest possible one.
                np.maximum.at(flat, cells, _FIRST - entries.time_ms)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for (what, _), column in self._columns.items():
            both = (state.data[column.name][row], other.data[column.name][0])
            state.data[column.name][row] = sum(both) if what == "total" else max(both)

    def read(self, rows: Readable, now_ms: Ints, source: DaysSince | Total) -> Floats:
        name = source.signal.name
        if isinstance(source, Total):
            return rows.column(self._columns["total", name].name).astype(np.float64)
        held = rows.column(self._columns[source.which, name].name)
        if source.which == "last":
            return np.where(held == 0, MAX_DAYS, np.clip((now_ms - held) / DAY_MS, 0.0, MAX_DAYS))
        return np.where(held == 0, 0.0, np.clip((now_ms - (_FIRST - held)) / DAY_MS, 0.0, MAX_DAYS))


#: Later than every event time that decoding lets through (year 9999).
_FIRST = 300_000_000_000_000

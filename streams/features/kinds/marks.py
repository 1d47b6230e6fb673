"""Marks in time and life-long totals: when something first and last happened, how often or how much in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds import Joint
from streams.features.kinds.decay import DAY_MS
from streams.features.signals import PerSignal, Run, Signal, Signals

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

    def __init__(self, sources: Sequence[DaysSince | Total], signals: Signals) -> None:
        columns: dict[str, dict[str, Column]] = {}
        for source in sources:
            what, name = _what(source), source.signal.name
            columns.setdefault(what, {})[name] = Column(f"{what}/{name}", "i8")
        self._of = {what: PerSignal(by_signal, signals) for what, by_signal in columns.items()}
        self.columns: tuple[Column, ...] = tuple(c for by_signal in columns.values() for c in by_signal.values())

    def fold(self, state: Rows, run: Run) -> None:
        flat = state.flat["i8"]
        for what, columns in self._of.items():
            entries = columns.of(run.entries)
            cells = columns.cells(state, entries)
            if what == "total":
                np.add.at(flat, cells, entries.value)
            else:
                # 0 means never, so the negated first time is kept above the largest possible one.
                time_ms = entries.time_ms if what == "last" else _FIRST - entries.time_ms
                np.maximum.at(flat, cells, time_ms)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for what, columns in self._of.items():
            for column in columns.columns.values():
                both = (state.data[column.name][row], other.data[column.name][0])
                state.data[column.name][row] = sum(both) if what == "total" else max(both)

    def joint(self, sources: Sequence[DaysSince | Total]) -> Joint:
        asked = []
        for what, columns in self._of.items():
            places = [i for i, source in enumerate(sources) if _what(source) == what]
            if places:
                asked.append((what, columns, places, columns.numbers(sources[i].signal for i in places)))

        def read(rows: Readable, now_ms: Ints) -> Floats:
            found = np.empty((len(rows), len(sources)))
            for what, columns, places, numbers in asked:
                held = columns.read_one(rows, numbers)
                if what == "total":
                    found[:, places] = held
                    continue
                since = now_ms[:, None] - (held if what == "last" else _FIRST - held)
                days = np.minimum(np.maximum(since / DAY_MS, 0.0), MAX_DAYS)
                found[:, places] = np.where(held == 0, MAX_DAYS if what == "last" else 0.0, days)
            return found

        return read


def _what(source: DaysSince | Total) -> str:
    return "total" if isinstance(source, Total) else source.which


#: Later than every event time that decoding lets through (year 9999).
_FIRST = 300_000_000_000_000

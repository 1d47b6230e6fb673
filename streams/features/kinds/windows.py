"""Exact sums over a recent window, kept as a ring of buckets.

A window of n buckets covers the current bucket and the n - 1 before it; a bucket of a day is a day of the shop.
Buckets hold integers, so the sum is exact and no order of events can change it; what falls out of the ring is
forgotten, what comes too late for it is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.days import UTC, Days
from streams.features.kinds.decay import DAY_MS, HOUR_MS, MINUTE_MS
from streams.features.signals import Run, Signal

#: name of a ring → (bucket length in ms, buckets)
RINGS: dict[str, tuple[int, int]] = {"5m": (5 * MINUTE_MS, 12), "1h": (HOUR_MS, 24), "1d": (DAY_MS, 30)}
DAY_RING = "1d"
#: name of a window → (its ring, how many of the ring's buckets it covers)
WINDOWS: dict[str, tuple[str, int]] = {
    "1h": ("5m", 12),
    "24h": ("1h", 24),
    "7d": ("1d", 7),
    "30d": ("1d", 30),
}


@dataclass(frozen=True, slots=True)
class Windowed:
    """The sum of a signal over the last 1 h, 24 h, 7 d or 30 d. Cold start 0."""

    signal: Signal
    window: str


@dataclass(frozen=True, slots=True)
class ActiveBuckets:
    """In how many buckets (hours of 24 h, days of 7 d or 30 d) of a window the signal was not 0. Cold start 0."""

    signal: Signal
    window: str


class WindowKind:
    """All windows: per signal and ring the buckets and the newest bucket's number. ``days`` says when a day begins."""

    def __init__(self, sources: Sequence[Windowed | ActiveBuckets], days: Days | None = None) -> None:
        self._days = days or Days()
        wanted = dict.fromkeys((WINDOWS[s.window][0], s.signal) for s in sources)
        self._rings: dict[tuple[str, str], tuple[Column, Column]] = {}
        for ring, signal in wanted:
            zone = f"@{self._days.time_zone}" if ring == DAY_RING and self._days.time_zone != UTC else ""
            name = f"window/{signal.name}/{ring}×{RINGS[ring][1]}{zone}"
            cell = "u4" if signal.value == "count" else "i8"
            self._rings[ring, signal.name] = (
                Column(f"{name}/buckets", cell, RINGS[ring][1]),
                Column(f"{name}/head", "i8"),
            )
        self.columns: tuple[Column, ...] = tuple(column for pair in self._rings.values() for column in pair)
        self._inside = {s.window: _inside(*WINDOWS[s.window]) for s in sources}

    def fold(self, state: Rows, run: Run) -> None:
        for (ring, signal), (buckets, head) in self._rings.items():
            if entries := run.entries.get(signal):
                number = self._number(ring, entries.time_ms)
                _fold_ring(state, buckets, head, RINGS[ring][1], entries.row, number, entries.value)

    def _number(self, ring: str, time_ms: Ints) -> Ints:
        return self._days.number(time_ms) if ring == DAY_RING else time_ms // RINGS[ring][0]

    def read(self, rows: Readable, now_ms: Ints, source: Windowed | ActiveBuckets) -> Floats:
        ring, _ = WINDOWS[source.window]
        buckets, head = self._rings[ring, source.signal.name]
        _, n = RINGS[ring]

        def inside() -> Bools:
            newest = rows.column(head.name)
            # How many buckets ago the newest one is; beyond the ring all that matters is that it is.
            ago = np.clip(self._number(ring, now_ms) - newest, -n, n)
            return self._inside[source.window][newest % n, ago + n]

        held = rows.column(buckets.name) * rows.once((head, source.window), inside)
        if isinstance(source, ActiveBuckets):
            held = held != 0
        # Of integers, so in any order the same; einsum adds short rows three times as fast as sum.
        return np.einsum("ij->i", held, dtype=np.int64).astype(np.float64)


def _inside(ring: str, covered: int) -> Bools:
    """[n, 2n + 1, n] which slots of a ring of n a window covers, by the newest bucket's slot and by how many buckets
    ago (plus n) that one is. A bucket after now is in no window."""
    _, n = RINGS[ring]
    ago = np.arange(-n, n + 1)[:, None] + _ages(np.arange(n), n)[:, None, :]
    return (ago >= 0) & (ago < covered)


def _ages(head: Ints, n: int) -> npt.NDArray[np.int16]:
    """[k, n] how many buckets before the newest one (``head``) each slot of a ring is."""
    age = (head % n).astype(np.int16)[:, None] - np.arange(n, dtype=np.int16)
    return np.where(age < 0, age + np.int16(n), age)


def _fold_ring(state: Rows, buckets: Column, head: Column, n: int, row: Ints, number: Ints, value: Ints) -> None:
    heads, cells = state.cells(head, row), state.cells(buckets, row)
    newest, held = state.flat["i8"], state.flat[buckets.code]
    before = newest[heads]
    np.maximum.at(newest, heads, number)
    after = newest[heads]
    moved = np.flatnonzero(after > before)
    if len(moved):
        # Entries of one ring write the same values here, so repeats are harmless.
        slots = cells[moved][:, None] + np.arange(n)
        passed = np.minimum(after[moved] - before[moved], n).astype(np.int16)
        gone = _ages(before[moved], n) >= (n - passed)[:, None]
        held[slots] = np.where(gone, 0, held[slots])
    fresh = number > after - n
    np.add.at(held, (cells + number % n)[fresh], value[fresh].astype(held.dtype))

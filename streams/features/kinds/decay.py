"""Decayed sums: a count or an amount whose old parts fade with a half-life.

A sum is kept against a landmark that only moves by whole half-lives: event time t is q half-lives and a rest r in
[0, 1), its weight ``ldexp(exp2(r), q - landmark)``. Moving the landmark multiplies by a power of two, which is exact,
so the bits do not depend on when it moves (forward decay: Cormode, Shkapenyuk, Srivastava, Xu, ICDE 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds import Joint
from streams.features.signals import PerSignal, Run, Signal, Signals

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HALF_LIVES: dict[str, int] = {
    "5m": 5 * MINUTE_MS,
    "1h": HOUR_MS,
    "1d": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
}
_NAMES = tuple(HALF_LIVES)
_MS = np.array(list(HALF_LIVES.values()), np.int64)
#: A weight of 2^-1100 is zero in float64: no need to tell ldexp more.
_FAR = 1_100


@dataclass(frozen=True, slots=True)
class Decayed:
    """The sum of a signal, faded with one of the half-lives. Cold start 0."""

    signal: Signal
    half_life: str


def quotient(time_ms: Ints, half_life_ms: Ints | int) -> tuple[Ints, Floats]:
    """Time as whole half-lives and 2^(rest), the rest in [0, 1)."""
    q = time_ms // half_life_ms
    return q, np.exp2((time_ms - q * half_life_ms) / half_life_ms)


def shift(amount: Ints) -> npt.NDArray[np.int32]:
    """A difference of quotients as an exponent for ldexp."""
    return np.minimum(np.maximum(amount, -_FAR), _FAR).astype(np.int32)


class DecayKind:
    """All decayed sums: per signal five sums and their landmarks."""

    def __init__(self, sources: Sequence[Decayed], signals: Signals) -> None:
        names = dict.fromkeys(source.signal.name for source in sources)
        tag, n = ",".join(_NAMES), len(_NAMES)
        self._sums = PerSignal({name: Column(f"decayed/{name}/{tag}/sum", "f8", n) for name in names}, signals)
        self._marks = PerSignal({name: Column(f"decayed/{name}/{tag}/landmark", "i8", n) for name in names}, signals)
        self.columns: tuple[Column, ...] = (*self._sums.columns.values(), *self._marks.columns.values())

    def fold(self, state: Rows, run: Run) -> None:
        entries = self._sums.of(run.entries)
        if not len(entries):
            return
        steps = np.arange(len(_NAMES))
        sums, marks = (columns.cells(state, entries)[:, None] + steps for columns in (self._sums, self._marks))
        q, weight = quotient(entries.time_ms[:, None], _MS)
        accumulate(state, sums.ravel(), marks.ravel(), q.ravel(), (weight * entries.value[:, None]).ravel())

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for name, sums in self._sums.columns.items():
            merge_faded(state, row, other, sums, self._marks.columns[name])

    def joint(self, sources: Sequence[Decayed]) -> Joint:
        numbers = self._sums.numbers(source.signal for source in sources)
        step = np.array([_NAMES.index(source.half_life) for source in sources])

        def read(rows: Readable, now_ms: Ints) -> Floats:
            total, mark = (columns.read_one(rows, numbers, step) for columns in (self._sums, self._marks))
            return faded(total, mark, now_ms[:, None], _MS[step])

        return read


def accumulate(
    state: Rows, sums: Ints, marks: Ints, q: Ints, amount: Floats, slot: Ints | int = 0, slots: int = 1
) -> None:
    """Add ``amount · 2^(q - landmark)`` to each sum, one after the other, moving its landmark first if q is later.

    ``slots`` neighbouring sums share a landmark: ``sums`` names the first of them, ``slot`` the one to add to. Several
    entries may name the same landmark; it is moved once, to the latest of them.
    """
    total, mark = state.flat["f8"], state.flat["i8"]
    before = mark[marks]
    np.maximum.at(mark, marks, q)
    after = mark[marks]
    moved = (after > before).nonzero()[0]
    # Entries of one landmark write the same values here, so repeats are harmless.
    cells = sums[moved][:, None] + np.arange(slots)
    total[cells] = np.ldexp(total[cells], shift(before[moved] - after[moved])[:, None])
    np.add.at(total, sums + slot, np.ldexp(amount, shift(q - after)))


def merge_faded(state: Rows, row: int, other: Rows, sums: Column, marks: Column) -> None:
    """Add the sums of the one row of ``other`` to those of a row; either each has a landmark, or all share one."""
    ours, theirs = state.data[sums.name][row], other.data[sums.name][0]
    mark, their_mark = state.data[marks.name][row], other.data[marks.name][0]
    latest = np.maximum(mark, their_mark)
    moved = np.ldexp(ours, shift(mark - latest)) + np.ldexp(theirs, shift(their_mark - latest))
    state.data[sums.name][row], state.data[marks.name][row] = moved, latest


def faded(total: Floats, mark: Ints, now_ms: Ints, half_life_ms: Ints | int) -> Floats:
    """A sum kept against a landmark, as it stands at ``now_ms``."""
    q, weight = quotient(now_ms, half_life_ms)
    return np.ldexp(total / weight, shift(mark - q))

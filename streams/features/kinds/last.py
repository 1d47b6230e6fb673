"""The last N events of a shopper, sorted by event time, then by id.

The newest N of a set do not depend on the order in which the set was seen, so any arrival order within the allowed
lateness ends in the same state. The ring's layout is canonical: the newest lies at ``(count - 1) % N``, the one
before it one slot earlier. Events in order are one scatter; only shoppers with an event out of order are re-sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints, stable_order
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run


@dataclass(frozen=True, slots=True)
class Field:
    """What is kept of each event: an attribute of ``Run`` and how it is stored."""

    name: str
    code: str


class LastN:
    """The columns of one ring and its fold. ``time`` and ``tie`` (32 bits of the event id's hash) are always kept."""

    def __init__(self, name: str, n: int, fields: tuple[Field, ...]) -> None:
        self.n = n
        self._time = Column(f"last{n}/{name}/time", "i8", n)
        self._tie = Column(f"last{n}/{name}/tie", "u4", n)
        self._count = Column(f"last{n}/{name}/count", "u4")
        self._fields = {f.name: Column(f"last{n}/{name}/{f.name}", f.code, n) for f in fields}
        self.columns: tuple[Column, ...] = (self._time, self._tie, self._count, *self._fields.values())
        # [n, n] the slots from the newest event backwards, by the slot of the newest.
        self._backwards = (np.arange(n)[:, None] - np.arange(n)) % n

    def fold(self, state: Rows, run: Run, chosen: Bools | None = None) -> None:
        """Take the chosen events of a run (all of them when not given)."""
        index = np.arange(len(run.row)) if chosen is None else np.flatnonzero(chosen)
        if not len(index):
            return
        # By shopper, and within a shopper in log order.
        index = index[stable_order(run.row[index])]
        row, time = run.row[index], run.time_ms[index]
        tie = (run.fact("id_hash")[index].astype(np.uint64) & np.uint64(0xFFFF_FFFF)).astype(np.uint32)
        first = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
        size = np.diff(np.concatenate((first, [len(row)])))
        rank = _ranks(size)
        count = state.flat["u4"][state.cells(self._count, row)].astype(np.int64)
        # The event before: in the run, or for the first of each shopper the newest in the ring.
        newest = (count[first] - 1) % self.n
        held_time = state.flat["i8"][state.cells(self._time, row[first]) + newest]
        held_tie = state.flat["u4"][state.cells(self._tie, row[first]) + newest]
        prev_time, prev_tie = np.concatenate((time[:1], time[:-1])), np.concatenate((tie[:1], tie[:-1]))
        prev_time[first] = np.where(count[first] == 0, np.iinfo(np.int64).min, held_time)
        prev_tie[first] = np.where(count[first] == 0, 0, held_tie)
        behind = (time < prev_time) | ((time == prev_time) & (tie < prev_tie))
        unsorted = np.logical_or.reduceat(behind, first)
        in_order = ~np.repeat(unsorted, size)
        self._append(state, run, index[in_order], tie[in_order], (count + rank)[in_order])
        if unsorted.any():
            self._merge(state, run, index[~in_order], tie[~in_order], size[unsorted])
        np.add.at(state.flat["u4"], state.cells(self._count, row), np.uint32(1))

    def _append(self, state: Rows, run: Run, index: Ints, tie: npt.NDArray[np.uint32], at: Ints) -> None:
        # A later event of the run may take an earlier one's slot; numpy assigns in order, so the later one stays.
        row, slot = run.row[index], at % self.n
        state.flat["i8"][state.cells(self._time, row) + slot] = run.time_ms[index]
        state.flat["u4"][state.cells(self._tie, row) + slot] = tie
        for name, column in self._fields.items():
            flat = state.flat[column.code]
            flat[state.cells(column, row) + slot] = run.fact(name)[index].astype(flat.dtype)

    def _merge(self, state: Rows, run: Run, index: Ints, tie: npt.NDArray[np.uint32], size: Ints) -> None:
        """Sort new events into what is held, of g shoppers at once: ``size`` [g] events of each, by shopper."""
        rows = run.row[index[np.cumsum(size) - size]]
        count = state.flat["u4"][state.cells(self._count, rows)].astype(np.int64)
        kept = np.minimum(count, self.n)
        held, new = np.repeat(np.arange(len(rows)), kept), np.repeat(np.arange(len(rows)), size)
        group = np.concatenate((held, new))
        slots = (np.repeat(count - kept, kept) + _ranks(kept)) % self.n
        columns: dict[Column, npt.NDArray[Any]] = {self._time: run.time_ms[index], self._tie: tie}
        columns |= {column: run.fact(name)[index] for name, column in self._fields.items()}
        merged = {}
        for column, values in columns.items():
            flat = state.flat[column.code]
            before = flat[state.cells(column, rows[held]) + slots]
            merged[column] = np.concatenate((before, values.astype(flat.dtype)))
        order = np.lexsort((merged[self._tie], merged[self._time], group))
        # Of each shopper's, in order, the last n.
        many = kept + size
        stays = np.minimum(many, self.n)
        order = order[_ranks(many) >= np.repeat(many - stays, many)]
        target = (np.repeat(count + size - stays, stays) + _ranks(stays)) % self.n
        for column, values in merged.items():
            state.flat[column.code][state.cells(column, np.repeat(rows, stays)) + target] = values[order]

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        """Take what the one row of ``other`` has seen into a row, the newest of both."""
        counts = [int(state.data[self._count.name][row]), int(other.data[self._count.name][0])]
        held = [np.arange(max(0, count - self.n), count) % self.n for count in counts]

        def both(column: Column) -> npt.NDArray[Any]:
            ours, theirs = state.data[column.name].reshape(-1, self.n), other.data[column.name].reshape(-1, self.n)
            return np.r_[ours[row, held[0]], theirs[0, held[1]]]

        order = np.lexsort((both(self._tie), both(self._time)))[-self.n :]
        slots = np.arange(sum(counts) - len(order), sum(counts)) % self.n
        for column in (self._time, self._tie, *self._fields.values()):
            values = both(column)[order]
            state.data[column.name].reshape(-1, self.n)[row, slots] = values
        state.data[self._count.name][row] = sum(counts)

    def newest_first(self, rows: Readable, least: int = 0) -> tuple[Ints, Bools, Ints, dict[str, npt.NDArray[Any]]]:
        """Which k of the rows have seen so many events at ``least``; whether a slot is filled, the times, and the
        fields: all [k, n], newest event first."""
        return rows.once((self._time, "newest first", least), lambda: self._newest_first(rows, least))

    def _newest_first(self, rows: Readable, least: int) -> tuple[Ints, Bools, Ints, dict[str, npt.NDArray[Any]]]:
        count = rows.column(self._count.name).astype(np.int64)
        some = np.flatnonzero(count >= least)
        count = count[some]
        filled = np.arange(self.n) < count[:, None]
        cells = self._backwards[(count - 1) % self.n] + (some * self.n)[:, None]

        def ordered(column: Column) -> npt.NDArray[Any]:
            return rows.column(column.name).ravel()[cells]  # an empty slot holds 0

        return some, filled, ordered(self._time), {name: ordered(column) for name, column in self._fields.items()}


def _ranks(size: Ints) -> Ints:
    """0, 1, … within each of several groups in a row.

    >>> _ranks(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)


def row_sum(values: npt.NDArray[Any]) -> Floats:
    """Sum over axis 1, strictly from left to right: the same bits however many rows there are."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total

"""How much there is of an item: the newest count of each location, added up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Floats, Ints, stable_order
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run

#: Of more locations those with the smallest hashes are kept: the same ones, whatever the order.
LOCATIONS = 16


@dataclass(frozen=True, slots=True)
class Stock:
    """Units ``on_hand`` or ``on_order`` in all locations, or in how many ``locations`` it was counted. Cold start 0."""

    what: Literal["on_hand", "on_order", "locations"]


class StockKind:
    """Per location the newest count (by event time, then by id), in order of the locations' hashes."""

    def __init__(self, sources: Sequence[Stock]) -> None:
        name = f"stock/{LOCATIONS}"
        self._location = Column(f"{name}/location", "i8", LOCATIONS)
        self._time = Column(f"{name}/time", "i8", LOCATIONS)
        self._tie = Column(f"{name}/tie", "i8", LOCATIONS)
        self._counts = {what: Column(f"{name}/{what}", "i8", LOCATIONS) for what in ("on_hand", "on_order")}
        self.columns: tuple[Column, ...] = (self._location, self._time, self._tie, *self._counts.values())

    def fold(self, state: Rows, run: Run) -> None:
        index = np.flatnonzero(run.fact("location") != 0)
        if not len(index):
            return
        index = index[stable_order(run.row[index])]
        row = run.row[index]
        first = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
        rank = np.arange(len(row)) - np.repeat(first, np.diff(np.concatenate((first, [len(row)]))))
        by_rank = stable_order(rank)
        bounds = np.searchsorted(rank[by_rank], np.arange(int(rank.max()) + 2)).tolist()
        # The first count of each item together, then the second, and so on: no row twice in one step.
        for a, b in itertools.pairwise(bounds):
            self._count(state, run, index[by_rank[a:b]])

    def _count(self, state: Rows, run: Run, index: Ints) -> None:
        flat, row = state.flat["i8"], run.row[index]

        def cells(column: Column) -> Ints:
            return state.cells(column, row)[:, None] + np.arange(LOCATIONS)

        # One more slot for a location that is new; empty ones come last.
        never = np.iinfo(np.int64).max
        location = run.fact("location")[index]
        fresh = {
            self._location: location,
            self._time: run.time_ms[index],
            self._tie: run.fact("id_hash")[index] & 0xFFFF_FFFF,
            **{column: run.fact(what)[index] for what, column in self._counts.items()},
        }
        held = {column: flat[cells(column)] for column in fresh}
        same = held[self._location] == location[:, None]
        known, slot = same.any(axis=1), same.argmax(axis=1)
        line = np.arange(len(row))
        newer = (fresh[self._time] > held[self._time][line, slot]) | (
            (fresh[self._time] == held[self._time][line, slot]) & (fresh[self._tie] >= held[self._tie][line, slot])
        )
        replaced = known & newer
        wide = {column: np.c_[block, np.where(known, 0, fresh[column])] for column, block in held.items()}
        for column, block in wide.items():
            block[line[replaced], slot[replaced]] = fresh[column][replaced]
        order = np.argsort(np.where(wide[self._location] == 0, never, wide[self._location]), axis=1, kind="stable")
        for column, block in wide.items():
            flat[cells(column)] = np.take_along_axis(block, order, axis=1)[:, :LOCATIONS]

    def read(self, rows: Readable, now_ms: Ints, source: Stock) -> Floats:
        if source.what == "locations":
            return (rows.column(self._location.name) != 0).sum(axis=1).astype(np.float64)
        return rows.column(self._counts[source.what].name).sum(axis=1).astype(np.float64)

"""A number that each record states anew: the one in the log's newest record holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run


@dataclass(frozen=True, slots=True)
class Stated:
    """What the newest record of the log says of a fact, whatever its event time; cold start 0. For facts that every
    record of the entity states, such as the balance of an account."""

    fact: str


class StatedKind:
    """A column per fact."""

    def __init__(self, sources: Sequence[Stated]) -> None:
        self._columns = {source.fact: Column(f"stated/{source.fact}", "i8") for source in sources}
        self.columns: tuple[Column, ...] = tuple(self._columns.values())

    def fold(self, state: Rows, run: Run) -> None:
        if not len(run.row):
            return
        # A run is in order of rows, each row's records in log order: of each row the last one holds.
        last = np.flatnonzero(np.concatenate((run.row[1:] != run.row[:-1], [True])))
        for fact, column in self._columns.items():
            state.flat["i8"][state.cells(column, run.row[last])] = run.fact(fact)[last]

    def read(self, rows: Readable, now_ms: Ints, source: Stated) -> Floats:
        return rows.column(self._columns[source.fact].name).astype(np.float64)

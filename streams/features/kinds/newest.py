"""The newest word on something that records say now and then, such as a price or a lead time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds.last import Field, LastN
from streams.features.signals import Run


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest value of a fact that is kept as one more than what was said (0: not said); cold start 0. With
    ``halves`` the fact is a 32-bit hash as it is, read as its upper and lower 16 bits (``kinds/taste.py``)."""

    fact: str
    halves: bool = False


class NewestKind:
    """Per fact the newest record that says it: by event time, then by id."""

    def __init__(self, sources: Sequence[Newest]) -> None:
        self._rings = {s.fact: LastN(f"newest/{s.fact}", 1, (Field(s.fact, "i8"),)) for s in sources}
        self.columns: tuple[Column, ...] = tuple(c for ring in self._rings.values() for c in ring.columns)

    def fold(self, state: Rows, run: Run) -> None:
        for fact, ring in self._rings.items():
            said = run.fact(fact) != 0
            if said.any():
                ring.fold(state, run, said)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for ring in self._rings.values():
            ring.merge(state, row, other)

    def value(self, rows: Readable, fact: str) -> Ints:
        """[k] the newest value of a fact as it was kept; 0 when it was never said."""
        newest: Ints = self._rings[fact].newest_first(rows)[3][fact][:, 0]
        return newest

    def read(self, rows: Readable, now_ms: Ints, source: Newest) -> Floats:
        held = self.value(rows, source.fact)
        if source.halves:
            return np.stack([held >> 16, held & 0xFFFF], axis=1).astype(np.float64)
        return np.maximum(held - 1, 0).astype(np.float64)

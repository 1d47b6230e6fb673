"""Numbers that are known beside the rows, and written into a row each time it is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run


@dataclass(frozen=True, slots=True)
class Held:
    """What the entity's ``Side.refresh`` wrote into the row when it last did so. Cold start 0."""

    name: str
    width: int = 1


def column(name: str, width: int = 1) -> Column:
    """Where it is written."""
    return Column(f"held/{name}", "i8", width)


class HeldKind:
    """A column per number; no record changes it."""

    def __init__(self, sources: Sequence[Held]) -> None:
        self.columns: tuple[Column, ...] = tuple(column(source.name, source.width) for source in sources)

    def fold(self, state: Rows, run: Run) -> None:
        """Nothing."""

    def read(self, rows: Readable, now_ms: Ints, source: Held) -> Floats:
        return rows.column(column(source.name).name).astype(np.float64)

"""The latest word of a shopper on a yes-or-no question; of two said at the same time, no wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from streams.columns.arrays import TYPE_CODE, Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run
from streams.records.events import ConsentChanged


@dataclass(frozen=True, slots=True)
class Consent:
    """1 when the shopper last allowed marketing, -1 when they forbade it, 0 (cold start) when they never said."""

    words: ClassVar[dict[float, str]] = {1.0: "allowed", -1.0: "forbidden", 0.0: "never said"}


WORD = Column("latest/consent", "i8")


def repeat_no(rows: Rows, at_ms: int) -> None:
    """Let all who forbid it have said so again at a time, or after it."""
    words = rows.data[WORD.name]
    words[:] = np.where(words % 2 != 0, np.maximum(words, 2 * at_ms + 1), words)


class ConsentKind:
    """Keeps ``2 · time + (1 if forbidden)`` of the latest word: a maximum, so order does not matter."""

    def __init__(self, sources: Sequence[Consent]) -> None:
        self._word = WORD
        self.columns: tuple[Column, ...] = (self._word,)

    def fold(self, state: Rows, run: Run) -> None:
        index = np.flatnonzero(run.type == TYPE_CODE[ConsentChanged])
        index = index[run.fact("flag")[index] >= 0]
        if len(index):
            word = 2 * run.time_ms[index] + (run.fact("flag")[index] == 0)
            np.maximum.at(state.flat["i8"], state.cells(self._word, run.row[index]), word)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        """Not as if one had said all: what the other allowed allows nothing here."""
        held, word = state.data[self._word.name], int(other.data[self._word.name][0])
        if word % 2:
            held[row] = max(held[row], word)

    def read(self, rows: Readable, now_ms: Ints, source: Consent) -> Floats:
        word = rows.column(self._word.name)
        return np.where(word == 0, 0.0, np.where(word % 2 == 0, 1.0, -1.0))

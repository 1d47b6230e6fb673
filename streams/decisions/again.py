"""When something foretold is said again: first, once in a while, and at once when it has moved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.features.kinds.decay import DAY_MS
from streams.records.demand import Occasion

#: (middle, low, high), [n] each → [n] whether the middle is news beside what was said last, ``low`` to ``high``.
Moved = Callable[[Floats, Floats, Floats], Bools]


class SaidLast:
    """What a row remembers of what was said last under a name: when, and the middle half."""

    def __init__(self, name: str) -> None:
        self.columns = (
            Column(f"{name}/said", "i8"),
            Column(f"{name}/low", "f8"),
            Column(f"{name}/high", "f8"),
        )

    def again(
        self, state: Rows, row: Ints, now: Ints, half: tuple[Floats, Floats, Floats], days: float, moved: Moved
    ) -> dict[int, Occasion]:
        """Of which of n rows to speak now, and why: nothing was said before, it was said ``days`` ago, or the middle of
        ``half`` (low, middle, high; [n] each) has ``moved``. What is spoken of is remembered as said."""
        low, middle, high = half
        times, numbers = state.flat["i8"], state.flat["f8"]
        last_cells, low_cells, high_cells = (state.cells(column, row) for column in self.columns)
        last: Ints = times[last_cells]
        first, weekly = last == 0, now - last >= int(days * DAY_MS)
        speaks = first | weekly | moved(middle, numbers[low_cells], numbers[high_cells])
        times[last_cells[speaks]] = now[speaks]
        numbers[low_cells[speaks]], numbers[high_cells[speaks]] = low[speaks], high[speaks]
        return {
            at: "first" if first[at] else "weekly" if weekly[at] else "moved" for at in np.flatnonzero(speaks).tolist()
        }

"""When something foretold is said again: first, once in a while, and at once when it has moved."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group
from streams.features.kinds.decay import DAY_MS
from streams.records.outcomes import outcome_id


class Again(Protocol):
    """When a forecast is said again."""

    @property
    def again_days(self) -> float:
        """After so many days in any case."""

    def moved(self, middle: Floats, low: Floats, high: Floats) -> Bools:
        """[n] whether the middle is news beside what was said last, ``low`` to ``high``; [n] each."""


class SaidLast:
    """What a row remembers of what was said last under a name: when, and the middle half."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns = (
            Column(f"{name}/said", "i8"),
            Column(f"{name}/low", "f8"),
            Column(f"{name}/high", "f8"),
        )

    def again(
        self, task: str, state: Rows, group: Group, places: Ints, half: tuple[Floats, Floats, Floats], policy: Again
    ) -> tuple[Ints, list[dict[str, Any]]]:
        """Of which of n places of a group to speak now, by their number among the n, and what a forecast of each says
        beside numbers: nothing was said before, it was said ``again_days`` ago, or the middle of ``half`` (low, middle,
        high; [n] each) has moved. What is spoken of is remembered as said."""
        (low, middle, high), row, now = half, group.row[places], group.now_ms[places]
        times, numbers = state.flat["i8"], state.flat["f8"]
        last_cells, low_cells, high_cells = (state.cells(column, row) for column in self.columns)
        last: Ints = times[last_cells]
        first, weekly = last == 0, now - last >= int(policy.again_days * DAY_MS)
        speaks = first | weekly | policy.moved(middle, numbers[low_cells], numbers[high_cells])
        times[last_cells[speaks]] = now[speaks]
        numbers[low_cells[speaks]], numbers[high_cells[speaks]] = low[speaks], high[speaks]
        some = np.flatnonzero(speaks)
        return some, [
            {
                "outcome_id": outcome_id(self.name, group.key[i], group.ref(i), ""),
                "item_id": group.key[i],
                "event_time_ms": int(group.now_ms[i]),
                "due": group.due[i],
                "model": group.model(task, i),
                "said": "first" if first[at] else "weekly" if weekly[at] else "moved",
            }
            for at, i in zip(some.tolist(), places[some].tolist(), strict=True)
        ]

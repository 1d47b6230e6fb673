"""The due points of a slice, and what was read of their rows as they stood then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.campaigns.trigger_items import LeftBehind
from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Readable, Rows
from streams.records.news import AnyItemNews

Features = npt.NDArray[np.float32]

#: Rows that are read at once: reading one takes as long as reading a hundred, and memory must stay bounded.
READ_AT_ONCE = 1024


@dataclass(slots=True)
class DuePoints:
    """k shoppers that are due at the same step of a slice; no shopper twice."""

    row: Ints
    now_ms: Ints
    timer: bool
    """Whether a timer made them due, and not a record."""
    event: Ints
    """Index into the batch, -1 for a timer."""
    kinds: list[str] | None = None
    """[k] what the timer of each was for; None: all for what the entity's timer is for."""
    amount: Floats | None = None
    """[k] what it measured, NaN where nothing; None: nothing of any."""
    left: list[LeftBehind | None] | None = None
    """[k] the item that each had left, where that made them due; None: nobody had."""
    news: AnyItemNews | None = None
    """What made all of them due, if news did …"""
    position: int = 0
    """… and where in the slice it stands."""
    fired_ms: Ints | None = None
    """[k] what a timer was set for, where rows may know more than that moment; None: it is now."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def set_ms(self) -> Ints:
        """[k] what timers were set for."""
        return self.now_ms if self.fired_ms is None else self.fired_ms


class DueRows:
    """All due points of a slice, n in all, in the order in which they became due.

    A row goes on changing after it was due, so a copy of it is kept until many are read together. ``read`` gives the
    features of rows at their times; ``refresh`` writes into rows that are due what is known beside them.
    ``passed_over``: after how many events nobody was due, for they had been due as often as they may.
    """

    def __init__(
        self,
        read: Callable[[Readable, Ints], Features],
        refresh: Callable[[Rows, DuePoints], None],
        passed_over: int = 0,
    ) -> None:
        self.passed_over = passed_over
        self.points: list[DuePoints] = []
        self._read, self._refresh = read, refresh
        self._held: list[Rows] = []
        self._unread = 0
        self._features: list[Features] = []

    def add(self, points: DuePoints, state: Rows) -> None:
        """Take due points whose rows of ``state`` stand as they are to be read."""
        self._refresh(state, points)
        if len(points) < READ_AT_ONCE:
            self._held.append(state.copy(points.row))
            self._unread += len(points)
            self.points.append(points)
            if self._unread >= READ_AT_ONCE:
                self._read_held()
            return
        # So many need no copy: they are read as they stand.
        self._read_held()
        self.points.append(points)
        for a in range(0, len(points), READ_AT_ONCE):
            some = slice(a, a + READ_AT_ONCE)
            self._read_some(state.pick(points.row[some]), points.now_ms[some])

    def _read_held(self) -> None:
        if self._held:
            now_ms = np.concatenate([points.now_ms for points in self.points[-len(self._held) :]])
            self._read_some(Rows.join(self._held).pick(slice(None)), now_ms)
            self._held, self._unread = [], 0

    def _read_some(self, rows: Readable, now_ms: Ints) -> None:
        self._features.append(self._read(rows, now_ms))

    def read(self) -> Features:
        """[n, f] features of all due points."""
        self._read_held()
        return np.concatenate(self._features) if self._features else np.zeros((0, 0), np.float32)

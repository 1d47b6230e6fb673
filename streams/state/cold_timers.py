"""Timers of rows that are not in memory: some thirty bytes each, whatever their number.

Most shoppers of a large shop are not there at the moment, and of each only this is kept. So timers lie in a few sorted
runs of arrays, the ids of each in one string of bytes. Taking one out leaves it where it is and notes that it counts no
more; it goes when runs are merged.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Ints
from streams.state.codec import NEVER

#: Timers that are set one by one are kept as Python objects until there are so many.
FRESH = 4096
#: Of those that are set, a share of one in so many may be kept though they count no more, and this many anyway.
GONE_SHARE, GONE_AT_LEAST = 8, 1024


class _Run:
    """Timers in their order. ``due`` [n] ascending; ``start`` and ``end`` [n]: where in ``ids`` the id of each is."""

    def __init__(self, due: Ints, start: npt.NDArray[np.uint32], end: npt.NDArray[np.uint32], ids: bytes) -> None:
        order = np.argsort(due, kind="stable")
        self.due, self.start, self.end, self.ids = due[order], start[order], end[order], ids
        self.taken = 0
        """How many fired."""

    @staticmethod
    def of(keys: Sequence[str], due: Ints) -> _Run:
        """Timers as they come."""
        encoded = [key.encode() for key in keys]
        end = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        start = np.concatenate([np.zeros(1, np.int64), end[:-1]])
        return _Run(due, start.astype(np.uint32), end.astype(np.uint32), b"".join(encoded))

    def __len__(self) -> int:
        return len(self.due) - self.taken

    def id(self, i: int) -> bytes:
        """The id of a timer."""
        return self.ids[self.start[i] : self.end[i]]

    def take(self, until_ms: int) -> Iterator[tuple[int, str]]:
        """When and whose those are that are due; they go."""
        first, self.taken = self.taken, int(np.searchsorted(self.due, until_ms, "right"))
        for i in range(first, self.taken):
            yield int(self.due[i]), self.id(i).decode()


class ColdTimers:
    """Timers of one partition's rows that are not in memory, by key; those that never fire are not kept."""

    def __init__(self) -> None:
        self._fresh: list[tuple[int, str]] = []
        self._runs: list[_Run] = []
        self._gone: Counter[tuple[int, str]] = Counter()
        self._kept = 0

    def __len__(self) -> int:
        """How many are set."""
        return self._kept - self._gone.total()

    def set(self, keys: Sequence[str], due: Ints) -> None:
        """Set the timers of keys that have none. ``due`` [n]: UTC milliseconds; NEVER, it is not set."""
        armed = np.flatnonzero(due != NEVER)
        if len(armed) >= FRESH and not self._gone:
            self._add(_Run.of([keys[i] for i in armed.tolist()], due[armed]))
            return
        for i, at in zip(armed.tolist(), due[armed].tolist(), strict=True):
            if (at, keys[i]) in self._gone:
                self._count((at, keys[i]))
            else:
                heapq.heappush(self._fresh, (at, keys[i]))
                self._kept += 1
        if len(self._fresh) >= FRESH:
            self._settle()

    def unset(self, keys: Sequence[str], due: Ints) -> None:
        """Take back timers that were set. ``due`` [n]: to when."""
        for key, at in zip(keys, due.tolist(), strict=True):
            if at != NEVER:
                self._gone[at, key] += 1
        if self._gone.total() > max(GONE_AT_LEAST, len(self) // GONE_SHARE):
            self._settle()
            self._runs = [self._merged(self._runs)]

    def first(self) -> int:
        """None fires before this, UTC milliseconds; NEVER where none is set."""
        found = [int(run.due[run.taken]) for run in self._runs if len(run)]
        return min([*found, *(at for at, _ in self._fresh[:1])], default=NEVER)

    def take(self, until_ms: int) -> list[str]:
        """Whose timers are at or before a time; they are set no more."""
        passed: list[tuple[int, str]] = []
        while self._fresh and self._fresh[0][0] <= until_ms:
            passed.append(heapq.heappop(self._fresh))
        for run in self._runs:
            if len(run) and run.due[run.taken] <= until_ms:
                passed.extend(run.take(until_ms))
        self._runs = [run for run in self._runs if len(run)]
        self._kept -= len(passed)
        return [timer[1] for timer in passed if not self._count(timer)]

    def _count(self, timer: tuple[int, str]) -> bool:
        """Whether one that is there counts no more; then that is known of it once less."""
        held = self._gone.get(timer, 0)
        if held > 1:
            self._gone[timer] = held - 1
        elif held:
            del self._gone[timer]
        return held > 0

    def _settle(self) -> None:
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            self._kept -= len(fresh)
            self._add(_Run.of([key for _, key in fresh], np.array([at for at, _ in fresh], np.int64)))

    def _add(self, run: _Run) -> None:
        """Runs become ever larger ones, each of them at least twice the next: few are looked at, and each timer is
        moved a few times."""
        self._kept += len(run)
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            self._runs[-2:] = [self._merged(self._runs[-2:])]

    def _merged(self, runs: Sequence[_Run]) -> _Run:
        """All that still count."""
        left = [self._counted(run) for run in runs]
        ids = [
            b"".join([run.ids[a:b] for a, b in zip(run.start[some].tolist(), run.end[some].tolist(), strict=True)])
            for run, some in zip(runs, left, strict=True)
        ]
        size = np.concatenate([run.end[some] - run.start[some] for run, some in zip(runs, left, strict=True)])
        end = np.cumsum(size.astype(np.int64))
        due = np.concatenate([run.due[some] for run, some in zip(runs, left, strict=True)])
        self._kept -= sum(map(len, runs)) - len(due)
        return _Run(due, (end - size).astype(np.uint32), end.astype(np.uint32), b"".join(ids))

    def _counted(self, run: _Run) -> Bools:
        some: Bools = np.arange(len(run.due)) >= run.taken
        if self._gone:
            times = np.fromiter({at for at, _ in self._gone}, np.int64)
            for i in np.flatnonzero(some & np.isin(run.due, times)).tolist():
                some[i] = not self._count((int(run.due[i]), run.id(i).decode()))
        return some

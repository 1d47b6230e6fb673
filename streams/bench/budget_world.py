"""A campaign's budget in the loop: partitions of shoppers with their logs, a ledger with its own, and crashes.

What stands in the logs is all there is: whoever crashes is made anew from its last flush, a while later, and reads on
from there, saying again what it had said. A ledger that was taken for dead goes on for a while beside the one that took
over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
import numpy as np

from streams.bench.loads import Load
from streams.budget.candidates import DAY_MS, MINUTE_MS, Candidates, SliceTimes
from streams.budget.ledger import Ledger
from streams.budget.purses import Purses
from streams.columns.arrays import Bools
from streams.records.budget import AnyBudgetRecord, BudgetSet, LeaseGranted

CAMPAIGN, CURRENCY, ZONE = "win-back", "USD", "UTC"
#: Midnight of a day in 2026, in the shop's zone.
FIRST_DAY = 20_500
#: A worker takes what has come in so many milliseconds as one slice, and flushes after so many slices.
STEP_MS, FLUSH = 20_000, 9
#: Steps until another worker has taken over from one that was killed.
DOWN = 3
WEEK_MS = 7 * DAY_MS


@dataclass(slots=True)
class _Log:
    """A partition of shoppers: what stands in its log, how far its worker is, and what it came to."""

    partition: int
    purses: Purses
    time_ms: list[int] = field(default_factory=list)
    offer: list[int] = field(default_factory=list)
    """Which offer each record asks for; -1: none."""
    grants: list[tuple[int, LeaseGranted]] = field(default_factory=list)
    next_offset: int = 0
    down: int = 0
    """Steps until somebody takes over."""
    flushed: tuple[int, bytes] = (0, b"")


class World:
    """Partitions of shoppers and one ledger; ``crashes``: how many of a thousand steps kill each worker."""

    def __init__(self, budget: BudgetSet, crashes: int, step_ms: int = STEP_MS, seed: int = 0) -> None:
        self._random, self._crashes, self._step_ms = Random(seed), crashes, step_ms
        self._logs = [_Log(p, Purses(p, ZONE)) for p in range(budget.partitions)]
        self.ledger, self._campaigns = Ledger(ZONE), list[AnyBudgetRecord]()
        self._applied, self._down = 0, 0
        self._flushed: tuple[int, Any] = (0, [])
        self._loads: list[Load] = []
        self._accepted: dict[int, bool] = {}
        self.crashed = 0
        self._campaigns.append(budget)

    def day(self, load: Load) -> Bools:
        """[n] which offers of another day are accepted."""
        day = FIRST_DAY + len(self._loads)
        first, place = len(self._accepted), 0
        self._loads.append(load)
        home = np.random.default_rng(day).integers(0, len(self._logs), len(load.time_ms))
        for now in range(0, DAY_MS, self._step_ms):
            stop = int(np.searchsorted(load.time_ms, now + self._step_ms))
            for log in self._logs:
                if now % MINUTE_MS == 0:
                    self._append(log, day * DAY_MS + now, -1)
            for i in range(place, stop):
                self._append(self._logs[home[i]], day * DAY_MS + int(load.time_ms[i]), i)
            place = stop
            for log in self._logs:
                self._work(log, now // self._step_ms)
            self._lead(now // self._step_ms)
        for log in self._logs:
            log.down = 0
            self._campaigns += self._apply(log)
        return np.array([self._accepted[first + i] for i in range(len(load.time_ms))])

    def _append(self, log: _Log, time_ms: int, offer: int) -> None:
        log.time_ms.append(time_ms)
        log.offer.append(offer if offer < 0 else sum(len(one.time_ms) for one in self._loads[:-1]) + offer)

    def _work(self, log: _Log, step: int) -> None:
        if self._random.randrange(1000) < self._crashes:
            self.crashed += 1
            log.down = DOWN
            log.purses = Purses(log.partition, ZONE)
            log.next_offset, held = log.flushed
            if held:
                log.purses.restore(held)
        if log.down > 0:
            log.down -= 1
            return
        self._campaigns += self._apply(log)
        if step % FLUSH == log.partition % FLUSH:
            log.flushed = log.next_offset, log.purses.drain_changes(log.next_offset)

    def _apply(self, log: _Log) -> Sequence[AnyBudgetRecord]:
        start, stop = log.next_offset, len(log.time_ms)
        if start == stop:
            return []
        offset = np.arange(start, stop)
        newest = np.maximum.accumulate(np.array(log.time_ms[start:stop]))
        offers = np.array(log.offer[start:stop])
        log.purses.begin(
            SliceTimes(offset, newest, newest), log.grants[bisect_left(log.grants, start, key=lambda one: one[0]) :]
        )
        asked = np.flatnonzero(offers >= 0)
        which = offers[asked]
        cost, value = self._of(which.tolist())
        some = Candidates(
            offset[asked], which.astype(np.uint64), cost, value, newest[asked] + WEEK_MS, np.zeros(len(which), np.bool_)
        )
        for one, accepted in zip(which.tolist(), log.purses.afford(CAMPAIGN, CURRENCY, some).tolist(), strict=True):
            assert self._accepted.setdefault(one, accepted) == accepted, "the log did not decide"
        log.next_offset = stop
        return log.purses.end()

    def _of(self, which: list[int]) -> tuple[Any, Any]:
        if not which:
            return np.zeros(0, np.int64), np.zeros(0)
        load, first = self._loads[-1], sum(len(one.time_ms) for one in self._loads[:-1])
        if which[0] < first:  # read again across midnight
            cost = np.concatenate([one.cost_cents for one in self._loads])
            return cost[which], np.concatenate([one.value for one in self._loads])[which]
        return load.cost_cents[np.array(which) - first], load.value[np.array(which) - first]

    def _lead(self, step: int) -> None:
        if self._random.randrange(1000) < self._crashes:
            self.crashed += 1
            late, self.ledger = self.ledger, Ledger(ZONE)
            # The one that was taken for dead says some more, of the same log.
            for record in self._campaigns[self._applied :][: self._random.randrange(5)]:
                self._grant(late.apply(record))
            self._applied, held = self._flushed
            self.ledger.restore(held)
            self._down = DOWN
        if self._down > 0:
            self._down -= 1
            return
        for record in self._campaigns[self._applied :]:
            self._grant(self.ledger.apply(record))
        self._applied = len(self._campaigns)
        if step % FLUSH == 0:
            self._flushed = self._applied, msgspec.to_builtins(self.ledger.progress())

    def _grant(self, grants: Sequence[LeaseGranted]) -> None:
        for grant in grants:
            log = self._logs[grant.partition]
            log.grants.append((len(log.time_ms), grant))
            log.time_ms.append(log.time_ms[-1] if log.time_ms else 0)
            log.offer.append(-1)

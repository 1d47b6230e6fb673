"""What a slice of a partition of shoppers brings to its purses: times, and offers that are considered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class SliceTimes:
    """What time it is at each of a slice's n records, in log order."""

    offset: Ints
    """[n] ascending."""
    newest_ms: Ints
    """[n] the newest event time up to and with each record, UTC milliseconds; never falls."""
    watermark_ms: Ints
    """[n] nothing older is still awaited before each record, UTC milliseconds; never falls."""

    @staticmethod
    def at(offset: Sequence[int], time_ms: int) -> SliceTimes:
        """Records that all stand at one time."""
        return SliceTimes(np.array(offset), np.full(len(offset), time_ms), np.full(len(offset), time_ms))


@dataclass(frozen=True, slots=True)
class Candidates:
    """k offers of one campaign that are considered, in log order; each (offset, key) once."""

    offset: Ints
    """[k] of the record that made each due; never falls, also from one call to the next within a slice."""
    key: npt.NDArray[np.uint64]
    """[k] whom each is for, as a hash; tells those of one offset apart."""
    cost_cents: Ints
    """[k] the most that each can cost, integer cents, ≥ 0: so much is reserved."""
    value: Floats
    """[k] what each is expected to bring, in cents; not a number: never accepted."""
    expires_at_ms: Ints
    """[k] until when each can be redeemed, UTC milliseconds, beyond the log's time."""
    held: Bools
    """[k] which are for shoppers of a control group: they are asked for as all others are, and set nothing aside."""

    @staticmethod
    def of(
        offset: Sequence[int], key: Sequence[int], cost_cents: Sequence[int], value: Sequence[float], days_valid: float
    ) -> Candidates:
        """From plain lists, with an end that is far beyond any log (``days_valid`` from 2100): for examples."""
        ends = np.full(len(offset), 4_102_444_800_000 + int(days_valid * DAY_MS))
        held = np.zeros(len(offset), np.bool_)
        return Candidates(np.array(offset), np.array(key, np.uint64), np.array(cost_cents), np.array(value), ends, held)

    def __len__(self) -> int:
        return len(self.offset)

    def part(self, start: int, stop: int) -> Candidates:
        """The candidates from ``start`` to before ``stop``."""
        return self.pick(slice(start, stop))

    def pick(self, some: slice | Ints) -> Candidates:
        """Some of them, in their order."""
        return Candidates(
            self.offset[some],
            self.key[some],
            self.cost_cents[some],
            self.value[some],
            self.expires_at_ms[some],
            self.held[some],
        )


def worth(profit: Floats, cost: Floats, reserve: Ints, explored: Bools) -> Floats:
    """[k] values of offers as ``Candidates`` wants them, in cents: beyond the price of what is reserved where the
    expected profit is beyond the price of the expected cost.

    ``profit`` and ``cost``: expected, in cents; ``reserve``: the most that each can cost, in cents; what is offered to
    learn (``explored``) need not be worth its price.

    >>> no = np.zeros(2, np.bool_)
    >>> worth(np.array([30.0, 30.0]), np.array([10.0, 0.0]), np.array([500, 0]), no).tolist()
    [1500.0, 30.0]
    """
    scaled = profit * np.divide(reserve, cost, out=np.ones(len(cost)), where=cost > 0)
    return np.where(explored, np.inf, scaled)


def fit(cost_cents: Ints, held: Bools, free_cents: int) -> Bools:
    """[k] which of k amounts fit into ``free_cents`` when each in turn is taken from it where it still fits; those that
    are ``held`` are taken from nothing.

    >>> nobody = np.zeros(5, np.bool_)
    >>> fit(np.array([40, 70, 50, 20, 10]), nobody, 100).tolist()
    [True, False, True, False, True]
    >>> fit(np.array([40, 70, 50, 20, 10]), np.array([True, False, False, False, False]), 100).tolist()
    [True, True, False, True, True]
    """
    fits = np.zeros(len(cost_cents), np.bool_)
    left = np.flatnonzero(cost_cents <= free_cents)
    while len(left):
        cost = cost_cents[left]
        taken = np.cumsum(np.where(held[left], 0, cost))
        beyond = np.r_[0, taken[:-1]] + cost > free_cents
        n = int(beyond.argmax()) if beyond.any() else len(left)
        fits[left[:n]] = True
        free_cents -= int(taken[n - 1]) if n else 0
        rest = left[n + 1 :]
        left = rest[cost_cents[rest] <= free_cents]
    return fits


def runs(row: Ints) -> list[slice]:
    """Cuts due points (``row`` [k]: whose each is, in log order) into runs in which nobody occurs twice, as long as can
    be: what is decided for all of a run at once, run after run, is decided in log order, however the log is cut.

    >>> runs(np.array([7, 8, 7, 9, 9]))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if not len(row):
        return []
    order = np.argsort(row, kind="stable")
    before = np.full(len(row), -1)
    again = row[order[1:]] == row[order[:-1]]
    before[order[1:][again]] = order[:-1][again]
    found, start = [], 0
    # The newest earlier place of anybody up to each: where it comes to the begin of a run, the run is over.
    latest = np.maximum.accumulate(before)
    while start < len(row):
        stop = max(start + 1, int(np.searchsorted(latest, start, side="left")))
        found.append(slice(start, stop))
        start = stop
    return found

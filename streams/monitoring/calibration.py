"""Recalibration: how much sooner or later orders come than was foretold, learned from what is known so far.

A 90-day label comes 90 days late. But a lapse is a product of chances not to order, and each day tells how many orders
came and how many were foretold for it. Where a share ``s`` of shoppers was to lapse, ``s ** exponent`` do (proportional
hazards), for every horizon, so no order of shoppers changes. Two things make the exponent:

- the *level*: of due points 15 days and more ago, how many shoppers ordered within 15 days, and how many were to;
- what is so *lately*: how many orders came in the last days per order foretold for these days, against the same for
  the due points that the level is of, and where that is going. Far ahead it counts for less.

One due point per shopper waits in their row, for an order or 15 days; the next due point after that waits anew. What
is kept of it are sums of whole numbers by day of event time: partitions may be added in any order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.features.kinds.decay import DAY_MS

#: Of the outputs that are recalibrated, that of so many days is judged: what comes of it is known soon.
JUDGED_DAYS = 15
#: Scores are rounded to 4 decimals, so they are kept as whole numbers.
UNIT = 10_000

BINS = 16
#: Columns of a day's sums: hazard foretold for the day (in ``UNIT``), orders that came on it; and of the due points
#: that began to wait on it: how many ordered in time, and by score how many there are and the sum of their scores.
EXPECTED, CAME, ORDERED, COUNT, SCORES = 0, 1, 2, slice(3, 3 + BINS), slice(3 + BINS, 3 + 2 * BINS)
WIDTH = 3 + 2 * BINS
#: Days whose sums are kept.
KEPT_DAYS = 300

#: Half-lives in days: of what is so lately, of the level, and of how far ahead the former holds.
LATELY_DAYS, LEVEL_DAYS, AHEAD_DAYS = 14.0, 60.0, 90.0
#: The mean of the last days is old by some days, and the days ahead are further on: the trend is followed so far.
TREND = 1.5
#: So many orders are taken to have come as foretold.
PRIOR_ORDERS = 50.0
#: No exponent is further from 1 than this.
FARTHEST = 4.0

#: Chance of no order, in units → hazard, in units. Whole numbers, so the last bits of a logarithm do not matter.
_HAZARD: Ints = np.rint(-np.log(np.arange(1, UNIT + 1) / UNIT) * UNIT).astype(np.int64)
_WAIT_MS = JUDGED_DAYS * DAY_MS
Sums = npt.NDArray[np.int64]


def _passed(hazard: Ints, since_ms: Ints) -> Ints:
    """How much of a wait's hazard has passed after so many milliseconds."""
    return hazard * np.clip(since_ms, 0, _WAIT_MS) // _WAIT_MS


@dataclass(slots=True)
class Tallies:
    """Sums by day (days since 1970), each ``WIDTH`` whole numbers."""

    days: dict[int, Sums] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    """Days whose sums moved since somebody emptied this."""

    def __iadd__(self, other: Tallies) -> Tallies:
        for day, sums in other.days.items():
            self._of(day)[:] += sums
        return self

    def _of(self, day: int) -> Sums:
        self.changed.add(day)
        return self.days.setdefault(day, np.zeros(WIDTH, np.int64))

    def forget(self, day: int) -> None:
        """Drop what is too old to count on that day."""
        for old in [d for d in self.days if d < day - KEPT_DAYS]:
            del self.days[old]

    def add(self, day: Ints, column: Ints | int, amount: Ints | int) -> None:
        """Add amounts, each to a column of a day."""
        if not len(day):
            return
        column, amount = np.broadcast_to(column, len(day)), np.broadcast_to(amount, len(day))
        first = int(np.min(day))
        block = np.zeros((int(np.max(day)) - first + 1, WIDTH), np.int64)
        np.add.at(block, (day - first, column), amount)
        for k in np.flatnonzero(block.any(axis=1)).tolist():
            self._of(first + k)[:] += block[k]

    def expect(self, start_ms: Ints, hazard: Ints, from_ms: Ints, sign: int) -> None:
        """Add (or take back) the hazard of waits from some time on, each day's share to the day."""
        day = from_ms // DAY_MS
        bounds = (day[:, None] + np.arange(JUDGED_DAYS + 2)) * DAY_MS
        passed = _passed(hazard[:, None], np.maximum(bounds, from_ms[:, None]) - start_ms[:, None])
        days = day[:, None] + np.arange(JUDGED_DAYS + 1)
        self.add(days.reshape(-1), EXPECTED, (sign * np.diff(passed, axis=1)).reshape(-1))


@dataclass(frozen=True, slots=True)
class InRow:
    """What a row keeps of the due point of one task that waits: when it began, and its score in ``UNIT``."""

    start: Column
    score: Column

    @staticmethod
    def of(task: str) -> InRow:
        """The columns of a task."""
        return InRow(Column(f"calibration/{task}/start", "i8"), Column(f"calibration/{task}/score", "u4"))

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the row has room for."""
        return (self.start, self.score)


@dataclass(slots=True)
class Waiting:
    """What the due points of one partition come to. Takes them step by step; sums are made for many at once."""

    in_row: InRow
    tallies: Tallies = field(default_factory=Tallies)
    _begun: list[tuple[Ints, Ints]] = field(default_factory=list)
    _ended: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)

    def observe(
        self, state: Rows, row: Ints, now_ms: Ints, score: Floats, ordered: Bools, counted: Bools | None = None
    ) -> None:
        """Due points of one step, no shopper twice, with their chance of no order within 15 days (as foretold, not
        recalibrated). ``ordered``: an order made the shopper due; ``counted``: which go into the sums (all of them when
        not given), the others move their rows only."""
        starts, scores = state.flat["i8"], state.flat["u4"]
        start_cells, score_cells = state.cells(self.in_row.start, row), state.cells(self.in_row.score, row)
        start = starts[start_cells]
        within = (start > 0) & (now_ms <= start + _WAIT_MS)
        ended = within & ordered & (now_ms > start)
        told = ended if counted is None else ended & counted
        if told.any():
            self._ended.append((start[told], scores[score_cells[told]].astype(np.int64), now_ms[told]))
        fresh = ended | ~within
        units = np.clip(np.rint(score[fresh] * UNIT), 1, UNIT).astype(np.int64)
        starts[start_cells[fresh]] = now_ms[fresh]
        scores[score_cells[fresh]] = units.astype(np.uint32)
        told = np.ones(len(units), np.bool_) if counted is None else counted[fresh]
        self._begun.append((now_ms[fresh][told], units[told]))

    def sums(self) -> Tallies:
        """All that was taken so far."""
        if self._begun:
            start, units = (np.concatenate(v) for v in zip(*self._begun, strict=True))
            day, bin_ = start // DAY_MS, np.minimum(units * BINS // UNIT, BINS - 1)
            self.tallies.expect(start, _HAZARD[units - 1], start, 1)
            self.tallies.add(day, COUNT.start + bin_, 1)
            self.tallies.add(day, SCORES.start + bin_, units)
        if self._ended:
            start, units, now = (np.concatenate(v) for v in zip(*self._ended, strict=True))
            self.tallies.expect(start, _HAZARD[units - 1], now, -1)
            self.tallies.add(now // DAY_MS, CAME, 1)
            self.tallies.add(start // DAY_MS, ORDERED, 1)
        self._begun, self._ended = [], []
        return self.tallies


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The exponents of lapse chances, as of one day. 1 and 1 change nothing."""

    level: float = 1.0
    lately: float = 1.0

    def exponent(self, days: int) -> float:
        """Of the chance of no order within so many days: what is so lately fades the further ahead one looks.

        >>> r = Recalibration(1.0, 2.0)
        >>> [round(r.exponent(days), 2) for days in (15, 30, 90)]
        [1.92, 1.86, 1.65]
        """
        fade = math.log(2) * days / AHEAD_DAYS
        return self.level * self.lately ** ((1 - math.exp(-fade)) / fade)

    def apply(self, score: Floats, days: int) -> Floats:
        """[n] recalibrated chances of no order within so many days; 0, 1 and NaN stay, and so does their order."""
        return np.asarray(score ** self.exponent(days), np.float64)

    @staticmethod
    def learned(tallies: Tallies, today: int) -> Recalibration:
        """From what was known when the day ``today`` (since 1970) began. The same sums give the same exponents."""
        began = today - JUDGED_DAYS - 1  # the last day whose due points have all been waited for
        level = {d: 0.5 ** ((began - d) / LEVEL_DAYS) for d in _days(tallies.days, today - KEPT_DAYS, began)}
        if not level:
            return Recalibration()
        sums = _weighted(tallies.days, level)
        count, scores = sums[COUNT], sums[SCORES] / UNIT
        mean = np.where(count > 0, scores / np.maximum(count, 1e-9), 0.5)
        foretold = float((count * (1 - mean)).sum())
        # The prior: as many more due points of the same kind, as many more orders as they were foretold.
        more = 1 + PRIOR_ORDERS / max(foretold, 1e-9)
        low, high = -math.log(FARTHEST), math.log(FARTHEST)
        for _ in range(40):
            middle = (low + high) / 2
            if float((count * more * (1 - mean ** math.exp(middle))).sum()) < sums[ORDERED] + PRIOR_ORDERS:
                low = middle
            else:
                high = middle
        usual = (sums[CAME] + PRIOR_ORDERS) / (sums[EXPECTED] / UNIT + PRIOR_ORDERS)
        keep = 0.5 ** (1 / LATELY_DAYS)
        ages = {d: today - 1 - d for d in _days(tallies.days, today - KEPT_DAYS, today - 1)}
        once = _weighted(tallies.days, {d: keep**age for d, age in ages.items()})
        twice = _weighted(tallies.days, {d: (1 - keep) * (age + 1) * keep**age for d, age in ages.items()})

        def lately(sums: Floats) -> float:
            expected = sums[EXPECTED] / UNIT
            return math.log((sums[CAME] + PRIOR_ORDERS * usual) / (expected + PRIOR_ORDERS) / usual)

        # Smoothed twice it is older than smoothed once (Brown, 1963); in a young log there is no telling.
        seen = max(ages.values()) + 1
        ripe = 1 - keep**seen - seen * (1 - keep) * keep**seen
        now = lately(once)
        ahead = now + TREND * ripe * (now - lately(twice))
        farthest = math.log(FARTHEST)
        return Recalibration(
            round(math.exp((low + high) / 2), 3), round(math.exp(max(-farthest, min(farthest, ahead))), 3)
        )


def _days(days: Iterable[int], first: int, last: int) -> list[int]:
    return sorted(d for d in days if first <= d <= last)


def _weighted(days: Mapping[int, Sums], weight: Mapping[int, float]) -> Floats:
    """[WIDTH] weighted sums, added in order of the days."""
    found = np.zeros(WIDTH)
    for day, w in weight.items():
        found += days[day] * w
    return found

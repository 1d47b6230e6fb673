"""Exact sums over a recent window, kept as a ring of buckets.

A window of n buckets covers the current bucket and the n - 1 before it; a bucket of a day is a day of the shop.
Buckets hold integers, so the sum is exact and no order of events can change it; what falls out of the ring is
forgotten, what comes too late for it is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.days import UTC, Days
from streams.features.kinds import Joint
from streams.features.kinds.decay import DAY_MS, HOUR_MS, MINUTE_MS
from streams.features.signals import PerSignal, Run, Signal, Signals


class Ring(NamedTuple):
    """So many buckets of one length; windows of one signal that fit share it."""

    bucket: str
    buckets: int


#: The windows that a signal has where it has several.
WINDOWS = ("1h", "24h", "7d", "30d")
#: The length of a bucket in ms.
BUCKETS: dict[str, int] = {"5m": 5 * MINUTE_MS, "1h": HOUR_MS, "1d": DAY_MS}
DAY_BUCKET = "1d"
#: A week of the shop, from Monday on.
WEEK_BUCKET = "1w"
#: The ring of windows in minutes, hours and days. A window that does not fit gets a ring of its own length.
_RINGS = {"m": Ring("5m", 12), "h": Ring("1h", 24), "d": Ring(DAY_BUCKET, 30)}
#: A row holds 4 or 8 bytes for each.
MOST_BUCKETS = 96


@cache
def window(name: str) -> tuple[Ring, int]:
    """A window's ring, and how many of its buckets it covers. Raises ``ValueError`` that says what there may be.

    An hour is counted in buckets of 5 minutes, else it would be anything up to an hour.

    >>> window("14d"), window("45d"), window("1h")
    ((Ring(bucket='1d', buckets=30), 14), (Ring(bucket='1d', buckets=45), 45), (Ring(bucket='5m', buckets=12), 12))
    """
    match = re.fullmatch(r"(\d{1,6})([mhd])", "60m" if name == "1h" else name)
    if match:
        number, ring = int(match[1]), _RINGS[match[2]]
        covered, rest = divmod(number, 5) if ring.bucket == "5m" else (number, 0)
        if 0 < covered <= MOST_BUCKETS and not rest:
            return Ring(ring.bucket, max(ring.buckets, covered)), covered
    raise ValueError(
        f"No window {name!r}: there are 5m, 10m, 15m … {5 * MOST_BUCKETS}m, 1h, 2h, 3h … {MOST_BUCKETS}h, and "
        f"1d, 2d, 3d … {MOST_BUCKETS}d."
    )


@dataclass(frozen=True, slots=True)
class Windowed:
    """The sum of a signal over a window such as 1h, 24h, 7d or 30d: see ``window``. Cold start 0."""

    signal: Signal
    window: str

    def __post_init__(self) -> None:
        window(self.window)


@dataclass(frozen=True, slots=True)
class ActiveBuckets:
    """In how many buckets of a window (hours of 24h, days of 7d) the signal was not 0. Cold start 0."""

    signal: Signal
    window: str

    def __post_init__(self) -> None:
        window(self.window)


@dataclass(frozen=True, slots=True)
class Weekly:
    """[weeks] the sum of a signal in each week of the shop, Monday to Sunday, the one that has begun first. Cold start
    0."""

    signal: Signal
    weeks: int

    @property
    def ring(self) -> Ring:
        """Where its weeks are kept."""
        return Ring(WEEK_BUCKET, self.weeks)


class WindowKind:
    """All windows: per signal and ring the buckets and the newest bucket's number. ``days`` says when a day begins."""

    def __init__(
        self,
        sources: Sequence[Windowed | ActiveBuckets | Weekly],
        signals: Signals,
        days: Days | None = None,
    ) -> None:
        self._days = days or Days()
        buckets: dict[tuple[Ring, str], dict[str, Column]] = {}
        heads: dict[tuple[Ring, str], dict[str, Column]] = {}
        for source in dict.fromkeys(sources):
            (ring, cell), signal = _kept(source), source.signal.name
            of_days = ring.bucket in (DAY_BUCKET, WEEK_BUCKET)
            zone = f"@{self._days.time_zone}" if of_days and self._days.time_zone != UTC else ""
            name = f"window/{signal}/{ring.bucket}×{ring.buckets}{zone}"
            buckets.setdefault((ring, cell), {})[signal] = Column(f"{name}/buckets", cell, ring.buckets)
            heads.setdefault((ring, cell), {})[signal] = Column(f"{name}/head", "i8")
        self._rings = {
            kept: (PerSignal(columns, signals), PerSignal(heads[kept], signals)) for kept, columns in buckets.items()
        }
        """By ring and type of its cells: the buckets, and the newest one's number."""
        pairs = [pair for kept in buckets for pair in zip(buckets[kept].values(), heads[kept].values(), strict=True)]
        self.columns: tuple[Column, ...] = tuple(column for pair in pairs for column in pair)

    def fold(self, state: Rows, run: Run) -> None:
        for (ring, _), (buckets, heads) in self._rings.items():
            entries = buckets.of(run.entries)
            if len(entries):
                cells, newest = buckets.cells(state, entries), heads.cells(state, entries)
                number = self._number(ring, entries.time_ms)
                _fold_ring(state, buckets.code, cells, newest, ring.buckets, number, entries.value)

    def _number(self, ring: Ring, time_ms: Ints) -> Ints:
        if ring.bucket == WEEK_BUCKET:
            return week(self._days.number(time_ms))
        return self._days.number(time_ms) if ring.bucket == DAY_BUCKET else time_ms // BUCKETS[ring.bucket]

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for (ring, _), (of_buckets, of_heads) in self._rings.items():
            for signal, buckets in of_buckets.columns.items():
                n, head = ring.buckets, of_heads.columns[signal].name
                heads = state.data[head]
                newest = max(heads[row], other.data[head][0])
                total = np.zeros(n, buckets.dtype)
                for rows, k in ((state, row), (other, 0)):
                    own = rows.data[head][k]
                    stays = own - _ages(np.array([own]), n)[0] > newest - n
                    total += np.where(stays, rows.data[buckets.name][k], 0).astype(buckets.dtype)
                state.data[buckets.name][row], heads[row] = total, newest

    def joint(self, sources: Sequence[Windowed | ActiveBuckets | Weekly]) -> Joint:
        widths = [source.weeks if isinstance(source, Weekly) else 1 for source in sources]
        starts = np.cumsum([0, *widths])
        weekly = [(i, source) for i, source in enumerate(sources) if isinstance(source, Weekly)]
        summed = []
        for ring, cell in self._rings:
            some = {i: s for i, s in enumerate(sources) if not isinstance(s, Weekly) and _kept(s) == (ring, cell)}
            if some:
                kept = self._rings[ring, cell]
                names = list(dict.fromkeys(source.window for source in some.values()))
                inside = np.stack([_inside(*window(name)) for name in names])
                which = np.array([names.index(source.window) for source in some.values()])
                active = np.array([isinstance(source, ActiveBuckets) for source in some.values()])
                # Windows of one signal look at the same buckets.
                numbers, of = np.unique(kept[0].numbers(s.signal for s in some.values()), return_inverse=True)
                summed.append((ring, kept, numbers, of, inside, which, active, starts[list(some)]))

        def read(rows: Readable, now_ms: Ints) -> Floats:
            found = np.empty((len(rows), int(starts[-1])))
            for ring, (buckets, heads), numbers, of, inside, which, active, to in summed:
                n, newest = ring.buckets, heads.read_one(rows, numbers)[:, of]
                # How many buckets ago the newest one is; beyond the ring all that matters is that it is.
                ago = np.minimum(np.maximum(self._number(ring, now_ms)[:, None] - newest, -n), n)
                held = buckets.read(rows, numbers)[:, of] * inside[which, newest % n, ago + n]
                if active.any():
                    held[:, active] = held[:, active] != 0
                # Of integers, so in any order the same; einsum adds short rows three times as fast as sum.
                found[:, to] = np.einsum("ijk->ij", held, dtype=np.int64)
            for i, source in weekly:
                found[:, starts[i] : starts[i + 1]] = self._weeks(rows, now_ms, source)
            return found

        return read

    def _weeks(self, rows: Readable, now_ms: Ints, source: Weekly) -> Ints:
        n = source.weeks
        (buckets, heads), signal = self._rings[_kept(source)], source.signal.name
        newest = rows.column(heads.columns[signal].name)[:, None]
        number = self._number(source.ring, now_ms)[:, None] - np.arange(n)
        held = np.take_along_axis(rows.column(buckets.columns[signal].name), number % n, axis=1)
        return np.where((number <= newest) & (number > newest - n), held, 0)


_Day = TypeVar("_Day", int, Ints)


def week(day: _Day) -> _Day:
    """The week of a day, or of each of n (since 1970): week 0 begins on Monday, 1969-12-29.

    >>> week(np.array([0, 3, 4])).tolist()
    [0, 0, 1]
    """
    return (day + 3) // 7


def _kept(source: Windowed | ActiveBuckets | Weekly) -> tuple[Ring, str]:
    """The ring that a source is read of, and the type of its cells."""
    ring = source.ring if isinstance(source, Weekly) else window(source.window)[0]
    return ring, "u4" if source.signal.value == "count" else "i8"


def _inside(ring: Ring, covered: int) -> Bools:
    """[n, 2n + 1, n] which slots of a ring of n a window covers, by the newest bucket's slot and by how many buckets
    ago (plus n) that one is. A bucket after now is in no window."""
    n = ring.buckets
    ago = np.arange(-n, n + 1)[:, None] + _ages(np.arange(n), n)[:, None, :]
    return (ago >= 0) & (ago < covered)


def _ages(head: Ints, n: int) -> npt.NDArray[np.int16]:
    """[k, n] how many buckets before the newest one (``head``) each slot of a ring is."""
    age = (head % n).astype(np.int16)[:, None] - np.arange(n, dtype=np.int16)
    return np.where(age < 0, age + np.int16(n), age)


def _fold_ring(state: Rows, code: str, cells: Ints, heads: Ints, n: int, number: Ints, value: Ints) -> None:
    """Add values to buckets by their number, in rings of n: ``cells`` [m] each ring's first, ``heads`` [m] where its
    newest bucket's number stands."""
    newest, held = state.flat["i8"], state.flat[code]
    before = newest[heads]
    np.maximum.at(newest, heads, number)
    after = newest[heads]
    moved = (after > before).nonzero()[0]
    if len(moved):
        # Entries of one ring write the same values here, so repeats are harmless.
        slots = cells[moved][:, None] + np.arange(n)
        passed = np.minimum(after[moved] - before[moved], n).astype(np.int16)
        gone = _ages(before[moved], n) >= (n - passed)[:, None]
        held[slots] = np.where(gone, 0, held[slots])
    fresh = number > after - n
    np.add.at(held, (cells + number % n)[fresh], value[fresh].astype(held.dtype))

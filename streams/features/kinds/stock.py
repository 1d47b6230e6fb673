"""How much there is of an item: the newest count of each location, added up; and on how many days there was none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Floats, Ints, in_turn
from streams.columns.layout import Column, Readable, Rows
from streams.features.days import UTC, Days
from streams.features.signals import Run

#: Of more locations those with the smallest hashes are kept: the same ones, whatever the order.
LOCATIONS = 16
#: The last days that are told of, today among them.
DAYS = 30
#: A location keeps a bit for each of so many days: the lowest is the day of its newest count.
_KEPT = 32
_ALL = (1 << _KEPT) - 1
#: Later than every event time that decoding lets through (year 9999).
_NEVER = 300_000_000_000_000


@dataclass(frozen=True, slots=True)
class Stock:
    """Units ``on_hand`` or ``on_order`` in all locations; in how many ``locations`` it was counted; on how many of the
    last 30 days, from the day of the first count on, there was none: no location began the day with some, by its last
    count before, and none counted some in it. Days are the shop's, today is one of them. Cold start 0."""

    what: Literal["on_hand", "on_order", "locations", "days_out"]


class StockKind:
    """Per location the newest count (by event time, then by id), in order of the locations' hashes.

    For ``days_out`` besides: on which days before that count's there was some at all and whether some was counted on
    its own (``had``), and the last count of an earlier day (``before``), which says what the day began with. Of counts
    in whatever order the same bits, unless one comes so late that its location was counted on two later days.
    """

    def __init__(self, sources: Sequence[Stock], days: Days | None = None) -> None:
        self._days = days or Days()
        name = f"stock/{LOCATIONS}"
        zone = f"@{self._days.time_zone}" if self._days.time_zone != UTC else ""
        self._location = Column(f"{name}/location", "i8", LOCATIONS)
        self._time = Column(f"{name}/time", "i8", LOCATIONS)
        self._tie = Column(f"{name}/tie", "i8", LOCATIONS)
        self._counts = {what: Column(f"{name}/{what}", "i8", LOCATIONS) for what in ("on_hand", "on_order")}
        self._had = Column(f"{name}/had{zone}", "u4", LOCATIONS)
        self._before = Column(f"{name}/before{zone}", "i8", LOCATIONS)
        self._first = Column(f"{name}/first", "i8")
        self._tells_days = any(source.what == "days_out" for source in sources)
        of_days = (self._had, self._before, self._first) if self._tells_days else ()
        self.columns: tuple[Column, ...] = (self._location, self._time, self._tie, *self._counts.values(), *of_days)

    def fold(self, state: Rows, run: Run) -> None:
        index = np.flatnonzero(run.fact("location") != 0)
        if not len(index):
            return
        row = run.row[index]
        if self._tells_days:
            # The first time is kept negated, so that it is a maximum.
            np.maximum.at(state.flat["i8"], state.cells(self._first, row), _NEVER - run.time_ms[index])
        for step in in_turn(row):
            self._count(state, run, index[step])

    def _count(self, state: Rows, run: Run, index: Ints) -> None:
        flat, row = state.flat, run.row[index]

        def cells(column: Column) -> Ints:
            return state.cells(column, row)[:, None] + np.arange(LOCATIONS)

        # One more slot for a location that is new; empty ones come last.
        never = np.iinfo(np.int64).max
        location = run.fact("location")[index]
        fresh = {
            self._location: location,
            self._time: run.time_ms[index],
            self._tie: run.fact("id_hash")[index] & 0xFFFF_FFFF,
            **{column: run.fact(what)[index] for what, column in self._counts.items()},
        }
        some = (run.fact("on_hand")[index] > 0).astype(np.int64)
        if self._tells_days:
            fresh |= {self._had: some, self._before: np.zeros(len(row), np.int64)}
        held = {c: flat[c.code][cells(c)].astype(np.int64, copy=False) for c in fresh}
        same = held[self._location] == location[:, None]
        known, slot = same.any(axis=1), same.argmax(axis=1)
        line = np.arange(len(row))
        newer = (fresh[self._time] > held[self._time][line, slot]) | (
            (fresh[self._time] == held[self._time][line, slot]) & (fresh[self._tie] >= held[self._tie][line, slot])
        )
        replaced = known & newer
        if self._tells_days:
            kept = {column: block[line, slot] for column, block in held.items()}
            had, before = self._told(kept, fresh[self._time], fresh[self._tie], some)
            held[self._had][line[known], slot[known]] = had[known]
            held[self._before][line[known], slot[known]] = before[known]
        newest = [column for column in fresh if column not in (self._had, self._before)]
        wide = {column: np.c_[block, np.where(known, 0, fresh[column])] for column, block in held.items()}
        for column in newest:
            wide[column][line[replaced], slot[replaced]] = fresh[column][replaced]
        order = np.argsort(np.where(wide[self._location] == 0, never, wide[self._location]), axis=1, kind="stable")
        for column, block in wide.items():
            flat[column.code][cells(column)] = np.take_along_axis(block, order, axis=1)[:, :LOCATIONS]

    def _told(self, held: dict[Column, Ints], time: Ints, tie: Ints, some: Ints) -> tuple[Ints, Ints]:
        """[k] ``had`` and ``before`` of locations after a count of each."""
        held_some = (held[self._counts["on_hand"]] > 0).astype(np.int64)
        had, before = held[self._had], held[self._before]
        ahead = self._days.number(time) - self._days.number(held[self._time])
        # On a later day: what the newest one's began with is known for good, and that one holds until now.
        later = _shifted(had | (before & 1), ahead) | held_some * _between(ahead) | some
        # On its day or an earlier one: where no count stands between, this one holds until then.
        word, back = _word(time, tie, some), np.maximum(-ahead, 0)
        between = np.where(word > before, _between(back), 0)
        earlier = (had & ~between) | some * between | _shifted(some, back)
        newest = _word(held[self._time], held[self._tie], held_some)
        last = np.where(ahead > 0, newest, np.where(ahead < 0, np.maximum(word, before), before))
        return np.where(ahead > 0, later, earlier), last

    def read(self, rows: Readable, now_ms: Ints, source: Stock) -> Floats:
        if source.what == "locations":
            return (rows.column(self._location.name) != 0).sum(axis=1).astype(np.float64)
        if source.what == "days_out":
            return self._days_out(rows, now_ms)
        return rows.column(self._counts[source.what].name).sum(axis=1).astype(np.float64)

    def _days_out(self, rows: Readable, now_ms: Ints) -> Floats:
        today, first = self._days.number(now_ms), _NEVER - rows.column(self._first.name)
        ago = today[:, None] - self._days.number(rows.column(self._time.name))
        had = rows.column(self._had.name).astype(np.int64) | (rows.column(self._before.name) & 1)
        some = (rows.column(self._counts["on_hand"].name) > 0).astype(np.int64)
        # The newest count holds from the day after its own on; a day that lies before it is read as it was.
        days = np.where(ago > 0, _shifted(had, ago) | some * (_between(ago) | 1), had >> np.clip(-ago, 0, _KEPT))
        known = (1 << np.clip(today - self._days.number(first) + 1, 0, DAYS)) - 1
        return np.bitwise_count(known & ~np.bitwise_or.reduce(days, axis=1)).astype(np.float64)


def _shifted(days: Ints, by: Ints) -> Ints:
    """Days as bits, seen from so many days later."""
    return (days << np.clip(by, 0, _KEPT)) & _ALL


def _between(by: Ints) -> Ints:
    """The days between two that are so many apart, as bits, seen from the later one.

    >>> [bin(days) for days in _between(np.array([0, 1, 2, 4])).tolist()]
    ['0b0', '0b0', '0b10', '0b1110']
    """
    return np.maximum((1 << np.clip(by, 0, _KEPT)) - 2, 0)


def _word(time_ms: Ints, tie: Ints, some: Ints) -> Ints:
    """A count as a number: the later one is larger, of two at the same moment the one with the larger tie (32 bits, of
    which 14 fit). The lowest bit says whether there was some."""
    return (((time_ms << 14) | (tie >> 18)) << 1) | some

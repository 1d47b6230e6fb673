"""What a shopper bought: the items that they bought last, when, and how often they ever bought each.

Of all items ordered, those with the newest last order are kept, by whole second and then by hash. An item's newest
order is a maximum, and an item that left comes back only with a newer order than all that are kept: so what is kept
depends on neither order nor repetition. How often is counted for all items ever bought, in two tables of slots by hash
(a count-min sketch: Cormode, Muthukrishnan, 2005), and the smaller of an item's two counts is told: whole numbers, so
the same in any order, and never too small; too large where other items of the shopper share both slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Floats, Hashes, Ints, stable_order
from streams.columns.layout import Column, Readable, Rows
from streams.features.feature import Derived, Read
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.marks import MAX_DAYS
from streams.features.kinds.recent import EVENTS_KEPT, RecentKind
from streams.features.signals import Run
from streams.records.events import OrderPlaced

#: Items that are kept; slots of each of the two tables that count, and how far they do.
ITEMS_KEPT, SLOTS, MOST = 96, 512, 255
_CODE_BITS = 32
_CODE, _SECOND = np.uint64(0xFFFF_FFFF), np.uint64(_CODE_BITS)
_HALF_BITS, _HALF = 16, 0xFFFF
_ORDER = TYPE_CODE[OrderPlaced]


@dataclass(frozen=True, slots=True)
class Bought:
    """Of the 96 items bought last, newest first, 0 where there is none. ``code``: their 32-bit hashes as two numbers
    each, all upper 16 bits, then all lower ones: float32 holds them exactly. ``days``: since the last order of each, at
    most ten years. ``times``: order lines of each ever (or more, see above), at most 255."""

    what: Literal["code", "days", "times"]


def halves(code: Ints) -> Floats:
    """[k, 2n] the hashes [k, n] as numbers that float32 holds: all upper halves, then all lower ones.

    >>> halves(np.array([[65538, 3]])).tolist()
    [[1.0, 0.0, 2.0, 3.0]]
    """
    return np.concatenate([code >> _HALF_BITS, code & _HALF], axis=1).astype(np.float64)


def whole(held: npt.NDArray[Any]) -> Ints:
    """[k, n] the hashes, of what ``halves`` made.

    >>> whole(np.array([[1.0, 0.0, 2.0, 3.0]])).tolist()
    [[65538, 3]]
    """
    upper, lower = np.split(held.astype(np.int64), 2, axis=1)
    return (upper << _HALF_BITS) | lower


def code_of(item: Hashes) -> Hashes:
    """The 32 bits that stand for an item among a shopper's; 0 stands for none."""
    return item & _CODE


class BoughtKind:
    """Keys ``second · 2^32 + hash`` of the items bought last, largest first, and how often by slot."""

    def __init__(self, sources: Sequence[Bought] = ()) -> None:
        self._keys = Column(f"bought/last{ITEMS_KEPT}", "u8", ITEMS_KEPT)
        self._times = Column(f"bought/times2×{SLOTS}", "u1", 2 * SLOTS)
        self.columns: tuple[Column, ...] = (self._keys, self._times)

    def fold(self, state: Rows, run: Run) -> None:
        chosen = np.flatnonzero((run.type == _ORDER)[run.touch.event])
        code = code_of(run.touch.item[chosen])
        chosen, code = chosen[code != 0], code[code != 0]
        if not len(chosen):
            return
        event = run.touch.event[chosen]
        row, second = run.row[event], np.clip(run.time_ms[event] // 1000, 1, (1 << _CODE_BITS) - 1)
        self._count(state, row, code)
        order = stable_order(row)
        row, key = row[order], ((second.astype(np.uint64) << _SECOND) | code)[order]
        first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        size = np.diff(np.r_[first, len(row)])
        rank = np.arange(len(row)) - np.repeat(first, size)
        held = state.data[self._keys.name]
        rows = row[first]
        both = np.zeros((len(rows), ITEMS_KEPT + int(size.max())), np.uint64)
        both[:, :ITEMS_KEPT] = held[rows]
        both[np.repeat(np.arange(len(rows)), size), ITEMS_KEPT + rank] = key
        held[rows] = newest(both)

    def _count(self, state: Rows, row: Ints, code: Hashes) -> None:
        cells = (state.cells(self._times, row)[:, None] + slots(code.astype(np.int64))).ravel()
        some, many = np.unique(cells, return_counts=True)
        flat = state.flat["u1"]
        flat[some] = np.minimum(flat[some].astype(np.int64) + many, MOST)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        keys, times = state.data[self._keys.name], state.data[self._times.name]
        keys[row] = newest(np.concatenate([keys[row], other.data[self._keys.name][0]])[None])[0]
        both = times[row].astype(np.int64) + other.data[self._times.name][0]
        times[row] = np.minimum(both, MOST)

    def codes(self, rows: Readable) -> Ints:
        """[k, 96] the hashes of the items bought last, newest first; 0 where there is none."""
        return rows.once("bought/codes", lambda: (rows.column(self._keys.name) & _CODE).astype(np.int64))

    def read(self, rows: Readable, now_ms: Ints, source: Bought) -> Floats:
        code = self.codes(rows)
        if source.what == "code":
            return halves(code)
        if source.what == "days":
            last = (rows.column(self._keys.name) >> _SECOND).astype(np.int64) * 1000
            return np.where(code != 0, np.clip((now_ms[:, None] - last) / DAY_MS, 0.0, MAX_DAYS), 0.0)
        places = slots(code).reshape(len(code), -1)
        both = np.take_along_axis(rows.column(self._times.name), places, axis=1).reshape(*code.shape, 2)
        return np.where(code != 0, both.min(axis=2), 0).astype(np.float64)


def slots(code: Ints) -> Ints:
    """[…, 2] where hashes are counted: a slot of each table."""
    return np.stack([code % SLOTS, SLOTS + code // SLOTS % SLOTS], axis=-1)


def newest(keys: Hashes) -> Hashes:
    """[g, 96] of keys [g, n ≥ 96] the largest of each hash, largest first; 0 where there are fewer."""
    by_code = np.sort((keys << _SECOND) | (keys >> _SECOND), axis=1)
    # Of one hash the last in this order is the newest.
    again = (by_code[:, :-1] >> _SECOND) == (by_code[:, 1:] >> _SECOND)
    by_code[:, :-1][again] = 0
    found: Hashes = np.sort((by_code << _SECOND) | (by_code >> _SECOND), axis=1)[:, ::-1][:, :ITEMS_KEPT]
    return found


@dataclass(frozen=True, slots=True)
class Seen(Derived):
    """The items of the last 32 events (of an order: its dearest line), newest first, at the places of their events; 0
    where there is none, where a newer event has the same, and where it is among the 96 bought last. ``code``: their
    32-bit hashes in two halves, as of ``Bought``. ``known``: how many different items are known, bought or seen."""

    what: Literal["code", "known"]
    kinds: ClassVar = (RecentKind, BoughtKind)

    def of(self, read: Read) -> Floats:
        code = read.rows.once("seen/codes", lambda: self._codes(read))
        if self.what == "code":
            return halves(code)
        bought = read.kind(BoughtKind).codes(read.rows)
        known: Floats = ((code != 0).sum(axis=1) + (bought != 0).sum(axis=1)).astype(np.float64)
        return known

    @staticmethod
    def _codes(read: Read) -> Ints:
        filled, _, fields = read.kind(RecentKind).sequence(read.rows)
        code = np.where(filled, fields["item"].astype(np.int64), 0)
        bought = read.kind(BoughtKind).codes(read.rows)
        hidden = np.zeros(code.shape, np.bool_)
        for place in range(EVENTS_KEPT):
            mine = code[:, place, None]
            hidden[:, place] = (bought == mine).any(axis=1) | (code[:, :place] == mine).any(axis=1)
        return np.where(hidden, 0, code)

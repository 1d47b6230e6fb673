"""What a shopper bought: the items that tell most of them, when each was last bought, and how often.

Which ones is said by a weight: the second of an item's newest order, and 60 days for each time that its order lines
grow by the factor e. So what is bought week after week stays, and what was bought once leaves first. 128 are kept, and
the first 64 of them are told. An item that left comes back as new, with one line: of those told hardly any ever left.
Orders are taken one after another as the log has them, so what is kept does not depend on how the log is cut; orders
in another order may keep another item at the edge of the 128.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Hashes, Ints, counted, of_types, stable_order
from streams.columns.layout import Column, Readable, Rows
from streams.features.feature import Derived, Read
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.marks import MAX_DAYS
from streams.features.kinds.recent import RecentKind
from streams.features.signals import Run
from streams.records.events import OrderPlaced

#: Items that are kept, those of them that are told, and how many order lines of one are counted.
ITEMS_KEPT, ITEMS_TOLD, MOST = 128, 64, 255
#: [256] seconds that an item of so many order lines is as if bought later: whole numbers, so the same on any machine.
HEAD_START = np.array([0, *(round(60 * 86_400 * math.log(n)) for n in range(1, MOST + 1))], np.int64)
_CODE_BITS = 32
_CODE, _SECOND = np.uint64(0xFFFF_FFFF), np.uint64(_CODE_BITS)
_HALF_BITS, _HALF = 16, 0xFFFF
#: Of which records items are kept: to be indexed by codes of types.
TAKEN = of_types(OrderPlaced)


@dataclass(frozen=True, slots=True)
class Bought:
    """Of the 64 items of the largest weight, the largest first, 0 where there is none. ``code``: their 32-bit hashes as
    two numbers each, all upper 16 bits, then all lower ones: float32 holds them exactly. ``days``: since the last order
    of each, at most ten years. ``times``: order lines of each since it is kept, at most 255."""

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
    """Keys ``second · 2^32 + hash`` of the items kept, and how often each was bought, the largest weight first."""

    def __init__(self, sources: Sequence[Bought] = ()) -> None:
        self._keys = Column(f"bought/kept{ITEMS_KEPT}", "u8", ITEMS_KEPT)
        self._times = Column(f"bought/times{ITEMS_KEPT}", "u1", ITEMS_KEPT)
        self.columns: tuple[Column, ...] = (self._keys, self._times)

    def fold(self, state: Rows, run: Run) -> None:
        chosen = np.flatnonzero(TAKEN[run.type][run.touch.event])
        code = code_of(run.touch.item[chosen])
        chosen, code = chosen[code != 0], code[code != 0]
        if not len(chosen):
            return
        order, line = np.unique(run.touch.event[chosen], return_inverse=True)
        second = np.clip(run.time_ms[order] // 1000, 1, (1 << _CODE_BITS) - 1).astype(np.uint64)
        key = (second[line] << _SECOND) | code
        row, turn = run.row[order[line]], counted(run.row[order])[line]
        if turn.any():
            turn[self._has_room(state, row, code)] = 0
        for now in range(int(turn.max()) + 1):
            some = np.flatnonzero(turn == now)
            self._take(state, row[some], key[some])

    def _has_room(self, state: Rows, row: Ints, code: Hashes) -> Bools:
        """[m] whether a row of a line has room for all items of its lines: then nothing is left out between orders."""
        rows, at = np.unique(row, return_inverse=True)
        held = np.count_nonzero(state.data[self._keys.name][rows], axis=1)
        new = np.unique((at.astype(np.uint64) << _SECOND) | code) >> _SECOND
        return (held + np.bincount(new.astype(np.int64), minlength=len(rows)) <= ITEMS_KEPT)[at]

    def _take(self, state: Rows, row: Ints, key: Hashes) -> None:
        """Of each row the lines of one order, or of several, where none is left out."""
        by_row = stable_order(row)
        row, key = row[by_row], key[by_row]
        rows, first, size = np.unique(row, return_index=True, return_counts=True)
        rank = np.arange(len(row)) - np.repeat(first, size)
        keys, times = state.data[self._keys.name], state.data[self._times.name]
        width = ITEMS_KEPT + int(size.max())
        both, lines = np.zeros((len(rows), width), np.uint64), np.zeros((len(rows), width), np.int64)
        both[:, :ITEMS_KEPT], lines[:, :ITEMS_KEPT] = keys[rows], times[rows]
        at = (np.repeat(np.arange(len(rows)), size), ITEMS_KEPT + rank)
        both[at], lines[at] = key, 1
        keys[rows], times[rows] = heaviest(both, lines)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        keys, times = state.data[self._keys.name], state.data[self._times.name]
        both = np.concatenate([keys[row], other.data[self._keys.name][0]])
        lines = np.concatenate([times[row], other.data[self._times.name][0]]).astype(np.int64)
        kept, many = heaviest(both[None], lines[None])
        keys[row], times[row] = kept[0], many[0]

    def codes(self, rows: Readable) -> Ints:
        """[k, 64] the hashes of the items told, the largest weight first; 0 where there is none."""
        return rows.once("bought/codes", lambda: (self._told(rows, self._keys) & _CODE).astype(np.int64))

    def read(self, rows: Readable, now_ms: Ints, source: Bought) -> Floats:
        code = self.codes(rows)
        if source.what == "code":
            return halves(code)
        if source.what == "times":
            return self._told(rows, self._times).astype(np.float64)
        last = (self._told(rows, self._keys) >> _SECOND).astype(np.int64) * 1000
        return np.where(code != 0, np.clip((now_ms[:, None] - last) / DAY_MS, 0.0, MAX_DAYS), 0.0)

    @staticmethod
    def _told(rows: Readable, column: Column) -> npt.NDArray[Any]:
        return rows.column(column.name)[:, :ITEMS_TOLD]


def heaviest(keys: Hashes, times: Ints) -> tuple[Hashes, Ints]:
    """[g, 128] of keys [g, n ≥ 128] with their order lines: of each hash the largest key with the lines of all, 255 at
    most; those of the largest weight, then hash, first; 0 where there are fewer."""
    by_code = (keys << _SECOND) | (keys >> _SECOND)
    order = np.argsort(by_code, axis=1)
    by_code, times = np.take_along_axis(by_code, order, axis=1), np.take_along_axis(times, order, axis=1)
    # Of one hash the last in this order is the newest: it gets what all have up to it, less what those before have.
    last = np.ones(keys.shape, np.bool_)
    last[:, :-1] = (by_code[:, :-1] >> _SECOND) != (by_code[:, 1:] >> _SECOND)
    upto = np.cumsum(times, axis=1)
    before = np.zeros_like(upto)
    before[:, 1:] = np.maximum.accumulate(np.where(last, upto, 0), axis=1)[:, :-1]
    lines = np.minimum(upto - before, MOST)
    code, second = by_code >> _SECOND, (by_code & _CODE).astype(np.int64)
    weight = np.minimum(second + HEAD_START[lines], (1 << _CODE_BITS) - 1).astype(np.uint64)
    weight = np.where(last & (code != 0), (weight << _SECOND) | code, np.uint64(0))
    best = np.argsort(weight, axis=1)[:, ::-1][:, :ITEMS_KEPT]
    kept = np.take_along_axis(weight, best, axis=1) != 0
    found = np.take_along_axis((by_code << _SECOND) | code, best, axis=1)
    return np.where(kept, found, np.uint64(0)), np.where(kept, np.take_along_axis(lines, best, axis=1), 0)


@dataclass(frozen=True, slots=True)
class Seen(Derived):
    """The items of the last 32 events (of an order: its dearest line), newest first, at the places of their events; 0
    where there is none, where a newer event has the same, and where it is among the 64 told of
    those bought. ``code``: their
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
        # Places that nobody's row fills are not looked through.
        most = int(filled.sum(axis=1).max(initial=0))
        bought = bought[:, : int((bought != 0).sum(axis=1).max(initial=0))]
        hidden = np.zeros(code.shape, np.bool_)
        for place in range(most):
            mine = code[:, place, None]
            hidden[:, place] = (bought == mine).any(axis=1) | (code[:, :place] == mine).any(axis=1)
        return np.where(hidden, 0, code)

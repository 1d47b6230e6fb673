"""Favourite categories: a vector of 32 decayed weights, one per hashed category, with a half-life of 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import TYPE_CODE, Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds.decay import DAY_MS, accumulate, faded, merge_faded, quotient
from streams.features.kinds.last import row_sum
from streams.features.signals import Run
from streams.records.events import CartItemAdded, ItemViewed, ItemWishlisted, OrderPlaced, ShopperEvent

SLOTS = 32
HALF_LIFE_MS = 30 * DAY_MS
#: What a touch says about taste, by type of event.
WEIGHTS: dict[type[ShopperEvent], float] = {ItemViewed: 1.0, ItemWishlisted: 2.0, CartItemAdded: 3.0, OrderPlaced: 5.0}
_WEIGHT = np.zeros(max(TYPE_CODE.values()) + 1)
for _cls, _weight in WEIGHTS.items():
    _WEIGHT[TYPE_CODE[_cls]] = _weight


@dataclass(frozen=True, slots=True)
class Favourite:
    """Of the category weights: the share of the largest or second largest, how evenly they are spread (entropy in
    nats), how many are alive (weight of at least one view), or all of them. Cold start 0."""

    what: Literal["first_share", "second_share", "entropy", "alive", "weights"]


def slot_of(category: Ints) -> Ints:
    """The slot of a category's 32-bit hash."""
    return category % SLOTS


class FavouriteKind:
    """32 weights and one landmark for all of them."""

    def __init__(self, sources: Sequence[Favourite]) -> None:
        self._sums = Column(f"favourite/30d×{SLOTS}/sums", "f8", SLOTS)
        self._mark = Column(f"favourite/30d×{SLOTS}/landmark", "i8")
        self.columns: tuple[Column, ...] = (self._sums, self._mark)

    def fold(self, state: Rows, run: Run) -> None:
        weight = _WEIGHT[run.type[run.touch.event]]
        mask = (weight != 0) & (run.touch.category != 0)
        if not mask.any():
            return
        event, category = run.touch.event[mask], run.touch.category[mask]
        row = run.row[event]
        q, scale = quotient(run.time_ms[event], HALF_LIFE_MS)
        sums, marks = state.cells(self._sums, row), state.cells(self._mark, row)
        accumulate(state, sums, marks, q, weight[mask] * scale, slot_of(category), SLOTS)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        merge_faded(state, row, other, self._sums, self._mark)

    def weights(self, rows: Readable, now_ms: Ints) -> Floats:
        """[k, 32] the weight of each slot at ``now_ms``."""
        return rows.once("favourite/weights", lambda: self._weights(rows, now_ms))

    def _weights(self, rows: Readable, now_ms: Ints) -> Floats:
        mark = rows.column(self._mark.name)
        return faded(rows.column(self._sums.name), mark[:, None], now_ms[:, None], HALF_LIFE_MS)

    def read(self, rows: Readable, now_ms: Ints, source: Favourite) -> Floats:
        weight = self.weights(rows, now_ms)
        if source.what == "weights":
            return weight
        if source.what == "alive":
            return (weight >= 1.0).sum(axis=1).astype(np.float64)
        share = rows.once("favourite/shares", lambda: _shares(weight))
        if source.what == "entropy":
            logs = np.log(np.where(share > 0, share, 1.0))
            return np.abs(row_sum(-share * logs))
        if source.what == "first_share":
            return share.max(axis=1)
        return np.partition(share, -2, axis=1)[:, -2]


def _shares(weight: Floats) -> Floats:
    total = row_sum(weight)
    return weight / np.where(total > 0, total, 1.0)[:, None]

"""SIMULATED stock. The data say nothing of stock: what is counted here no warehouse ever counted.

It is made from the real orders, so that what follows from it (how long stock lasts, what is about to run out) moves as
a shop's would. Each item is kept by an order-up-to policy: every 14 days so much is ordered that stock and what is on
its way come to four weeks' sales at the pace of the last four; it is delivered three days later, and one delivery in
twelve comes ten days late. Whatever the orders say is taken out each day, down to nothing. Which day an item is
ordered and which deliveries are late depends on its id alone, so every run tells the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from streams.columns.arrays import Ints
from streams.records.items import StockCounted
from streams.topics import DAY_MS

COVER_DAYS, ORDER_EVERY_DAYS, LEAD_DAYS = 28, 14, 3
LATE_DAYS, LATE_ONE_IN = 10, 12
COUNTED_EVERY_DAYS = 7
#: Where it is counted, in every record: nobody may take it for a real place.
LOCATION = "simulated"


@dataclass(frozen=True, slots=True)
class Stock:
    """[n, days] units at the beginning of each day, what came that day included."""

    on_hand: Ints
    on_order: Ints


def simulate(items: Sequence[str], units: Ints) -> Stock:
    """What would have been there of n items that sold ``units`` [n, days].

    Before there are four weeks to look back on, the first four weeks' pace is taken.

    >>> stock = simulate(["tea"], np.full((1, 60), 2))
    >>> stock.on_hand[0, :5].tolist(), int(stock.on_hand.min()) < int(stock.on_hand.max())
    ([56, 54, 52, 50, 48], True)
    """
    n, days = units.shape
    phase = np.array([crc32(item.encode()) for item in items], np.int64)
    sold = np.c_[np.zeros((n, 1), np.int64), units.cumsum(axis=1)]
    coming = np.zeros((n, days + LEAD_DAYS + LATE_DAYS + 1), np.int64)
    hand = _level(sold, min(COVER_DAYS, days))
    on_hand, on_order = np.zeros((n, days), np.int64), np.zeros((n, days), np.int64)
    way = np.zeros(n, np.int64)
    for day in range(days):
        hand, way = hand + coming[:, day], way - coming[:, day]
        on_hand[:, day], on_order[:, day] = hand, way
        ordering = (day + phase) % ORDER_EVERY_DAYS == 0
        level = _level(sold, max(day, min(COVER_DAYS, days)))
        order = np.where(ordering, np.maximum(level - hand - way, 0), 0)
        late = np.array([crc32(f"{item}/{day // ORDER_EVERY_DAYS}".encode()) % LATE_ONE_IN == 0 for item in items])
        coming[np.arange(n), day + LEAD_DAYS + LATE_DAYS * late] += order
        way = way + order
        hand = np.maximum(hand - units[:, day], 0)
    return Stock(on_hand, on_order)


def _level(sold: Ints, day: int) -> Ints:
    """[n] four weeks' sales at the pace of the four weeks before ``day``, at least a unit."""
    before = max(0, day - COVER_DAYS)
    pace = sold[:, day] - sold[:, before]
    return np.maximum(-(-pace * COVER_DAYS // max(1, day - before)), 1)


def counts(items: Sequence[str], first_day: int, units: Ints) -> Iterator[StockCounted]:
    """A count of each item a week, from ``first_day`` (days since 1970) on, in order of time."""
    stock = simulate(items, units)
    due = np.array([crc32(item.encode()) for item in items], np.int64) % COUNTED_EVERY_DAYS
    for day in range(units.shape[1]):
        for i in np.flatnonzero(due == day % COUNTED_EVERY_DAYS).tolist():
            yield StockCounted(
                event_id=f"simulated-{first_day + day}",
                item_id=items[i],
                event_time=(first_day + day) * DAY_MS,
                on_hand=int(stock.on_hand[i, day]),
                on_order=int(stock.on_order[i, day]),
                location=LOCATION,
            )

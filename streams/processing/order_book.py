"""A shopper's last orders: each is placed once, and no more of it comes back than it came to.

A row keeps the last 12 orders that were applied, in log order: a hash of the order's id, and what is left of its net
total after what was cancelled or returned. A page that is loaded again places the same order under another event id;
that is a duplicate as long as the order is among the 12.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, EventBatch, Ints, in_turn, of_types
from streams.columns.layout import Column, Rows
from streams.records.events import OrderCancelled, OrderPlaced, OrderReturned

ORDERS_KEPT = 12
IDS = Column(f"order_book/last{ORDERS_KEPT}/id", "u8", ORDERS_KEPT)
LEFT = Column(f"order_book/last{ORDERS_KEPT}/left", "i8", ORDERS_KEPT)
COUNT = Column(f"order_book/last{ORDERS_KEPT}/count", "u4")
COLUMNS = (IDS, LEFT, COUNT)

_PLACED = TYPE_CODE[OrderPlaced]
_OF_ORDERS = of_types(OrderPlaced, OrderCancelled, OrderReturned)


def settle(batch: EventBatch, rows: Ints, chosen: Bools, state: Rows) -> tuple[EventBatch, Bools]:
    """Enter the orders, cancellations and returns among the chosen events into their rows, one after the other.

    Gives the batch with what each cancellation or return refunds as its money, and [n] which orders were placed before:
    they are not entered. What comes back with lines refunds what its lines say, without lines all that is left of the
    order; never more than is left. Of an order that is not known (too long ago, or its event is still to come) lines
    refund what they say, and no lines refund nothing.
    """
    again = np.zeros(len(batch), np.bool_)
    index = np.flatnonzero(chosen & _OF_ORDERS[batch.type])
    if not len(index):
        return batch, again
    cents = batch.facts["cents"].copy()
    for step in in_turn(rows[index]):
        some = index[step]
        again[some], cents[some] = _enter(batch, some, rows[some], state)
    return dataclasses.replace(batch, facts={**batch.facts, "cents": cents}), again


def merge(state: Rows, row: int, other: Rows) -> None:
    """Take the orders of the one row of ``other`` into a row's: of both the newest in turn, as no times are kept; of an
    order that both know, the least that is left."""
    left: dict[int, int] = {}
    for pair in itertools.zip_longest(_newest_first(state, row), _newest_first(other, 0)):
        for order, cents in filter(None, pair):
            left[order] = min(cents, left.get(order, cents))
    kept = list(left.items())[ORDERS_KEPT - 1 :: -1]
    ids, cents_left = state.data[IDS.name][row], state.data[LEFT.name][row]
    ids[:], cents_left[:] = 0, 0
    for slot, (order, cents) in enumerate(kept):
        ids[slot], cents_left[slot] = order, cents
    state.data[COUNT.name][row] = len(kept)


def _newest_first(rows: Rows, row: int) -> list[tuple[int, int]]:
    count = int(rows.data[COUNT.name][row])
    slots = [slot % ORDERS_KEPT for slot in range(count - 1, max(0, count - ORDERS_KEPT) - 1, -1)]
    return [(int(rows.data[IDS.name][row][slot]), int(rows.data[LEFT.name][row][slot])) for slot in slots]


def _enter(batch: EventBatch, event: Ints, row: Ints, state: Rows) -> tuple[Bools, Ints]:
    """One event per shopper: whether it is an order placed before, and its money."""
    ids, left, counts = state.flat[IDS.code], state.flat[LEFT.code], state.flat[COUNT.code]
    order, cents = batch.facts["order"][event].view(np.uint64), batch.facts["cents"][event]
    placed = batch.type[event] == _PLACED
    id_cells, left_cells = state.cells(IDS, row), state.cells(LEFT, row)
    same = ids[id_cells[:, None] + np.arange(ORDERS_KEPT)] == order[:, None]
    known, slot = same.any(axis=1), same.argmax(axis=1)

    new = np.flatnonzero(placed & ~known)
    count = state.cells(COUNT, row[new])
    at = counts[count].astype(np.int64) % ORDERS_KEPT
    ids[id_cells[new] + at] = order[new]
    left[left_cells[new] + at] = cents[new]
    counts[count] += np.uint32(1)

    back = np.flatnonzero(~placed)
    if len(back):
        named = batch.facts["quantity"][event[back]] > 0
        cell = left_cells[back] + slot[back]
        rest = np.where(known[back], left[cell], 0)
        refund = np.where(named, cents[back], rest)
        refund = np.where(known[back], np.minimum(refund, rest), refund)
        left[cell[known[back]]] -= refund[known[back]]
        cents[back] = refund
    return placed & known, cents

"""What a shopper left: the dearest item in their cart, and the one that they looked at last.

Kept only while a campaign has an arm for the item that its trigger is about, for carts and goods left behind. Of what
lies in a cart the four dearest items are known.
"""

from __future__ import annotations

import numpy as np

from streams.campaigns.plan import Plan
from streams.campaigns.terms import BROWSE, CART
from streams.columns.arrays import TYPE_CODE, EventBatch, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.features.signals import Run
from streams.records.campaign_parts import BrowseAbandoned, CartAbandoned
from streams.records.events import CartItemAdded, CartItemRemoved, ItemViewed, OrderPlaced

ITEMS = 4
ITEM = Column("left/item", "u8", ITEMS)
CENTS = Column("left/cents", "u4", ITEMS)
"""Price of a unit; 0: not known."""
UNITS = Column("left/units", "u4", ITEMS)
"""0: an empty slot."""
VIEWED = Column("left/viewed", "u8")
COLUMNS = (ITEM, CENTS, UNITS, VIEWED)
_ADDED, _REMOVED, _ORDERED, _VIEWED = (
    TYPE_CODE[cls] for cls in (CartItemAdded, CartItemRemoved, OrderPlaced, ItemViewed)
)
_MOST = 2**32 - 1


def asked_for(plan: Plan) -> bool:
    """Whether an arm of a campaign is for the item that was left."""
    of_left = isinstance(plan.campaign.trigger, (CartAbandoned, BrowseAbandoned))
    return of_left and any(arm.applies_to == "trigger_item" for arm in plan.campaign.offers)


def note(state: Rows, run: Run) -> None:
    """Take a round of events, of each row at most one that is decisive, its last."""
    item, cents, quantity = (run.fact(name) for name in ("item", "cents", "quantity"))
    viewed = np.flatnonzero(run.type == _VIEWED)
    # Of a row's views the last one stays: events of a row are in the order of the log.
    state.flat["u8"][state.cells(VIEWED, run.row[viewed])] = item[viewed].view(np.uint64)
    state.data[UNITS.name][run.row[run.type == _ORDERED]] = 0
    for i in np.flatnonzero((run.type == _ADDED) | (run.type == _REMOVED)).tolist():
        row, code, units = int(run.row[i]), np.uint64(item[i].view(np.uint64)), int(quantity[i])
        if run.type[i] == _ADDED:
            _add(state, row, int(code), min(int(cents[i]) // max(units, 1), _MOST), units)
        else:
            held = state.data[UNITS.name][row]
            mine = (state.data[ITEM.name][row] == code) & (held > 0)
            held[mine] = np.maximum(held[mine].astype(np.int64) - units, 0)


def _add(state: Rows, row: int, item: int, cents: int, units: int) -> None:
    """Into its own slot, a free one, or that of the cheapest if it costs less."""
    items, prices, held = (state.data[column.name][row] for column in (ITEM, CENTS, UNITS))
    mine = (items == np.uint64(item)) & (held > 0)
    if mine.any():
        slot = int(mine.argmax())
        held[slot] = min(int(held[slot]) + units, _MOST)
        prices[slot] = cents or prices[slot]
        return
    worth = np.where(held > 0, prices.astype(np.int64), -1)
    slot = int(worth.argmin())
    if worth[slot] < cents or worth[slot] < 0:
        items[slot], prices[slot], held[slot] = item, cents, min(units, _MOST)


def of(state: Rows, rows: Ints, kind: Ints) -> Hashes:
    """[k] the hash of the item that rows left which are due for a cart or goods left behind; 0: none is known, or
    they are due for something else."""
    units = state.data[UNITS.name][rows]
    worth = np.where(units > 0, state.data[CENTS.name][rows].astype(np.int64), -1)
    slot, at = worth.argmax(axis=1), np.arange(len(rows))
    dearest = np.where(worth[at, slot] < 0, np.uint64(0), state.data[ITEM.name][rows][at, slot])
    viewed = state.flat["u8"][state.cells(VIEWED, rows)]
    return np.where(kind == CART, dearest, np.where(kind == BROWSE, viewed, np.uint64(0)))


def codes(state: Rows, row: int) -> list[int]:
    """Hashes of all items that a row knows."""
    held = state.data[ITEM.name][row][state.data[UNITS.name][row] > 0].tolist()
    return sorted({int(code) for code in (*held, state.data[VIEWED.name][row]) if code})


def named(batch: EventBatch) -> dict[int, str]:
    """Hash → id of the items that were put into carts and looked at."""
    touches = batch.touches
    if not touches.item_ids:
        return {}
    kind = batch.type[touches.event]
    some = np.flatnonzero((kind == _ADDED) | (kind == _VIEWED))
    return {code: touches.item_ids[m] for code, m in zip(touches.item[some].tolist(), some.tolist(), strict=True)}


def merge(state: Rows, row: int, other: Rows) -> None:
    """What the one row of ``other`` left, a row left."""
    more = other.data
    for item, cents, units in zip(more[ITEM.name][0], more[CENTS.name][0], more[UNITS.name][0], strict=True):
        if units:
            _add(state, row, int(item), int(cents), int(units))
    if not state.data[VIEWED.name][row]:
        state.data[VIEWED.name][row] = more[VIEWED.name][0]

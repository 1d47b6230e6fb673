"""Shopper events as columns: what decoding makes of a slice and folding works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streams.records.events import SHOPPER_EVENTS, ShopperEvent

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Hashes: TypeAlias = npt.NDArray[np.uint64]

#: The code of each event type in the column ``type``; 0 is nobody's, so an empty slot is not an event.
TYPE_CODE: dict[type[ShopperEvent], int] = {cls: code for code, cls in enumerate(SHOPPER_EVENTS, start=1)}


def of_types(*types: type[ShopperEvent]) -> Bools:
    """Whether a code is that of one of these types: to be indexed by codes."""
    found = np.zeros(len(TYPE_CODE) + 1, np.bool_)
    found[[TYPE_CODE[cls] for cls in types]] = True
    return found


def stable_order(values: Ints) -> Ints:
    """``np.argsort(values, kind="stable")`` for whole numbers from 0 to below 2^32, nine times as fast: numpy sorts 16
    bits by radix, so the low half is sorted first, then the high half where there is one.

    >>> stable_order(np.array([70_000, 3, 70_000, 1])).tolist()
    [3, 1, 0, 2]
    """
    order = np.argsort((values & 0xFFFF).astype(np.uint16), kind="stable")
    if int(np.max(values, initial=0)) >= 1 << 16:
        high = (values >> 16).astype(np.uint16)[order]
        order = order[np.argsort(high, kind="stable")]
    return order


@dataclass(frozen=True, slots=True)
class Touches:
    """Items that events touched, in log order: one per view, cart or wishlist event, one per order line."""

    event: Ints
    """[m] index of the event in its batch."""
    item: Hashes
    """[m] 64-bit hash of the item's id."""
    category: Ints
    """[m] 32-bit hash of the category's name, 0 when unknown."""
    cents: Ints
    """[m] money of the touch: unit price × quantity less discount, 0 when unknown."""

    def select(self, chosen: Bools | Ints) -> Touches:
        """Some of the touches; event indices stay as they are."""
        return Touches(self.event[chosen], self.item[chosen], self.category[chosen], self.cents[chosen])


@dataclass(frozen=True, slots=True)
class EventBatch:
    """n events in log order, a column per fact. All int64 unless said otherwise."""

    position: Ints
    """Where in its slice the record stood."""
    offset: Ints
    time_ms: Ints
    """Event time, UTC milliseconds since 1970."""
    type: Ints
    """Code of the event's type, see ``TYPE_CODE``."""
    id_hash: Hashes
    """uint64 hash of the event's id."""
    identity: Hashes
    """uint64 hash of shopper and event id together: two events with the same one are the same event."""
    cents: Ints
    """Money: net total of an order's lines (of a cancellation or return: what it refunds, once ``order_book.settle``
    has seen it), price × quantity of a cart event, unit price of a view; 0 when unknown or none."""
    discount_cents: Ints
    """Discount of an order."""
    quantity: Ints
    """Units ordered, added or removed; 1 for everything else."""
    dwell_ms: Ints
    """How long a view lasted; 0 when unknown."""
    flag: Ints
    """1 for: an order with a coupon, a search without a result, a consent that allows marketing."""
    item: Hashes
    """uint64 hash of the item (of an order: of its dearest line), 0 when none."""
    category: Ints
    """32-bit hash of that item's category, 0 when none."""
    order: Hashes
    """uint64 hash of the id of the order that was placed, cancelled or returned, 0 for everything else."""
    event_ids: list[str]
    shopper_ids: list[str]
    """Neither is there (both are empty) in a batch of ``training.history``, which knows its shoppers by number."""
    touches: Touches

    def __len__(self) -> int:
        return len(self.offset)

"""What shopper events say in whole numbers."""

from __future__ import annotations

import numpy as np
from xxhash import xxh3_64_intdigest, xxh32_intdigest

from streams.columns.arrays import TYPE_CODE, EventBatch, Touches
from streams.columns.building import MAX_ORDER_CENTS, Refused, Table, Wire, columns, hashes_of
from streams.records.events import (
    AnyShopperEvent,
    CartItemAdded,
    CartItemRemoved,
    ClockTicked,
    ConsentChanged,
    EventForwarded,
    ItemViewed,
    ItemWishlisted,
    OrderCancelled,
    OrderPlaced,
    OrderReturned,
    Searched,
    ShopperIdentified,
    WorkerRecord,
)
from streams.records.slices import Slice

#: ``cents``: money, the net total of an order's lines (of a cancellation or return: what it refunds, once
#: ``order_book.settle`` has seen it), price × quantity of a cart event, unit price of a view; 0 when unknown or none.
#: ``discount_cents``: discount of an order. ``quantity``: units ordered, added or removed; 1 for everything else.
#: ``dwell_ms``: how long a view lasted; 0 when unknown. ``flag``: 1 for an order with a coupon, a search without a
#: result, a consent that allows marketing (-1: one that neither allows nor forbids). ``category``: 32-bit hash of the
#: item's category, 0 when none.
FACTS = ("cents", "discount_cents", "quantity", "dwell_ms", "flag", "category")
#: 64-bit hashes as int64. ``item``: of the item (of an order: of its dearest line), 0 when none. ``order``: of the id
#: of the order that was placed, cancelled or returned, 0 for everything else.
HASHES = ("item", "order")


def category_code(name: str) -> int:
    """The 32-bit hash that stands for a category; never 0."""
    return xxh32_intdigest(name.encode()) or 1


def item_code(item_id: str) -> int:
    """The 64-bit hash that stands for an item."""
    return xxh3_64_intdigest(item_id.encode())


class ShopperColumns:
    """Collects shopper events into columns."""

    def __init__(self, slice_: Slice, currency: str) -> None:
        self._currency = currency
        self.names: dict[int, tuple[int, str]] = {}
        self.forwarded: dict[int, EventForwarded] = {}
        """By place in the batch: events that were sent for another id."""
        self._category_hash: dict[str | None, int] = {None: 0}
        self._table = Table(FACTS)
        self._hashes: list[tuple[int, int]] = []
        # Of each touch: its event, category, cents, quantity and discount; the item, its id, its category's name.
        self._touches: list[tuple[int, ...]] = []
        self._items: list[int] = []
        self._item_ids: list[str] = []
        self._names: list[str | None] = []

    def _category(self, name: str | None, offset: int) -> int:
        try:
            return self._category_hash[name]
        except KeyError:
            assert name is not None
            code = category_code(name)
            self._category_hash[name] = code
            self.names.setdefault(code, (offset, name))
            return code

    def add(
        self, position: int, offset: int, time_ms: int, record: AnyShopperEvent | ClockTicked | EventForwarded
    ) -> bool:
        """Take an event. Raises ``Refused``."""
        if isinstance(record, ClockTicked):
            return False
        shopper, known_as = record.shopper_id, ""
        if isinstance(record, EventForwarded):
            event = record.event
            # Two ids may have used one event id.
            known_as = f"{record.via[0]}/{event.event_id}"
        else:
            event = record
        if event.currency is not None and event.currency != self._currency:
            raise Refused(
                "foreign_currency",
                f"{event.currency}, but this worker adds up {self._currency}: convert at the producer.",
                "currency",
            )
        cents = discount = dwell = flag = item = category = order = 0
        quantity = 1
        index = len(self._table)
        if isinstance(event, ItemViewed):
            item, category = item_code(event.item_id), self._category(event.category, offset)
            cents = event.unit_price_cents or 0
            dwell = int((event.dwell_seconds or 0.0) * 1000)
            self._touch(event.item_id, event.category, item, (index, category, cents, 1, 0))
        elif isinstance(event, (OrderPlaced, OrderCancelled, OrderReturned)):
            dearest, start = -1, len(self._touches)
            quantity = 0
            order = xxh3_64_intdigest(event.order_id.encode()) or 1
            for line in event.lines or ():
                line_item, line_category = item_code(line.item_id), self._category(line.category, offset)
                net = max(0, line.unit_price_cents * line.quantity - line.discount_cents)
                numbers = index, line_category, net, line.quantity, line.discount_cents
                self._touch(line.item_id, line.category, line_item, numbers)
                cents += net
                discount += line.discount_cents
                quantity += line.quantity
                if net > dearest:
                    dearest, item, category = net, line_item, line_category
            if cents > MAX_ORDER_CENTS or discount > MAX_ORDER_CENTS:
                for held in (self._touches, self._items, self._item_ids, self._names):
                    del held[start:]
                raise Refused("order_too_large", f"The lines add up to {cents} cents.", "lines")
            if isinstance(event, OrderPlaced):
                flag = int(event.coupon_code is not None)
        elif isinstance(event, (CartItemAdded, CartItemRemoved)):
            item, category = item_code(event.item_id), self._category(event.category, offset)
            quantity = event.quantity
            cents = min((event.unit_price_cents or 0) * quantity, MAX_ORDER_CENTS)
            self._touch(event.item_id, event.category, item, (index, category, cents, quantity, 0))
        elif isinstance(event, ItemWishlisted):
            item, category = item_code(event.item_id), self._category(event.category, offset)
            self._touch(event.item_id, event.category, item, (index, category, 0, 1, 0))
        elif isinstance(event, Searched):
            flag = int(event.result_count == 0)
        elif isinstance(event, ConsentChanged):
            # What an id allows that was sent for somebody before they were identified allows nothing of theirs.
            flag = -1 if known_as and event.marketing else int(event.marketing)
        elif isinstance(event, ShopperIdentified) and event.identified_as == shopper:
            raise Refused("identified_as_itself", "It says that an id is itself.", "identified_as")
        if isinstance(record, EventForwarded):
            self.forwarded[index] = record
        hashes = hashes_of(shopper, event.event_id)
        facts = (cents, discount, quantity, dwell, flag, category)
        place = (position, offset, time_ms, TYPE_CODE[type(event)])
        self._table.add(place, facts, hashes, known_as or event.event_id, shopper, event)
        self._hashes.append((item, order))
        return True

    def _touch(self, item_id: str, name: str | None, item: int, numbers: tuple[int, ...]) -> None:
        self._touches.append(numbers)
        self._items.append(item)
        self._item_ids.append(item_id)
        self._names.append(name)

    def batch(self) -> EventBatch:
        """What was taken."""
        item, order = columns(self._hashes, 2, np.uint64).view(np.int64)
        items = np.array(self._items, np.uint64)
        event, category, cents, quantity, discount = columns(self._touches, 5, np.int64)
        touches = Touches(event, items, category, cents, quantity, discount, self._item_ids, self._names)
        return self._table.batch(touches, {"item": item, "order": order})


#: What stands in ``storefront.events.v1``: events of storefronts, and what workers write.
WIRE = Wire(AnyShopperEvent | WorkerRecord, ShopperColumns, key="shopper_id")

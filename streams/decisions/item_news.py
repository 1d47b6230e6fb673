"""What shoppers may wait for: an item can be bought again, or costs less than before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.records.items import CatalogRecord
from streams.records.news import AnyItemNews, ItemPriceDropped, ItemRestocked

#: The same kind of news of an item is told at most once in so long, in event time of the item.
ONCE_IN_MS = 86_400_000
#: A price that falls by less is no news; no campaign can ask for less.
LEAST_PERCENT = 0.1
SOLD_OUT = Column("news/sold_out", "u1")
LISTED = Column("news/listed", "u1")
"""Whether a catalogue ever listed it: what none lists is for sale, what is listed no more is not."""
PRICE = Column("news/price+1", "i8")
RESTOCKED = Column("news/restocked", "i8")
"""When that was told last, as ``DROPPED`` of the price; 0: never."""
DROPPED = Column("news/dropped", "i8")
ON_HAND, LOCATIONS, NOW, RATING, IS_LISTED = (
    "stock.on_hand", "stock.locations", "price.now", "reviews.rating", "listing.listed",
)  # fmt: skip


class ItemNews:
    """Notices news at an item's due points and has it told; says nothing itself. ``group`` and ``partition``: of the
    items' log."""

    columns: tuple[Column, ...] = (SOLD_OUT, LISTED, PRICE, RESTOCKED, DROPPED)
    reads = (ON_HAND, LOCATIONS, NOW, RATING, IS_LISTED)

    def __init__(self, group: str, partition: int, tell: Callable[[AnyItemNews], None]) -> None:
        self._group, self._partition, self._tell = group, partition, tell

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """An item that is not for sale is no news."""
        listed, flags = group.feature(IS_LISTED) > 0, state.flat["u1"]
        ever = state.cells(LISTED, group.row)
        flags[ever] |= listed
        for_sale = listed | (flags[ever] == 0)
        back = self._restocked(state, group, for_sale) & self._first(state, group, RESTOCKED)
        fell = self._fell(state, group)
        dropped = for_sale & (fell >= LEAST_PERCENT)
        dropped &= self._first(state, group, DROPPED)
        for column, told in ((RESTOCKED, back), (DROPPED, dropped)):
            state.flat["i8"][state.cells(column, group.row[told])] = group.now_ms[told]
        for i in np.flatnonzero(back | dropped).tolist():
            self._say(group, i, bool(back[i]), float(fell[i]) if dropped[i] else None)
        return []

    @staticmethod
    def _restocked(state: Rows, group: Group, for_sale: Bools) -> Bools:
        """[k] which were sold out and are not any more; remembers it."""
        on_hand, counted = group.feature(ON_HAND), group.feature(LOCATIONS) > 0
        flags, cells = state.flat["u1"], state.cells(SOLD_OUT, group.row)
        was, here = flags[cells] > 0, for_sale & counted & (on_hand > 0)
        flags[cells] = (was | (counted & (on_hand == 0))) & ~here
        return was & here

    @staticmethod
    def _fell(state: Rows, group: Group) -> Floats:
        """[k] by how many percent each price fell with its record, 0 where it did not; remembers the price."""
        fell, now = np.zeros(len(group)), group.feature(NOW)
        prices = state.data[PRICE.name]
        for i, record in enumerate(group.record):
            price = record.unit_price_cents if isinstance(record, CatalogRecord) else None
            # Of a price that a newer record changed before, nobody need hear.
            if price is not None and now[i] == np.float32(price):
                before = int(prices[group.row[i]]) - 1
                prices[group.row[i]] = price + 1
                fell[i] = (before - price) * 100 / before if before > price else 0.0
        return fell

    @staticmethod
    def _first(state: Rows, group: Group, told: Column) -> Bools:
        """[k] whether nothing of the kind was told within a day."""
        at: Ints = state.flat["i8"][state.cells(told, group.row)]
        return group.now_ms - at >= ONCE_IN_MS

    def _say(self, group: Group, i: int, back: bool, fell: float | None) -> None:
        counted, rating = group.feature(LOCATIONS)[i] > 0, float(group.feature(RATING)[i])
        said: dict[str, Any] = {
            "group": self._group,
            "item_id": group.key[i],
            "event_time": int(group.now_ms[i]),
            "source_partition": self._partition,
            "source_offset": int(group.offset[i]),
            "on_hand": int(group.feature(ON_HAND)[i]) if counted else None,
            "rating": round(rating, 2) if rating > 0 else None,
        }
        if back:
            self._tell(ItemRestocked(**said))
        if fell is not None:
            self._tell(ItemPriceDropped(**said, unit_price_cents=group.record[i].unit_price_cents, percent=fell))

"""What records about items say in whole numbers. A record of tallies gives a row per item and minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.columns.arrays import TYPE_CODE, EventBatch, Touches, number
from streams.columns.building import Refused, Table, Wire, hashes_of
from streams.columns.shopper_events import category_code
from streams.records.items import (
    ITEM_RECORDS,
    PARTS,
    AnyItemRecord,
    CatalogRecord,
    ItemDelisted,
    ItemListed,
    ItemRecord,
    ItemReviewed,
    ItemsTallied,
    ItemTally,
    SourceIdle,
    StockCounted,
)
from streams.records.serving import ModelsChosen, RulesChosen
from streams.records.slices import Slice

number(ITEM_RECORDS)
#: Prices, costs and days are kept as one more than what was said, so that 0 is "not said". ``location`` is a 32-bit
#: hash, never 0 in a count. ``category``: 32-bit hash, 0 when none is named.
FACTS = (
    "views", "cart_adds", "wishes", "orders", "units", "revenue_cents", "discount_cents", "returned_units",
    "refunded_cents", "category", "price+1", "cost+1", "minimum+1", "lead_days+1", "listed+1", "on_hand", "on_order",
    "location", "rating", "rating_squared",
)  # fmt: skip
_PLACE = {name: i for i, name in enumerate(FACTS)}
_TALLY = TYPE_CODE[ItemTally]
_NOT_TALLIED = (0,) * (len(FACTS) - _PLACE["category"] - 1)
#: A record about an item may hold a picture.
MAX_ITEM_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """What a record of tallies says of its source, by the record's position in the slice."""

    position: int
    partition: int
    sequence: int
    time_ms: int
    idle: bool = False
    categories: dict[str, int] | None = field(default=None)

    @property
    def closed_ms(self) -> int:
        """Begin of the minute that it closed, UTC milliseconds since 1970."""
        return self.sequence // PARTS * 60_000


class ItemColumns:
    """Collects records about items into columns."""

    def __init__(self, slice_: Slice, currency: str) -> None:
        self._currency = currency
        self.names: dict[int, tuple[int, str]] = {}
        self._codes: dict[str | None, int] = {None: 0}
        self.sources: list[Source] = []
        """What partitions of shoppers said, in log order."""
        self._table = Table(FACTS)

    def _category(self, name: str | None, offset: int) -> int:
        try:
            return self._codes[name]
        except KeyError:
            assert name is not None
            self._codes[name] = code = category_code(name)
            self.names.setdefault(code, (offset, name))
            return code

    def add(self, position: int, offset: int, time_ms: int, record: AnyItemRecord) -> bool:
        """Take a record. Raises ``Refused``."""
        if isinstance(record, SourceIdle):
            self.sources.append(Source(position, record.source_partition, record.sequence, time_ms, idle=True))
            return False
        if isinstance(record, ItemsTallied):
            self.sources.append(
                Source(position, record.source_partition, record.sequence, time_ms, False, record.categories)
            )
            self._take(position, offset, record.tallies)
            return bool(record.tallies)
        if record.currency is not None and record.currency != self._currency:
            raise Refused(
                "foreign_currency",
                f"{record.currency}, but this worker adds up {self._currency}: convert at the producer.",
                "currency",
            )
        self._record(position, offset, time_ms, record)
        return True

    def _take(self, position: int, offset: int, tallies: Sequence[ItemTally]) -> None:
        category = [self._category(t.category, offset) for t in tallies]
        rows = [
            (
                position, offset, t.minute_ms, _TALLY, t.views, t.cart_adds, t.wishes, t.orders, t.units,
                t.revenue_cents, t.discount_cents, t.returned_units, t.refunded_cents, code, *_NOT_TALLIED,
            )
            for t, code in zip(tallies, category, strict=True)
        ]  # fmt: skip
        # Of the categories that several sources name in a minute, that of the largest hash is the newest, whoever
        # comes last.
        self._table.extend(rows, [(code, 0) for code in category], [t.item_id for t in tallies])

    def _record(self, position: int, offset: int, time_ms: int, record: ItemRecord) -> None:
        facts = [0] * len(FACTS)

        def say(**known: int | None) -> None:
            for name, value in known.items():
                if value is not None:
                    facts[_PLACE[name]] = value

        if isinstance(record, CatalogRecord):
            for name, value in (
                ("price+1", record.unit_price_cents),
                ("cost+1", record.unit_cost_cents),
                ("minimum+1", record.minimum_price_cents),
                ("lead_days+1", record.lead_time_days),
            ):
                facts[_PLACE[name]] = 0 if value is None else value + 1
            if record.category_path:
                say(category=self._category(record.category_path[-1], offset))
        if isinstance(record, (ItemListed, ItemDelisted)):
            facts[_PLACE["listed+1"]] = 1 + isinstance(record, ItemListed)
        if isinstance(record, StockCounted):
            say(on_hand=record.on_hand, on_order=record.on_order, location=category_code(record.location))
        if isinstance(record, ItemReviewed):
            say(rating=record.rating, rating_squared=record.rating**2)
        hashes = hashes_of(record.item_id, record.event_id)
        place = (position, offset, time_ms, TYPE_CODE[type(record)])
        self._table.add(place, tuple(facts), hashes, record.event_id, record.item_id, record)

    def batch(self) -> EventBatch:
        """What was taken."""
        return self._table.batch(Touches.none())


#: What stands in the items' log.
WIRE = Wire(AnyItemRecord | ModelsChosen | RulesChosen, ItemColumns, key="item_id", bytes=MAX_ITEM_BYTES)

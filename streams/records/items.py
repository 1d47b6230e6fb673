"""What is known of items: what a shop's catalogue says, what is in stock, what reviewers write, and what shoppers did.

Catalogue systems produce the first three to ``catalog.items.v1``, ``catalog.stock.v1`` and ``catalog.reviews.v1``,
keyed by item. Workers carry them over into the items' log, and write there what each partition of shoppers did to
each item, minute by minute: one log per partition, so that what an item comes to is a property of that log.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.events import Cents, EventTime, Id, ItemId, Label, MaybeUnitPrice
from streams.records.serving import ModelsChosen, RulesChosen

#: A sequence is the number of the minute that was closed, counted from 1970, times this, and the record's place among
#: those that close it.
PARTS = 64
Units = Annotated[int, Meta(ge=0, le=10**9)]
LongText = Annotated[str, Meta(max_length=100_000)]
Days = Annotated[int, Meta(ge=0, le=3_650)]


class ItemRecord(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """What every record about an item carries. ``event_id`` is unique per item: the same id again is a duplicate, until
    the first one is older than the allowed lateness."""

    event_id: Annotated[Id, Meta(description="Unique per item: the same id again is a duplicate.")]
    item_id: Annotated[ItemId, Meta(description="The item, as storefronts name it in their events; the key as well.")]
    event_time: EventTime
    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None,
        Meta(description="ISO 4217, such as USD; null: the shop's currency."),
    ] = None


class CatalogRecord(ItemRecord, frozen=True, kw_only=True):
    """What a catalogue may say of an item; what is null stays as it was."""

    title: Annotated[
        Annotated[str, Meta(max_length=2_000)] | None, Meta(description="Its name, as shoppers see it.")
    ] = None
    description: Annotated[LongText | None, Meta(description="Its description, plain text.")] = None
    brand: Annotated[Label | None, Meta(description="Who makes it.")] = None
    category_path: Annotated[
        Annotated[list[Label], Meta(min_length=1, max_length=16)] | None,
        Meta(description="Its category, from the widest to the narrowest; events name the narrowest."),
    ] = None
    attributes: Annotated[
        Annotated[dict[Label, Annotated[str, Meta(max_length=2_000)]], Meta(max_length=200)] | None,
        Meta(description="Properties by name, such as colour or size; name is what texts about the item call it."),
    ] = None
    image: Annotated[bytes | None, Meta(description="The bytes of a picture (PNG, JPEG, WebP), in base64.")] = None
    image_uri: Annotated[
        LongText | None, Meta(description="Where its picture is; nobody fetches it, models see only image.")
    ] = None
    audio: Annotated[bytes | None, Meta(description="The bytes of a sound (WAV, PCM), in base64.")] = None
    unit_price_cents: MaybeUnitPrice = None
    unit_cost_cents: Annotated[
        Cents | None, Meta(description="What one unit costs the shop, in integer cents; null: unknown.")
    ] = None
    minimum_price_cents: Annotated[
        Cents | None,
        Meta(description="The lowest price that may be advertised, in integer cents; null: as it was, at first none."),
    ] = None
    lead_time_days: Annotated[
        Days | None, Meta(description="Days from an order at the supplier until it is in stock; null: unknown.")
    ] = None


class ItemListed(CatalogRecord, tag="item_listed", frozen=True, kw_only=True):
    """An item is for sale from here on."""


class ItemChanged(CatalogRecord, tag="item_changed", frozen=True, kw_only=True):
    """Something about an item changed, such as its price; what is null stays as it was."""


class ItemDelisted(ItemRecord, tag="item_delisted", frozen=True, kw_only=True):
    """An item is not for sale any more."""


class StockCounted(ItemRecord, tag="stock_counted", frozen=True, kw_only=True):
    """How much of an item there is at a location, as of a time; the newest count of each location holds."""

    on_hand: Annotated[Units, Meta(description="Units that can be sold now.")]
    on_order: Annotated[Units, Meta(description="Units that are on their way from suppliers.")] = 0
    location: Annotated[Label, Meta(description="Which warehouse or shop; empty: the only one.")] = ""


class ItemReviewed(ItemRecord, tag="item_reviewed", frozen=True, kw_only=True):
    """Somebody reviewed an item."""

    rating: Annotated[int, Meta(ge=1, le=5, description="Stars, 1 (worst) to 5 (best).")]
    shopper_id: Annotated[Id | None, Meta(description="Who wrote it; null: unknown.")] = None
    title: Annotated[Annotated[str, Meta(max_length=2_000)] | None, Meta(description="Its headline.")] = None
    text: Annotated[LongText | None, Meta(description="What it says.")] = None
    language: Annotated[
        Annotated[str, Meta(max_length=35)] | None, Meta(description="BCP 47, such as en or zh-Hans; null: unknown.")
    ] = None
    helpful_votes: Annotated[
        Units | None,
        Meta(
            description="How many readers had found it helpful when it was told; null: unknown. Only training reads it."
        ),
    ] = None


class ItemTally(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What shoppers of one partition did to an item in a minute, as one JSON array in this order."""

    item_id: Annotated[Id, Meta(description="The item.")]
    minute_ms: Annotated[int, Meta(description="Begin of the minute of event time, UTC milliseconds since 1970.")]
    views: Annotated[Units, Meta(description="Views.")] = 0
    cart_adds: Annotated[Units, Meta(description="Units put into carts.")] = 0
    wishes: Annotated[Units, Meta(description="Times it was saved for later.")] = 0
    orders: Annotated[Units, Meta(description="Order lines.")] = 0
    units: Annotated[Units, Meta(description="Units ordered.")] = 0
    revenue_cents: Annotated[int, Meta(description="Net total of the order lines.")] = 0
    discount_cents: Annotated[int, Meta(description="Discount of the order lines.")] = 0
    returned_units: Annotated[Units, Meta(description="Units of lines that were returned or cancelled.")] = 0
    refunded_cents: Annotated[int, Meta(description="Net total of those lines.")] = 0
    category: Annotated[str | None, Meta(description="The category that events named; of several one.")] = None


class ItemsTallied(msgspec.Struct, tag_field="type", tag="items_tallied", kw_only=True, frozen=True, gc=False):
    """A partition of shoppers closed a minute: what was done to the items of this partition since the last such record,
    written by the worker that owns those shoppers. ``sequence`` grows with every record of a source."""

    source_partition: Annotated[int, Meta(description="The partition of shoppers.")]
    sequence: Annotated[int, Meta(description="Grows with every record of the source; what is not larger is known.")]
    event_time: Annotated[int, Meta(description="How far the source's event time has come, UTC ms since 1970.")]
    tallies: Annotated[list[ItemTally], Meta(description="What was done, by item and minute.")] = []
    categories: Annotated[
        dict[str, int] | None,
        Meta(description="When the minute closed was the last one of a day: units ordered that day, by category."),
    ] = None


class SourceIdle(msgspec.Struct, tag_field="type", tag="source_idle", kw_only=True, frozen=True, gc=False):
    """A partition of shoppers has nothing to say for now: time goes on without it until it speaks again."""

    source_partition: Annotated[int, Meta(description="The partition of shoppers.")]
    sequence: Annotated[int, Meta(description="What the source says next is not below it.")]
    event_time: Annotated[int, Meta(description="How far the source's event time has come, UTC ms since 1970.")]


#: Their place is their code.
ITEM_RECORDS: tuple[type, ...] = (
    ItemListed,
    ItemChanged,
    ItemDelisted,
    StockCounted,
    ItemReviewed,
    ItemTally,
)
CATALOG_RECORDS = (ItemListed, ItemChanged, ItemDelisted)
AnyItemRecord = ItemListed | ItemChanged | ItemDelisted | StockCounted | ItemReviewed | ItemsTallied | SourceIdle
item_decoder: msgspec.json.Decoder[AnyItemRecord | ModelsChosen | RulesChosen] = msgspec.json.Decoder(
    AnyItemRecord | ModelsChosen | RulesChosen
)
_encoder = msgspec.json.Encoder()


def encode_item_record(record: AnyItemRecord) -> bytes:
    """One record as it goes over the wire; absent optional fields are left out.

    >>> encode_item_record(SourceIdle(source_partition=1, sequence=0, event_time=2))
    b'{"type":"source_idle","source_partition":1,"sequence":0,"event_time":2}'
    """
    return _encoder.encode(record)

"""News of items: what a partition of items noticed in its log, told to every partition of shoppers: what must not be
offered any more, what may be again, what somebody there may wish for, and what is new. Written by the worker that owns
the partition of items, into the shoppers' log."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

Cents = Annotated[int, Meta(ge=0, le=10**12)]
WhyUnavailable = Literal["badly_reviewed", "sold_out", "rated_worse", "delisted"]
#: How much there is against offering an item, by its place: nothing, or why, each worse than the one before.
LEVELS: tuple[str, ...] = ("", *get_args(WhyUnavailable))
AVAILABLE, BADLY_REVIEWED, SOLD_OUT, RATED_WORSE, DELISTED = range(len(LEVELS))


class _News(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """What all news says. It moves no event time: shoppers are looked at where it stands in their log."""

    group: Annotated[str, Meta(description="The workers (OFFERSTREAM_APP_ID) that noticed it; others pass over it.")]
    item_id: Annotated[str, Meta(description="The item.")]
    event_time: Annotated[int, Meta(description="When it happened to the item, UTC milliseconds since 1970.")]
    source_partition: Annotated[Annotated[int, Meta(ge=0)], Meta(description="The partition of items.")]
    source_offset: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Where the items' log says so; what is not beyond the last of its source is known."),
    ]
    on_hand: Annotated[int | None, Meta(description="Units in stock; null: never counted.")] = None
    rating: Annotated[float | None, Meta(description="Mean stars, 1 to 5; null: without a review.")] = None


class ItemUnavailable(_News, tag="item_unavailable", frozen=True, kw_only=True):
    """An item must not be offered from here on."""

    why: Annotated[
        WhyUnavailable,
        Meta(
            description="The worst that is known of it: listed no more, suddenly rated worse (rating_dropped in "
            "item.alerts.v1), counted at 0 in all places together, or at least 5 reviews of less than 2 stars on "
            "average."
        ),
    ]


class ItemAvailable(_News, tag="item_available", frozen=True, kw_only=True):
    """An item that was not may be offered again."""

    restocked: Annotated[
        bool, Meta(description="Whether it had been sold out: whoever wishes for it may be told; default: false.")
    ] = False


class ItemPriceDropped(_News, tag="item_price_dropped", frozen=True, kw_only=True):
    """An item costs less than before."""

    unit_price_cents: Annotated[Cents, Meta(description="What it costs now, in integer cents.")]
    percent: Annotated[
        Annotated[float, Meta(ge=0, le=100)], Meta(description="How far that is below what it cost before, in percent.")
    ]


class ItemArrived(_News, tag="item_arrived", frozen=True, kw_only=True):
    """An item is new in the shop, or sells more since it came than was told before: models that were taught before it
    came do not name it."""

    came_ms: Annotated[
        int, Meta(description="When it was first listed or sold, whichever came first, UTC milliseconds since 1970.")
    ]
    units: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Units sold since, as far as they are told: 0, 4, 8, 16, and so on."),
    ] = 0
    category: Annotated[
        Annotated[int, Meta(ge=0, lt=2**32)], Meta(description="32-bit hash of its category's name; 0: none is known.")
    ] = 0
    category_units: Annotated[
        Annotated[int, Meta(ge=0)], Meta(description="Units that its category sold in 30 days, as far as it is known.")
    ] = 0
    unit_price_cents: Annotated[Cents, Meta(description="What it costs, in integer cents; 0: unknown.")] = 0
    embedding: Annotated[
        Annotated[bytes, Meta(max_length=64)],
        Meta(
            description="What it is like by its words, picture and sound, as items.embedded.v1 says it: 64 numbers, a "
            "byte each, from -127 to 127; empty: this record does not say."
        ),
    ] = b""
    embedded_by: Annotated[
        str,
        Meta(
            description="The model that says so, by the first 16 digits of its digest: embeddings of one model can be "
            "compared."
        ),
    ] = ""


AnyItemNews = ItemUnavailable | ItemAvailable | ItemPriceDropped | ItemArrived
ITEM_NEWS = (ItemUnavailable, ItemAvailable, ItemPriceDropped, ItemArrived)
_encoder = msgspec.json.Encoder()


def encode_news(record: AnyItemNews) -> bytes:
    """One record as it goes over the wire; what is unknown is left out.

    >>> encode_news(ItemAvailable(group="a", item_id="tea", event_time=5, source_partition=0, source_offset=7))
    b'{"type":"item_available","group":"a","item_id":"tea","event_time":5,"source_partition":0,"source_offset":7}'
    """
    return _encoder.encode(record)


def news_order(record: AnyItemNews) -> tuple[int, str, str]:
    """Where news stands among all of its source: what was noticed at one record goes by item, then by kind.

    >>> one = ItemAvailable(group="a", item_id="tea", event_time=5, source_partition=0, source_offset=7)
    >>> news_order(one)
    (7, 'tea', 'item_available')
    """
    return record.source_offset, record.item_id, str(record.__struct_config__.tag)


def level_of(record: AnyItemNews) -> int | None:
    """How much there is from here on against offering the item, a place in ``LEVELS``; None: it says nothing of that.

    >>> said = {"group": "a", "item_id": "tea", "event_time": 5, "source_partition": 0, "source_offset": 7}
    >>> level_of(ItemUnavailable(why="delisted", **said)) == DELISTED
    True
    """
    if isinstance(record, ItemUnavailable):
        return LEVELS.index(record.why)
    return AVAILABLE if isinstance(record, ItemAvailable) else None

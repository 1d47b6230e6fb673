"""News of items: what a partition of items noticed in its log, told to every partition of shoppers, for somebody there
may wish for the item. Written by the worker that owns the partition of items, into the shoppers' log."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Cents = Annotated[int, Meta(ge=0, le=10**12)]


class _News(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """What all news says. It moves no event time: shoppers are looked at where it stands in their log."""

    group: Annotated[str, Meta(description="The workers (OFFERSTREAM_APP_ID) that noticed it; others pass over it.")]
    item_id: Annotated[str, Meta(description="The item.")]
    event_time: Annotated[int, Meta(description="When it happened to the item, UTC milliseconds since 1970.")]
    source_partition: Annotated[Annotated[int, Meta(ge=0)], Meta(description="The partition of items.")]
    source_offset: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Where the items' log says so; of a kind, what is not beyond its source's last is known."),
    ]
    on_hand: Annotated[int | None, Meta(description="Units in stock; null: never counted.")] = None
    rating: Annotated[float | None, Meta(description="Mean stars, 1 to 5; null: without a review.")] = None


class ItemRestocked(_News, tag="item_restocked", frozen=True, kw_only=True):
    """An item that was sold out can be bought again."""


class ItemPriceDropped(_News, tag="item_price_dropped", frozen=True, kw_only=True):
    """An item costs less than before."""

    unit_price_cents: Annotated[Cents, Meta(description="What it costs now, in integer cents.")]
    percent: Annotated[
        Annotated[float, Meta(ge=0, le=100)], Meta(description="How far that is below what it cost before, in percent.")
    ]


ITEM_NEWS = (ItemRestocked, ItemPriceDropped)
AnyItemNews = ItemRestocked | ItemPriceDropped
_encoder = msgspec.json.Encoder()


def encode_news(record: AnyItemNews) -> bytes:
    """One record as it goes over the wire; what is unknown is left out.

    >>> encode_news(ItemRestocked(group="a", item_id="tea", event_time=5, source_partition=0, source_offset=7))
    b'{"type":"item_restocked","group":"a","item_id":"tea","event_time":5,"source_partition":0,"source_offset":7}'
    """
    return _encoder.encode(record)

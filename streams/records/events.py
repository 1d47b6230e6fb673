"""What storefronts produce: one record per thing a shopper did, in the past tense.

The wire form is one JSON object (UTF-8) per Kafka record, told apart by its ``type``. The topic's name carries
the version. Unknown fields are no error, so a producer may be newer than the worker; unknown types, missing
or wrong fields are dead letters.

>>> decode_event(b'{"type":"item_viewed","event_id":"e1","shopper_id":"s1","event_time":1,"item_id":"i1"}').item_id
'i1'
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.serving import ModelsChosen, RulesChosen

MAX_ID_LENGTH = 256
MAX_CENTS = 10**10
MAX_QUANTITY = 100_000
MAX_LINES = 2_000

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Label = Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
Cents = Annotated[int, Meta(ge=0, le=MAX_CENTS, description="Money in integer cents of the record's currency.")]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Count = Annotated[int, Meta(ge=0, le=MAX_CENTS)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217; the shop's currency when absent.")]
EpochMillis = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
EventTime = Annotated[
    Annotated[datetime, Meta(tz=True)] | EpochMillis,
    Meta(description="When it happened: ISO 8601 with an offset, or integer milliseconds since 1970 (UTC)."),
]


class ShopperEvent(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """What every shopper event carries. ``event_id`` is unique per shopper: the same id again is a duplicate."""

    event_id: Id
    shopper_id: Id
    event_time: EventTime
    currency: Currency | None = None
    session_id: Label | None = None
    channel: Label | None = None


class ItemViewed(ShopperEvent, tag="item_viewed", frozen=True, kw_only=True):
    """A shopper looked at an item."""

    item_id: Id
    category: Label | None = None
    unit_price_cents: Cents | None = None
    dwell_seconds: Annotated[float, Meta(ge=0, le=86_400)] | None = None


class CartItemAdded(ShopperEvent, tag="cart_item_added", frozen=True, kw_only=True):
    """A shopper put an item into the cart."""

    item_id: Id
    quantity: Quantity
    category: Label | None = None
    unit_price_cents: Cents | None = None


class CartItemRemoved(ShopperEvent, tag="cart_item_removed", frozen=True, kw_only=True):
    """A shopper took an item out of the cart."""

    item_id: Id
    quantity: Quantity
    category: Label | None = None
    unit_price_cents: Cents | None = None


class ItemWishlisted(ShopperEvent, tag="item_wishlisted", frozen=True, kw_only=True):
    """A shopper saved an item for later."""

    item_id: Id
    category: Label | None = None


class Searched(ShopperEvent, tag="searched", frozen=True, kw_only=True):
    """A shopper searched; ``result_count`` 0 is a search that found nothing."""

    query: Annotated[str, Meta(max_length=2_000)]
    result_count: Count | None = None


class OrderLine(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """One item of an order. ``discount_cents`` is for the whole line, not per unit."""

    item_id: Id
    quantity: Quantity
    unit_price_cents: Cents
    category: Label | None = None
    discount_cents: Cents = 0


class OrderPlaced(ShopperEvent, tag="order_placed", frozen=True, kw_only=True):
    """A shopper ordered."""

    order_id: Id
    lines: Annotated[list[OrderLine], Meta(min_length=1, max_length=MAX_LINES)]
    coupon_code: Label | None = None


class OrderCancelled(ShopperEvent, tag="order_cancelled", frozen=True, kw_only=True):
    """An order, or some of its lines, was cancelled before it was sent."""

    order_id: Id
    lines: Annotated[list[OrderLine], Meta(max_length=MAX_LINES)] | None = None


class OrderReturned(ShopperEvent, tag="order_returned", frozen=True, kw_only=True):
    """An order, or some of its lines, came back."""

    order_id: Id
    lines: Annotated[list[OrderLine], Meta(max_length=MAX_LINES)] | None = None


class OfferShown(ShopperEvent, tag="offer_shown", frozen=True, kw_only=True):
    """An offer reached the shopper."""

    offer_id: Id


class OfferClicked(ShopperEvent, tag="offer_clicked", frozen=True, kw_only=True):
    """A shopper followed an offer."""

    offer_id: Id


class OfferRedeemed(ShopperEvent, tag="offer_redeemed", frozen=True, kw_only=True):
    """A shopper used an offer."""

    offer_id: Id


class OfferDismissed(ShopperEvent, tag="offer_dismissed", frozen=True, kw_only=True):
    """A shopper turned an offer away."""

    offer_id: Id


class AdShown(ShopperEvent, tag="ad_shown", frozen=True, kw_only=True):
    """An ad reached the shopper."""

    ad_id: Id
    placement: Label | None = None


class AdClicked(ShopperEvent, tag="ad_clicked", frozen=True, kw_only=True):
    """A shopper followed an ad."""

    ad_id: Id
    placement: Label | None = None


class ConsentChanged(ShopperEvent, tag="consent_changed", frozen=True, kw_only=True):
    """A shopper allowed or forbade marketing. Without one, the setting ``default_consent`` holds."""

    marketing: bool


class ClockTicked(msgspec.Struct, tag_field="type", tag="clock_ticked", kw_only=True, frozen=True, gc=False):
    """Time passed while a live partition was idle; written by the worker that owns it, never by storefronts.

    It puts idle time into the log, so that timers fire without new shopper events and a replay sees the same.
    """

    event_time: EventTime


AnyShopperEvent = (
    ItemViewed
    | CartItemAdded
    | CartItemRemoved
    | ItemWishlisted
    | Searched
    | OrderPlaced
    | OrderCancelled
    | OrderReturned
    | OfferShown
    | OfferClicked
    | OfferRedeemed
    | OfferDismissed
    | AdShown
    | AdClicked
    | ConsentChanged
)
SHOPPER_EVENTS: tuple[type[ShopperEvent], ...] = (
    ItemViewed,
    CartItemAdded,
    CartItemRemoved,
    ItemWishlisted,
    Searched,
    OrderPlaced,
    OrderCancelled,
    OrderReturned,
    OfferShown,
    OfferClicked,
    OfferRedeemed,
    OfferDismissed,
    AdShown,
    AdClicked,
    ConsentChanged,
)

#: What workers write into the events topic; storefronts never do.
WorkerRecord = ClockTicked | ModelsChosen | RulesChosen

event_decoder: msgspec.json.Decoder[AnyShopperEvent | WorkerRecord] = msgspec.json.Decoder(
    AnyShopperEvent | WorkerRecord
)
_encoder = msgspec.json.Encoder()


def decode_event(value: bytes) -> AnyShopperEvent | WorkerRecord:
    """One wire record as its struct. Raises ``msgspec.ValidationError`` or ``msgspec.DecodeError``."""
    return event_decoder.decode(value)


def encode_event(event: ShopperEvent | WorkerRecord) -> bytes:
    """One event as it goes over the wire; absent optional fields are left out."""
    return _encoder.encode(event)

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

from streams.records.budget import LeaseGranted
from streams.records.coupons import CouponsLoaded
from streams.records.news import ItemArrived, ItemAvailable, ItemPriceDropped, ItemUnavailable
from streams.records.serving import CampaignsChosen, ModelsChosen, RulesChosen

MAX_ID_LENGTH = 256
MAX_CENTS = 10**10
MAX_QUANTITY = 100_000
MAX_LINES = 2_000
MAX_SLATE = 32

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Label = Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
Cents = Annotated[int, Meta(ge=0, le=MAX_CENTS)]
EpochMillis = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
EventTime = Annotated[
    Annotated[datetime, Meta(tz=True)] | EpochMillis,
    Meta(description="When it happened: ISO 8601 with an offset, or integer milliseconds since 1970 (UTC)."),
]
ItemId = Annotated[Id, Meta(description="The item, as the shop's catalogue names it.")]
OrderId = Annotated[Id, Meta(description="The order; what is cancelled or returned later names the same one.")]
OfferId = Annotated[Id, Meta(description="The offer; one of offers.v1 is named by its outcome_id.")]
AdId = Annotated[Id, Meta(description="The ad, as the ad system names it.")]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY, description="Units of the item.")]
UnitPrice = Annotated[Cents, Meta(description="Price of one unit, in integer cents of the event's currency.")]
# None is part of these, so that the description is the field's, not that of one of its alternatives.
Category = Annotated[Label | None, Meta(description="The item's category, by its name.")]
MaybeUnitPrice = Annotated[
    UnitPrice | None, Meta(description="Price of one unit, in integer cents of the event's currency; null: unknown.")
]
Placement = Annotated[Label | None, Meta(description="Where the ad stood.")]
AdDecision = Annotated[
    Id | None,
    Meta(
        description="Outcome id of the decision in ad.decisions.v1 that chose the ad; null: not known, so it counts "
        "for no campaign."
    ),
]


class OrderLine(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """One item of an order. ``discount_cents`` is for the whole line, not per unit."""

    item_id: ItemId
    quantity: Quantity
    unit_price_cents: UnitPrice
    category: Category = None
    discount_cents: Annotated[
        Cents, Meta(description="Taken off the whole line, not off each unit; integer cents.")
    ] = 0


SomeLines = Annotated[
    Annotated[list[OrderLine], Meta(max_length=MAX_LINES)] | None,
    Meta(description="The lines that it concerns, each with the quantity concerned; null: the whole order."),
]


class ShopperEvent(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """What every shopper event carries. ``event_id`` is unique per shopper: the same id again is a duplicate, whatever
    else it says, until the first one is older than the allowed lateness."""

    event_id: Annotated[Id, Meta(description="Unique per shopper: the same id again is a duplicate.")]
    shopper_id: Annotated[Id, Meta(description="Who did it; the record's key as well.")]
    event_time: EventTime
    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None,
        Meta(description="ISO 4217, such as USD; null: the shop's currency."),
    ] = None
    session_id: Annotated[Label | None, Meta(description="The visit in which it happened.")] = None
    channel: Annotated[Label | None, Meta(description="Where it happened, such as web, app or store.")] = None


class ItemViewed(ShopperEvent, tag="item_viewed", frozen=True, kw_only=True):
    """A shopper looked at an item."""

    item_id: ItemId
    category: Category = None
    unit_price_cents: MaybeUnitPrice = None
    dwell_seconds: Annotated[
        Annotated[float, Meta(ge=0, le=86_400)] | None, Meta(description="How long they looked, in seconds.")
    ] = None


class CartItemAdded(ShopperEvent, tag="cart_item_added", frozen=True, kw_only=True):
    """A shopper put an item into the cart."""

    item_id: ItemId
    quantity: Quantity
    category: Category = None
    unit_price_cents: MaybeUnitPrice = None


class CartItemRemoved(ShopperEvent, tag="cart_item_removed", frozen=True, kw_only=True):
    """A shopper took an item out of the cart."""

    item_id: ItemId
    quantity: Quantity
    category: Category = None
    unit_price_cents: MaybeUnitPrice = None


class ItemWishlisted(ShopperEvent, tag="item_wishlisted", frozen=True, kw_only=True):
    """A shopper saved an item for later."""

    item_id: ItemId
    category: Category = None


class Searched(ShopperEvent, tag="searched", frozen=True, kw_only=True):
    """A shopper searched; ``result_count`` 0 is a search that found nothing."""

    query: Annotated[str, Meta(max_length=2_000, description="What was searched for.")]
    result_count: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_CENTS)] | None, Meta(description="How many results there were; null: unknown.")
    ] = None


class OrderPlaced(ShopperEvent, tag="order_placed", frozen=True, kw_only=True):
    """A shopper ordered. An ``order_id`` of the shopper's last 12 orders is the same order again: a duplicate."""

    order_id: OrderId
    lines: Annotated[
        list[OrderLine], Meta(min_length=1, max_length=MAX_LINES, description="What was ordered, a line per item.")
    ]
    coupon_code: Annotated[Label | None, Meta(description="The coupon used; null: none.")] = None


class OrderCancelled(ShopperEvent, tag="order_cancelled", frozen=True, kw_only=True):
    """An order, or some of its lines, was cancelled before it was sent; without lines: all that is left of it."""

    order_id: OrderId
    lines: SomeLines = None


class OrderReturned(ShopperEvent, tag="order_returned", frozen=True, kw_only=True):
    """An order, or some of its lines, came back; without lines: all that is left of it."""

    order_id: OrderId
    lines: SomeLines = None


class OfferShown(ShopperEvent, tag="offer_shown", frozen=True, kw_only=True):
    """An offer reached the shopper."""

    offer_id: OfferId


class OfferClicked(ShopperEvent, tag="offer_clicked", frozen=True, kw_only=True):
    """A shopper followed an offer."""

    offer_id: OfferId


class OfferRedeemed(ShopperEvent, tag="offer_redeemed", frozen=True, kw_only=True):
    """A shopper used an offer."""

    offer_id: OfferId
    order_id: Annotated[
        Id | None, Meta(description="The order in which it was used; null: the one nearest in time, or of its coupon.")
    ] = None
    discount_cents: Annotated[
        Cents | None,
        Meta(description="What it took off, in integer cents; null: a campaign pays all that was set aside for it."),
    ] = None


class OfferDismissed(ShopperEvent, tag="offer_dismissed", frozen=True, kw_only=True):
    """A shopper turned an offer away."""

    offer_id: OfferId


class AdShown(ShopperEvent, tag="ad_shown", frozen=True, kw_only=True):
    """An ad reached the shopper."""

    ad_id: AdId
    placement: Placement = None
    decision_id: AdDecision = None


class AdClicked(ShopperEvent, tag="ad_clicked", frozen=True, kw_only=True):
    """A shopper followed an ad."""

    ad_id: AdId
    placement: Placement = None
    decision_id: AdDecision = None
    cost_cents: Annotated[
        Cents | None,
        Meta(description="What the click cost, in integer cents of the shop's currency; null: what the request said."),
    ] = None


class ConsentChanged(ShopperEvent, tag="consent_changed", frozen=True, kw_only=True):
    """A shopper allowed or forbade marketing. Without one, the setting ``default_consent`` holds."""

    marketing: Annotated[bool, Meta(description="Whether marketing is allowed from here on.")]


class ShopperIdentified(ShopperEvent, tag="shopper_identified", frozen=True, kw_only=True):
    """A shopper who was known by an anonymous id, such as a cookie, turned out to be another one: by a login, say. From
    here on in the log all that is known of ``shopper_id`` belongs to ``identified_as``. The first word holds."""

    identified_as: Annotated[Id, Meta(description="Who the shopper really is: the id that lasts.")]


class AdOffered(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """One advertisement that might be shown, and what a click on it costs the shop."""

    ad_id: AdId
    cost_cents: Annotated[
        Cents, Meta(description="What a click on it costs, in integer cents of the event's currency.")
    ]
    campaign_id: Annotated[Label | None, Meta(description="The campaign that it belongs to; null: none.")] = None
    item_id: Annotated[Id | None, Meta(description="The item that it shows; null: none in particular.")] = None
    category: Category = None
    unit_price_cents: MaybeUnitPrice = None


class AdRequested(ShopperEvent, tag="ad_requested", frozen=True, kw_only=True):
    """An advertisement is to be shown to a shopper: which one? The answer goes to ad.decisions.v1."""

    slate: Annotated[
        list[AdOffered],
        Meta(min_length=1, max_length=MAX_SLATE, description="The ads that it may be, each with its cost."),
    ]
    placement: Placement = None


class ClockTicked(msgspec.Struct, tag_field="type", tag="clock_ticked", kw_only=True, frozen=True, gc=False):
    """Time passed while a live partition was idle, or the last day of a history; written by the worker that owns the
    partition or by who sent that history, never by storefronts.

    It puts idle time into the log, so that timers fire without new shopper events and a replay sees the same.
    """

    event_time: EventTime


class LogIdled(msgspec.Struct, tag_field="type", tag="log_idled", kw_only=True, frozen=True, gc=False):
    """Nothing more stood in a partition for a while, and no clock ticks in it: it holds a history, or nothing that
    waits for time. Written by the worker that owns it, never by storefronts.

    It moves no event time. What the partition tells others minute by minute is told up to here, and others need not
    wait for it.
    """

    event_time: Annotated[int, Meta(description="When that was found, UTC milliseconds since 1970.")]


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
    | ShopperIdentified
    | AdRequested
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
    ShopperIdentified,
    AdRequested,
)


class _Moved(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, omit_defaults=True):
    """What belongs to another shopper than the one it was sent for. Written by the worker that owns the partition where
    it stood, into the partition of the shopper it belongs to, in the order in which it stood."""

    group: Annotated[str, Meta(description="The workers (OFFERSTREAM_APP_ID) that moved it; others pass over it.")]
    shopper_id: Annotated[Id, Meta(description="Whom it belongs to.")]
    via: Annotated[
        list[Id],
        Meta(description="The ids that it came by: first the one it was sent for, then each identified since."),
    ]
    source_partition: Annotated[Annotated[int, Meta(ge=0)], Meta(description="The partition where it stood.")]
    source_offset: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Its offset there; what is not larger than the last one of its source is known."),
    ]


class EventForwarded(_Moved, tag="event_forwarded", frozen=True, kw_only=True):
    """An event of somebody who had been identified before it came."""

    event: Annotated[AnyShopperEvent, Meta(description="The event, as it was sent.")]


class ShopperMerged(_Moved, tag="shopper_merged", frozen=True, kw_only=True):
    """All that was known of an id when it was identified."""

    event_time: Annotated[int, Meta(description="When it was identified, UTC milliseconds since 1970.")]
    columns: Annotated[
        dict[str, list[int | float]],
        Meta(description="What its row held, by column; a column of zeros is left out."),
    ]
    categories: Annotated[list[str], Meta(description="Names of the categories of its last events.")]
    items: Annotated[
        list[str], Meta(description="Items that it left, in its cart or looked at last; default: none.")
    ] = []
    windows: Annotated[
        dict[str, bytes],
        Meta(
            description="What follows the offers that it got, by campaign, where that is still measured: packed as the "
            "feature table has it; default: none."
        ),
    ] = {}


#: What workers and operators write into the events topic; storefronts never do.
WorkerRecord = (
    ClockTicked
    | LogIdled
    | ModelsChosen
    | RulesChosen
    | CampaignsChosen
    | LeaseGranted
    | CouponsLoaded
    | ItemUnavailable
    | ItemAvailable
    | ItemPriceDropped
    | ItemArrived
    | EventForwarded
    | ShopperMerged
)

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

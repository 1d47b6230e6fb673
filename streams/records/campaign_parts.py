"""The parts of a campaign: triggers, arms, money, caps, hours. ``streams/records/campaigns.py`` is the whole."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{0,62}$")]
Text = Annotated[str, Meta(max_length=200)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Cents = Annotated[int, Meta(ge=0, le=10**10)]
Days = Annotated[float, Meta(ge=0.0, le=365.0)]
Minutes = Annotated[int, Meta(ge=1, le=10_080)]


class _Part(msgspec.Struct, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields that are not known are refused: a misspelt guard must not go unnoticed."""


class _Trigger(_Part, tag_field="kind", kw_only=True, frozen=True):
    """When a shopper is looked at."""


class DuePoint(_Trigger, tag="due_point", frozen=True, kw_only=True):
    """Whenever a shopper is due: after an event, after silence, at the end of a day."""


class Event(_Trigger, tag="event", frozen=True, kw_only=True):
    """After an event of certain types."""

    types: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=16, description="Types of events as they are on the wire, such as order_placed."),
    ]


class Silence(_Trigger, tag="silence", frozen=True, kw_only=True):
    """When a shopper has been silent for longer than their own rhythm."""


class CartAbandoned(_Trigger, tag="cart_abandoned", frozen=True, kw_only=True):
    """When something lies in the cart and nothing happened for a while."""

    minutes: Annotated[Minutes, Meta(description="Minutes without an event, 1 to 10,080; default 60.")] = 60


class BrowseAbandoned(_Trigger, tag="browse_abandoned", frozen=True, kw_only=True):
    """When a shopper looked at items, put none into the cart and left."""

    minutes: Annotated[Minutes, Meta(description="Minutes without an event, 1 to 10,080; default 60.")] = 60


class BackInStock(_Trigger, tag="back_in_stock", frozen=True, kw_only=True):
    """When an item that the shopper wished for can be bought again."""


class PriceDrop(_Trigger, tag="price_drop", frozen=True, kw_only=True):
    """When an item that the shopper wished for costs less."""

    percent: Annotated[
        float, Meta(ge=0.1, le=100.0, description="How far the price fell at least, in percent; default 5.")
    ] = 5.0


class Overdue(_Trigger, tag="overdue", frozen=True, kw_only=True):
    """At the shopper's own overdue point, counted in their mean gap between orders."""

    gaps: Annotated[
        float, Meta(ge=0.1, le=20.0, description="Mean gaps since the last order at least, 0.1 to 20; default 1.5.")
    ] = 1.5


class AdAsked(_Trigger, tag="ad_requested", frozen=True, kw_only=True):
    """When an ad of the campaign is among those of a request for one: its arms are ads."""


AnyTrigger: TypeAlias = (
    DuePoint | Event | Silence | CartAbandoned | BrowseAbandoned | BackInStock | PriceDrop | Overdue | AdAsked
)

AppliesTo = Literal["anything", "category", "items", "favourite", "recommended", "trigger_item"]


class _Arm(_Part, tag_field="kind", kw_only=True, frozen=True):
    """What every arm says."""

    id: Annotated[Name, Meta(description="Its name in offers and reports; unique in its campaign.")]
    applies_to: Annotated[
        AppliesTo,
        Meta(
            description="What it is for: anything, a category or items (named in names), the shopper's favourite "
            "category, recommended items, or the item that the trigger is about; default: anything."
        ),
    ] = "anything"
    names: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...],
        Meta(max_length=100, description="The category, or the items, at most 100; default: none."),
    ] = ()
    most_items: (
        Annotated[
            int, Meta(ge=1, le=20, description="How many recommended items an offer names at most, 1 to 20; default 3.")
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    assumed_uplift: Annotated[
        float,
        Meta(
            ge=-1.0,
            le=1.0,
            description="How much likelier an order becomes, -1 to 1: your assumption, until a model says it of each "
            "shopper.",
        ),
    ]
    assumed_redemption: Annotated[
        Share,
        Meta(
            description="Share of those offered who use it, 0 to 1, also those who would have ordered anyway; default "
            "0.1."
        ),
    ] = 0.1
    valid_days: Annotated[
        float, Meta(gt=0.0, le=90.0, description="How long the offer holds, in days, up to 90; default 7.")
    ] = 7.0


class Percent(_Arm, tag="percent", frozen=True, kw_only=True):
    """A share off the price."""

    percent: Annotated[int, Meta(ge=1, le=100, description="Off the price, 1 to 100 percent.")]
    max_discount_cents: Annotated[
        Cents, Meta(description="At most so much off, in integer cents; the budget sets this much aside.")
    ]


class Amount(_Arm, tag="amount", frozen=True, kw_only=True):
    """Money off."""

    amount_cents: Annotated[Cents, Meta(description="Off the price, in integer cents.")]
    min_order_cents: Annotated[
        Cents, Meta(description="Smallest order that it holds for, in integer cents; default 0.")
    ] = 0


class FreeShipping(_Arm, tag="free_shipping", frozen=True, kw_only=True):
    """The shop pays for shipping."""

    shipping_cents: Annotated[Cents, Meta(description="What shipping costs the shop, in integer cents.")]


class Bundle(_Arm, tag="bundle", frozen=True, kw_only=True):
    """The items named in ``names``, cheaper together."""

    discount_cents: Annotated[Cents, Meta(description="Off the bundle, in integer cents.")]


class ContentOnly(_Arm, tag="content", frozen=True, kw_only=True):
    """A message without a discount."""


class Ad(_Part, tag_field="kind", tag="ad", frozen=True, kw_only=True):
    """Advertisements, which cost when they are clicked: they come with requests, each with its cost."""

    id: Annotated[Name, Meta(description="Its name in reports; unique in its campaign.")]
    names: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...],
        Meta(max_length=100, description="Ids of its ads, at most 100; default: all that no other arm names."),
    ] = ()
    valid_days: Annotated[
        float,
        Meta(
            gt=0.0,
            le=7.0,
            description="How long a click is waited for, in days, up to 7; then what is set aside for it goes back; "
            "default 0.05 (72 minutes).",
        ),
    ] = 0.05


AnyOffer: TypeAlias = Percent | Amount | FreeShipping | Bundle | ContentOnly
AnyArm: TypeAlias = AnyOffer | Ad


class Economics(_Part, kw_only=True, frozen=True):
    """What an order brings, what an offer costs, and what an item must be like to be offered."""

    gross_margin: Annotated[
        Share, Meta(description="Share of an order's value that is margin, before discounts, 0 to 1; default 0.3.")
    ] = 0.3
    margin_floor: Annotated[
        Share, Meta(description="Share of an order's value that must be left after the discount, 0 to 1; default 0.1.")
    ] = 0.1
    basket: Annotated[
        Annotated[str, Meta(min_length=1, max_length=128)],
        Meta(
            description="Feature that says what an order of the shopper comes to, in cents; default "
            "orders.average_value."
        ),
    ] = "orders.average_value"
    basket_cents: Annotated[
        Cents,
        Meta(description="The same, in integer cents, where the feature is unknown or 0; default 0: then no offer."),
    ] = 0
    contact_cents: Annotated[Cents, Meta(description="What sending the offer costs, in integer cents; default 0.")] = 0
    min_stock: Annotated[
        int,
        Meta(
            ge=0,
            le=10**9,
            description="Units in stock of an offered item at least; unknown stock is too little; default 1; 0: do not "
            "ask.",
        ),
    ] = 1
    min_rating: Annotated[
        float,
        Meta(
            ge=0.0,
            le=5.0,
            description="Stars of an offered item at least, 0 to 5; an item without reviews passes; default 0: do not "
            "ask.",
        ),
    ] = 0.0


class Coupons(_Part, kw_only=True, frozen=True):
    """Where coupon codes come from; each is given once."""

    source: Annotated[
        Literal["none", "pool", "generated"],
        Meta(description="none: no code; pool: from a list that was loaded; generated: made; default: none."),
    ] = "none"
    pool: Annotated[Text, Meta(description="Name of the list, where the source is pool; default: empty.")] = ""
    prefix: Annotated[
        Annotated[str, Meta(pattern="^[A-Z0-9-]{0,16}$")],
        Meta(description="How generated codes begin: capitals, digits, dashes, at most 16; default: empty."),
    ] = ""
    length: Annotated[
        int, Meta(ge=12, le=32, description="Characters of a generated code after the prefix, 12 to 32; default 12.")
    ] = 12


class Budget(_Part, kw_only=True, frozen=True):
    """What a campaign may spend. What an open offer may cost at most is set aside."""

    total_cents: Annotated[Cents, Meta(description="In all, in integer cents.")]
    daily_cents: Annotated[
        Cents | None, Meta(description="Per day of the shop, in integer cents; null (default): no limit.")
    ] = None


class Effect(_Part, kw_only=True, frozen=True):
    """How what the campaign brings is measured. It is fixed before the start: whoever changes it by what they see
    finds effects where none are."""

    window_days: Annotated[
        float,
        Meta(gt=0.0, le=366.0, description="What a shopper does counts for so many days after entering; default 14."),
    ] = 14.0
    return_days: Annotated[
        float, Meta(ge=0.0, le=366.0, description="Returns are waited for so many days after that; default 14.")
    ] = 14.0
    expected_shoppers: Annotated[
        int,
        Meta(
            ge=1,
            le=10**9,
            description="How many shoppers are expected to enter, holdout and all: intervals are narrowest there, and "
            "valid everywhere; default 10,000.",
        ),
    ] = 10_000
    segments: Annotated[
        tuple[str, ...],
        Meta(
            max_length=4,
            description="Segments of the shop, at most 4, that get an estimate of their own: a shopper counts in the "
            "first that they are in when they enter; default: none.",
        ),
    ] = ()


class Cap(_Part, kw_only=True, frozen=True):
    """At most so many offers in so many days: a window that slides, not a calendar's."""

    offers: Annotated[int, Meta(ge=1, le=12, description="Offers at most, 1 to 12.")]
    days: Annotated[float, Meta(gt=0.0, le=90.0, description="Length of the window in days, up to 90.")]


class Cooldown(_Part, kw_only=True, frozen=True):
    """Days of rest after what a shopper did; 0: none."""

    after_purchase_days: Annotated[Days, Meta(description="After an order, 0 to 365; default 1.")] = 1.0
    after_return_days: Annotated[Days, Meta(description="After a return, 0 to 365; default 3.")] = 3.0
    after_complaint_days: Annotated[Days, Meta(description="After a complaint, 0 to 365; default 14.")] = 14.0


Clock = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class QuietHours(_Part, kw_only=True, frozen=True):
    """Hours without contact; they may pass midnight."""

    start: Annotated[Clock, Meta(description="When they begin, HH:MM; default 21:00.")] = "21:00"
    end: Annotated[Clock, Meta(description="When they end, HH:MM, exclusive; default 08:00.")] = "08:00"
    clock: Annotated[
        Literal["shop", "shopper"],
        Meta(description="Whose clock: the shop's, or the shopper's where it is known; default: shop."),
    ] = "shop"

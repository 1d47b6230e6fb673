"""What is said of shoppers and items, and of records that could not be used; offers are in ``offers.py``.

Every outcome has an id that is a digest of what it stands on (kind, shopper, what made it due, campaign). When a
crash makes the worker say it again, it says the same thing under the same id, so a subscriber that remembers ids
sees each outcome once.

>>> outcome_id("churn_alerted", "s1", "event:e1", "") == outcome_id("churn_alerted", "s1", "event:e1", "")
True
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

#: What may make a shopper or an item due.
DueKind: TypeAlias = Literal[
    "event",
    "silence",
    "day",
    "cart_abandoned",
    "browse_abandoned",
    "back_in_stock",
    "price_drop",
    "overdue",
    "deferred",
]


class Due(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What made it due: a record about it, or a time that came."""

    kind: Annotated[
        Literal[DueKind, "window"],
        Meta(
            description="A record about it; silence after a shopper's last event; the end of an item's day; what "
            "campaigns wait for: a cart or goods looked at that were left, news of an item wished for, a shopper's "
            "overdue point, the end of quiet hours; the end of the time for which what follows an offer counts."
        ),
    ]
    ref: Annotated[
        str,
        Meta(
            description="The record's id; the due time in milliseconds since 1970; of news PARTITION:OFFSET:ITEM, "
            "where the items' log says so."
        ),
    ]


class ModelUsed(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """Which model spoke: task, version from its card, first 16 hex digits of the artifact's SHA-256."""

    task: Annotated[str, Meta(description="What the model answers, such as churn.")]
    version: Annotated[str, Meta(description="Its version, from its card.")]
    digest: Annotated[str, Meta(description="First 16 hex digits of the artifact's SHA-256.")]
    recalibrated: Annotated[
        str | None,
        Meta(description="Day (ISO 8601) before which all was known that corrected the scores; null: nothing did."),
    ] = None


class Reason(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One feature that drove a score: how far it moved it (in score units) against a typical shopper."""

    feature: Annotated[str, Meta(description="Address of the feature.")]
    value: Annotated[float | None, Meta(description="What it was; null for a tensor.")]
    typical: Annotated[float | None, Meta(description="What it is for a typical shopper; null for a tensor.")]
    contribution: Annotated[
        float, Meta(description="How far it moved the score against a typical shopper, in score units.")
    ]
    text: Annotated[str, Meta(description="The same in words.")]


class AnyOutcome(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What every outcome carries, whatever it is about."""

    outcome_id: Annotated[
        str, Meta(description="Digest of what it stands on: the same again is the same outcome, said twice.")
    ]
    event_time_ms: Annotated[int, Meta(description="The event time that it stands on, UTC milliseconds since 1970.")]
    due: Annotated[Due, Meta(description="What made it due.")]

    @property
    def key(self) -> str:
        """Whom or what it is about; the record's key as well."""
        raise NotImplementedError


class ShopperOutcome(AnyOutcome, frozen=True, kw_only=True):
    """What every outcome about a shopper carries."""

    shopper_id: Annotated[str, Meta(description="Whom it concerns; the record's key as well.")]

    @property
    def key(self) -> str:
        """The shopper."""
        return self.shopper_id


class ItemOutcome(AnyOutcome, frozen=True, kw_only=True):
    """What every outcome about an item carries."""

    item_id: Annotated[str, Meta(description="The item; the record's key as well.")]

    @property
    def key(self) -> str:
        """The item."""
        return self.item_id


class Outcome(ShopperOutcome, frozen=True, kw_only=True):
    """What every outcome about a shopper carries that stands on a model."""

    model: Annotated[ModelUsed, Meta(description="Which model spoke.")]


class Answer(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What one model answered. Scores are rounded to 4 decimals."""

    model: Annotated[ModelUsed, Meta(description="Which model spoke.")]
    scores: Annotated[
        dict[str, float | list[float]],
        Meta(description="Each output of the model that is a number, or several, by name; rounded to 4 decimals."),
    ]


class Scored(AnyOutcome, frozen=True, kw_only=True):
    """What the models answered at one due point, all in one record."""

    entity: Annotated[str, Meta(description="What it is about: shopper or item.")]
    key: Annotated[str, Meta(description="Which one: its id; the record's key as well.")]
    answers: Annotated[dict[str, Answer], Meta(description="By task; a task that cannot judge them is not there.")]


class LikelyCategory(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A category and how likely it is next; None when the worker has not seen a name for it."""

    category: Annotated[str | None, Meta(description="Its name; null when the worker has not seen one.")]
    probability: Annotated[float, Meta(description="How likely it is next, 0 to 1.")]


class ProfileUpdated(Outcome, frozen=True, kw_only=True):
    """Who a shopper is to the behaviour encoder, and what they will likely do next. The newest one holds.

    ``embedding`` is for nearest neighbours and other models of the same digest; distances between embeddings of
    different digests mean nothing. ``next_type`` and ``next_category`` leave out what is less likely than 1%.
    """

    embedding: Annotated[
        list[float], Meta(description="For nearest neighbours among embeddings of the same model digest.")
    ]
    next_type: Annotated[dict[str, float], Meta(description="Type of the next event, and how likely it is; from 1%.")]
    next_category: Annotated[list[LikelyCategory], Meta(description="Categories likely next, from 1%.")]
    purchase_session: Annotated[
        float, Meta(description="How likely an order comes in this session or the next, 0 to 1.")
    ]
    purchase_7d: Annotated[float, Meta(description="How likely an order comes within 7 days, 0 to 1.")]


RecommendedBecause = Literal["due_again", "bought_before", "seen_lately", "goes_with", "popular", "new"]


class RecommendedItem(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """An item for a shopper, and why."""

    item_id: Annotated[str, Meta(description="The item.")]
    weight: Annotated[
        float,
        Meta(
            description="Its share of all that was weighed for the shopper, 0 to 1: comparable in a list only; 0 for "
            "new: it was not weighed."
        ),
    ]
    because: Annotated[
        RecommendedBecause,
        Meta(
            description="due_again: bought before, and its usual time has passed since; bought_before; seen_lately: "
            "looked at, saved or put into the cart; goes_with: with the item named by of; popular: nothing is known "
            "that it goes with; new: it came after the model was taught, within 28 days."
        ),
    ]
    of: Annotated[str | None, Meta(description="The shopper's item that it goes with; absent: none.")] = None
    propensity: Annotated[
        float,
        Meta(description="How likely it was to stand at this place, given all that was known, 0 to 1; absent: 1."),
    ] = 1.0


class PassedOver(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An item that could have stood in a list and does not."""

    item_id: Annotated[str, Meta(description="The item.")]
    weight: Annotated[float, Meta(description="As that of the items in the list, 0 to 1.")]
    propensity: Annotated[float, Meta(description="How likely it was to stand at the drawn place, 0 to 1.")]


class ItemsRecommended(Outcome, frozen=True, kw_only=True):
    """Items for a shopper, best first. Said when the lists change; the newest one holds, also for shops' pages of
    shoppers who never logged in. An empty list takes back the one before."""

    items: Annotated[
        list[RecommendedItem],
        Meta(description="At most 20 items, none twice, best first but for the one at the drawn place and one new."),
    ]
    drawn_place: Annotated[
        int | None,
        Meta(
            description="At this place of items, from 1 on, in a share of lists one of those from there on stood, all "
            "alike, or one that was passed_over; else the best of these; none of them new. Null: nothing was left to "
            "chance."
        ),
    ] = None
    explored: Annotated[bool, Meta(description="Whether the item at drawn_place was drawn to learn.")] = False
    passed_over: Annotated[
        list[PassedOver],
        Meta(description="Items that could have stood at drawn_place and are not in the list, best first."),
    ] = []
    goes_with_cart: Annotated[
        list[RecommendedItem],
        Meta(
            description="At most 6 items that go with those in the cart, best first, none twice and none of the cart; "
            "weight: its share of all that goes with them; of: with which of them it goes best."
        ),
    ] = []
    again: Annotated[float, Meta(description="How much of what comes next the shopper had before, expected, 0 to 1.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


Consent = Literal["allowed", "forbidden", "never_said"]


class UsualBasket(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What a shopper's order usually comes to."""

    value_cents: Annotated[int, Meta(description="Money per order, in integer cents of the currency.")]
    units: Annotated[float, Meta(description="Units per order.")]
    days_between: Annotated[
        float | None, Meta(description="Days between orders; null until there are two that lie apart.")
    ]


class ChurnAlerted(Outcome, frozen=True, kw_only=True):
    """A shopper is about to leave: tell marketing. Raised when the level rises, never twice within a cooldown."""

    score: Annotated[float, Meta(description="How likely the shopper leaves, 0 to 1.")]
    level: Annotated[Literal["watch", "high", "critical"], Meta(description="How urgent it is.")]
    promised: Annotated[
        float | None,
        Meta(
            description="Share of alerts of this level that came true (no order within 30 days) when the model was "
            "validated; null where its card promises nothing."
        ),
    ]
    reasons: Annotated[list[Reason], Meta(description="What drove the score, the strongest first.")]
    consent: Annotated[Consent, Meta(description="Whether marketing may write to the shopper.")]
    favourite_category: Annotated[str | None, Meta(description="What they like most; null when unknown.")]
    usual_basket: Annotated[UsualBasket, Meta(description="What an order of theirs usually comes to.")]
    value_at_stake_cents: Annotated[
        int,
        Meta(
            description="Gross margin, in integer cents of the currency, that 90 days bring at the shopper's own pace "
            "so far."
        ),
    ]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


MaybeModel = Annotated[ModelUsed | None, Meta(description="Which model said how likely they leave; null: none did.")]


class ItemProfiled(ItemOutcome, frozen=True, kw_only=True):
    """An item in numbers, when its day was over or something about it changed. The newest one holds."""

    listed: Annotated[bool, Meta(description="Whether the catalogue lists it; false also where none does.")]
    category: Annotated[str | None, Meta(description="The category that was named last; null when unknown.")]
    units_24h: Annotated[int, Meta(description="Units sold in 24 hours.")]
    units_7d: Annotated[int, Meta(description="Units sold in 7 days.")]
    units_30d: Annotated[int, Meta(description="Units sold in 30 days.")]
    revenue_30d_cents: Annotated[int, Meta(description="Revenue of 30 days, integer cents of the currency.")]
    momentum: Annotated[float, Meta(description="Pace of the last 7 days over that of 30: 1 is steady, at most 4.29.")]
    category_share: Annotated[float, Meta(description="Share of the units that its category sold in 30 days, 0 to 1.")]
    views_30d: Annotated[int, Meta(description="Views in 30 days.")]
    conversion_30d: Annotated[float, Meta(description="Order lines per view in 30 days.")]
    price_cents: Annotated[int, Meta(description="Price of one unit, integer cents; 0 when no catalogue said it.")]
    usual_price_cents: Annotated[int, Meta(description="The price that held longest within 90 days.")]
    lowest_price_30d_cents: Annotated[int, Meta(description="The lowest price that held within 30 days.")]
    discount_depth: Annotated[float, Meta(description="How far the price lies below the usual one, 0 to 1.")]
    on_hand: Annotated[int | None, Meta(description="Units in stock; null when never counted.")]
    on_order: Annotated[int | None, Meta(description="Units on their way; null when never counted.")]
    cover_days: Annotated[
        float | None,
        Meta(description="Days that the stock lasts at the pace of 30 days; 0: nothing sells; null: never counted."),
    ]
    reviews: Annotated[int, Meta(description="Reviews so far.")]
    rating: Annotated[float, Meta(description="Mean stars, 1 to 5; 0 without a review.")]
    rating_recent: Annotated[float, Meta(description="The same, old reviews faded with a half-life of 30 days.")]
    rated_worse: Annotated[
        bool, Meta(description="Whether it is suddenly rated worse, and offered to nobody for that.")
    ] = False
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


class LateEvent(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An event older than the watermark: not in the features, kept for whoever recomputes."""

    late_id: Annotated[str, Meta(description="Digest of where the record stands: the same again is the same one.")]
    key: Annotated[str, Meta(description="The record's key: the shopper or item that it is about.")]
    event_id: Annotated[str, Meta(description="The event's id.")]
    event_time_ms: Annotated[int, Meta(description="When it happened, UTC milliseconds since 1970.")]
    watermark_ms: Annotated[int, Meta(description="The partition's watermark when it came: later than the event.")]
    source_topic: Annotated[str, Meta(description="Topic of the original.")]
    source_partition: Annotated[int, Meta(description="Partition of the original.")]
    source_offset: Annotated[int, Meta(description="Offset of the original.")]
    original: Annotated[bytes, Meta(description="The original's value, in base64.")]


class DeadLetter(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A record that could not be used: why, where it stands, and its bytes (base64) for repair and replay."""

    dead_letter_id: Annotated[
        str, Meta(description="Digest of where the record stands: the same again is the same one.")
    ]
    reason: Annotated[str, Meta(description="The kind of fault: offerstream dead-letters lists what each means.")]
    detail: Annotated[str, Meta(description="What is wrong, and what is right.")]
    field: Annotated[
        str | None, Meta(description="Path of the field at fault, such as lines[0].quantity; null: the record.")
    ]
    source_topic: Annotated[str, Meta(description="Topic of the original.")]
    source_partition: Annotated[int, Meta(description="Partition of the original.")]
    source_offset: Annotated[int, Meta(description="Offset of the original.")]
    record_time_ms: Annotated[int, Meta(description="When the broker took the original, UTC milliseconds since 1970.")]
    original_key: Annotated[
        bytes | None, Meta(description="The original's key, in base64; null: none, or too large to keep.")
    ]
    original: Annotated[
        bytes | None, Meta(description="The original's value, in base64; null: none, or too large to keep.")
    ]


_encoder = msgspec.json.Encoder()


def encode_outcome(record: msgspec.Struct) -> bytes:
    """One outcome as it goes over the wire."""
    return _encoder.encode(record)


def outcome_id(kind: str, key: str, due: str, campaign: str) -> str:
    """The id under which an outcome is always said, 32 hex digits.

    The parts are length-prefixed, so no two different tuples of strings share a digest input.
    """
    text = f"{len(kind)}:{kind}{len(key)}:{key}{len(due)}:{due}{len(campaign)}:{campaign}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

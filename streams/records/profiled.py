"""A shopper's profile in words and figures, for people and marketing systems."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.records.outcomes import MaybeModel, ShopperOutcome

Stage = Literal["new", "active", "returned", "at_risk", "lapsed"]
Segment = Literal[
    "new_customers",
    "champions",
    "won_back",
    "deal_seekers",
    "loyal_regulars",
    "promising",
    "cannot_lose",
    "slipping_away",
    "lost_champions",
    "lost",
]
Sensitivity = Literal["low", "medium", "high"]
Daypart = Literal["night", "morning", "afternoon", "evening"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Expected(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What the next 90 days are expected to bring. Revenue is net: after discounts, less what comes back."""

    orders: Annotated[float, Meta(description="Orders, on average; one decimal.")]
    revenue_cents: Annotated[int, Meta(description="Net revenue, on average, in integer cents of the currency.")]
    revenue_low_cents: Annotated[int, Meta(description="One shopper in ten like this brings less.")]
    revenue_middle_cents: Annotated[int, Meta(description="Half of such shoppers bring less, half bring more.")]
    revenue_high_cents: Annotated[int, Meta(description="One in ten brings more.")]
    active: Annotated[float, Meta(description="How likely there is an order at all, 0 to 1.")]


class ShopperProfiled(ShopperOutcome, frozen=True, kw_only=True):
    """A shopper who has ordered, as a marketer would describe them. The newest one holds. Said when stage or segment
    changed, else at most once a week, at a due point."""

    model: MaybeModel
    stage: Annotated[
        Stage,
        Meta(
            description="new: one purchase so far; active: within twice their rhythm; at_risk: within four times; "
            "lapsed: beyond; returned: their last order came after they had lapsed. Rhythm: mean days between their "
            "last orders, with one of 30 days added, 7 to 120."
        ),
    ]
    segment: Annotated[Segment, Meta(description="A name for shoppers alike; segment_text says what sets them apart.")]
    segment_text: Annotated[str, Meta(description="What sets shoppers of the segment apart, in words.")]
    orders: Annotated[int, Meta(description="Orders ever.")]
    days_since_last_order: Annotated[int, Meta(description="Whole days since the last order, at most 365.")]
    days_since_first_order: Annotated[int, Meta(description="Whole days since the first order, at most 365.")]
    net_spend_cents: Annotated[int, Meta(description="Paid ever, less what came back, integer cents of the currency.")]
    average_order_cents: Annotated[int, Meta(description="Paid per order, integer cents of the currency.")]
    orders_30d: Annotated[int, Meta(description="Orders in the last 30 days.")]
    rhythm_days: Annotated[
        float | None, Meta(description="Mean days between their last 12 orders; null until two lie apart.")
    ]
    next_order_in_days: Annotated[
        int | None,
        Meta(description="Whole days until the next order is due by their rhythm; below 0: overdue; null: no rhythm."),
    ]
    give_or_take_days: Annotated[
        int | None, Meta(description="How far their gaps lie around the mean; null: fewer than three orders.")
    ]
    expected: Annotated[Expected | None, Meta(description="The next 90 days; null where no model judged them.")]
    discount_share: Annotated[
        float, Meta(description="Discounts they got over the price before discounts of all they bought, 0 to 1.")
    ]
    coupon_share: Annotated[float, Meta(description="Share of their orders with a coupon, 0 to 1.")]
    price_sensitivity: Annotated[
        Sensitivity,
        Meta(
            description="high: a quarter of the price was taken off, or half of the orders had a coupon; low: less "
            "than a fifth of either; medium: between. What they did, not what a price would make them do."
        ),
    ]
    favourite_category: Annotated[str | None, Meta(description="What they like most; null when unknown.")]
    favourite_share: Annotated[float, Meta(description="Its weight among all categories of late, 0 to 1.")]
    daypart: Annotated[
        Daypart | None,
        Meta(
            description="When they usually order: night 0 to 6, morning to 12, afternoon to 18, evening to 24, in the "
            "shop's time zone; null: less than half of the orders at one, or fewer than three orders."
        ),
    ]
    weekday: Annotated[
        Weekday | None, Meta(description="On which day; null: less than 30% on one, or fewer than three orders.")
    ]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


#: What a marketer calls a segment, and what sets its shoppers apart.
SEGMENTS: dict[Segment, tuple[str, str]] = {
    "new_customers": ("New customers", "bought once, and are not overdue yet"),
    "champions": ("Champions", "order in their rhythm, and bring as much as the shop's best fifth"),
    "won_back": ("Won back", "ordered again after they had lapsed"),
    "deal_seekers": ("Deal seekers", "order in their rhythm, mostly on discounts or with coupons"),
    "loyal_regulars": ("Loyal regulars", "order in their rhythm, five times or more so far"),
    "promising": ("Promising", "order in their rhythm, two to four times so far"),
    "cannot_lose": ("Cannot lose them", "overdue by twice their rhythm, and brought as much as the shop's best fifth"),
    "slipping_away": ("Slipping away", "overdue by twice their rhythm"),
    "lost_champions": ("Lost champions", "overdue by four times their rhythm, and brought as much as the best fifth"),
    "lost": ("Lost", "overdue by four times their rhythm"),
}

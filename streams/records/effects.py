"""What became of offers, and what campaigns brought: the records of ``offer.outcomes.v1`` and
``campaign.effects.v1``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.records.events import Cents, EpochMillis
from streams.records.outcomes import AnyOutcome, ShopperOutcome

Count = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Measured(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What a shopper did in the window that began when they entered a campaign, whole numbers only.

    The same is measured of the holdout, who got no offer: the difference of the two is the campaign's effect.
    """

    offers: Annotated[Count, Meta(description="Offers of the campaign made to the shopper in the window.")]
    shown: Annotated[Count, Meta(description="Of these, how many reached the shopper in the window.")]
    clicked: Annotated[Count, Meta(description="Of these, how many the shopper followed in the window.")]
    redeemed: Annotated[Count, Meta(description="Of these, how many the shopper used in the window.")]
    orders: Annotated[Count, Meta(description="All orders in the window that were not returned as a whole.")]
    units: Annotated[Count, Meta(description="Units of all orders in the window, less what came back.")]
    revenue_cents: Annotated[int, Meta(description="Paid for all orders in the window, less what came back.")]
    margin_cents: Annotated[
        int,
        Meta(description="Revenue less the cost of goods, before what the campaign's own offers took off."),
    ]
    cost_cents: Annotated[int, Meta(description="What the campaign's offers took off these orders, and its contacts.")]
    before_orders: Annotated[Count, Meta(description="Orders in the period before entry, same length for everyone.")]
    before_revenue_cents: Annotated[Cents, Meta(description="Revenue in the period before entry, at most 10^10.")]


class OfferOutcome(ShopperOutcome, kw_only=True, frozen=True):
    """What became of an offer, or of the offer that a shopper of the holdout was to get, once its window had closed.

    A function of the shopper's records alone, in whatever order they came. Said again it is the same record. Its time
    is the end of the window and of the time for returns.
    """

    offer_id: Annotated[
        str, Meta(description="Outcome id of the offer, or of the withheld offer of a shopper in the holdout.")
    ]
    campaign: Annotated[str, Meta(description="The campaign that it belongs to.")]
    arm: Annotated[
        str,
        Meta(description="What was chosen for the shopper; in the holdout what would have been, empty: any arm alike."),
    ]
    segment: Annotated[str, Meta(description="The shopper's segment when it was decided; empty: none.")]
    held: Annotated[bool, Meta(description="Whether the shopper is in the holdout and got nothing.")]
    opened_ms: Annotated[int, Meta(description="When it was decided, UTC milliseconds since 1970.")]
    shown_ms: Annotated[int | None, Meta(description="When it first reached the shopper; null: not in the window.")]
    clicked_ms: Annotated[int | None, Meta(description="When the shopper first followed it; null: not in the window.")]
    redeemed_ms: Annotated[int | None, Meta(description="When the shopper used it; null: not in the window.")]
    dismissed_ms: Annotated[int | None, Meta(description="When the shopper turned it away; null: not in the window.")]
    order_id: Annotated[str | None, Meta(description="The order in which it was used; null: none is known.")]
    order_units: Annotated[Count, Meta(description="Units of that order, less what came back.")]
    order_revenue_cents: Annotated[int, Meta(description="Paid for that order, less what came back.")]
    discount_cents: Annotated[Count, Meta(description="What the offer took off that order, less what came back.")]
    returned: Annotated[
        Literal["no", "partly", "all"], Meta(description="How much of that order came back in time for it to count.")
    ]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    measured: Annotated[
        Measured | None,
        Meta(
            description="What the shopper did in the window after entering the campaign; null: an offer after their "
            "first, whose counts and cost are part of the first one's where they fall into its window."
        ),
    ]


class EffectPlan(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What is fixed before a campaign starts: intervals hold for that, however often they are looked at."""

    shoppers: Annotated[int, Meta(ge=1, description="How many are expected to enter it, holdout and all.")]
    holdout_share: Annotated[float, Meta(ge=0, le=1, description="Share of these who are to be in the holdout.")]
    arms: Annotated[tuple[str, ...], Meta(description="Arms with an estimate of their own.")]
    segments: Annotated[tuple[str, ...], Meta(description="Segments with an estimate of their own.")] = ()


class EffectTallied(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """Sums over the closed windows of one campaign, arm, segment and side: they merge by adding, in any order.

    Integers may be longer than 64 bits: 10^6 shoppers of 10^10 cents each make products of 10^26.
    """

    campaign: Annotated[str, Meta(description="The campaign.")]
    arm: Annotated[str, Meta(description="Its arm; in the holdout the one that would have been, empty: any alike.")]
    segment: Annotated[str, Meta(description="The shoppers' segment; empty: none.")]
    held: Annotated[bool, Meta(description="Whether these are shoppers of the holdout.")]
    shoppers: Annotated[Count, Meta(description="Shoppers whose window has closed.")]
    buyers: Annotated[Count, Meta(description="Of these, how many ordered in it.")]
    offers: Annotated[Count, Meta(description="Offers made to them in it.")]
    shown: Annotated[Count, Meta(description="Of these, how many reached the shopper.")]
    clicked: Annotated[Count, Meta(description="Of these, how many were followed.")]
    redeemed: Annotated[Count, Meta(description="Of these, how many were used.")]
    totals: Annotated[
        list[int],
        Meta(description="Sums of orders, units, revenue, margin, cost, orders before and revenue before; in cents."),
    ]
    products: Annotated[
        list[int],
        Meta(description="Sums of products of each pair of these seven, the upper triangle row by row."),
    ]


class EffectReported(msgspec.Struct, tag_field="type", tag="effect_reported", kw_only=True, frozen=True, gc=False):
    """What a partition of shoppers knows of a campaign's effect: sums since it began, so that the newest one says it
    all. Written into the campaigns' log once a day of event time in which something became known."""

    campaign: Annotated[Name, Meta(description="The campaign.")]
    currency: Annotated[str, Meta(description="ISO 4217: of all money in it.")]
    source_partition: Annotated[int, Meta(ge=0, description="The partition of shoppers.")]
    sequence: Annotated[
        int, Meta(ge=0, description="Grows with every report of a source; what is not larger is known.")
    ]
    event_time: Annotated[
        EpochMillis, Meta(description="Windows closed before are counted, UTC milliseconds since 1970.")
    ]
    plan: Annotated[EffectPlan, Meta(description="What was fixed for it in the campaign's file.")]
    entered: Annotated[Count, Meta(description="Shoppers who entered the campaign and get its offers.")]
    entered_held: Annotated[Count, Meta(description="Shoppers of the holdout who entered it.")]
    tallies: Annotated[list[EffectTallied], Meta(description="Sums over the windows that closed.")]


class Range(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An estimate with its interval."""

    low: Annotated[float | None, Meta(description="Lower end; null: without bound, or too few buyers to say.")]
    mean: Annotated[float, Meta(description="The estimate.")]
    high: Annotated[float | None, Meta(description="Upper end; null: without bound, or too few buyers to say.")]


class EffectMeasured(AnyOutcome, kw_only=True, frozen=True):
    """What a campaign brought beyond its holdout so far, of one arm and segment. The newest one holds. Windows that
    closed before its time are counted.

    Intervals hold at all times at once: whoever looks after every shopper and stops when they like is wrong about any
    of one measure's with the chance ``alpha`` at most, for all arms and segments together.
    """

    campaign: Annotated[str, Meta(description="The campaign.")]
    arm: Annotated[str, Meta(description="Its arm; *: all arms.")]
    segment: Annotated[str, Meta(description="The segment; *: all segments.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    shoppers: Annotated[Count, Meta(description="Shoppers who entered it and whose window has closed.")]
    held: Annotated[Count, Meta(description="Shoppers of the holdout whose window has closed.")]
    alpha: Annotated[float, Meta(description="Chance of being wrong that the intervals allow, 0 to 1.")]
    verdict: Annotated[
        Literal["too_few", "not_yet", "pays", "loses"],
        Meta(description="Whether the profit's interval can be said, and lies above or below 0."),
    ]
    words: Annotated[str, Meta(description="The same in a sentence, and how much longer where it is not yet enough.")]
    shoppers_to_go: Annotated[
        int | None,
        Meta(description="Further shoppers until it shows if profit stays as it is; null: it shows, or never."),
    ]
    per_shopper: Annotated[
        dict[str, Range],
        Meta(description="Per shopper beyond the holdout: orders, units; revenue, margin, cost, profit in cents."),
    ]
    incremental: Annotated[
        dict[str, Range], Meta(description="The same times the shoppers who entered it: what it brought so far.")
    ]
    roi: Annotated[Range | None, Meta(description="Profit over cost, 0.5 is 50%; null: it has cost nothing.")]
    variance_left: Annotated[
        float,
        Meta(description="Share of the profit's variance that is left after adjusting for the time before, 0 to 1."),
    ]
    sides: Annotated[
        str, Meta(description="Whether shoppers entered in the shares that were asked for; empty where nobody asked.")
    ] = ""
    sides_differ: Annotated[
        bool, Meta(description="Whether the shares differ from those asked for: then no effect can be believed.")
    ] = False

    @property
    def key(self) -> str:
        """The campaign."""
        return self.campaign

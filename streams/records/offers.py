"""Offers, and those that were held back."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from streams.records.outcomes import MaybeModel, ShopperOutcome

Benefit = Literal["percent", "amount", "free_shipping", "bundle", "content"]
Campaigns = Annotated[
    str | msgspec.UnsetType, Meta(description="Digest of the campaigns that held; absent: the built-in offer.")
]
Propensity = Annotated[
    float | msgspec.UnsetType,
    Meta(description="How likely this choice was, given all that was known, 0 to 1; absent: the built-in offer."),
]
LapseScore = Annotated[float | None, Meta(description="How likely the shopper leaves, 0 to 1; null: not judged.")]


class OfferMade(ShopperOutcome, frozen=True, kw_only=True):
    """A promotion for one shopper, within consent, caps and margin; of a campaign, or the built-in one."""

    model: MaybeModel
    campaign: Annotated[str, Meta(description="The campaign that it belongs to.")]
    arm: Annotated[
        str | msgspec.UnsetType, Meta(description="The campaign's arm that was chosen; absent: the built-in offer.")
    ] = UNSET
    benefit: Annotated[
        Benefit | msgspec.UnsetType,
        Meta(
            description="What it gives: percent or an amount off, free shipping, items cheaper together, or a message "
            "only; absent: percent."
        ),
    ] = UNSET
    applies_to: Annotated[
        Literal["category", "anything", "items"],
        Meta(description="Whether it is for the category, for the items, or for anything in the shop."),
    ]
    category: Annotated[str | None, Meta(description="The category that it is for; null: none in particular.")]
    items: Annotated[
        list[str] | msgspec.UnsetType, Meta(description="The items that it is for; absent: none in particular.")
    ] = UNSET
    discount_percent: Annotated[
        int | msgspec.UnsetType, Meta(description="Off the price, in percent; absent where it gives something else.")
    ] = UNSET
    amount_cents: Annotated[
        int | msgspec.UnsetType,
        Meta(
            description="Off the price, the shipping or the bundle, in integer cents; absent where it is a percentage, "
            "or a message."
        ),
    ] = UNSET
    min_order_cents: Annotated[
        int | msgspec.UnsetType,
        Meta(description="Smallest order that it holds for, in integer cents; absent: any."),
    ] = UNSET
    max_discount_cents: Annotated[int, Meta(description="At most so much off, in integer cents of the currency.")]
    coupon_code: Annotated[
        str | msgspec.UnsetType, Meta(description="The code to redeem it with, given once; absent: it has none.")
    ] = UNSET
    currency: Annotated[str, Meta(description="ISO 4217.")]
    expires_at_ms: Annotated[int, Meta(description="Until when it holds, UTC milliseconds since 1970.")]
    propensity: Propensity = UNSET
    expected_value_cents: Annotated[
        float | msgspec.UnsetType,
        Meta(description="Incremental profit, expected, after its cost, in cents; absent: the built-in offer."),
    ] = UNSET
    reserved_cents: Annotated[
        int | msgspec.UnsetType,
        Meta(description="What is set aside of the campaign's budget, in cents; absent: the built-in offer."),
    ] = UNSET
    score: LapseScore
    reasons: Annotated[list[str], Meta(description="Why it was made, such as likely_to_lapse.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]
    campaigns: Campaigns = UNSET


class OfferWithheld(ShopperOutcome, frozen=True, kw_only=True):
    """An offer that a guard held back, and which one: for audit, and as the control group of the holdout. Said once
    per shopper, campaign and reason, and again when another reason or an offer came between."""

    model: MaybeModel
    campaign: Annotated[str, Meta(description="The campaign that it would belong to.")]
    arm: Annotated[
        str | msgspec.UnsetType | None,
        Meta(
            description="The arm that had been chosen, which a control group would have got; null: no contact; absent: "
            "the built-in offer."
        ),
    ] = UNSET
    reason: Annotated[
        str,
        Meta(
            description="The guard: of a campaign one of docs/campaigns.md, such as campaign_holdout; of the built-in "
            "offer no_consent, holdout, cooldown, frequency_cap or below_margin."
        ),
    ]
    discount_percent: Annotated[
        int | msgspec.UnsetType,
        Meta(description="What it would have taken off, in percent; absent where it would have given something else."),
    ] = UNSET
    propensity: Propensity = UNSET
    score: LapseScore
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]
    campaigns: Campaigns = UNSET

"""What was decided about a slate of advertisements: which one, what it is worth, and its receipt in the same record."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.outcomes import MaybeModel, ShopperOutcome


class AdWeighed(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What one advertisement of the slate was worth, and what stood against it."""

    ad_id: Annotated[str, Meta(description="The ad, as the request named it.")]
    cost_cents: Annotated[int, Meta(description="What a click on it costs, in integer cents of the currency.")]
    bid_cents: Annotated[
        int | None, Meta(description="The most that a click may cost, in integer cents; null: unknown.")
    ]
    expected_value_cents: Annotated[
        float | None, Meta(description="Per impression, after its cost, in cents; null: unknown.")
    ]
    refused: Annotated[str | None, Meta(description="Why it may not be shown, such as ad_cap; null: it may.")]
    propensity: Annotated[float, Meta(description="How likely it was to be chosen, given all that was known, 0 to 1.")]
    price: Annotated[
        float | None,
        Meta(
            description="What a cent of cost must bring beyond itself, as its campaign's budget says; null: not asked."
        ),
    ] = None


class AdDecided(ShopperOutcome, frozen=True, kw_only=True):
    """Which advertisement of a slate to show, or none. Says of the whole slate how it was weighed."""

    model: MaybeModel
    placement: Annotated[str | None, Meta(description="Where the ad is to stand, as the request said.")]
    ad_id: Annotated[str | None, Meta(description="The ad to show; null: nothing.")]
    campaign_id: Annotated[str | None, Meta(description="Its campaign, as the request said; null: none, or nothing.")]
    bid_cents: Annotated[
        int | None, Meta(description="The most that a click on it may cost, in integer cents; null: nothing.")
    ]
    expected_value_cents: Annotated[
        float, Meta(description="Per impression, after its cost, in cents; 0 for nothing, never less.")
    ]
    click: Annotated[float, Meta(description="How likely this shopper clicks on an ad that is shown, 0 to 1.")]
    conversion: Annotated[
        float | None, Meta(description="How likely the visit ends in a purchase, 0 to 1; null: not judged.")
    ]
    propensity: Annotated[float, Meta(description="How likely this choice was, given all that was known, 0 to 1.")]
    propensity_of_nothing: Annotated[float, Meta(description="How likely nothing was to be chosen, 0 to 1.")]
    reasons: Annotated[list[str], Meta(description="Why, such as worth_most, explored, no_consent or not_worth_it.")]
    slate: Annotated[list[AdWeighed], Meta(description="Every ad of the request, in its order.")]
    currency: Annotated[str, Meta(description="ISO 4217: of all money in it.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]
    reserved_cents: Annotated[
        int, Meta(description="Set aside for a click by the ad's campaign, in integer cents; 0: nothing.")
    ] = 0

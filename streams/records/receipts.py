"""Why a shopper got an offer of a campaign, or none: all that was known and all that was weighed, in one record.

A receipt is bounded: at most 8 arms, 32 values and 32 models. Offers, and offers that were withheld, always leave one;
of shoppers who were not in the audience only a share does, drawn by digest.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streams.records.outcomes import AnyOutcome, ModelUsed

MAX_VALUES = MAX_MODELS = 32


class ArmWeighed(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What one arm was expected to bring and cost."""

    arm: Annotated[str, Meta(description="The arm's id.")]
    key: Annotated[
        str,
        Meta(description="CAMPAIGN/ARM@WHAT.WHOM: what is offered, and to whom when; models know arms by it."),
    ]
    uplift: Annotated[float | None, Meta(description="How much likelier an order becomes, -1 to 1; null: unknown.")]
    discount_cents: Annotated[
        float | None, Meta(description="Off the shopper's usual order, in cents; null: nothing says what that is.")
    ]
    cost_cents: Annotated[float | None, Meta(description="What it costs, expected, in cents; null: unknown.")]
    profit_cents: Annotated[
        float | None,
        Meta(
            description="Incremental profit, expected, in cents, after its cost: what arms are compared by; null: "
            "unknown."
        ),
    ]
    worth_cents: Annotated[
        float | None,
        Meta(
            description="The profit less price times cost, in cents: more than 0 where that arm is offered, unless it "
            "was drawn to learn; null: unknown."
        ),
    ]
    refused: Annotated[str | None, Meta(description="Why it may not be offered; null: it may.")]


class Receipt(AnyOutcome, kw_only=True, frozen=True):
    """How one campaign decided at one due point of a shopper."""

    shopper_id: Annotated[str, Meta(description="Whom it concerns; the record's key as well.")]
    campaign: Annotated[str, Meta(description="The campaign that decided.")]
    campaigns: Annotated[str, Meta(description="Digest of all campaigns that held.")]
    decision: Annotated[str, Meta(description="What came of it: offered, or why not, such as no_consent.")]
    reason: Annotated[str, Meta(description="The same in words.")]
    arm: Annotated[
        str | None, Meta(description="The arm that was chosen, also where it was then withheld; null: no contact.")
    ]
    items: Annotated[
        list[str] | UnsetType,
        Meta(description="The items that the chosen arm names for the shopper; absent: none in particular."),
    ] = UNSET
    offer_id: Annotated[str | None, Meta(description="The offer's id; null: none was made.")]
    propensity: Annotated[
        float | None,
        Meta(
            description="How likely this choice among arms and no contact was, given all that was known, 0 to 1; null: "
            "nothing was chosen."
        ),
    ]
    explored: Annotated[bool, Meta(description="Whether it was drawn to learn, not because it was worth most.")]
    admissible: Annotated[int, Meta(description="How many arms might have been offered.")]
    price: Annotated[
        float,
        Meta(
            description="Dual price of the budget, as it was leased: what a cent of cost must bring beyond itself; 0 "
            "where no money was asked for."
        ),
    ]
    arms: Annotated[list[ArmWeighed], Meta(max_length=8, description="Every arm; none where nobody was addressed.")]
    passed: Annotated[list[str], Meta(max_length=32, description="Guards that had nothing against it.")]
    held_back: Annotated[list[str], Meta(max_length=32, description="Guards that held it back.")]
    values: Annotated[
        dict[str, float | None],
        Meta(
            max_length=MAX_VALUES,
            description="What was read of the shopper, by address; null: unknown. Of profile.stage and profile.segment "
            "the place of the name, from 1 on, in the order in which the schema of ShopperProfiled has them.",
        ),
    ]
    models: Annotated[list[ModelUsed], Meta(max_length=MAX_MODELS, description="Models whose answers were read.")]
    due_again_ms: Annotated[
        int | None,
        Meta(description="When the shopper is looked at again, UTC milliseconds since 1970; null: nothing waits."),
    ]
    sample_share: Annotated[
        float, Meta(description="Of how large a share of such decisions this is one, 0 to 1; 1: all leave a receipt.")
    ]
    currency: Annotated[str, Meta(description="ISO 4217: of all money in it.")]

    @property
    def key(self) -> str:
        """The shopper."""
        return self.shopper_id

"""Prices that are suggested of items, and what was decided about them. Nothing here changes a price: only what the
catalogue says (``catalog.items.v1``) does."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.records.events import Id, ItemId
from streams.records.outcomes import ItemOutcome, ModelUsed

#: Why a price is suggested, or none; their place is their code.
WHYS = (
    "more_profit", "test", "control", "at_best", "unsure", "category_failed_placebo", "category_untested",
    "price_unknown", "cost_unknown", "changed_lately", "not_for_sale", "guarded",
)  # fmt: skip
Why = Literal[
    "more_profit", "test", "control", "at_best", "unsure", "category_failed_placebo", "category_untested",
    "price_unknown", "cost_unknown", "changed_lately", "not_for_sale", "guarded",
]  # fmt: skip
#: What a suggestion may have come up against.
GUARDS = ("largest_change", "margin_floor", "minimum_price", "price_points")
Guard = Literal["largest_change", "margin_floor", "minimum_price", "price_points"]


class Between(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A number with its 95% interval."""

    middle: Annotated[float, Meta(description="What is expected.")]
    low: Annotated[float, Meta(description="2.5 in 100 lie below.")]
    high: Annotated[float, Meta(description="2.5 in 100 lie above.")]


class PriceSuggested(ItemOutcome, frozen=True, kw_only=True):
    """The price of an item that would bring most profit, within the guards; or why none is suggested. The newest one
    holds. Said at the end of a day: at most once a week, and of what stays the same every four weeks. A person decides
    (offerstream prices approve), and the catalogue changes the price."""

    model: Annotated[ModelUsed, Meta(description="Which model knows the elasticity.")]
    from_cents: Annotated[int | None, Meta(description="The price that holds, integer cents; null: not known, or 0.")]
    to_cents: Annotated[int | None, Meta(description="The price that is suggested; null: none is.")]
    why: Annotated[
        Why,
        Meta(
            description="more_profit: the interval of the change of profit lies above 0. test: an experiment's price, "
            "to learn; control: in the experiment, and stays. at_best: no other price within the guards brings more. "
            "unsure: the interval holds 0. category_failed_placebo: later prices explain earlier units there, so "
            "what looks like an elasticity is none; category_untested: too few items. cost_unknown, price_unknown: "
            "the catalogue said none, or a price of 0. changed_lately: the price has not held long enough. "
            "not_for_sale: delisted. guarded: no price point lies within the guards."
        ),
    ]
    elasticity: Annotated[Between, Meta(description="Percent of units per percent of price.")]
    profit_change_cents: Annotated[
        Between | None,
        Meta(description="What the price suggested brings more a week, integer cents; null: none is, or no cost."),
    ]
    units_28d: Annotated[int, Meta(description="Units sold in the last 28 days: the pace that it is reckoned with.")]
    cost_cents: Annotated[int | None, Meta(description="What a unit costs the shop; null: unknown.")]
    cost_assumed: Annotated[bool, Meta(description="Whether the cost is the shop's margin off the price.")]
    bounded_by: Annotated[list[Guard], Meta(description="Guards that ruled out a price that would bring more.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


class PriceDecided(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What somebody decided about a suggestion. Readers set the price in the catalogue, or do not."""

    item_id: Annotated[ItemId, Meta(description="The item; the record's key as well.")]
    outcome_id: Annotated[Id, Meta(description="The suggestion that it is about.")]
    decision: Annotated[Literal["approved", "rejected"], Meta(description="What was decided.")]
    from_cents: Annotated[int, Meta(description="The price that held, integer cents.")]
    to_cents: Annotated[int, Meta(description="The price that was suggested, integer cents.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    by: Annotated[str, Meta(max_length=200, description="Who decided, in their own words.")]
    reason: Annotated[str, Meta(max_length=2_000, description="Why, in their own words.")] = ""
    decided_at_ms: Annotated[int, Meta(description="When, UTC milliseconds since 1970.")]


class PriceTested(ItemOutcome, frozen=True, kw_only=True):
    """What an item of an experiment sold in the 14 days after it was first in it. Whether a price was to be tried or
    the item was to stay was drawn by its id; each item is measured once. offerstream prices effect adds them up."""

    began_ms: Annotated[int, Meta(description="When it entered: the end of a day, UTC milliseconds since 1970.")]
    arm: Annotated[
        Literal["up", "down"], Meta(description="Whether the price to try, or the one that would have been, is higher.")
    ]
    held: Annotated[bool, Meta(description="Whether it was to stay at its usual price.")]
    units: Annotated[int, Meta(description="Units ordered in the 14 days.")]
    revenue_cents: Annotated[int, Meta(description="What was paid for them, integer cents.")]
    margin_cents: Annotated[int, Meta(description="Less what they cost the shop, integer cents.")]
    before_units: Annotated[int, Meta(description="Units ordered in the 14 days before.")]
    before_revenue_cents: Annotated[int, Meta(description="What was paid for those, integer cents.")]
    price_before_cents: Annotated[int, Meta(description="The price as it entered, integer cents.")]
    price_cents: Annotated[
        int, Meta(description="The price at the end, integer cents: the same where nobody changed it.")
    ]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]

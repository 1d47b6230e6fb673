"""What an item will sell and at which price, and what to order because of it, for buyers and warehouses."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.records.outcomes import ItemOutcome, ModelUsed

Occasion = Literal["first", "weekly", "moved"]


class Units5(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What will be ordered within some days: on average, and what so many in a hundred such items stay below."""

    mean: Annotated[float, Meta(description="Units on average, one decimal: what sums of many items are made of.")]
    p05: Annotated[float, Meta(description="5 in 100 such items sell less.")]
    p25: Annotated[float, Meta(description="25 in 100 sell less.")]
    p50: Annotated[float, Meta(description="Half sell less, half more.")]
    p75: Annotated[float, Meta(description="75 in 100 sell less.")]
    p95: Annotated[float, Meta(description="95 in 100 sell less.")]


class SalesForecast(ItemOutcome, frozen=True, kw_only=True):
    """What an item will sell in the next 7 and 14 days, said at the end of a day. The newest one holds. Said once a
    week, and at once when what is foretold has left the middle half of what was said last."""

    model: Annotated[ModelUsed, Meta(description="Which model foretold it.")]
    said: Annotated[
        Occasion,
        Meta(
            description="Why now. first: nothing was said before; weekly: the last one is a week old; moved: what half "
            "of such items sell less than lies outside of the middle half that was said last."
        ),
    ]
    next_7_days: Annotated[Units5, Meta(description="Units ordered in the 7 days from event_time_ms on.")]
    next_14_days: Annotated[Units5, Meta(description="Units ordered in the 14 days from event_time_ms on.")]
    units_7d: Annotated[int, Meta(description="Units sold in the 7 days before, the day that begins included.")]
    units_30d: Annotated[int, Meta(description="Units sold in the 30 days before, likewise.")]
    weeks: Annotated[
        tuple[int, ...],
        Meta(
            description="Units sold in each of the 8 weeks, Monday to Sunday, that were over; oldest first. Empty: "
            "said by a worker that did not know them."
        ),
    ] = ()
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


class Cents5(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What a unit will cost on average in a week in which some are sold, integer cents; what so many in a hundred such
    items stay below or at."""

    p05: Annotated[int, Meta(description="5 in 100 such items cost less.")]
    p25: Annotated[int, Meta(description="25 in 100 cost less.")]
    p50: Annotated[int, Meta(description="Half cost less or as much, half as much or more.")]
    p75: Annotated[int, Meta(description="75 in 100 cost as much or less.")]
    p95: Annotated[int, Meta(description="95 in 100 cost as much or less.")]


class PriceForecast(ItemOutcome, frozen=True, kw_only=True):
    """What a unit of an item will be paid with on average in the next two weeks, discounts taken off, said at the end
    of a day. The newest one holds. Said once a week, and at once when the next week's price has left the middle half of
    what was said last."""

    model: Annotated[ModelUsed, Meta(description="Which model foretold it.")]
    said: Annotated[Occasion, Meta(description="Why now; see SalesForecast.")]
    next_week: Annotated[Cents5, Meta(description="Cents a unit in the 7 days from event_time_ms on.")]
    week_after: Annotated[Cents5, Meta(description="Cents a unit in the 7 days after those.")]
    paid_7d_cents: Annotated[
        int | None,
        Meta(description="Cents paid for a unit on average in the 7 full days before; null: none was sold in them."),
    ]
    paid_28d_cents: Annotated[int, Meta(description="The same of 28 full days; 0: none was sold in them.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


class RunsOut(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """On which day of the shop what is in stock now is sold, if nothing comes; null: not within 60 days."""

    soonest: Annotated[str | None, Meta(description="5 in 100 such items run out earlier; YYYY-MM-DD.")]
    likely: Annotated[str | None, Meta(description="Half run out earlier; YYYY-MM-DD.")]
    latest: Annotated[str | None, Meta(description="95 in 100 have run out by then; YYYY-MM-DD.")]


class InventoryPlanned(ItemOutcome, frozen=True, kw_only=True):
    """What to order of an item, by what will be sold and what there is, said at the end of a day. The newest one holds.
    Said once a week, and at once when an order becomes due."""

    model: Annotated[ModelUsed, Meta(description="Which model foretold what will be sold.")]
    on_hand: Annotated[
        int, Meta(description="Units in stock by now: the newest counts less what the last week's pace took since.")
    ]
    counted_days_ago: Annotated[int, Meta(description="Whole days since the newest count.")]
    on_order: Annotated[int, Meta(description="Units on their way, by the newest counts.")]
    lead_days: Annotated[int, Meta(description="Days until an order is in stock, by the catalogue, else by policy.")]
    service_level: Annotated[
        float,
        Meta(
            description="How likely stock is to meet demand until the next order arrives, 0 to 1: margin over margin "
            "and what a unit too many loses; a default where price or cost is unknown."
        ),
    ]
    reorder_point: Annotated[int, Meta(description="Units in stock and on their way at or below which to order.")]
    order_up_to: Annotated[int, Meta(description="Units that stock and what is on its way are to come to.")]
    order_quantity: Annotated[int, Meta(description="Units to order now; 0: none.")]
    order_cents: Annotated[
        int | None, Meta(description="What they cost the shop, integer cents; null: no catalogue said the cost.")
    ]
    cover_days: Annotated[int | None, Meta(description="Days that stock lasts in half of such cases; null: over 60.")]
    runs_out: Annotated[RunsOut, Meta(description="On which day it is sold out, if nothing comes.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


class StockAlerted(ItemOutcome, frozen=True, kw_only=True, tag_field="type", tag="stock_alerted"):
    """An item will likely be sold out before an order placed now is in stock: tell buyers. Not again within a week."""

    model: Annotated[ModelUsed, Meta(description="Which model foretold what will be sold.")]
    on_hand: Annotated[int, Meta(description="Units in stock by now, as in the plan.")]
    on_order: Annotated[int, Meta(description="Units on their way.")]
    lead_days: Annotated[int, Meta(description="Days until an order is in stock.")]
    short_units: Annotated[float, Meta(description="Units wanted and not there in these days, on average.")]
    at_stake_cents: Annotated[
        int, Meta(description="What these units would bring at the item's price, integer cents of the currency.")
    ]
    runs_out: Annotated[RunsOut, Meta(description="On which day it is sold out, if nothing comes.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]

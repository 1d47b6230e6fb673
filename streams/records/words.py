"""Records as sentences: what ``offerstream watch`` and ``why``, the demo and the worker's console say of them.

>>> money(1234567, "USD")
'12,345.67 USD'
>>> reasons_in_words(["likely_to_lapse", "uses_coupons"])
'likely to leave, uses coupons'
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET

from streams.records import described, embedded, enriched, pictured, reviewed
from streams.records.ads import AdDecided
from streams.records.demand import InventoryPlanned, PriceForecast, SalesForecast, StockAlerted
from streams.records.described import ItemDescribed
from streams.records.effects import EffectMeasured, OfferOutcome
from streams.records.embedded import ItemEmbedded
from streams.records.enriched import ItemEnriched
from streams.records.events import (
    AdRequested,
    ClockTicked,
    ConsentChanged,
    EventForwarded,
    OrderPlaced,
    Searched,
    ShopperEvent,
    ShopperIdentified,
    ShopperMerged,
)
from streams.records.items import (
    CatalogRecord,
    ItemRecord,
    ItemReviewed,
    StockCounted,
)
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import (
    AnyOutcome,
    ChurnAlerted,
    DeadLetter,
    ItemProfiled,
    ItemsRecommended,
    LateEvent,
    ProfileUpdated,
)
from streams.records.pictured import ItemPictured
from streams.records.prices import PriceDecided, PriceSuggested, PriceTested
from streams.records.profiled import SEGMENTS, ShopperProfiled
from streams.records.reviewed import RatingDropped, ReviewsTold
from streams.records.searches import SearchRanked
from streams.records.serving import CampaignsChosen, ModelsChosen, RulesChosen

DAY_MS = 86_400_000
#: Why an offer was made.
OFFER_REASONS = {
    "likely_to_lapse": "likely to leave",
    "buys_on_discount": "buys on discount",
    "uses_coupons": "uses coupons",
    "worth_most": "worth most of what the campaign may offer",
    "explored": "drawn, to learn",
}
#: Why one was held back.
GUARDS = {
    "no_consent": "no consent to marketing",
    "holdout": "in the holdout, the control group that never gets one",
    "cooldown": "had one a short while ago (cooldown)",
    "frequency_cap": "had as many as are allowed (frequency cap)",
    "below_margin": "it would leave too little of the margin",
}
#: Why an ad was chosen, or none.
AD_REASONS = {
    "worth_most": "worth most of the slate",
    "explored": "drawn, to learn",
    "explored_nothing": "none was drawn, to learn",
    "no_consent": "no consent to marketing",
    "not_judged": "no model can judge the visit",
    "worth_unknown": "nothing says what a purchase comes to",
    "not_worth_it": "a click costs more than it brings",
    "ad_cap": "saw it as often as is allowed",
    "shop_cap": "saw as many ads as are allowed",
    "not_of_campaign": "no arm of its campaign names the ad",
    "not_running": "its campaign was not approved, or not running at that time",
    "not_in_audience": "its campaign is for others",
    "audience_unknown": "not known whether its campaign is for the shopper",
    "blocked": "on the shop's list of those who get nothing",
    "merged_holdout": "in a control group under another id",
    "budget_spent": "its campaign had no money for it",
    "campaign_holdout": "in its campaign's control group",
    "global_holdout": "in the shop's control group",
}
CONSENT = {"allowed": "allowed", "forbidden": "forbidden", "never_said": "never said"}


def shown_time(ms: int) -> str:
    """UTC milliseconds since 1970 as a person reads them.

    >>> shown_time(1_700_000_000_123)
    '2023-11-14 22:13:20.123Z'
    """
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S") + (f".{ms % 1000:03}Z" if ms % 1000 else "Z")


def shown_day(ms: int) -> str:
    """The day of a time, UTC.

    >>> shown_day(1_700_000_000_123)
    '2023-11-14'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def money(cents: int, currency: str) -> str:
    """Integer cents in whole units, exactly."""
    sign, cents = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{cents // 100:,}.{cents % 100:02} {currency}"


def order_cents(order: OrderPlaced) -> int:
    """What an order costs the shopper, in integer cents of its currency."""
    return sum(line.quantity * line.unit_price_cents - line.discount_cents for line in order.lines)


def reasons_in_words(reasons: Iterable[str]) -> str:
    """Why an offer was made; reasons of a newer version as they are."""
    return ", ".join(OFFER_REASONS.get(reason, reason) for reason in reasons)


def guard_in_words(reason: str) -> str:
    """Why an offer was held back; one of a campaign as docs/campaigns.md names it."""
    return GUARDS.get(reason, reason.replace("_", " "))


#: What each record is called, where its content does not say so by itself.
TITLES: dict[type, str] = {
    ChurnAlerted: "churn alert",
    OfferMade: "offer",
    OfferWithheld: "no offer",
    ProfileUpdated: "profile",
    ShopperProfiled: "shopper",
    ItemsRecommended: "recommended",
    ItemProfiled: "item",
    ItemEnriched: "enriched",
    SalesForecast: "sales forecast",
    PriceForecast: "price forecast",
    PriceSuggested: "price suggested",
    PriceDecided: "price decided",
    PriceTested: "price tested",
    InventoryPlanned: "inventory",
    StockAlerted: "about to be sold out",
    RatingDropped: "rated worse",
    ItemPictured: "pictured",
    ItemEmbedded: "embedded",
    ItemDescribed: "described",
    ReviewsTold: "reviews",
    DeadLetter: "dead letter",
    LateEvent: "late",
    AdDecided: "ad",
    SearchRanked: "search",
    OfferOutcome: "what became of an offer",
    EffectMeasured: "effect",
}


def said(record: object, reasons: int = 3) -> str:
    """What a record says and why, in one line without time and whom it is about; of an alert so many ``reasons``."""
    title = TITLES.get(type(record))
    if isinstance(record, StockAlerted) and record.on_hand <= 0:
        title = "sold out"
    return f"{title}: {about(record, reasons)}" if title else _event(record)


def about(record: object, reasons: int = 3) -> str:
    """The same without what it is called."""
    if isinstance(record, ChurnAlerted):
        why = "; ".join(reason.text for reason in record.reasons[:reasons])
        return f"{record.level}, {record.score:.2f}" + (f", {why}" if why else "")
    if isinstance(record, OfferMade):
        return _offer(record)
    if isinstance(record, OfferWithheld):
        return _withheld(record)
    if isinstance(record, OfferOutcome):
        return _outcome(record)
    if isinstance(record, AdDecided):
        return _ad(record)
    if isinstance(record, SearchRanked):
        return _searched(record)
    if isinstance(record, EffectMeasured):
        arm, segment = (
            name if name != "*" else f"all {what}"
            for name, what in ((record.arm, "arms"), (record.segment, "segments"))
        )
        return f"{record.words} [{arm}, {segment or 'no segment'}]"
    if isinstance(record, ProfileUpdated):
        return _profile(record)
    if isinstance(record, ShopperProfiled):
        return _shopper_profile(record)
    if isinstance(record, ItemsRecommended):
        return _recommended(record)
    if isinstance(record, ItemProfiled):
        return _item_profile(record)
    if isinstance(record, ItemEnriched):
        return enriched.in_words(record)
    if isinstance(record, SalesForecast):
        return _forecast(record)
    if isinstance(record, PriceForecast):
        return _price(record)
    if isinstance(record, PriceSuggested):
        return _suggestion(record)
    if isinstance(record, PriceDecided):
        reason = f": {record.reason}" if record.reason else ""
        step = f"{money(record.from_cents, record.currency)} to {money(record.to_cents, record.currency)}"
        return f"{record.decision} by {record.by}, {step}{reason}"
    if isinstance(record, PriceTested):
        side = "left as it was" if record.held else f"to be tried {record.arm}"
        sold = f"{record.units:,} units in 14 days ({record.before_units:,} before)"
        return f"{side}, {sold}, {money(record.margin_cents, record.currency)} margin"
    if isinstance(record, InventoryPlanned):
        return _plan(record)
    if isinstance(record, StockAlerted):
        short = f"{record.short_units:,.0f} units short within {record.lead_days} days"
        return f"{short}, {money(record.at_stake_cents, record.currency)} at stake, {record.on_hand:,} in stock"
    if isinstance(record, RatingDropped):
        return f"{record.stars:.1f} stars fewer: {record.reason}"
    if isinstance(record, ItemPictured):
        return pictured.in_words(record)
    if isinstance(record, ItemEmbedded):
        return embedded.in_words(record)
    if isinstance(record, ItemDescribed):
        return described.in_words(record)
    if isinstance(record, ReviewsTold):
        return reviewed.in_words(record)
    if isinstance(record, DeadLetter):
        field = f" at {record.field}" if record.field else ""
        return f"{record.reason}{field}: {record.detail} [{place(record)}]"
    if isinstance(record, LateEvent):
        days = (record.watermark_ms - record.event_time_ms) / DAY_MS
        behind = f"{days:.1f} days" if days >= 2 else f"{24 * days:.1f} hours"
        return f"event {record.event_id} came {behind} behind the watermark [{place(record)}]"
    return _event(record)


def _offer(record: OfferMade) -> str:
    what = ", ".join(record.items or ()) or record.category or "anything"
    most = money(record.max_discount_cents, record.currency)
    if record.discount_percent is not UNSET:
        given = f"{record.discount_percent}% off {what}, at most {most}"
    elif record.amount_cents is not UNSET:
        kind = "free shipping for" if record.benefit == "free_shipping" else f"{most} off"
        given = f"{kind} {what}"
    else:
        given = f"a message about {what}"
    if record.coupon_code:
        given += f", code {record.coupon_code}"
    of = "" if record.arm is UNSET else f" [{record.campaign}, {record.arm}]"
    return f"{given}, until {shown_day(record.expires_at_ms)}: {reasons_in_words(record.reasons)}{of}"


def _withheld(record: OfferWithheld) -> str:
    percent = None if record.discount_percent is UNSET else f"{record.discount_percent}%"
    would = record.arm if record.arm is not UNSET else percent
    score = None if record.score is None else f"score {record.score:.2f}"
    more = ", ".join(each for each in (would and f"would be {would}", score) if each)
    of = "" if record.arm is UNSET else f" [{record.campaign}]"
    return guard_in_words(record.reason) + (f" ({more})" if more else "") + of


def _ad(record: AdDecided) -> str:
    why = ", ".join(AD_REASONS.get(reason, reason) for reason in record.reasons)
    if record.ad_id is None:
        return f"nothing of {len(record.slate)}: {why}"
    bid = money(record.bid_cents or 0, record.currency)
    return f"{record.ad_id} of {len(record.slate)}, a click is worth {bid}: {why}"


def _searched(record: SearchRanked) -> str:
    found = record.answer
    meant = "" if found.corrected is None else f", read as {found.corrected!r}"
    first = ", ".join(item.title or item.item_id for item in found.items[:3])
    return f"{found.query!r}{meant}: {first or 'nothing, ' + found.why.replace('_', ' ')}"


def _outcome(record: OfferOutcome) -> str:
    if record.held:
        did = "in the holdout, got nothing"
    elif record.redeemed_ms is not None:
        of = (
            f" in {record.order_id} for {money(record.order_revenue_cents, record.currency)}" if record.order_id else ""
        )
        back = {"no": "", "partly": ", came back partly", "all": ", came back"}[record.returned]
        did = f"used{of}{back}"
    else:
        seen = (("turned away", record.dismissed_ms), ("followed", record.clicked_ms), ("shown", record.shown_ms))
        did = next((f"{what}, not used" for what, at in seen if at is not None), "not used")
    m = record.measured
    told = ""
    if m is not None:
        orders = "1 order" if m.orders == 1 else f"{m.orders:,} orders"
        told = f"; {orders} for {money(m.revenue_cents, record.currency)} since it began"
    return f"{did}{told} [{', '.join(name for name in (record.campaign, record.arm) if name)}]"


def _profile(record: ProfileUpdated) -> str:
    likely = max(record.next_type, key=record.next_type.__getitem__, default=None)
    parts = [] if likely is None else [f"next likely {likely.replace('_', ' ')} ({record.next_type[likely]:.0%})"]
    named = [f"{one.category} ({one.probability:.0%})" for one in record.next_category if one.category is not None]
    parts += [f"of {', '.join(named[:3])}"] if named else []
    return ", ".join(parts) or "not known what comes next"


def _shopper_profile(record: ShopperProfiled) -> str:
    told, soon = f"{SEGMENTS[record.segment][0]} ({record.stage.replace('_', ' ')})", record.expected
    if soon is None:
        return told
    mean, low, high = (
        money(cents, record.currency) for cents in (soon.revenue_cents, soon.revenue_low_cents, soon.revenue_high_cents)
    )
    return f"{told}, 90 days bring {soon.orders:g} orders and {mean} ({low} to {high})"


#: Why an item is recommended.
BECAUSE = {
    "due_again": "bought before, due again",
    "bought_before": "bought before",
    "seen_lately": "seen lately",
    "goes_with": "goes with what they know",
    "popular": "popular",
    "new": "new in the shop",
}


def _recommended(record: ItemsRecommended, most: int = 3) -> str:
    if not record.items:
        return "nothing any more"
    why = [f"goes with {one.of}" if one.of else BECAUSE[one.because] for one in record.items[:most]]
    told = "; ".join(f"{one.item_id} ({reason})" for one, reason in zip(record.items, why, strict=False))
    more = len(record.items) - most
    return told + (f"; and {more} more" if more > 0 else "")


def _item_profile(record: ItemProfiled) -> str:
    parts = [f"sold {record.units_30d:,} in 30 days for {money(record.revenue_30d_cents, record.currency)}"]
    if record.units_30d:
        parts.append(f"pace {record.momentum:.0%}")
    if record.price_cents:
        parts.append(f"costs {money(record.price_cents, record.currency)}")
    if record.on_hand is not None:
        lasts = f" for {record.cover_days:.0f} days" if record.units_30d else ""
        parts.append(f"{record.on_hand:,} in stock{lasts}")
    if record.reviews:
        worse = ", suddenly rated worse" if record.rated_worse else ""
        parts.append(f"{record.rating:.1f} stars of {record.reviews:,} reviews{worse}")
    return ", ".join(parts if record.listed else ["not listed", *parts])


def _forecast(record: SalesForecast) -> str:
    week, two = record.next_7_days, record.next_14_days
    told = f"{two.mean:,.0f} in 14 days ({two.p05:,.0f} to {two.p95:,.0f}), {week.mean:,.0f} of them in 7"
    why = {"first": "", "weekly": "", "moved": ", which is news"}[record.said]
    return f"{told}{why}; sold {record.units_7d:,} in 7 days and {record.units_30d:,} in 30"


def _price(record: PriceForecast) -> str:
    week, after = (
        f"{money(told.p50, record.currency)} ({money(told.p05, record.currency)} to {money(told.p95, record.currency)})"
        for told in (record.next_week, record.week_after)
    )
    paid = "nothing sold" if record.paid_7d_cents is None else f"{money(record.paid_7d_cents, record.currency)} paid"
    why = ", which is news" if record.said == "moved" else ""
    return f"{week} a unit in the next week, {after} in the week after{why}; {paid} in the last"


#: Why no price is suggested, for people.
NO_PRICE = {
    "control": "in the experiment, and stays",
    "at_best": "no other price within the guards brings more",
    "unsure": "what another price would bring is not known well enough",
    "category_failed_placebo": "later prices explain earlier sales in its category",
    "category_untested": "too little is known of its category",
    "price_unknown": "the catalogue said no price, or 0",
    "cost_unknown": "the catalogue said no cost",
    "changed_lately": "its price was changed lately",
    "not_for_sale": "not for sale",
    "guarded": "no price point lies within the guards",
}


def _suggestion(record: PriceSuggested) -> str:
    told, currency = record.elasticity, record.currency
    elasticity = f"elasticity {told.middle:.1f} ({told.low:.1f} to {told.high:.1f})"
    if record.to_cents is None or record.from_cents is None:
        return f"none: {NO_PRICE.get(record.why, record.why)}; {elasticity}"
    step = f"{money(record.to_cents, currency)} instead of {money(record.from_cents, currency)}"
    gain = ""
    if (change := record.profit_change_cents) is not None:
        middle, low, high = (money(round(cents), currency) for cents in (change.middle, change.low, change.high))
        gain = f", {middle} more a week ({low} to {high})"
    why = ", to learn" if record.why == "test" else ""
    bounds = f"; bounded by {', '.join(record.bounded_by)}".replace("_", " ") if record.bounded_by else ""
    return f"{step}{why}{gain}; {elasticity}, {record.units_28d:,} sold in 28 days{bounds}"


def _plan(record: InventoryPlanned) -> str:
    order = f"order {record.order_quantity:,}" if record.order_quantity else "order nothing"
    on_its_way = f"{record.on_order:,} on their way, an order takes {counted(record.lead_days, 'day')}"
    return f"{order}; {_stock(record)}, {on_its_way}"


def _stock(record: InventoryPlanned) -> str:
    if record.on_hand <= 0:
        return "sold out"
    if record.cover_days is None:
        return f"{record.on_hand:,} in stock, lasts longer than 60 days"
    lasts = f"{record.on_hand:,} in stock, lasts about {counted(record.cover_days, 'day')}"
    soonest = record.runs_out.soonest
    return f"{lasts} (sold out on {soonest} at the soonest)" if soonest else lasts


def counted(number: int, what: str) -> str:
    """So many of something.

    >>> counted(1, "day"), counted(2, "day")
    ('1 day', '2 days')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def place(record: DeadLetter | LateEvent) -> str:
    """Where the original stands: topic/partition/offset."""
    return f"{record.source_topic}/{record.source_partition}/{record.source_offset}"


def _event(record: object) -> str:
    if isinstance(record, OrderPlaced):
        units = sum(line.quantity for line in record.lines)
        paid = money(order_cents(record), record.currency or "")
        return f"order placed: {record.order_id}, {units:,} units, {paid}".rstrip()
    if isinstance(record, ConsentChanged):
        return f"consent changed: marketing {'allowed' if record.marketing else 'forbidden'}"
    if isinstance(record, Searched):
        return f"searched: {record.query!r}"
    if isinstance(record, ShopperIdentified):
        return f"shopper identified: as {record.identified_as}"
    if isinstance(record, ShopperMerged):
        return f"shopper merged: all that was known of {record.via[0]}"
    if isinstance(record, EventForwarded):
        return f"event forwarded: of {record.via[0]}, {_event(record.event)}"
    if isinstance(record, AdRequested):
        return f"ad requested: {', '.join(ad.ad_id for ad in record.slate)}"
    if isinstance(record, ShopperEvent):
        # The item, order, offer or ad that it is about, and its category where it has one.
        about = [getattr(record, name, None) for name in ("item_id", "order_id", "offer_id", "ad_id", "category")]
        return f"{_type(record)}: {', '.join(str(value) for value in about if value is not None)}"
    if isinstance(record, ItemRecord):
        told = ", ".join(_of_item(record))
        return f"{_type(record)}: {told}" if told else _type(record)
    if isinstance(record, ModelsChosen):
        return "models chosen: " + ", ".join(f"{task} {s.live or 'as before'}" for task, s in record.stages.items())
    if isinstance(record, RulesChosen):
        return f"rules chosen: {record.digest}"
    if isinstance(record, CampaignsChosen):
        ids = ", ".join(str(each.get("id")) for each in record.campaigns.get("campaigns", ()))
        return f"campaigns chosen: {record.digest}, {ids or 'none'}"
    return _type(record)


def _of_item(record: ItemRecord) -> Iterable[str]:
    if isinstance(record, CatalogRecord):
        yield from (said for said in (record.title, record.brand, " / ".join(record.category_path or ())) if said)
        for what, cents in (("price", record.unit_price_cents), ("cost", record.unit_cost_cents)):
            if cents is not None:
                yield f"{what} {money(cents, record.currency or '')}".rstrip()
        if record.lead_time_days is not None:
            yield f"comes in {record.lead_time_days:,} days"
    if isinstance(record, StockCounted):
        yield f"{record.on_hand:,} on hand, {record.on_order:,} on order"
        if record.location:
            yield f"at {record.location}"
    if isinstance(record, ItemReviewed):
        yield f"{record.rating} of 5 stars"
        yield from (said for said in (record.title, record.text) if said)


def _type(record: object) -> str:
    tag = record.__struct_config__.tag if isinstance(record, msgspec.Struct) else None
    return type(record).__name__ if tag is None else str(tag).replace("_", " ")


def whom(record: object) -> str:
    """The shopper, or the item, that a record is about; empty where it is about none."""
    if isinstance(record, DeadLetter):
        return (record.original_key or b"").decode(errors="replace")
    if isinstance(record, (AnyOutcome, LateEvent)):
        return record.key
    return record.item_id if isinstance(record, ItemRecord) else str(getattr(record, "shopper_id", ""))


def when_ms(record: object) -> int | None:
    """The time that a record stands on, UTC milliseconds since 1970: of a dead letter when Kafka took the original."""
    if isinstance(record, DeadLetter):
        return record.record_time_ms
    if isinstance(record, (AnyOutcome, LateEvent)):
        return record.event_time_ms
    if isinstance(record, ShopperMerged):
        return record.event_time
    if isinstance(record, EventForwarded):
        record = record.event
    if isinstance(record, (ShopperEvent, ItemRecord, ClockTicked)):
        at = record.event_time
        return at if isinstance(at, int) else int(at.timestamp() * 1000)
    return None


def line(record: object, *, otherwise_ms: int = 0, reasons: int = 3) -> str:
    """A record in one line: when, whom, what and why. ``otherwise_ms``: the time to show of one that says none."""
    at = when_ms(record)
    return printable(
        f"{shown_time(otherwise_ms if at is None else at):<20}  {whom(record) or '-':<16}  {said(record, reasons)}"
    )


def printable(text: str) -> str:
    """A text that may come from anybody without what would move a terminal's cursor, on one line.

    >>> printable("a\\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)

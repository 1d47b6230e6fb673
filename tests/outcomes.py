"""One of each outcome, as tests say them."""

from __future__ import annotations

from typing import Any

from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import (
    ChurnAlerted,
    DeadLetter,
    Due,
    ItemProfiled,
    LateEvent,
    LikelyCategory,
    ModelUsed,
    ProfileUpdated,
    Reason,
    UsualBasket,
)
from streams.records.profiled import Expected, ShopperProfiled
from tests.shoppers import DAY, NOON

_MODEL = ModelUsed(task="churn", version="abc123", digest="0" * 16)
_DUE = Due(kind="silence", ref=str(NOON))


def alert(shopper: str = "s1", outcome_id: str = "a1", level: str = "high", at: int = NOON) -> ChurnAlerted:
    """An alert."""
    said = "Days since the last order: 24 days (typical: 7 days)"
    return ChurnAlerted(
        outcome_id=outcome_id,
        shopper_id=shopper,
        event_time_ms=at,
        due=_DUE,
        model=_MODEL,
        score=0.61,
        level=level,  # type: ignore[arg-type]
        promised=0.5,
        reasons=[
            Reason(feature="orders.days_since_last", value=24.0, typical=7.0, contribution=0.2, text=said),
            Reason(feature="orders.count", value=2.0, typical=9.0, contribution=0.1, text="Orders ever: 2"),
        ],
        consent="allowed",
        favourite_category="tea",
        usual_basket=UsualBasket(value_cents=1999, units=2.0, days_between=7.0),
        value_at_stake_cents=12345,
        currency="USD",
        rules="r",
    )


def offer(shopper: str = "s1", outcome_id: str = "o1", at: int = NOON) -> OfferMade:
    """An offer."""
    return OfferMade(
        outcome_id=outcome_id,
        shopper_id=shopper,
        event_time_ms=at,
        due=_DUE,
        model=_MODEL,
        campaign="win-back",
        applies_to="category",
        category="tea",
        discount_percent=10,
        max_discount_cents=123456,
        currency="USD",
        expires_at_ms=at + 7 * DAY,
        score=0.61,
        reasons=["likely_to_lapse", "uses_coupons"],
        rules="r",
    )


def withheld(shopper: str = "s1", outcome_id: str = "w1", reason: str = "no_consent", at: int = NOON) -> OfferWithheld:
    """An offer held back."""
    return OfferWithheld(
        outcome_id=outcome_id,
        shopper_id=shopper,
        event_time_ms=at,
        due=_DUE,
        model=_MODEL,
        campaign="win-back",
        reason=reason,
        discount_percent=10,
        score=0.61,
        rules="r",
    )


def profile(shopper: str = "s1", at: int = NOON) -> ProfileUpdated:
    """A profile."""
    return ProfileUpdated(
        outcome_id="p1",
        shopper_id=shopper,
        event_time_ms=at,
        due=_DUE,
        model=_MODEL,
        embedding=[0.5, -0.5],
        next_type={"item_viewed": 0.3, "order_placed": 0.7},
        next_category=[
            LikelyCategory(category=None, probability=0.5),
            LikelyCategory(category="tea", probability=0.25),
        ],
        purchase_session=0.4,
        purchase_7d=0.8,
    )


def portrayed(shopper: str = "s1", at: int = NOON, **said: Any) -> ShopperProfiled:
    """A shopper's profile: a weekly buyer of tea who brings little, but for what is said."""
    facts: dict[str, Any] = {
        "stage": "active", "segment": "loyal_regulars", "segment_text": "order in their rhythm", "orders": 12,
        "days_since_last_order": 3, "days_since_first_order": 80, "net_spend_cents": 12_000,
        "average_order_cents": 1000, "orders_30d": 4, "rhythm_days": 7.0, "next_order_in_days": 4,
        "give_or_take_days": 2, "discount_share": 0.1, "coupon_share": 0.0, "price_sensitivity": "low",
        "favourite_category": "TEA", "favourite_share": 0.8, "daypart": "morning", "weekday": "friday",
        "currency": "USD", "rules": "r",
    }  # fmt: skip
    expected = Expected(
        orders=11.5, revenue_cents=11_000, revenue_low_cents=6000, revenue_middle_cents=10_500,
        revenue_high_cents=17_000, active=0.99,
    )  # fmt: skip
    return ShopperProfiled(
        outcome_id=f"sp-{shopper}-{at}",
        shopper_id=shopper,
        event_time_ms=at,
        due=_DUE,
        model=_MODEL,
        **{"expected": expected} | facts | said,
    )


def letter(letter_id: str = "d1", key: bytes = b"s1", detail: str = "Expected `int`, got `float`") -> DeadLetter:
    """A dead letter."""
    return DeadLetter(
        dead_letter_id=letter_id,
        reason="invalid",
        detail=detail,
        field="unit_price_cents",
        source_topic="storefront.events.v1",
        source_partition=2,
        source_offset=17,
        record_time_ms=NOON,
        original_key=key,
        original=b"{}",
    )


def late(shopper: str = "s1") -> LateEvent:
    """A late event."""
    return LateEvent(
        late_id="l1",
        key=shopper,
        event_id="e1",
        event_time_ms=NOON,
        watermark_ms=NOON + 3 * DAY,
        source_topic="storefront.events.v1",
        source_partition=2,
        source_offset=18,
        original=b"{}",
    )


def item(name: str = "i1", at: int = NOON, **said: Any) -> ItemProfiled:
    """An item's profile: steady sales and no stock, but for what is said."""
    numbers: dict[str, Any] = {
        "listed": True, "category": "TEA", "units_24h": 2, "units_7d": 14, "units_30d": 60, "revenue_30d_cents": 6000,
        "momentum": 1.0, "category_share": 0.1, "views_30d": 0, "conversion_30d": 0.0, "price_cents": 100,
        "usual_price_cents": 100, "lowest_price_30d_cents": 100, "discount_depth": 0.0, "on_hand": None,
        "on_order": None, "cover_days": None, "reviews": 0, "rating": 0.0, "rating_recent": 0.0, "currency": "USD",
        "rules": "r",
    }  # fmt: skip
    due = Due(kind="day", ref=str(at))
    return ItemProfiled(outcome_id=f"p-{name}-{at}", item_id=name, event_time_ms=at, due=due, **numbers | said)

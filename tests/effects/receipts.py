"""Receipts and outcomes of offers for tests."""

from __future__ import annotations

from typing import Any

from streams.records.effects import Measured, OfferOutcome
from streams.records.outcomes import Due, outcome_id
from streams.records.receipts import ArmWeighed, Receipt


def weighed(arm: str, worth: float | None = 1.0, refused: str | None = None, **said: Any) -> ArmWeighed:
    """An arm of a receipt."""
    plain: dict[str, Any] = {
        "key": f"c/{arm}@what.whom",
        "uplift": 0.1,
        "discount_cents": 0.0,
        "cost_cents": 0.0,
        "profit_cents": worth,
        "worth_cents": worth,
    }
    return ArmWeighed(arm=arm, refused=refused, **plain | said)


def receipt(shopper: str, at: int, decision: str, arm: str | None, **said: Any) -> Receipt:
    """A receipt of the campaign c, of two arms that might both be offered."""
    plain: dict[str, Any] = {
        "offer_id": None,
        "propensity": 0.1,
        "explored": False,
        "admissible": 2,
        "price": 0.0,
        "arms": [weighed("a", 5.0), weighed("b", 2.0)],
        "values": {},
        "models": [],
    }
    return Receipt(
        outcome_id=outcome_id("receipt", shopper, str(at), "c"),
        shopper_id=shopper,
        event_time_ms=at,
        due=Due(kind="event", ref=f"e{at}"),
        campaign="c",
        campaigns="digest",
        decision=decision,
        reason="",
        arm=arm,
        passed=[],
        held_back=[],
        due_again_ms=None,
        sample_share=1.0,
        currency="USD",
        **plain | said,
    )


def outcome(
    offer: str,
    shopper: str,
    at: int,
    arm: str,
    *,
    held: bool = False,
    measured: bool = True,
    margin: int = 0,
    cost: int = 0,
) -> OfferOutcome:
    """What became of an offer of the campaign c."""
    found = Measured(
        offers=0 if held else 1,
        shown=0,
        clicked=0,
        redeemed=0,
        orders=int(margin > 0),
        units=int(margin > 0),
        revenue_cents=margin,
        margin_cents=margin,
        cost_cents=cost,
        before_orders=0,
        before_revenue_cents=0,
    )
    return OfferOutcome(
        outcome_id=outcome_id("offer_outcome", shopper, offer, "c"),
        shopper_id=shopper,
        event_time_ms=at + 1_000,
        due=Due(kind="event", ref=offer),
        offer_id=offer,
        campaign="c",
        arm=arm,
        segment="",
        held=held,
        opened_ms=at,
        shown_ms=None,
        clicked_ms=None,
        redeemed_ms=None,
        dismissed_ms=None,
        order_id=None,
        order_units=0,
        order_revenue_cents=0,
        discount_cents=0,
        returned="no",
        currency="USD",
        measured=found if measured else None,
    )

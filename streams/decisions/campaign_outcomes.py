"""What a campaign decided, as the records that marketing systems read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from msgspec import UNSET

from streams.campaigns.coupons import generated
from streams.campaigns.deciding import Decided
from streams.campaigns.reasons import Why
from streams.decisions import churn_alert
from streams.decisions.decider import Group, Names
from streams.decisions.favourite import favourite
from streams.records.campaign_parts import Amount, AnyOffer, Bundle, ContentOnly, FreeShipping, Percent
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import ModelUsed, outcome_id
from streams.records.tags import tag_of


@dataclass(frozen=True, slots=True)
class Naming:
    """What all outcomes of a partition's campaigns name."""

    currency: str
    rules: str
    names: Names
    campaigns: str
    """Digest of all campaigns that hold."""


def made(
    naming: Naming,
    group: Group,
    i: int,
    found: Decided,
    n: int,
    offer_id: str,
    code: str | None,
    items: Sequence[str] = (),
) -> OfferMade:
    """The offer of the i-th of a group, the n-th whom the campaign addresses; ``code``: of its coupon; ``items``: what
    it names."""
    plan, chosen = found.plan, int(found.drawn.arm[n])
    arm = plan.campaign.offers[chosen]
    now, (model, score) = int(group.now_ms[i]), _lapse(group, i)
    return OfferMade(
        outcome_id=offer_id,
        shopper_id=group.key[i],
        event_time_ms=now,
        due=group.due[i],
        model=model,
        campaign=plan.id,
        arm=arm.id,
        benefit=tag_of(type(arm)),  # type: ignore[arg-type]
        **_target(naming, group, i, arm, items),
        **_discount(arm),
        max_discount_cents=int(plan.arms.most[chosen]),
        coupon_code=code or UNSET,
        currency=naming.currency,
        expires_at_ms=now + int(plan.arms.valid_ms[chosen]),
        propensity=round(float(found.drawn.propensity[n]), 6),
        expected_value_cents=round(float(found.values.profit[chosen, n]), 2),
        reserved_cents=int(plan.arms.reserve[chosen]),
        score=score,
        reasons=["explored" if found.drawn.explored[n] else "worth_most"],
        rules=naming.rules,
        campaigns=naming.campaigns,
    )


def coupon(found: Decided, n: int, offer_id: str) -> str | None:
    """The code of the coupon that the n-th gets whom a campaign addresses; None: the campaign gives none."""
    campaign = found.plan.campaign
    if campaign.coupons.source == "generated":
        return generated(campaign.coupons, campaign.id, offer_id)
    return found.codes.get(n)


def withheld(naming: Naming, group: Group, i: int, found: Decided, n: int) -> OfferWithheld:
    """Why the i-th of a group, the n-th whom the campaign addresses, got none."""
    plan, chosen, why = found.plan, int(found.drawn.arm[n]), Why(int(found.why[found.at[n]]))
    arm = plan.campaign.offers[chosen] if chosen >= 0 else None
    model, score = _lapse(group, i)
    return OfferWithheld(
        outcome_id=outcome_id("offer_withheld", group.key[i], group.ref(i), plan.id),
        shopper_id=group.key[i],
        event_time_ms=int(group.now_ms[i]),
        due=group.due[i],
        model=model,
        campaign=plan.id,
        arm=None if arm is None else arm.id,
        reason=why.word,
        discount_percent=arm.percent if isinstance(arm, Percent) else UNSET,
        propensity=round(float(found.drawn.propensity[n]), 6) if found.drawn.admissible[n] else UNSET,
        score=score,
        rules=naming.rules,
        campaigns=naming.campaigns,
    )


def _lapse(group: Group, i: int) -> tuple[ModelUsed | None, float | None]:
    if churn_alert.TASK not in group.seen.scores:
        return None, None
    score = float(group.answer(churn_alert.TASK, churn_alert.OUTPUT)[i])
    return (group.model(churn_alert.TASK, i), score) if isfinite(score) else (None, None)


def _target(naming: Naming, group: Group, i: int, arm: AnyOffer, items: Sequence[str]) -> dict[str, Any]:
    if arm.applies_to == "favourite":
        category = favourite(naming.names, group, i)
        return {"applies_to": "anything" if category is None else "category", "category": category}
    if arm.applies_to == "category":
        return {"applies_to": "category", "category": arm.names[0]}
    if items:
        return {"applies_to": "items", "category": None, "items": list(items)}
    return {"applies_to": "anything", "category": None}


def _discount(arm: AnyOffer) -> dict[str, Any]:
    match arm:
        case Percent():
            return {"discount_percent": arm.percent}
        case Amount():
            least = {"min_order_cents": arm.min_order_cents} if arm.min_order_cents else {}
            return {"amount_cents": arm.amount_cents, **least}
        case FreeShipping():
            return {"amount_cents": arm.shipping_cents}
        case Bundle():
            return {"amount_cents": arm.discount_cents}
        case ContentOnly():
            return {}

"""Campaigns made ready to decide: expressions read, everything in numbers, in the order of their priority."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from streams.campaigns.draws import digest, shopper_hashes
from streams.campaigns.expression import Columns, Expression
from streams.campaigns.table import HOLDOUT, Table, code_of
from streams.campaigns.terms import Arms, Window
from streams.campaigns.vocabulary import Vocabulary
from streams.columns.arrays import Hashes
from streams.features.days import Days
from streams.records.campaign_parts import Ad, AnyOffer
from streams.records.campaigns import Campaign, CampaignSet, Shop

CONSENT = "offers.consent"
#: The task whose models say of arms, which they know by their keys, how much likelier each makes an order.
UPLIFT_TASK = "promotion"


def arm_key(campaign: Campaign, arm: AnyOffer, shop: Shop) -> str:
    """What an arm is to models: its name, a digest of what is offered, and one of whom it is offered when. What a shop
    assumes of it, and what it may cost in all, is none of that.

    >>> import msgspec
    >>> terms = {"kind": "content", "id": "hello", "assumed_uplift": 0.01}
    >>> day = {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z", "trigger": {"kind": "due_point"}}
    >>> rest = day | {"id": "c", "audience": "true", "budget": {"USD": {"total_cents": 1}}, "arms": [terms]}
    >>> campaign = msgspec.convert(rest, Campaign)
    >>> arm_key(campaign, campaign.offers[0], Shop())
    'c/hello@c0e23c.49d97f'
    """
    segments = {name: text for name, text in shop.segments.items() if f"segment.{name}" in campaign.audience}
    offered = msgspec.structs.replace(arm, assumed_uplift=0.0, assumed_redemption=0.0)
    audience = " ".join(campaign.audience.split())
    parts = (offered, [audience, campaign.trigger, segments])
    what, whom = (
        hashlib.blake2b(msgspec.json.encode(part, order="deterministic"), digest_size=3).hexdigest() for part in parts
    )
    return f"{campaign.id}/{arm.id}@{what}.{whom}"


@dataclass(frozen=True, slots=True)
class AnyPlan:
    """One campaign, ready to decide: of offers or of ads."""

    campaign: Campaign
    code: int
    """64 bits that stand for it in rows; never 0."""
    audience: Expression
    segments: tuple[tuple[str, Expression], ...]
    """Those whose effect is measured by itself, in their order."""

    def segment(self, columns: Columns) -> str:
        """The first of its segments that a shopper is in; empty: none. ``columns``: address → [1] or [1, width]."""
        for name, condition in self.segments:
            if condition.judge(columns, 1)[0][0]:
                return name
        return ""

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.campaign.id


@dataclass(frozen=True, slots=True)
class Plan(AnyPlan):
    """One campaign of offers."""

    arms: Arms
    keys: tuple[str, ...]
    """[A] what each arm is to models: ``CAMPAIGN/ARM@WHAT.WHOM``. Another offer, or other people, are another arm."""


@dataclass(frozen=True, slots=True)
class AdPlan(AnyPlan):
    """One campaign of advertisements."""

    start_ms: int
    end_ms: int
    holdout_salt: Hashes
    """[1] of the draw of its holdout."""

    def arm(self, ad_id: str) -> Ad | None:
        """The arm that an ad belongs to: the one that names it, else the one that names none; None: it is not of this
        campaign."""
        arms = self.campaign.ads
        others = next((arm for arm in arms if not arm.names), None)
        return next((arm for arm in arms if ad_id in arm.names), others)


@dataclass(frozen=True, slots=True)
class Plans:
    """All campaigns of a shop, ready to decide, in the order in which they decide: by priority, then by id."""

    shop: Shop
    plans: tuple[Plan, ...]
    """Those of offers."""
    ads: Mapping[str, AdPlan]
    """Those of ads, by id."""
    table: Table
    digest: str
    addresses: tuple[str, ...]
    """What they read: features, outputs of tasks, baskets, consent."""
    caps: tuple[Window, ...]
    longest_ms: int
    """The longest time for which any of them asks what was offered before."""
    days: Days
    holdout_salt: Hashes
    """[1] of the draw of the shop's holdout."""
    blocked: Hashes

    @staticmethod
    def of(chosen: CampaignSet, words: Vocabulary) -> Plans:
        """Make a set ready. Raises ``ExpressionError`` where an expression is wrong; ``reading.py`` tells it with its
        line, and tells the rest that can be wrong."""
        segments = {name: Expression.of(text, words) for name, text in chosen.shop.segments.items()}
        ordered = sorted(
            (each for each in chosen.campaigns if not each.of_ads), key=lambda each: (-each.priority, each.id)
        )

        def common(each: Campaign) -> tuple[Campaign, int, Expression, tuple[tuple[str, Expression], ...]]:
            audience = Expression.of(each.audience, words, segments)
            return each, code_of(each.id), audience, tuple((name, segments[name]) for name in each.effect.segments)

        plans = tuple(
            Plan(
                *common(each),
                Arms.of(each.offers, each.economics.contact_cents),
                tuple(arm_key(each, arm, chosen.shop) for arm in each.offers),
            )
            for each in ordered
        )
        ads = {
            each.id: AdPlan(
                *common(each),
                start_ms=round(each.start.timestamp() * 1000),
                end_ms=round(each.end.timestamp() * 1000),
                holdout_salt=np.array([digest(HOLDOUT, each.id, each.salt)], np.uint64),
            )
            for each in chosen.campaigns
            if each.of_ads
        }
        caps = Window.of(chosen.shop.caps)
        lengths = [w.length_ms for w in (*caps, *(w for each in ordered for w in Window.of(each.caps)))]
        valid = [int(plan.arms.valid_ms.max()) for plan in plans]
        read = [a for p in plans for a in (*p.audience.addresses, p.campaign.economics.basket)]
        read += [a for p in ads.values() for a in p.audience.addresses]
        read += [a for p in (*plans, *ads.values()) for _, condition in p.segments for a in condition.addresses]
        return Plans(
            shop=chosen.shop,
            plans=plans,
            ads=ads,
            table=Table.of(ordered, [plan.arms for plan in plans]),
            digest=chosen.digest,
            addresses=tuple(dict.fromkeys([CONSENT, *read])),
            caps=caps,
            longest_ms=max([*lengths, *valid]),
            days=Days(chosen.shop.time_zone),
            holdout_salt=np.array([digest("holdout", chosen.shop.holdout_salt)], np.uint64),
            blocked=np.sort(shopper_hashes(chosen.shop.blocked_shoppers)),
        )

"""Campaigns made ready to decide: expressions read, salts digested, arms as arrays, in the order of their priority."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.campaigns.draws import digest, shopper_hashes
from streams.campaigns.expression import Expression
from streams.campaigns.vocabulary import Vocabulary
from streams.columns.arrays import TYPE_CODE, Bools, Floats, Hashes, Ints
from streams.features.days import DAY_MS, Days
from streams.records.campaign_parts import (
    Amount,
    AnyArm,
    AnyTrigger,
    BackInStock,
    BrowseAbandoned,
    Bundle,
    Cap,
    CartAbandoned,
    DuePoint,
    Event,
    FreeShipping,
    Overdue,
    Percent,
    PriceDrop,
    QuietHours,
    Silence,
)
from streams.records.campaigns import Campaign, CampaignSet, Shop
from streams.records.events import SHOPPER_EVENTS
from streams.records.tags import tag_of

#: What may have made a shopper due, as campaigns tell it apart; its place is its code.
KINDS = (
    "event",
    "silence",
    "day",
    "cart_abandoned",
    "browse_abandoned",
    "back_in_stock",
    "price_drop",
    "overdue",
    "deferred",
)
EVENT, SILENCE, DAY, CART, BROWSE, STOCK, PRICE, OVERDUE, DEFERRED = range(len(KINDS))
#: The code of each shopper event by its name on the wire.
EVENT_CODES = {tag_of(cls): TYPE_CODE[cls] for cls in SHOPPER_EVENTS}
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Arms:
    """A arms as arrays."""

    rate: Floats
    """[A, 1] share off the price."""
    fixed: Floats
    """[A, 1] cents off the price, besides."""
    most: Floats
    """[A, 1] cents off at most."""
    least_order: Floats
    """[A, 1] smallest order that it holds for, cents."""
    uplift: Floats
    """[A, 1] assumed."""
    redemption: Floats
    """[A, 1] assumed."""
    reserve: Ints
    """[A] cents that an open offer may cost at most."""
    valid_ms: Ints
    """[A] how long it holds."""
    of_items: Bools
    """[A] whether it names items, so that their stock and reviews count."""

    def __len__(self) -> int:
        return len(self.reserve)

    @staticmethod
    def of(arms: Iterable[AnyArm], contact_cents: int) -> Arms:
        """The arms of a campaign."""
        rows = [(*_discount(arm), arm.assumed_uplift, arm.assumed_redemption) for arm in arms]
        rate, fixed, most, least, uplift, redemption = np.array(rows, np.float64).T[:, :, None]
        return Arms(
            rate=rate,
            fixed=fixed,
            most=most,
            least_order=least,
            uplift=uplift,
            redemption=redemption,
            reserve=most[:, 0].astype(np.int64) + contact_cents,
            valid_ms=np.array([_ms(arm.valid_days) for arm in arms], np.int64),
            of_items=np.array(
                [isinstance(a, Bundle) or a.applies_to in ("items", "recommended", "trigger_item") for a in arms]
            ),
        )


def _discount(arm: AnyArm) -> tuple[float, float, float, float]:
    """Share off, cents off, cents off at most, smallest order."""
    if isinstance(arm, Percent):
        return arm.percent / 100, 0, arm.max_discount_cents, 0
    if isinstance(arm, Amount):
        return 0, arm.amount_cents, arm.amount_cents, arm.min_order_cents
    if isinstance(arm, (FreeShipping, Bundle)):
        cents = arm.shipping_cents if isinstance(arm, FreeShipping) else arm.discount_cents
        return 0, cents, cents, 0
    return 0, 0, 0, 0


def _ms(days: float) -> int:
    return round(days * DAY_MS)


@dataclass(frozen=True, slots=True)
class Window:
    """A cap: at most so many ``offers`` in so many milliseconds."""

    offers: int
    length_ms: int

    @staticmethod
    def of(caps: Iterable[Cap]) -> tuple[Window, ...]:
        """The windows of caps."""
        return tuple(Window(cap.offers, _ms(cap.days)) for cap in caps)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours without contact, in minutes of the day, under a zone's clock."""

    start: int
    end: int
    shoppers_clock: bool

    @staticmethod
    def of(hours: QuietHours | None) -> Quiet | None:
        """The hours, or None where there are none."""
        if hours is None:
            return None
        start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (hours.start, hours.end))
        return Quiet(start, end, hours.clock == "shopper")


@dataclass(frozen=True, slots=True)
class Plan:
    """One campaign, ready to decide."""

    campaign: Campaign
    code: int
    """64 bits that stand for it in rows; never 0."""
    audience: Expression
    kinds: Bools
    """By code of ``KINDS``: whether such a due point triggers it."""
    types: Bools | None
    """By code of an event's type: whether it triggers it; None: any."""
    least: float
    """How much there must be at least of what the due point measures (minutes, percent, gaps); 0 where nothing is."""
    arms: Arms
    caps: tuple[Window, ...]
    cooldown_ms: tuple[int, int, int]
    """After a purchase, a return, a complaint."""
    quiet: Quiet | None
    start_ms: int
    end_ms: int
    excluded: Hashes
    """Codes of campaigns whose live offer excludes one of this."""
    salts: Hashes
    """[3, 1] of the draws whether to explore, which arm, and of the campaign's holdout."""

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.campaign.id


@dataclass(frozen=True, slots=True)
class Plans:
    """All campaigns of a shop, ready to decide, in the order in which they decide: by priority, then by id."""

    shop: Shop
    plans: tuple[Plan, ...]
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
        ordered = sorted(chosen.campaigns, key=lambda each: (-each.priority, each.id))
        plans = tuple(_plan(each, words, segments) for each in ordered)
        caps = Window.of(chosen.shop.caps)
        lengths = [w.length_ms for w in (*caps, *(w for plan in plans for w in plan.caps))]
        valid = [int(plan.arms.valid_ms.max()) for plan in plans]
        read = [a for p in plans for a in (*p.audience.addresses, p.campaign.economics.basket)]
        return Plans(
            shop=chosen.shop,
            plans=plans,
            digest=chosen.digest,
            addresses=tuple(dict.fromkeys([CONSENT, *read])),
            caps=caps,
            longest_ms=max([*lengths, *valid]),
            days=Days(chosen.shop.time_zone),
            holdout_salt=np.array([digest("holdout", chosen.shop.holdout_salt)], np.uint64),
            blocked=np.sort(shopper_hashes(chosen.shop.blocked_shoppers)),
        )


CONSENT = "offers.consent"


def code_of(campaign: str) -> int:
    """64 bits that stand for a campaign in rows; 0 is an empty slot's."""
    return digest("campaign", campaign) or 1


def _plan(campaign: Campaign, words: Vocabulary, segments: Mapping[str, Expression]) -> Plan:
    kinds, types, least = _triggered_by(campaign.trigger)
    rest = campaign.cooldown
    return Plan(
        campaign=campaign,
        code=code_of(campaign.id),
        audience=Expression.of(campaign.audience, words, segments),
        kinds=kinds,
        types=types,
        least=least,
        arms=Arms.of(campaign.arms, campaign.economics.contact_cents),
        caps=Window.of(campaign.caps),
        cooldown_ms=(_ms(rest.after_purchase_days), _ms(rest.after_return_days), _ms(rest.after_complaint_days)),
        quiet=Quiet.of(campaign.quiet_hours),
        start_ms=round(campaign.start.timestamp() * 1000),
        end_ms=round(campaign.end.timestamp() * 1000),
        excluded=np.array([code_of(other) for other in campaign.exclusions], np.uint64),
        salts=np.array(
            [[digest(draw, campaign.id, campaign.salt)] for draw in ("explore", "arm", "campaign holdout")], np.uint64
        ),
    )


def _triggered_by(trigger: AnyTrigger) -> tuple[Bools, npt.NDArray[np.bool_] | None, float]:
    kinds, types, least = np.zeros(len(KINDS), np.bool_), None, 0.0
    by_type: dict[type, int] = {
        Event: EVENT,
        Silence: SILENCE,
        CartAbandoned: CART,
        BrowseAbandoned: BROWSE,
        BackInStock: STOCK,
        PriceDrop: PRICE,
        Overdue: OVERDUE,
    }
    if isinstance(trigger, DuePoint):
        kinds[[EVENT, SILENCE, DAY]] = True
    else:
        kinds[by_type[type(trigger)]] = True
    if isinstance(trigger, Event):
        types = np.zeros(256, np.bool_)
        types[[EVENT_CODES[name] for name in trigger.types]] = True
    if isinstance(trigger, (CartAbandoned, BrowseAbandoned)):
        least = float(trigger.minutes)
    if isinstance(trigger, PriceDrop):
        least = trigger.percent
    if isinstance(trigger, Overdue):
        least = trigger.gaps
    return kinds, types, least

"""What campaigns must decide, for one shopper at a time, in plain Python and with a memory that forgets nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from xxhash import xxh3_64_intdigest

from streams.campaigns.draws import digest
from streams.records.campaign_parts import Bundle, Percent
from streams.records.campaigns import Campaign, CampaignSet
from streams.records.events import OfferDismissed, OrderPlaced, OrderReturned

DAY = 86_400_000
MASK = 2**64 - 1


def uniform(value: int, salt: int) -> float:
    """SplitMix64's finaliser, as a textbook has it."""
    x = (value ^ salt) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return ((x ^ (x >> 31)) >> 11) / 2**53


@dataclass
class Made:
    """An offer that was made."""

    campaign: str
    at: int
    until: int
    worth: int
    offer: str


@dataclass
class Shopper:
    """All that ever happened between a shopper and the campaigns."""

    name: str
    made: list[Made] = field(default_factory=list)
    did: dict[type, int] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    """Ids that turned out to be this shopper, the newest first."""

    def merge(self, other: Shopper) -> None:
        """Another one turns out to be this one."""
        self.made += other.made
        for event, at in other.did.items():
            self.did[event] = max(at, self.did.get(event, 0))
        for campaign, until in other.waits.items():
            self.waits[campaign] = max(until, self.waits.get(campaign, 0))
        self.ids = list(dict.fromkeys([other.name, *other.ids, *self.ids]))[:8]

    def live(self, now: int) -> list[Made]:
        """The offers that hold now."""
        return [m for m in self.made if m.until > now]


@dataclass
class Due:
    """One due point."""

    now: int
    kind: str
    event: type | None
    ref: str
    consent: float
    basket: float
    age: float
    stock: float
    rating: float
    stage: str | None
    """None: never said, as of whoever never ordered; so is the segment."""
    segment: str | None
    nothing: bool
    """Whether nothing is to be recommended."""
    worse: bool
    """Whether the item is suddenly rated worse."""
    uplift: dict[str, list[float]]
    left: dict[str, int]
    """What is left of it now: the same for all of a group."""


def among(said: str | None, *names: str) -> bool | None:
    """Whether what a profile says is one of some names; None: it says nothing."""
    return None if said is None else said in names


#: Audiences over what profiles say → whether they have a shopper; None: unknown.
AUDIENCES: dict[str, Callable[[Due], bool | None]] = {
    "true": lambda due: True,
    "profile.segment == champions": lambda due: among(due.segment, "champions"),
    "new != profile.stage": lambda due: among(due.stage, "active", "at_risk"),
    "profile.segment in [lost, won_back, lost_champions]": lambda due: among(due.segment, "lost", "won_back"),
    "not profile.stage in [active] or not known(profile.stage)": lambda due: due.stage != "active",
}


def decide(chosen: CampaignSet, shopper: Shopper, due: Due, price: float) -> dict[str, tuple[str, str | None]]:
    """campaign → (why, the arm that was chosen); what is offered or waits is remembered."""
    if due.event in (OrderPlaced, OrderReturned, OfferDismissed):
        assert due.event is not None
        shopper.did[due.event] = max(due.now, shopper.did.get(due.event, 0))
    found: dict[str, tuple[str, str | None]] = {}
    before, waits, taken = list(shopper.made), dict(shopper.waits), False
    for campaign in sorted(chosen.campaigns, key=lambda c: (-c.priority, c.id)):
        why, arm, until = _one(chosen, campaign, before, waits, shopper, due, price, taken)
        found[campaign.id] = (why, arm)
        if why == "offered":
            taken = True
            made = next(a for a in campaign.arms if a.id == arm)
            worth = int(_discount(campaign, made, due.basket)[0])
            shopper.made.append(
                Made(campaign.id, due.now, due.now + round(made.valid_days * DAY), worth, f"{campaign.id}{due.ref}")
            )
        if why == "quiet_hours":
            shopper.waits[campaign.id] = until
    if due.kind == "deferred":
        shopper.waits = {name: at for name, at in shopper.waits.items() if at > due.now}
    return found


def _one(
    chosen: CampaignSet,
    campaign: Campaign,
    made: list[Made],
    waits: dict[str, int],
    shopper: Shopper,
    due: Due,
    price: float,
    taken: bool,
) -> tuple[str, str | None, int]:
    triggered = due.kind in ("event", "silence", "day")
    waited = due.kind == "deferred" and waits.get(campaign.id, due.now + 1) <= due.now
    if not (triggered or waited):
        return "not_triggered", None, 0
    meant = AUDIENCES[campaign.audience](due)
    if not meant:
        return ("audience_unknown" if meant is None else "not_in_audience"), None, 0
    best, arm, reasons, worth = _choose(campaign, made, due, price)
    shopper_hash = xxh3_64_intdigest(shopper.name.encode())
    due_hash = xxh3_64_intdigest(f"{len(shopper.name)}:{shopper.name}{due.ref}".encode())
    allowed = [a for a, reason in zip(campaign.arms, reasons, strict=True) if reason is None]
    explored = False
    if allowed:
        explored = uniform(due_hash, digest("explore", campaign.id, campaign.salt)) < campaign.exploration_share
        place = int(uniform(due_hash, digest("arm", campaign.id, campaign.salt)) * (len(allowed) + 1))
        arm = ([None, *(a.id for a in allowed)][place]) if explored else best
    guard = _guard(chosen, campaign, made, shopper, due, taken)
    if guard is not None:
        return guard, arm, 0
    if not allowed:
        order = (
            "uplift_unknown negative_uplift basket_unknown below_margin nothing_to_recommend out_of_stock "
            "rated_worse bad_reviews worse_than_held"
        )
        return max((r for r in reasons if r), key=order.split().index), arm, 0
    if arm is None:
        return ("explored_nothing" if explored else "not_worth_it"), arm, 0
    until = _quiet_until(chosen, campaign, due.now)
    if until:
        return "quiet_hours", arm, until
    reserve = _reserve(campaign, next(a for a in campaign.arms if a.id == arm))
    if (worth[arm] <= 0 and not explored) or reserve > due.left.get(campaign.id, reserve):
        return "budget_spent", arm, 0
    if uniform(shopper_hash, digest("holdout", chosen.shop.holdout_salt)) < chosen.shop.holdout_share:
        return "global_holdout", arm, 0
    if uniform(shopper_hash, digest("campaign holdout", campaign.id, campaign.salt)) < campaign.holdout_share:
        return "campaign_holdout", arm, 0
    if campaign.id in due.left:
        due.left[campaign.id] -= reserve
    return "offered", arm, 0


def _reserve(campaign: Campaign, arm: object) -> int:
    """What an offer may cost at most."""
    names = ("max_discount_cents", "amount_cents", "shipping_cents", "discount_cents")
    return sum(getattr(arm, name, 0) for name in names) + campaign.economics.contact_cents


def _guard(
    chosen: CampaignSet, campaign: Campaign, made: list[Made], shopper: Shopper, due: Due, taken: bool
) -> str | None:
    now, live = due.now, [m for m in made if m.until > due.now]
    if not {shopper.name, *shopper.ids}.isdisjoint(chosen.shop.blocked_shoppers):
        return "blocked"
    if not (due.consent > 0 or (due.consent == 0 and chosen.shop.default_consent)):
        return "no_consent"
    if campaign.minimum_age is not None and not due.age >= campaign.minimum_age:
        return "age_limit"
    rest = campaign.cooldown
    for event, days, why in (
        (OrderPlaced, rest.after_purchase_days, "after_purchase"),
        (OrderReturned, rest.after_return_days, "after_return"),
        (OfferDismissed, rest.after_complaint_days, "after_complaint"),
    ):
        if event in shopper.did and now - shopper.did[event] < days * DAY:
            return why
    if any(sum(now - m.at < round(cap.days * DAY) for m in made) >= cap.offers for cap in chosen.shop.caps):
        return "shop_cap"
    own = [m for m in made if m.campaign == campaign.id]
    if any(sum(now - m.at < round(cap.days * DAY) for m in own) >= cap.offers for cap in campaign.caps):
        return "campaign_cap"
    windows = [*chosen.shop.caps, *(cap for c in chosen.campaigns for cap in c.caps)]
    longest = max(*(cap.days for cap in windows), *(arm.valid_days for c in chosen.campaigns for arm in c.arms))
    if sum(now - m.at < round(longest * DAY) for m in made) >= 12:
        return "memory_full"
    if any(m.campaign == campaign.id for m in live):
        return "live_offer"
    if any(m.campaign in campaign.exclusions for m in live):
        return "excluded"
    for salt, share in (
        (digest("holdout", chosen.shop.holdout_salt), chosen.shop.holdout_share),
        (digest("campaign holdout", campaign.id, campaign.salt), campaign.holdout_share),
    ):
        if any(uniform(xxh3_64_intdigest(one.encode()), salt) < share for one in shopper.ids):
            return "merged_holdout"
    return "outranked" if taken else None


def _choose(
    campaign: Campaign, made: list[Made], due: Due, price: float
) -> tuple[str | None, None, list[str | None], dict[str, float]]:
    """The arm worth most, why each arm may not be offered, and what each is worth at the price of the budget."""
    economics, best, most, reasons = campaign.economics, None, 0.0, list[str | None]()
    at_price = dict[str, float]()
    held = max((m.worth for m in made if m.until > due.now), default=0)
    for arm, uplift in zip(campaign.offers, due.uplift[campaign.id], strict=True):
        discount, order = _discount(campaign, arm, due.basket)
        cost = arm.assumed_redemption * discount + economics.contact_cents
        reason = None
        if uplift != uplift:
            reason = "uplift_unknown"
        elif uplift < 0:
            reason = "negative_uplift"
        elif order <= 0:
            reason = "basket_unknown"
        elif economics.gross_margin - discount / order < economics.margin_floor - 1e-9:
            reason = "below_margin"
        elif isinstance(arm, Bundle) or arm.applies_to in ("items", "recommended", "trigger_item"):
            if arm.applies_to == "recommended" and due.nothing:
                reason = "nothing_to_recommend"
            elif economics.min_stock > 0 and not due.stock >= economics.min_stock:
                reason = "out_of_stock"
            elif due.worse:
                reason = "rated_worse"
            elif due.rating > 0 and due.rating < economics.min_rating:
                reason = "bad_reviews"
        if reason is None and int(discount) < held:
            reason = "worse_than_held"
        reasons.append(reason)
        profit = uplift * economics.gross_margin * order - cost
        at_price[arm.id] = profit - price * cost
        if reason is None and profit > most:
            best, most = arm.id, profit
    return best, None, reasons, at_price


def _discount(campaign: Campaign, arm: object, basket: float) -> tuple[float, float]:
    order = basket if basket > 0 else float(campaign.economics.basket_cents)
    order = max(order, getattr(arm, "min_order_cents", 0))
    if isinstance(arm, Percent):
        return min(order * (arm.percent / 100), arm.max_discount_cents, order), order
    fixed = [getattr(arm, name, 0) for name in ("amount_cents", "shipping_cents", "discount_cents")]
    return min(float(sum(fixed)), order), order


def _quiet_until(chosen: CampaignSet, campaign: Campaign, now: int) -> int:
    """When the quiet hours end in which a time lies, found minute by minute; 0 where it lies in none."""
    quiet = campaign.quiet_hours
    if quiet is None:
        return 0
    zone = ZoneInfo(chosen.shop.time_zone)

    def inside(ms: int) -> bool:
        clock = datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone).strftime("%H:%M")
        if quiet.start < quiet.end:
            return quiet.start <= clock < quiet.end
        return clock >= quiet.start or clock < quiet.end

    if not inside(now):
        return 0
    at = datetime.fromtimestamp(now // 60_000 * 60, UTC)
    while inside(round(at.timestamp() * 1000)):
        at += timedelta(minutes=1)
    return round(at.timestamp() * 1000)

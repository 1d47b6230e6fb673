"""Whom to make an offer, how large, and what holds an offer back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Literal, overload

import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions import churn_alert
from streams.decisions.decider import Group, Names, Said
from streams.decisions.favourite import ADDRESS, favourite
from streams.features.kinds.decay import DAY_MS
from streams.records.events import OrderPlaced
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import outcome_id

OFFERS_KEPT = 4
TIMES = Column("promotion/times", "i8", OFFERS_KEPT)
COUNT = Column("promotion/count", "u4")
WITHHELD = Column("promotion/withheld", "u1")
"""Code of the reason that was said last (its place in ``GUARDS``, from 1); 0 since an offer, or before any."""
HELD_OUT = Column("promotion/held_out", "u1")
"""Whether an id that was merged into this shopper is in the holdout."""

Guard = Literal["no_consent", "holdout", "cooldown", "frequency_cap", "below_margin"]
GUARDS: tuple[Guard, ...] = ("no_consent", "holdout", "cooldown", "frequency_cap", "below_margin")
ORDER = TYPE_CODE[OrderPlaced]


def merge(state: Rows, row: int, other: Rows) -> None:
    """Take the offers of the one row of ``other`` into a row's: an offer to either counts. Who is held out for either
    id is held out."""
    times = np.sort(np.r_[offer_times(state, row), offer_times(other, 0)])[-OFFERS_KEPT:]
    state.data[TIMES.name][row, : len(times)] = times  # the oldest first: it is the first to be written over
    state.data[COUNT.name][row] = len(times)
    state.data[HELD_OUT.name][row] |= other.data[HELD_OUT.name][0]


def hold_out(state: Rows, row: int) -> None:
    """From here on a shopper gets no offer, whatever their own draw: an id that they had is in the holdout."""
    state.data[HELD_OUT.name][row] = 1


def offer_times(state: Rows, row: int) -> Ints:
    """When a shopper was made offers, the last ones, UTC milliseconds since 1970; in no order."""
    at = np.array([row])
    count = int(state.flat["u4"][int(state.cells(COUNT, at)[0])])
    found: Ints = state.flat["i8"][state.cells(TIMES, at) + np.arange(OFFERS_KEPT)][: min(count, OFFERS_KEPT)]
    return found


@dataclass(frozen=True, slots=True)
class Offer:
    """A discount on the shopper's favourite category."""

    discount_percent: int
    max_discount_cents: int
    expires_at_ms: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """An offer that a guard held back, and which one."""

    reason: Guard
    discount_percent: int


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a promotion looks at: one shopper at one due point."""

    row: int
    shopper_id: str
    now_ms: int
    score: float
    """Probability to lapse, [0, 1]."""
    threshold: float
    """From which score on an offer is considered."""
    discount_rate: float
    """Discounts over money spent, ever."""
    coupon_share: float
    average_order_cents: float
    orders: float
    consent: float
    """1 allowed, -1 forbidden, 0 never said."""
    held_out: bool = False
    """Whether an id that they had before they were identified is in the holdout."""


@dataclass(frozen=True, slots=True)
class PromotionPolicy:
    """A first sound rule: who is likely to lapse (from the model's level ``watch`` on) and cares for discounts gets one
    that the margin can carry. Nobody gets one for the order they have just placed.

    Each guard prevents an accident: marketing without consent; paying everybody, so that nothing can be measured
    (the holdout never gets an offer); nagging (cooldown, frequency cap); selling below the margin floor.
    """

    campaign: str = "win-back"
    percents: tuple[int, int, int] = (5, 10, 15)
    default_consent: bool = False
    cooldown_days: float = 7.0
    cap: int = 3
    cap_days: float = 30.0
    gross_margin: float = 0.30
    margin_floor: float = 0.12
    valid_days: float = 7.0
    holdout_share: float = 0.05
    holdout_salt: str = "offerstream-1"

    def __post_init__(self) -> None:
        if not 1 <= self.cap <= OFFERS_KEPT:
            raise ValueError(f"cap is {self.cap}; the row remembers 1 to {OFFERS_KEPT} offers.")

    def in_holdout(self, shopper_id: str) -> bool:
        """Whether a shopper belongs to the control group; for ever, as long as the salt stays."""
        digest = hashlib.blake2b(f"{self.holdout_salt}:{shopper_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.holdout_share * 2**64

    def percent(self, prospect: Prospect) -> int:
        """How large an offer to consider: larger for a higher score and for who buys on discount."""
        appetite = min(1.0, prospect.discount_rate * 2) * 0.5 + min(1.0, prospect.coupon_share) * 0.5
        small, middle, large = self.percents
        need = prospect.score + 0.3 * appetite
        return small if need < 0.6 else middle if need < 0.8 else large

    @overload
    def consents(self, consent: float) -> bool: ...

    @overload
    def consents(self, consent: Floats) -> Bools: ...

    def consents(self, consent: float | Floats) -> bool | Bools:
        """Whether marketing may write to a shopper, or to each of some, of whom ``offers.consent`` is this."""
        return (consent > 0) | ((consent == 0) & self.default_consent)

    def closed_until_ms(self, times: Ints) -> dict[Guard, int]:
        """Before when cooldown and frequency cap hold an offer back, given when offers were made; 0 for not at all."""
        newest_first = np.sort(times)[::-1]
        cooldown = int(newest_first[0]) + ceil(self.cooldown_days * DAY_MS) if len(times) else 0
        full = len(times) >= self.cap
        cap = int(newest_first[self.cap - 1]) + ceil(self.cap_days * DAY_MS) if full else 0
        return {"cooldown": cooldown, "frequency_cap": cap}

    def within_margin(self, percent: int) -> bool:
        """Whether an offer leaves enough of the margin."""
        return self.gross_margin - percent / 100 >= self.margin_floor

    def decide(self, state: Rows, prospect: Prospect) -> Offer | Withheld | None:
        """An offer, one withheld, or None when the shopper is no candidate; an offer made is remembered in the row."""
        if prospect.score < prospect.threshold or prospect.orders < 1:
            return None
        percent = self.percent(prospect)
        if not self.consents(prospect.consent):
            return Withheld("no_consent", percent)
        if prospect.held_out or self.in_holdout(prospect.shopper_id):
            return Withheld("holdout", percent)
        until = self.closed_until_ms(offer_times(state, prospect.row))
        for guard, end in until.items():
            if prospect.now_ms < end:
                return Withheld(guard, percent)
        if not self.within_margin(percent):
            return Withheld("below_margin", percent)
        at = np.array([prospect.row])
        cells = state.cells(TIMES, at) + np.arange(OFFERS_KEPT)
        count_cell = int(state.cells(COUNT, at)[0])
        count = int(state.flat["u4"][count_cell])
        state.flat["i8"][cells[count % OFFERS_KEPT]] = prospect.now_ms
        state.flat["u4"][count_cell] = count + 1
        reasons = ["likely_to_lapse"]
        if prospect.discount_rate >= 0.1:
            reasons.append("buys_on_discount")
        if prospect.coupon_share >= 0.1:
            reasons.append("uses_coupons")
        return Offer(
            discount_percent=percent,
            max_discount_cents=round(2 * prospect.average_order_cents * percent / 100),
            expires_at_ms=prospect.now_ms + int(self.valid_days * DAY_MS),
            reasons=tuple(reasons),
        )


class Promotions:
    """Offers of one campaign to shoppers who are likely to lapse, or why there is none."""

    columns = (TIMES, COUNT, WITHHELD, HELD_OUT)
    reads = (
        "orders.discount_rate",
        "orders.coupon_share",
        "orders.average_value",
        "orders.count",
        "offers.consent",
        ADDRESS,
    )

    def __init__(
        self, policy: PromotionPolicy, fallback: tuple[float, float, float], currency: str, rules: str, names: Names
    ) -> None:
        self._names = names
        self._policy, self._fallback, self._currency, self._rules = policy, fallback, currency, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        score = group.answer(churn_alert.TASK, churn_alert.OUTPUT)
        if not np.isfinite(score).any():
            return []
        scores = group.seen.scores[churn_alert.TASK]
        enter = group.seen.once(
            (churn_alert.TASK, "thresholds"), lambda: churn_alert.thresholds(scores.models, self._fallback)
        )
        threshold = enter[scores.used[group.span], 0]
        with np.errstate(invalid="ignore"):
            candidates = np.flatnonzero((score >= threshold) & (group.event_type != ORDER))
        said = ((i, self._of(state, group, i, float(score[i]), float(threshold[i]))) for i in candidates.tolist())
        return [(i, outcome) for i, outcome in said if outcome is not None]

    def _of(
        self, state: Rows, group: Group, i: int, score: float, threshold: float
    ) -> OfferMade | OfferWithheld | None:
        discount_rate, coupon_share, average, orders, consent = (
            float(group.feature(a)[i]) for a in self.reads if a != ADDRESS
        )
        decision = self._policy.decide(
            state,
            Prospect(
                row=int(group.row[i]),
                shopper_id=group.key[i],
                now_ms=int(group.now_ms[i]),
                score=score,
                threshold=threshold,
                discount_rate=discount_rate,
                coupon_share=coupon_share,
                average_order_cents=average,
                orders=orders,
                consent=consent,
                held_out=bool(state.data[HELD_OUT.name][group.row[i]]),
            ),
        )
        if decision is None:
            return None
        said, cell = state.flat["u1"], state.cells(WITHHELD, group.row[i : i + 1])
        code = 0 if isinstance(decision, Offer) else GUARDS.index(decision.reason) + 1
        if code and int(said[cell][0]) == code:
            return None
        said[cell] = code
        return self._outcome(decision, group, i, score)

    def _outcome(self, decision: Offer | Withheld, group: Group, i: int, score: float) -> OfferMade | OfferWithheld:
        shopper, now, due, ref = group.key[i], int(group.now_ms[i]), group.due[i], group.ref(i)
        model, campaign = group.model(churn_alert.TASK, i), self._policy.campaign
        if isinstance(decision, Offer):
            category = favourite(self._names, group, i)
            return OfferMade(
                outcome_id=outcome_id("offer_made", shopper, ref, campaign),
                shopper_id=shopper,
                event_time_ms=now,
                due=due,
                model=model,
                campaign=campaign,
                applies_to="anything" if category is None else "category",
                category=category,
                discount_percent=decision.discount_percent,
                max_discount_cents=decision.max_discount_cents,
                currency=self._currency,
                expires_at_ms=decision.expires_at_ms,
                score=score,
                reasons=list(decision.reasons),
                rules=self._rules,
            )
        return OfferWithheld(
            outcome_id=outcome_id("offer_withheld", shopper, ref, campaign),
            shopper_id=shopper,
            event_time_ms=now,
            due=due,
            model=model,
            campaign=campaign,
            reason=decision.reason,
            discount_percent=decision.discount_percent,
            score=score,
            rules=self._rules,
        )

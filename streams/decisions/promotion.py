"""Whom to make an offer, how large, and what holds an offer back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.features.columns import Column, Rows
from streams.features.kinds.decay import DAY_MS

OFFERS_KEPT = 4
TIMES = Column("promotion/times", "i8", OFFERS_KEPT)
COUNT = Column("promotion/count", "u4")
COLUMNS = (TIMES, COUNT)

Guard = Literal["no_consent", "holdout", "cooldown", "frequency_cap", "below_margin"]


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
    discount_rate: float
    """Discounts over money spent, ever."""
    coupon_share: float
    average_order_cents: float
    orders: float
    consent: float
    """1 allowed, -1 forbidden, 0 never said."""


@dataclass(frozen=True, slots=True)
class PromotionPolicy:
    """A first sound rule: who is likely to lapse and cares for discounts gets one that the margin can carry.

    Each guard prevents an accident: marketing without consent; paying everybody, so that nothing can be measured
    (the holdout never gets an offer); nagging (cooldown, frequency cap); selling below the margin floor.
    """

    campaign: str = "win-back"
    threshold: float = 0.25
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

    def decide(self, state: Rows, prospect: Prospect) -> Offer | Withheld | None:
        """An offer, one withheld, or None when the shopper is no candidate; an offer made is remembered in the row."""
        if prospect.score < self.threshold or prospect.orders < 1:
            return None
        percent = self.percent(prospect)
        if prospect.consent < 0 or (prospect.consent == 0 and not self.default_consent):
            return Withheld("no_consent", percent)
        if self.in_holdout(prospect.shopper_id):
            return Withheld("holdout", percent)
        at = np.array([prospect.row])
        cells = state.cells(TIMES, at) + np.arange(OFFERS_KEPT)
        count_cell = int(state.cells(COUNT, at)[0])
        count = int(state.flat["u4"][count_cell])
        times = state.flat["i8"][cells][: min(count, OFFERS_KEPT)]
        if len(times) and prospect.now_ms - int(times.max()) < self.cooldown_days * DAY_MS:
            return Withheld("cooldown", percent)
        if int((prospect.now_ms - times < self.cap_days * DAY_MS).sum()) >= self.cap:
            return Withheld("frequency_cap", percent)
        if self.gross_margin - percent / 100 < self.margin_floor:
            return Withheld("below_margin", percent)
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

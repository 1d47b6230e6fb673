"""What holds an offer back for the shopper's sake, whatever the arm: each guard prevents one accident.

A guard says of n shoppers at once whom it holds back. All are asked, so that a receipt can tell every verdict; the
first in the order of ``SHOPPER_GUARDS`` that objects is the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from streams.campaigns.memory import Held
from streams.campaigns.plan import MINUTE_MS, Plan, Plans, Quiet, Window
from streams.campaigns.reasons import Why
from streams.columns.arrays import Bools, Floats, Hashes, Ints
from streams.features.days import DAY_MS, Days

#: Longer ago than any window.
_LONG_AGO = 2**62


@dataclass(frozen=True, slots=True)
class Case:
    """n shoppers whom a campaign addresses, each at a time of their own."""

    plans: Plans
    plan: Plan
    now_ms: Ints
    shopper: Hashes
    consent: Floats
    """[n] 1 allowed, -1 forbidden, 0 never said; NaN is as -1."""
    age_years: Floats
    """[n] NaN: unknown."""
    taken: Bools
    """[n] who got an offer of a campaign of higher priority at this due point."""
    held: Held
    since_ms: Ints
    """[n, 12] how long ago each remembered offer was made; very long for an empty slot."""
    live: Bools
    """[n, 12] which of them still hold."""

    @staticmethod
    def ages(held: Held, now_ms: Ints) -> Ints:
        """How long ago each remembered offer was made."""
        return np.where(held.of != 0, now_ms[:, None] - held.at_ms, _LONG_AGO)


def blocked(case: Case) -> Bools:
    """Nobody on the shop's list is written to."""
    known = case.plans.blocked
    if not len(known):
        return np.zeros(len(case.shopper), np.bool_)
    return known[np.minimum(np.searchsorted(known, case.shopper), len(known) - 1)] == case.shopper


def no_consent(case: Case) -> Bools:
    """Nobody is written to who forbade it, or who never said where the shop does not take silence for consent."""
    allowed = case.consent >= 0 if case.plans.shop.default_consent else case.consent > 0
    return ~allowed


def age_limit(case: Case) -> Bools:
    """Nobody gets an offer that is not for their age; an unknown age is too young."""
    least = case.plan.campaign.minimum_age
    return np.zeros(len(case.now_ms), np.bool_) if least is None else ~(case.age_years >= least)


def _resting(place: int) -> Callable[[Case], Bools]:
    def resting(case: Case) -> Bools:
        did, rest = case.held.did_ms[:, place], case.plan.cooldown_ms[place]
        return (did > 0) & (case.now_ms - did < rest)

    return resting


def _full(since_ms: Ints, counted: Bools | None, windows: Iterable[Window]) -> Bools:
    """Whether any window has as many offers as it may. An offer leaves a window when it is as old as that is long."""
    full = np.zeros(len(since_ms), np.bool_)
    for window in windows:
        within = since_ms < window.length_ms
        full |= (within if counted is None else within & counted).sum(axis=1) >= window.offers
    return full


def shop_cap(case: Case) -> Bools:
    """Nobody is nagged by all campaigns together."""
    return _full(case.since_ms, None, case.plans.caps)


def campaign_cap(case: Case) -> Bools:
    """Nobody is nagged by one campaign."""
    return _full(case.since_ms, case.held.of == case.plan.code, case.plan.caps)


def memory_full(case: Case) -> Bools:
    """No offer is forgotten that a cap would still count."""
    return np.all(case.since_ms < case.plans.longest_ms, axis=1)


def live_offer(case: Case) -> Bools:
    """Nobody holds two offers of a campaign."""
    return (case.live & (case.held.of == case.plan.code)).any(axis=1)


def excluded(case: Case) -> Bools:
    """Nobody holds offers of campaigns that exclude each other."""
    found = np.zeros(len(case.now_ms), np.bool_)
    for code in case.plan.excluded:
        found |= (case.live & (case.held.of == code)).any(axis=1)
    return found


def outranked(case: Case) -> Bools:
    """Nobody gets two offers at the same moment."""
    return case.taken


SHOPPER_GUARDS: tuple[tuple[Why, Callable[[Case], Bools]], ...] = (
    (Why.BLOCKED, blocked),
    (Why.NO_CONSENT, no_consent),
    (Why.AGE_LIMIT, age_limit),
    (Why.AFTER_PURCHASE, _resting(0)),
    (Why.AFTER_RETURN, _resting(1)),
    (Why.AFTER_COMPLAINT, _resting(2)),
    (Why.SHOP_CAP, shop_cap),
    (Why.CAMPAIGN_CAP, campaign_cap),
    (Why.MEMORY_FULL, memory_full),
    (Why.LIVE_OFFER, live_offer),
    (Why.EXCLUDED, excluded),
    (Why.OUTRANKED, outranked),
)

#: Those and what is asked once an arm is chosen.
EVERY_GUARD = (
    *(why for why, _ in SHOPPER_GUARDS),
    Why.QUIET_HOURS,
    Why.CAMPAIGN_HOLDOUT,
    Why.GLOBAL_HOLDOUT,
)


def quiet_until(quiet: Quiet | None, days: Days, now_ms: Ints, clock_ms: Floats | None) -> Ints:
    """[n] when the quiet hours end in which each time lies, UTC milliseconds; 0 where it lies in none.

    ``clock_ms``: [n] how far each shopper's clock is ahead of UTC, NaN where unknown: then the shop's clock counts.
    What it gives lies after the time and in no quiet hours, also where clocks change.
    """
    if quiet is None:
        return np.zeros(len(now_ms), np.int64)
    local = days.local_ms(now_ms)
    own = np.zeros(len(now_ms), np.bool_)
    if quiet.shoppers_clock and clock_ms is not None:
        own = np.isfinite(clock_ms)
        local = np.where(own, now_ms + np.where(own, clock_ms, 0).astype(np.int64), local)
    minute = local % DAY_MS // MINUTE_MS
    start, end = quiet.start, quiet.end
    inside = (start <= minute) & (minute < end) if start < end else (minute >= start) | (minute < end)
    until_local = local - local % DAY_MS + end * MINUTE_MS
    until_local += np.where(until_local <= local, DAY_MS, 0)
    plain = now_ms + (until_local - local)
    by_zone = days.utc_ms(until_local)
    # Where clocks are put back at night, they show the end twice; the first time may be over.
    until = np.where(own | (by_zone <= now_ms), plain, by_zone)
    return np.where(inside, until, 0)

"""What holds an offer back for the shopper's sake, whatever the arm: each guard prevents one accident.

A guard says of n pairs of campaign and shopper at once which it holds back. All are asked, so that a receipt can tell
every verdict; the first in the order of ``SHOPPER_GUARDS`` that objects is the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streams.campaigns.draws import uniform
from streams.campaigns.plan import Plans
from streams.campaigns.reasons import Why
from streams.campaigns.table import Table
from streams.campaigns.terms import MINUTE_MS
from streams.columns.arrays import Bools, Floats, Hashes, Ints
from streams.features.days import DAY_MS, Days

#: Longer ago than any window.
LONG_AGO = 2**62


@dataclass(frozen=True, slots=True)
class Case:
    """n pairs of a campaign and a shopper whom it addresses."""

    plans: Plans
    campaign: Ints
    """[n] place in ``plans``."""
    now_ms: Ints
    shopper: Hashes
    consent: Floats
    """[n] 1 allowed, -1 forbidden, 0 never said; NaN is as -1."""
    age_years: Floats
    """[n] NaN: unknown."""
    did_ms: Ints
    """[n, 3] last purchase, return, complaint; 0: never."""
    offer_of: Hashes
    """[n, 12] of which campaign each remembered offer is."""
    since_ms: Ints
    """[n, 12] how long ago each remembered offer was made; ``LONG_AGO`` for an empty slot."""
    live: Bools
    """[n, 12] which of them still hold."""
    best_held: Ints
    """[n] what the best of those is worth, cents."""
    merged: Hashes
    """[n, 8] ids that turned out to be each shopper; 0: none."""

    @property
    def table(self) -> Table:
        """All campaigns as arrays."""
        return self.plans.table


def listed(known: Hashes, shopper: Hashes, merged: Hashes) -> Bools:
    """[k] of whom an id is on an ascending list; ``merged`` [k, 8]: ids that turned out to be theirs."""
    if not len(known):
        return np.zeros(len(shopper), np.bool_)

    def there(ids: Hashes) -> Bools:
        found: Bools = known[np.minimum(np.searchsorted(known, ids), len(known) - 1)] == ids
        return found

    found = there(shopper)
    return found | there(merged).any(axis=1) if merged.any() else found


def blocked(case: Case) -> Bools:
    """Nobody on the shop's list is written to, whichever of their ids is on it."""
    return listed(case.plans.blocked, case.shopper, case.merged)


def no_consent(case: Case) -> Bools:
    """Nobody is written to who forbade it, or who never said where the shop does not take silence for consent."""
    allowed = case.consent >= 0 if case.plans.shop.default_consent else case.consent > 0
    return ~allowed


def age_limit(case: Case) -> Bools:
    """Nobody gets an offer that is not for their age; an unknown age is too young."""
    least = case.table.minimum_age[case.campaign]
    return ~(np.isnan(least) | (case.age_years >= least))


def _resting(place: int) -> Callable[[Case], Bools]:
    def resting(case: Case) -> Bools:
        did = case.did_ms[:, place]
        return (did > 0) & (case.now_ms - did < case.table.cooldown_ms[case.campaign, place])

    return resting


def shop_cap(case: Case) -> Bools:
    """Nobody is nagged by all campaigns together. An offer leaves a window when it is as old as that is long."""
    full = np.zeros(len(case.now_ms), np.bool_)
    for window in case.plans.caps:
        full |= (case.since_ms < window.length_ms).sum(axis=1) >= window.offers
    return full


def campaign_cap(case: Case) -> Bools:
    """Nobody is nagged by one campaign."""
    # Age of the campaign's own offers, so that one comparison counts them.
    own = np.where(case.offer_of == case.table.code[case.campaign, None], case.since_ms, LONG_AGO)
    offers, lengths = case.table.cap_offers, case.table.cap_ms
    full = np.zeros(len(own), np.bool_)
    for place in range(case.table.caps):
        within = own < lengths[case.campaign, place, None]
        full |= within.sum(axis=1) >= offers[case.campaign, place]
    return full


def memory_full(case: Case) -> Bools:
    """No offer is forgotten that a cap would still count."""
    return np.all(case.since_ms < case.plans.longest_ms, axis=1)


def live_offer(case: Case) -> Bools:
    """Nobody holds two offers of a campaign."""
    return np.any(case.live & (case.offer_of == case.table.code[case.campaign, None]), axis=1)


def excluded(case: Case) -> Bools:
    """Nobody holds offers of campaigns that exclude each other."""
    found = np.zeros(len(case.now_ms), np.bool_)
    for others in case.table.excluded.T:
        found |= np.any(case.live & (case.offer_of == others[case.campaign, None]), axis=1)
    return found


def merged_holdout(case: Case) -> Bools:
    """Nobody gets an offer that one of their ids is held out from. Measuring knows neither them nor their like in the
    holdout: whether an earlier id was drawn says nothing of the shopper's own draw."""
    if not case.merged.any():
        return np.zeros(len(case.now_ms), np.bool_)
    table, salts = case.table, case.table.salts[2, case.campaign]
    own = uniform(case.merged, salts[:, None]) < table.holdout_share[case.campaign, None]
    shop = uniform(case.merged, case.plans.holdout_salt) < case.plans.shop.holdout_share
    return np.any((own | shop) & (case.merged != 0), axis=1)


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
    (Why.MERGED_HOLDOUT, merged_holdout),
)
#: Those, that a campaign of higher priority made an offer at the same moment, and what is asked once an arm is chosen.
EVERY_GUARD = (
    *(why for why, _ in SHOPPER_GUARDS),
    Why.OUTRANKED,
    Why.QUIET_HOURS,
    Why.CAMPAIGN_HOLDOUT,
    Why.GLOBAL_HOLDOUT,
)


def quiet_until(start: Ints, end: Ints, days: Days, now_ms: Ints, clock_ms: Floats | None = None) -> Ints:
    """[n] when the quiet hours end in which each time lies, UTC milliseconds; 0 where it lies in none.

    ``start``, ``end``: [n] minutes of the day, -1 where there are none. ``clock_ms``: [n] how far each shopper's clock
    is ahead of UTC, NaN where the shop's counts. What it gives lies after the time and in no quiet hours, also where
    clocks change.
    """
    if not (start >= 0).any():
        return np.zeros(len(now_ms), np.int64)
    local = days.local_ms(now_ms)
    own = np.zeros(len(now_ms), np.bool_)
    if clock_ms is not None:
        own = np.isfinite(clock_ms)
        local = np.where(own, now_ms + np.where(own, clock_ms, 0).astype(np.int64), local)
    minute = local % DAY_MS // MINUTE_MS
    begun, over = minute >= start, minute >= end
    inside = np.where(start < end, begun & ~over, begun | ~over) & (start >= 0)
    until_local = local - local % DAY_MS + end * MINUTE_MS
    until_local += np.where(until_local <= local, DAY_MS, 0)
    plain = now_ms + (until_local - local)
    by_zone = days.utc_ms(until_local)
    # Where clocks are put back at night, they show the end twice; the first time may be over.
    until = np.where(own | (by_zone <= now_ms), plain, by_zone)
    return np.where(inside, until, 0)

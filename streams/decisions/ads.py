"""Which advertisement of a slate to show: what a click brings less what it costs, under caps, with some chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from math import isfinite
from typing import TypeVar

import numpy as np

from streams.campaigns.draws import best_or_any, digest, due_hashes, shopper_hashes, uniform
from streams.columns.arrays import TYPE_CODE, Bools, Floats, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.decisions import ad_campaigns
from streams.decisions.ad_campaigns import ADS_KEPT, HELD_BACK, AdCampaigns, Paid, Slate
from streams.decisions.campaigns import ORDERS_BEFORE, REVENUE_BEFORE
from streams.decisions.decider import Group, Said, in_log_order
from streams.decisions.promotion import PromotionPolicy
from streams.features.kinds.decay import HOUR_MS
from streams.records.ads import AdDecided, AdWeighed
from streams.records.events import MAX_SLATE, AdRequested

TASK, OUTPUT = "ad", "conversion"
REQUESTED = TYPE_CODE[AdRequested]
AT = Column("ads/at", "i8", ADS_KEPT)
"""When ads were chosen for the shopper, the last ones; 0: none."""
AD = Column("ads/ad", "u8", ADS_KEPT)
"""Which: the 64-bit hash of its id."""
#: Why an ad may not be shown, in the order in which it is asked.
REFUSALS = ("no_consent", "not_judged", "worth_unknown", "not_worth_it", "ad_cap", "shop_cap", *HELD_BACK)
_OF_CAMPAIGNS = len(REFUSALS) - len(HELD_BACK)
#: Money is said to so many decimals of a cent, chances as well.
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class AdPolicy:
    """Shows the ad whose click brings most beyond its cost, or nothing.

    Each guard prevents an accident: personal ads without consent; paying for a click more than it brings; the same ad
    over and over (``cap``), or ads without end (``cap_all``); paying for purchases that would have come anyway
    (``brought_share``); and never learning what the other ads would have brought (``exploration_share``).
    """

    cap: int = 3
    """Of one ad so many are chosen for a shopper within ``cap_hours``."""
    cap_all: int = 12
    """Of all ads together; 1 to 16."""
    cap_hours: float = 24.0
    click_rate: float = 0.005
    """Clicks per ad shown, of a shopper of whom nothing is known, 0 to 1."""
    click_rate_shown: float = 200.0
    """So many ads must be shown to a shopper until their own rate counts as much as that one; above 0."""
    brought_share: float = 0.25
    """Of the purchases after a click, the share that would not have come without it, 0 to 1: assumed."""
    least_return: float = 0.0
    """What a cent that is spent must bring beyond itself, in cents, from 0 on: it lowers bids."""
    exploration_share: float = 0.05
    """Of the decisions, the share that is drawn evenly among all ads that may be shown and nothing, 0 to 1."""
    salt: str = "ads-1"
    """Another one draws other explorations."""

    def __post_init__(self) -> None:
        if not 1 <= self.cap <= self.cap_all <= ADS_KEPT:
            raise ValueError(f"cap is {self.cap}, cap_all {self.cap_all}: 1 to cap_all, and that at most {ADS_KEPT}.")

    @property
    def window_ms(self) -> int:
        """How far back the caps count."""
        return int(self.cap_hours * HOUR_MS)

    def click(self, shown: Floats, clicked: Floats) -> Floats:
        """How likely shoppers click on an ad: their own clicks over their own ads, drawn to ``click_rate`` while these
        are few.

        >>> AdPolicy().click(np.array([0.0, 200.0]), np.array([0.0, 3.0])).tolist()
        [0.005, 0.01]
        """
        found = (clicked + self.click_rate * self.click_rate_shown) / (shown + self.click_rate_shown)
        return np.minimum(found, 1.0)


@dataclass(frozen=True, slots=True)
class Slates:
    """What k requests offer: n places each, of which the first are filled."""

    filled: Bools
    """[k, n]"""
    ad: Hashes
    """[k, n] hash of each ad's id."""
    cost: Floats
    """[k, n] cents per click."""
    price: Floats
    """[k, n] cents that a purchase comes to; 0: unknown."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What k slates are worth, and what was chosen."""

    bid: Ints
    """[k, n] the most that a click may cost, in cents; -1: unknown."""
    value: Floats
    """[k, n] cents per impression after the cost; NaN: unknown."""
    refused: Ints
    """[k, n] place in ``REFUSALS``; -1: it may be shown."""
    propensity: Floats
    """[k, n + 1] of each ad, and of nothing; 0 where it may not be shown."""
    chosen: Ints
    """[k] place in the slate; n: nothing."""
    explored: Bools
    """[k]"""

    def put(self, j: int, one: Weighed) -> None:
        """The j-th is another one."""
        for each in fields(self):
            getattr(self, each.name)[j] = getattr(one, each.name)[0]


_Many = TypeVar("_Many", Slates, Weighed)


def _alone(of: _Many, j: int) -> _Many:
    """The j-th alone."""
    return type(of)(*(getattr(of, each.name)[j : j + 1] for each in fields(of)))


def weigh(
    policy: AdPolicy,
    slates: Slates,
    click: Floats,
    click_worth: Floats,
    consents: Bools,
    held: tuple[Ints, Hashes],
    now_ms: Ints,
    lateness_ms: int,
    due: Hashes,
    against: Ints | None = None,
    awaited_ms: Ints | None = None,
) -> Weighed:
    """Weigh k slates and choose. ``click`` [k]: chance of one; ``click_worth`` [k]: what one brings in shares of the
    price, NaN where nobody can judge; ``held`` [k, 16] when which ads were chosen; ``due`` [k] tells requests apart;
    ``against`` [k, n] place in ``REFUSALS`` of what holds an ad back that nothing else does, -1: nothing;
    ``awaited_ms`` [k] until when a click on the oldest ad is waited for.

    An ad is forgotten only once it is older than the window and all lateness, so no cap is exceeded by forgetting, and
    only once no click on it is waited for, so none is paid from nothing.
    """
    (k, n), known = slates.filled.shape, np.isfinite(click_worth)
    worth = np.where(known, click_worth, 0.0)[:, None] * slates.price
    bid = np.floor(worth / (1.0 + policy.least_return)).astype(np.int64)
    value = np.round(click[:, None] * (worth - slates.cost), DECIMALS)
    at, ad = held
    recent = (at > 0) & (now_ms[:, None] - at < policy.window_ms)
    same = (ad[:, None, :] == slates.ad[:, :, None]) & recent[:, None, :]
    needed_ms = at.min(axis=1) + policy.window_ms
    if awaited_ms is not None:
        needed_ms = np.maximum(needed_ms, awaited_ms)
    full = (at > 0).all(axis=1) & (now_ms < needed_ms + lateness_ms)
    guards = (
        np.broadcast_to(~consents[:, None], (k, n)),
        np.broadcast_to(~known[:, None], (k, n)),
        slates.price <= 0,
        (bid < slates.cost) | (value <= 0),
        same.sum(axis=2) >= policy.cap,
        np.broadcast_to(((recent.sum(axis=1) >= policy.cap_all) | full)[:, None], (k, n)),
    )
    refused = np.full((k, n), -1) if against is None else against.copy()
    for code in reversed(range(len(guards))):
        refused[guards[code]] = code
    may = slates.filled & (refused < 0)
    best = np.where(may.any(axis=1), np.where(may, value, -np.inf).argmax(axis=1), n)
    salts = np.array([digest("ads", policy.salt, what) for what in ("explore", "which")], np.uint64)
    whether, which = uniform(due, salts[:1]), uniform(due, salts[1:])
    choice = best_or_any(np.c_[may, np.ones(k, np.bool_)], best, policy.exploration_share, whether, which)
    unknown = ~known[:, None] | (slates.price <= 0)
    return Weighed(
        bid=np.where(unknown, -1, bid),
        value=np.where(unknown, np.nan, value),
        refused=refused,
        propensity=choice.propensity,
        chosen=choice.chosen,
        explored=choice.explored,
    )


def merge(state: Rows, row: int, other: Rows) -> None:
    """Take the ads that were chosen for the one row of ``other`` into a row's, the newest of both."""
    held, more = state.data, other.data
    both = {column: np.r_[held[column.name][row], more[column.name][0]] for column in Ads.columns}
    newest = np.argsort(-both[AT], kind="stable")[:ADS_KEPT]
    for column, values in both.items():
        held[column.name][row] = values[newest]


class Ads:
    """Answers every request for an advertisement. ``promotion``: whose consent, and which margin, counts for ads as
    well; ``lateness_ms``: how late events may come; ``campaigns``: those of ads, None where there are none."""

    columns: tuple[Column, ...] = (AT, AD, *ad_campaigns.COLUMNS)
    _asks = ("offers.consent", "offers.ads_shown", "offers.ads_clicked", "orders.average_value")
    reads = (*_asks, ORDERS_BEFORE, REVENUE_BEFORE)

    def __init__(
        self,
        policy: AdPolicy,
        promotion: PromotionPolicy,
        lateness_ms: int,
        currency: str,
        rules: str,
        campaigns: AdCampaigns | None = None,
    ) -> None:
        self._policy, self._promotion, self._lateness_ms = policy, promotion, lateness_ms
        self._currency, self._rules, self._campaigns = currency, rules, campaigns

    def decide_slice(self, state: Rows, groups: Sequence[Group]) -> list[Said]:
        """Decide in the order of the log: who gets the rest of a budget must not depend on how that was cut."""
        if not any((group.event_type == REQUESTED).any() for group in groups):
            return []
        ordered = groups if self._campaigns is None else in_log_order(groups)
        return [one for group in ordered for one in self.decide(state, group)]

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        asked = np.flatnonzero(group.event_type == REQUESTED)
        if not len(asked):
            return []
        at = asked.tolist()
        consent, shown, clicked, basket = (group.feature(a)[asked].astype(np.float64) for a in self._asks)
        slates = slates_of([group.record[i] for i in at], basket)
        click, conversion = self._policy.click(shown, clicked), group.answer(TASK, OUTPUT)[asked]
        rows, now_ms = group.row[asked], group.now_ms[asked]
        cells = [state.cells(column, rows)[:, None] + np.arange(ADS_KEPT) for column in (AT, AD)]
        held = state.flat["i8"][cells[0]], state.flat["u8"][cells[1]]
        worth = conversion * self._promotion.gross_margin * self._policy.brought_share
        consents = self._promotion.consents(consent)
        due = due_hashes([group.key[i] for i in at], [group.ref(i) for i in at])
        oldest = held[0].argmin(axis=1)
        awaited = ad_campaigns.waits_until_ms(state, rows, oldest)

        def choose(against: Ints, j: int | None = None) -> Weighed:
            """All of them, or the j-th alone."""
            some = np.arange(len(at)) if j is None else np.array([j])
            return weigh(
                self._policy,
                slates if j is None else _alone(slates, j),
                click[some],
                worth[some],
                consents[some],
                (held[0][some], held[1][some]),
                now_ms[some],
                self._lateness_ms,
                due[some],
                against,
                awaited[some],
            )

        none: Ints = np.full(slates.filled.shape, -1)
        of = none if self._campaigns is None else self._campaigns.of([group.record[i] for i in at], none.shape[1])
        if self._campaigns is None or not (of >= 0).any():
            found, paid = choose(none), [Paid()] * len(at)
        else:
            found, paid = self._paid(self._campaigns, state, group, asked, of, slates, click, due, choose)
        k = np.flatnonzero(found.chosen < slates.filled.shape[1])
        slot = oldest[k]
        state.flat["i8"][cells[0][k, slot]] = now_ms[k]
        state.flat["u8"][cells[1][k, slot]] = slates.ad[k, found.chosen[k]]
        ids = shopper_hashes([ad_campaigns.decision_id(group, at[j]) for j in k.tolist()])
        ad_campaigns.remember(state, rows[k], slot, ids, [paid[j] for j in k.tolist()])
        return [
            (i, self._said(group, i, j, found, float(click[j]), float(conversion[j]), paid[j]))
            for j, i in enumerate(at)
        ]

    def _paid(
        self,
        campaigns: AdCampaigns,
        state: Rows,
        group: Group,
        asked: Ints,
        of: Ints,
        slates: Slates,
        click: Floats,
        due: Hashes,
        choose: Callable[[Ints, int | None], Weighed],
    ) -> tuple[Weighed, list[Paid]]:
        """What is chosen where campaigns of ads have a say, one request after the other: money goes to the first."""
        back = campaigns.held_back(state, group, asked, of)
        found, paid = choose(_refusals(back), None), [Paid() for _ in of]

        def again(j: int, more: Ints) -> Weighed:
            return choose(_refusals(more)[None], j)

        for j in np.flatnonzero((of >= 0).any(axis=1)).tolist():
            slate = Slate(
                group, int(asked[j]), int(due[j]), slates.cost[j].astype(np.int64), found.value[j], float(click[j])
            )
            found.put(j, campaigns.pay(slate, of[j], back[j], _alone(found, j), partial(again, j), paid[j]))
        return found, paid

    def _said(
        self, group: Group, i: int, j: int, found: Weighed, click: float, conversion: float, paid: Paid
    ) -> AdDecided:
        asked: AdRequested = group.record[i]
        slate, place, nothing = asked.slate, int(found.chosen[j]), found.refused.shape[1]
        refused = [None if code < 0 else REFUSALS[code] for code in found.refused[j].tolist()[: len(slate)]]
        chances, values = found.propensity[j].round(DECIMALS).tolist(), found.value[j].tolist()
        bids = [None if bid < 0 else bid for bid in found.bid[j].tolist()]
        chosen = None if place == nothing else slate[place]
        why = list(dict.fromkeys(reason for reason in refused if reason))
        if chosen is not None:
            why = ["explored" if found.explored[j] else "worth_most"]
        elif found.explored[j]:
            why = ["explored_nothing"]
        judged = isfinite(conversion)
        return AdDecided(
            outcome_id=ad_campaigns.decision_id(group, i),
            shopper_id=group.key[i],
            event_time_ms=int(group.now_ms[i]),
            due=group.due[i],
            model=group.model(TASK, i) if judged else None,
            placement=asked.placement,
            ad_id=None if chosen is None else chosen.ad_id,
            campaign_id=None if chosen is None else chosen.campaign_id,
            bid_cents=None if chosen is None else bids[place],
            expected_value_cents=0.0 if chosen is None else values[place],
            click=round(click, DECIMALS),
            conversion=conversion if judged else None,
            propensity=chances[place],
            propensity_of_nothing=chances[nothing],
            reasons=why,
            slate=[
                AdWeighed(
                    ad_id=ad.ad_id,
                    cost_cents=ad.cost_cents,
                    bid_cents=bids[p],
                    expected_value_cents=values[p] if isfinite(values[p]) else None,
                    refused=refused[p],
                    propensity=chances[p],
                    price=paid.price.get(p),
                )
                for p, ad in enumerate(slate)
            ],
            currency=self._currency,
            rules=self._rules,
            reserved_cents=paid.reserved,
        )


def _refusals(back: Ints) -> Ints:
    """Places in ``REFUSALS`` of places in ``HELD_BACK``."""
    return np.where(back < 0, -1, back + _OF_CAMPAIGNS)


def slates_of(asked: list[AdRequested], basket: Floats) -> Slates:
    """What some requests offer. ``basket`` [k]: what an order of each shopper comes to, in cents, for ads that name no
    price; 0: unknown."""
    n = max(len(request.slate) for request in asked)
    assert n <= MAX_SLATE
    filled = np.arange(n) < np.array([len(request.slate) for request in asked])[:, None]
    ads = [ad for request in asked for ad in request.slate]
    hashes, (cost, price) = np.zeros(filled.shape, np.uint64), np.zeros((2, *filled.shape))
    hashes[filled] = [digest(ad.ad_id) for ad in ads]
    cost[filled] = [ad.cost_cents for ad in ads]
    price[filled] = [ad.unit_price_cents or 0 for ad in ads]
    return Slates(filled, hashes, cost, np.where(price > 0, price, basket[:, None]) * filled)

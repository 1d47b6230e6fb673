"""What campaigns of advertisements say of a slate: which ads they hold back, which they can pay for, and who enters.

An ad whose ``campaign_id`` names no campaign of the log is no business of theirs. What a click costs is set aside when
the ad is chosen, is spent when the click names the decision, and goes back when none comes in time. Every ad that may
be shown is asked for, so the choice is among those that there is money for and its chances are exact; only the one that
is chosen sets money aside. Answers decide, never what a purse holds: after a crash it may be ahead of some rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from streams.budget.candidates import HOUR_MS, Candidates, worth
from streams.campaigns import memory
from streams.campaigns.draws import shopper_hashes, uniform
from streams.campaigns.guards import listed
from streams.campaigns.plan import AdPlan, Plans
from streams.campaigns.reasons import Why
from streams.campaigns.terms import milliseconds
from streams.columns.arrays import TYPE_CODE, Bools, EventBatch, Floats, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.campaigns import ORDERS_BEFORE, REVENUE_BEFORE, SetAside, column
from streams.decisions.decider import Group
from streams.effects.attribution import Opened
from streams.records.campaigns import Campaign
from streams.records.events import MAX_SLATE, AdClicked, AdOffered, AdRequested
from streams.records.outcomes import outcome_id

#: So many ads that were chosen are remembered.
ADS_KEPT = 16
OF = Column("ads/of", "u8", ADS_KEPT)
"""Whose money is set aside for a click on each ad that was chosen: code of its campaign; 0: nobody's."""
DECISION = Column("ads/decision", "u8", ADS_KEPT)
"""The hash of the decision's id."""
RESERVED = Column("ads/reserved", "u4", ADS_KEPT)
"""How much, in cents; 0 once it was clicked."""
UNTIL = Column("ads/until", "u4", ADS_KEPT)
"""Until when a click is waited for, in hours since 1970."""
COLUMNS = (OF, DECISION, RESERVED, UNTIL)
#: What holds an ad back for its campaign's sake, in the order in which it is asked.
HELD_BACK = (
    "not_of_campaign",
    Why.NOT_RUNNING.word,
    Why.NOT_IN_AUDIENCE.word,
    Why.AUDIENCE_UNKNOWN.word,
    Why.BLOCKED.word,
    Why.MERGED_HOLDOUT.word,
    Why.BUDGET_SPENT.word,
    Why.CAMPAIGN_HOLDOUT.word,
    Why.GLOBAL_HOLDOUT.word,
)
_NOT_OF_CAMPAIGN = 0
_BUDGET_SPENT, _HOLDOUT = (HELD_BACK.index(why.word) for why in (Why.BUDGET_SPENT, Why.CAMPAIGN_HOLDOUT))
_CLICKED = TYPE_CODE[AdClicked]


class Purse(Protocol):
    """What campaigns may still spend in a partition, and who entered them: a function of its log."""

    def set_aside(self, campaign: str, some: Candidates) -> Bools:
        """Which clicks there is money for; asked in the order of the log."""

    def price(self, campaign: str, offset: int) -> float:
        """What a cent of cost had to bring beyond itself there; asked after ``set_aside``."""

    def entered(self, shopper: str, campaign: str) -> bool:
        """Whether a shopper entered a campaign before."""

    def open(self, campaign: Campaign, opened: Opened, offset: int) -> None:
        """An ad was chosen at an offset, or kept back by the campaign's holdout alone."""


class Choice(Protocol):
    """What was chosen of one slate of n."""

    @property
    def refused(self) -> Ints:
        """[1, n] below 0: it may be shown."""

    @property
    def chosen(self) -> Ints:
        """[1] place in the slate; n: nothing."""


_Choice = TypeVar("_Choice", bound=Choice)


@dataclass(frozen=True, slots=True)
class Slate:
    """One request of somebody, at its place in the log."""

    group: Group
    i: int
    """Which of the group."""
    due: int
    """64 bits that tell it from other requests."""
    cost: Ints
    """[n] cents per click."""
    value: Floats
    """[n] expected, per impression, after the expected cost."""
    click: float
    """Chance of a click."""


@dataclass(slots=True)
class Paid:
    """What campaigns made of one request."""

    reserved: int = 0
    """Cents that are set aside for the ad that was chosen, …"""
    of: int = 0
    """… of the campaign of this code, …"""
    until_hours: int = 0
    """… until then."""
    price: dict[int, float] = field(default_factory=dict)
    """Place in the slate → what a cent of cost had to bring beyond itself, where its campaign was asked."""


class AdCampaigns:
    """``purse``: where their money is."""

    def __init__(self, plans: Plans, purse: Purse) -> None:
        self._plans, self._purse = plans, purse
        self._of = list(plans.ads.values())
        self._place = {plan.id: c for c, plan in enumerate(self._of)}

    def of(self, asked: Sequence[AdRequested], n: int) -> Ints:
        """[k, n] whose each ad is, a place among the campaigns; -1: nobody's."""
        found = np.full((len(asked), n), -1)
        for j, request in enumerate(asked):
            found[j, : len(request.slate)] = [self._place.get(ad.campaign_id or "", -1) for ad in request.slate]
        return found

    def held_back(self, state: Rows, group: Group, at: Ints, of: Ints) -> Ints:
        """[k, n] why each ad is held back for its campaign's sake, a place in ``HELD_BACK``; -1: it is not. ``at`` [k]
        which of the group ask; ``of`` as above."""
        found = np.full(of.shape, -1)
        keys, merged = [group.key[i] for i in at.tolist()], state.data[memory.MERGED.name][group.row[at]]
        shopper, known = shopper_hashes(keys), merged != 0
        on_list = listed(self._plans.blocked, shopper, merged)
        shop = self._plans.shop.holdout_share
        shop_out, merged_out = (uniform(ids, self._plans.holdout_salt) < shop for ids in (shopper, merged))
        for c in np.unique(of[of >= 0]).tolist():
            plan, mine = self._of[c], of == c
            share, now = plan.campaign.holdout_share, group.now_ms[at]
            holds, fails = plan.audience.judge(lambda address: column(group, address)[at], len(at))
            running = (plan.campaign.approval == "approved") & (plan.start_ms <= now) & (now < plan.end_ms)
            merged_held = ((uniform(merged, plan.holdout_salt) < share) | merged_out) & known
            against = (
                ~running,
                fails,
                ~holds,
                on_list,
                merged_held.any(axis=1),
                np.zeros(len(at), np.bool_),
                (uniform(shopper, plan.holdout_salt) < share) & ~shop_out,
                shop_out,
            )
            for code in reversed(range(len(against))):
                found[mine & against[code][:, None]] = code + 1
        for j, i in enumerate(at.tolist()):
            slate: list[AdOffered] = group.record[i].slate
            for p in np.flatnonzero(of[j] >= 0).tolist():
                if self._of[of[j, p]].arm(slate[p].ad_id) is None:
                    found[j, p] = _NOT_OF_CAMPAIGN
        return found

    def pay(
        self, slate: Slate, of: Ints, against: Ints, found: _Choice, again: Callable[[Ints], _Choice], paid: Paid
    ) -> _Choice:
        """What is chosen of a slate once its campaigns were asked for money; what is set aside goes into ``paid``.
        ``of`` and ``against`` [n] as above; ``found``: what was chosen as if there were plenty; ``again`` chooses under
        another ``against``."""
        n = len(of)
        may, before = (found.refused[0] < 0) & (of >= 0), int(found.chosen[0])
        short = self._without_money(slate, of, may, paid)
        if len(short):
            against = against.copy()
            against[short] = _BUDGET_SPENT
            if before in short:
                # Says that there was no money for it.
                self._ask(slate, of, np.array([before]), held=False)
            found = again(against)
        self._enter_held(slate, of, against, again)
        place = int(found.chosen[0])
        if place < n and of[place] >= 0:
            plan = self._of[of[place]]
            (yes,) = self._ask(slate, of, np.array([place]), held=False)
            assert yes, "There was money for this very click."
            paid.reserved, paid.of = min(int(slate.cost[place]), 2**32 - 1), plan.code
            paid.until_hours = self._ends_ms(slate, plan, place) // HOUR_MS
            self._open(slate, plan, place, held=False)
        return found

    def _enter_held(self, slate: Slate, of: Ints, against: Ints, again: Callable[[Ints], Choice]) -> None:
        """Who is in a campaign's holdout enters it where its ad would have been chosen. Nothing is said of that: after
        a crash windows may be ahead of rows, and who has entered is not asked about again."""
        held = (against == _HOLDOUT) & (of >= 0)
        for c in np.unique(of[held]).tolist():
            plan, mine = self._of[c], held & (of == c)
            if self._purse.entered(slate.group.key[slate.i], plan.id):
                continue
            trial = np.where(mine, -1, against)
            would = again(trial)
            short = self._without_money(slate, of, mine & (would.refused[0] < 0), Paid())
            if len(short):
                trial[short] = _BUDGET_SPENT
                would = again(trial)
            place = int(would.chosen[0])
            if place < len(of) and of[place] == c:
                self._open(slate, plan, place, held=True)

    def _without_money(self, slate: Slate, of: Ints, may: Bools, paid: Paid) -> Ints:
        """Places of some ads that there is no money for."""
        places = np.flatnonzero(may)
        yes = self._ask(slate, of, places, held=True)
        for place in places.tolist():
            paid.price[place] = self._purse.price(self._of[of[place]].id, int(slate.group.offset[slate.i]))
        return places[~yes]

    def _ask(self, slate: Slate, of: Ints, places: Ints, *, held: bool) -> Bools:
        """[m] which of some ads there is money for; where they are not ``held`` it is set aside."""
        yes = np.zeros(len(places), np.bool_)
        for c in np.unique(of[places]).tolist():
            mine = of[places] == c
            some, plan = places[mine], self._of[c]
            cost, nobody = slate.cost[some], np.zeros(len(some), np.bool_)
            apart = np.uint64(1) + some.astype(np.uint64) + np.uint64(0 if held else MAX_SLATE)
            ends = np.array([self._ends_ms(slate, plan, p) for p in some.tolist()], np.int64)
            candidates = Candidates(
                offset=np.full(len(some), slate.group.offset[slate.i]),
                key=np.uint64(slate.due) ^ apart,
                cost_cents=cost,
                value=worth(slate.value[some], slate.click * cost, cost, nobody),
                expires_at_ms=ends,
                held=~nobody if held else nobody,
            )
            yes[mine] = self._purse.set_aside(plan.id, candidates)
        return yes

    def _ends_ms(self, slate: Slate, plan: AdPlan, place: int) -> int:
        """Until when a click is waited for: the end of an hour."""
        arm = plan.arm(slate.group.record[slate.i].slate[place].ad_id)
        assert arm is not None
        return -(-(int(slate.group.now_ms[slate.i]) + milliseconds(arm.valid_days)) // HOUR_MS) * HOUR_MS

    def _open(self, slate: Slate, plan: AdPlan, place: int, *, held: bool) -> None:
        """What follows is counted from here on."""
        group, i = slate.group, slate.i
        arm = plan.arm(group.record[i].slate[place].ad_id)
        assert arm is not None
        opened = Opened(
            offer_id=outcome_id("ad_held", group.key[i], group.ref(i), plan.id) if held else decision_id(group, i),
            shopper_id=group.key[i],
            campaign=plan.id,
            arm=arm.id,
            at_ms=int(group.now_ms[i]),
            held=held,
            segment=plan.segment(lambda address: column(group, address)[i : i + 1]),
            before_orders=int(group.feature(ORDERS_BEFORE)[i]),
            before_revenue_cents=int(group.feature(REVENUE_BEFORE)[i]),
            click_cents=int(slate.cost[place]),
        )
        self._purse.open(plan.campaign, opened, int(group.offset[i]))


def decision_id(group: Group, i: int) -> str:
    """The id of what is decided about the ads of the i-th of a group."""
    return outcome_id("ad_decided", group.key[i], group.ref(i), "")


def waits_until_ms(state: Rows, rows: Ints, slot: Ints) -> Ints:
    """[k] until when a click on the ad in a slot of each row is waited for; 0: it is not, or was not set aside for."""
    return state.flat["u4"][state.cells(UNTIL, rows) + slot].astype(np.int64) * HOUR_MS


def remember(state: Rows, rows: Ints, slot: Ints, decisions: Hashes, paid: Sequence[Paid]) -> None:
    """What is set aside for ads that were chosen, or nothing, each in a slot of its row. No row stands twice."""
    money = np.array([(one.of, one.reserved, one.until_hours) for one in paid], np.uint64).reshape(-1, 3)
    values = (money[:, 0], np.where(money[:, 1] > 0, decisions, np.uint64(0)), money[:, 1], money[:, 2])
    for which, value in zip(COLUMNS, values, strict=True):
        state.flat[which.code][state.cells(which, rows) + slot] = value


def forget(state: Rows, row: int) -> None:
    """Nothing waits for a click on an ad of a row any more: what is set aside goes back in time."""
    for which in COLUMNS:
        state.data[which.name][row] = 0


def clicked(
    state: Rows,
    rows: Ints,
    batch: EventBatch,
    applied: Ints,
    late_before_ms: Ints,
    spend: Callable[[int, int, int, SetAside, int | None], None],
) -> None:
    """Clicks that name a decision spend what is set aside for it, once. ``applied``: of the batch, in log order;
    ``late_before_ms`` [n]: what is older has gone back. ``spend`` is told the campaign's code, offset, time, what was
    set aside, and what the click came to (None: all of it)."""
    found = applied[batch.type[applied] == _CLICKED]
    for i in found[batch.time_ms[found] >= late_before_ms[found]].tolist():
        record: AdClicked = batch.records[i]
        if record.decision_id is None:
            continue
        held = {which: state.data[which.name][rows[i]] for which in COLUMNS}
        (mine,) = shopper_hashes([record.decision_id])
        for slot in np.flatnonzero((held[DECISION] == mine) & (held[RESERVED] > 0)).tolist():
            set_aside = int(held[RESERVED][slot]), int(held[UNTIL][slot]) * HOUR_MS
            held[RESERVED][slot] = 0
            spend(int(held[OF][slot]), int(batch.offset[i]), int(batch.time_ms[i]), set_aside, record.cost_cents)

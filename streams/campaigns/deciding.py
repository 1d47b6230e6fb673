"""What every campaign decides for a group of due points: an offer, or the reason why there is none.

For each campaign, the highest priority first: who is addressed (trigger, audience); who is held back for their own
sake (``guards.py``); what each arm is worth with each (``arms.py``); the arm worth most at the price that the budget
has now, or one drawn to learn (``draws.py``); then quiet hours, what is left of the budget, and the control groups,
last, so that a control group is made of those who would have got an offer.

All of it works on arrays, ``k`` due points of different shoppers at once, and decides the same for each of them whoever
stands beside them, but for a budget that runs out among them: it goes to those who come first in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from streams.campaigns import memory
from streams.campaigns.arms import Draw, ItemFacts, Values, draw, refused
from streams.campaigns.draws import uniform
from streams.campaigns.expression import Columns
from streams.campaigns.guards import EVERY_GUARD, SHOPPER_GUARDS, Case, quiet_until
from streams.campaigns.memory import Held
from streams.campaigns.plan import CONSENT, DEFERRED, Plan, Plans
from streams.campaigns.reasons import Why
from streams.columns.arrays import Bools, Floats, Hashes, Ints
from streams.columns.layout import Rows

_GUARD_CODES = np.array([int(why) for why, _ in SHOPPER_GUARDS])
#: numpy takes plain whole numbers, and is six times as slow with members of an enumeration.
_OFFERED = int(Why.OFFERED)
_CAMPAIGN_HOLDOUT = int(Why.CAMPAIGN_HOLDOUT)
_GLOBAL_HOLDOUT = int(Why.GLOBAL_HOLDOUT)
_QUIET_HOURS = int(Why.QUIET_HOURS)
_NOT_RUNNING = int(Why.NOT_RUNNING)
_NOT_TRIGGERED = int(Why.NOT_TRIGGERED)
_AUDIENCE_UNKNOWN = int(Why.AUDIENCE_UNKNOWN)
_NOT_IN_AUDIENCE = int(Why.NOT_IN_AUDIENCE)
_EXPLORED_NOTHING = int(Why.EXPLORED_NOTHING)
_NOT_WORTH_IT = int(Why.NOT_WORTH_IT)
_BUDGET_SPENT = int(Why.BUDGET_SPENT)


@dataclass(frozen=True, slots=True)
class Moment:
    """k due points, no shopper twice, in the order of the log."""

    now_ms: Ints
    kind: Ints
    """[k] code of what made each due, a place in ``plan.KINDS``."""
    event_type: Ints
    """[k] code of the event that did; 0 for a timer."""
    amount: Floats
    """[k] what the due point measures: minutes of silence, percent that a price fell, mean gaps; NaN where nothing."""
    shopper: Hashes
    """[k] ``draws.shopper_hashes``."""
    due: Hashes
    """[k] ``draws.due_hashes``."""
    columns: Columns
    """Address → [k] or [k, width]: features and answers, NaN where unknown."""
    age_years: Floats | None = None
    """[k] NaN where unknown; None: of nobody is it known."""
    clock_ms: Floats | None = None
    """[k] how far the shopper's clock is ahead of UTC, NaN where unknown; None: of nobody is it known."""

    def __len__(self) -> int:
        return len(self.now_ms)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What others say to a campaign, by its id; what is not there is as if nobody said anything."""

    uplift: Mapping[str, Floats] = field(default_factory=dict)
    """[A, k] how much likelier an order becomes; without it, as the campaign assumes."""
    price: Mapping[str, float] = field(default_factory=dict)
    """The dual price of the budget: an arm is worth its profit less this times its expected cost; 0 or more."""
    left_cents: Mapping[str, int] = field(default_factory=dict)
    """What may be set aside for offers now; without it, no limit."""
    items: Mapping[str, ItemFacts] = field(default_factory=dict)
    """About the items that each arm would offer; without it, unknown."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What one campaign decided at k due points. ``at`` are the n of them that it addresses; what follows is of
    those."""

    plan: Plan
    why: Ints
    """[k] codes of ``Why``, for all."""
    at: Ints
    guards: Bools
    """[G, n] whom each of ``EVERY_GUARD`` holds back."""
    values: Values
    refused: Ints
    """[A, n] codes of ``Why`` an arm may not be offered; 0 where it may."""
    price: float
    drawn: Draw
    due_again_ms: Ints
    """[n] when a shopper whom quiet hours hold back must be looked at again; 0 for the others."""

    @staticmethod
    def nobody(plan: Plan, why: Ints) -> Decided:
        """What is decided where a campaign addresses nobody."""
        arms = len(plan.arms)
        no_money, none = np.zeros((arms, 0)), np.zeros(0, np.int64)
        return Decided(
            plan,
            why,
            at=none,
            guards=np.zeros((len(EVERY_GUARD), 0), np.bool_),
            values=Values(no_money, no_money, no_money, no_money, no_money),
            refused=np.zeros((arms, 0), np.int64),
            price=0.0,
            drawn=Draw(none, none, none.astype(np.bool_), none.astype(np.float64), none),
            due_again_ms=none,
        )

    @property
    def offered(self) -> Bools:
        """[n] who gets an offer."""
        return self.why[self.at] == _OFFERED

    @property
    def spent_cents(self) -> int:
        """What is set aside for these offers."""
        return int(self.plan.arms.reserve[self.drawn.arm[self.offered]].sum())


def decide(plans: Plans, moment: Moment, held: Held, inputs: Inputs | None = None) -> list[Decided]:
    """Decide for every campaign, in the order of ``plans``; changes nothing. ``held``: what the k shoppers' rows
    remember. Raises ``KeyError`` for a column that is not there."""
    said = Inputs() if inputs is None else inputs
    taken = np.zeros(len(moment), np.bool_)
    whole = _Whole.of(plans, moment, held)
    decided = []
    for plan in plans.plans:
        found = _campaign(plan, whole, said, taken)
        taken[found.at[found.offered]] = True
        decided.append(found)
    return decided


@dataclass(frozen=True, slots=True)
class _Whole:
    """What guards look at of all k, made once for all campaigns."""

    plans: Plans
    moment: Moment
    held: Held
    consent: Floats
    years: Floats
    ages: Ints
    live: Bools
    hashes: Hashes
    """[3, k] what is drawn by: the due point, the due point, the shopper."""
    control: Bools
    """[k] who is in the shop's control group."""

    @staticmethod
    def of(plans: Plans, moment: Moment, held: Held) -> _Whole:
        return _Whole(
            plans,
            moment,
            held,
            consent=np.asarray(moment.columns(CONSENT), np.float64),
            years=np.full(len(moment), np.nan) if moment.age_years is None else moment.age_years,
            ages=Case.ages(held, moment.now_ms),
            live=(held.of != 0) & (held.until_ms > moment.now_ms[:, None]),
            hashes=np.stack([moment.due, moment.due, moment.shopper]),
            control=uniform(moment.shopper, plans.holdout_salt) < plans.shop.holdout_share,
        )

    def case(self, plan: Plan, at: Ints, taken: Bools) -> Case:
        """The case of a campaign for some of them."""
        if len(at) == len(self.ages):
            now, shopper = self.moment.now_ms, self.moment.shopper
            return Case(
                self.plans, plan, now, shopper, self.consent, self.years, taken, self.held, self.ages, self.live
            )
        return Case(
            self.plans,
            plan,
            self.moment.now_ms[at],
            self.moment.shopper[at],
            self.consent[at],
            self.years[at],
            taken[at],
            self.held.take(at),
            self.ages[at],
            self.live[at],
        )


def _campaign(plan: Plan, whole: _Whole, said: Inputs, taken: Bools) -> Decided:
    moment = whole.moment
    why = addressed(plan, moment, whole.held)
    at = np.flatnonzero(why == _OFFERED)
    if not len(at):
        return Decided.nobody(plan, why)
    case = whole.case(plan, at, taken)
    uplift, items, left = said.uplift.get(plan.id), said.items.get(plan.id), said.left_cents.get(plan.id)
    basket = np.asarray(moment.columns(plan.campaign.economics.basket), np.float64)[at]
    values = Values.of(plan, basket, None if uplift is None else uplift[:, at])
    no_arm = refused(case, values, None if items is None else items.take(at), left)
    price = said.price.get(plan.id, 0.0)
    whether, which, holdout = uniform(whole.hashes[:, at], plan.salts)
    chosen = draw(
        no_arm == 0,
        values.profit - price * values.cost,
        plan.campaign.exploration_share,
        whether,
        which,
    )
    guards = np.empty((len(EVERY_GUARD), len(at)), np.bool_)
    for place, (_, guard) in enumerate(SHOPPER_GUARDS):
        guards[place] = guard(case)
    clock = None if moment.clock_ms is None else moment.clock_ms[at]
    until = quiet_until(plan.quiet, whole.plans.days, case.now_ms, clock)
    quiet, own, shop = guards[-3:]
    np.greater(until, 0, out=quiet)
    np.less(holdout, plan.campaign.holdout_share, out=own)
    np.copyto(shop, whole.control[at])
    found = _reasons(guards, no_arm, chosen)
    if left is not None:
        _spend(left, found, plan.arms.reserve[chosen.arm], shop | own)
    would = found == _OFFERED
    np.copyto(found, _CAMPAIGN_HOLDOUT, where=would & own)
    np.copyto(found, _GLOBAL_HOLDOUT, where=would & shop)
    why[at] = found
    due_again = np.where(why[at] == _QUIET_HOURS, until, 0)
    return Decided(plan, why, at, guards, values, no_arm, price, chosen, due_again)


def addressed(plan: Plan, moment: Moment, held: Held) -> Ints:
    """[k] ``Why.OFFERED`` for whom a campaign is meant at this moment, or why it is not."""
    k, campaign = len(moment), plan.campaign
    why = np.full(k, _NOT_RUNNING)
    if campaign.approval != "approved":
        return why
    running = (moment.now_ms >= plan.start_ms) & (moment.now_ms < plan.end_ms)
    triggered = plan.kinds[moment.kind]
    if plan.types is not None:
        triggered &= plan.types[moment.event_type]
    if plan.least > 0:
        triggered &= moment.amount >= plan.least
    again = moment.kind == DEFERRED
    if again.any():
        waited = (held.wait_of == plan.code) & (held.wait_until_ms <= moment.now_ms[:, None])
        triggered |= again & waited.any(axis=1)
    why[running] = _NOT_TRIGGERED
    meant = running & triggered
    if meant.any():
        holds, fails = plan.audience.judge(moment.columns, k)
        why[meant] = _AUDIENCE_UNKNOWN
        why[meant & fails] = _NOT_IN_AUDIENCE
        why[meant & holds] = _OFFERED
    return why


def _reasons(guards: Bools, no_arm: Ints, chosen: Draw) -> Ints:
    """[n] the first reason that objects, but for budget and control groups; ``Why.OFFERED`` where none does."""
    found = np.where(guards[-3], _QUIET_HOURS, _OFFERED)
    nothing = np.where(chosen.explored, _EXPLORED_NOTHING, _NOT_WORTH_IT)
    found = np.where(chosen.arm < 0, nothing, found)
    found = np.where(chosen.admissible == 0, no_arm.max(axis=0, initial=0), found)
    guards = guards[: len(SHOPPER_GUARDS)]
    first = guards.argmax(axis=0)
    return np.where(guards[first, np.arange(len(first))], _GUARD_CODES[first], found)


def _spend(left_cents: int, reason: Ints, reserve: Ints, control: Bools) -> None:
    """Note for whom too little is left once those before them have theirs; control groups take nothing."""
    asks = np.flatnonzero(reason == _OFFERED)
    if int(reserve[asks].sum()) <= left_cents:
        return
    for i in asks.tolist():
        if int(reserve[i]) > left_cents:
            reason[i] = _BUDGET_SPENT
        elif not control[i]:
            left_cents -= int(reserve[i])


def remember(state: Rows, rows: Ints, moment: Moment, decided: list[Decided], offers: list[Hashes]) -> None:
    """Note in the k shoppers' rows what was offered and what waits. ``offers``: per campaign [n] 64-bit hash of the id
    that each offer has (anything where there is none)."""
    for found, ids in zip(decided, offers, strict=True):
        made = np.flatnonzero(found.offered)
        if len(made):
            at, arm = found.at[made], found.drawn.arm[made]
            now = moment.now_ms[at]
            worth = np.floor(found.values.discount[arm, made]).astype(np.int64)
            until = now + found.plan.arms.valid_ms[arm]
            memory.remember_offers(state, rows[at], found.plan.code, now, until, worth, ids[made])
        waits = np.flatnonzero(found.due_again_ms)
        if len(waits):
            memory.remember_waits(state, rows[found.at[waits]], found.plan.code, found.due_again_ms[waits])
    memory.clear_waits(state, rows, moment.now_ms)

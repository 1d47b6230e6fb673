"""What every campaign decides for a group of due points: an offer, or the reason why there is none.

For each campaign, the highest priority first: who is addressed (trigger, audience); who is held back for their own
sake (``guards.py``); what each arm is worth with each (``arms.py``); the arm worth most, or one drawn to learn
(``draws.py``); then quiet hours, money, and the control groups, last, so that a control group is made of those who
would have got an offer.

All of it works on arrays, ``k`` due points of different shoppers at once, and decides the same for each of them whoever
stands beside them, but for a budget that runs out among them: it goes to those who come first in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from streams.campaigns import memory
from streams.campaigns.arms import Draw, ItemFacts, Values, draw, refused
from streams.campaigns.asking import Afforded, Asked
from streams.campaigns.draws import uniform
from streams.campaigns.expression import Columns
from streams.campaigns.guards import EVERY_GUARD, LONG_AGO, SHOPPER_GUARDS, Case, quiet_until
from streams.campaigns.memory import Held
from streams.campaigns.plan import CONSENT, Plan, Plans
from streams.campaigns.reasons import Why
from streams.campaigns.terms import DEFERRED
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
_POOL_EMPTY = int(Why.POOL_EMPTY)
_OUTRANKED = int(Why.OUTRANKED)
_OUTRANKED_AT = EVERY_GUARD.index(Why.OUTRANKED)


@dataclass(frozen=True, slots=True)
class Moment:
    """k due points, no shopper twice, in the order of the log."""

    now_ms: Ints
    kind: Ints
    """[k] code of what made each due, a place in ``terms.KINDS``."""
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
    afford: Callable[[Asked], Afforded] | None = None
    """Asks for money for offers that nothing else holds back, in their order; without it, there is plenty."""
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
    price: Floats
    """[n] of the budget, where money was asked for; 0 for the others."""
    drawn: Draw
    codes: Mapping[int, str]
    """Place among the n → the code that was given from the campaign's pool."""
    due_again_ms: Ints
    """[n] when a shopper whom quiet hours hold back must be looked at again; 0 for the others."""

    @staticmethod
    def nobody(plan: Plan, why: Ints) -> Decided:
        """What is decided where a campaign addresses nobody."""
        money, none = np.zeros((len(plan.arms), 0)), np.zeros(0, np.int64)
        return Decided(
            plan,
            why,
            at=none,
            guards=np.zeros((len(EVERY_GUARD), 0), np.bool_),
            values=Values(money, money, money, money, money),
            refused=money.astype(np.int64),
            price=none.astype(np.float64),
            drawn=Draw(none, none, none.astype(np.bool_), none.astype(np.float64), none),
            codes={},
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
    if not plans.plans:
        return []
    why = addressed(plans, moment, held)
    if not (why == _OFFERED).any():
        return [Decided.nobody(plan, each) for plan, each in zip(plans.plans, why, strict=True)]
    pairs = _Pairs(plans, moment, held, inputs or Inputs(), why)
    pairs.settle(why)
    return list(pairs.decided(why))


def addressed(plans: Plans, moment: Moment, held: Held) -> Ints:
    """[C, k] ``Why.OFFERED`` for whom a campaign is meant at this moment, or why it is not."""
    table, now, kind = plans.table, moment.now_ms, moment.kind
    running = table.approved[:, None] & (now >= table.start_ms[:, None]) & (now < table.end_ms[:, None])
    triggered = table.kinds[:, kind] & table.types[:, moment.event_type]
    least = table.least[:, None]
    triggered &= (moment.amount >= least) | (least == -np.inf)
    again = kind == DEFERRED
    if again.any():
        over = held.wait_until_ms <= now[:, None]
        waited = ((held.wait_of == table.code[:, None, None]) & over).any(axis=2)
        triggered |= again & waited
    meant = running & triggered
    why = np.where(running, _NOT_TRIGGERED, _NOT_RUNNING)
    for c in np.flatnonzero(meant.any(axis=1)).tolist():
        holds, fails = plans.plans[c].audience.judge(moment.columns, len(moment))
        judged = np.where(holds, _OFFERED, np.where(fails, _NOT_IN_AUDIENCE, _AUDIENCE_UNKNOWN))
        np.copyto(why[c], judged, where=meant[c])
    return why


class _Pairs:
    """The n pairs of a campaign and a shopper whom it addresses, those of one campaign beside each other."""

    def __init__(self, plans: Plans, moment: Moment, held: Held, said: Inputs, why: Ints) -> None:
        self.plans, self.moment, self.said = plans, moment, said
        self.campaign, self.at = np.nonzero(why == _OFFERED)
        ends = np.searchsorted(self.campaign, np.arange(len(plans.plans) + 1)).tolist()
        self.spans = [slice(start, stop) for start, stop in pairwise(ends)]
        table, at, campaign = plans.table, self.at, self.campaign
        self.price, self.codes = np.zeros(len(at)), dict[int, str]()
        case = self._case(held)
        self.values = Values.of(table, campaign, self._baskets(), self._uplift())
        self.refused = refused(case, self.values, self._items())
        hashes = np.stack([moment.due, moment.due, moment.shopper])
        whether, which, holdout = uniform(hashes[:, at], table.salts[:, campaign])
        self.drawn = draw(
            (self.refused == 0) & table.arm_is[:, campaign],
            self.values.profit,
            table.exploration_share[campaign],
            whether,
            which,
        )
        clock = None
        if moment.clock_ms is not None:
            clock = np.where(table.shoppers_clock[campaign], moment.clock_ms[at], np.nan)
        start, end = table.quiet_start[campaign], table.quiet_end[campaign]
        self.until = quiet_until(start, end, plans.days, case.now_ms, clock)
        self.guards = np.zeros((len(EVERY_GUARD), len(at)), np.bool_)
        for place, (_, guard) in enumerate(SHOPPER_GUARDS):
            self.guards[place] = guard(case)
        self.guards[-3] = self.until > 0
        self.guards[-2] = holdout < table.holdout_share[campaign]
        self.guards[-1] = (uniform(moment.shopper, plans.holdout_salt) < plans.shop.holdout_share)[at]

    def _case(self, held: Held) -> Case:
        moment, at = self.moment, self.at
        live = (held.of != 0) & (held.until_ms > moment.now_ms[:, None])
        years = moment.age_years
        return Case(
            self.plans,
            self.campaign,
            moment.now_ms[at],
            moment.shopper[at],
            consent=np.asarray(moment.columns(CONSENT), np.float64)[at],
            age_years=np.full(len(at), np.nan) if years is None else years[at],
            did_ms=held.did_ms[at],
            offer_of=held.of[at],
            since_ms=np.where(held.of != 0, moment.now_ms[:, None] - held.at_ms, LONG_AGO)[at],
            live=live[at],
            best_held=np.where(live, held.worth, 0).max(axis=1)[at],
            merged=held.merged[at],
        )

    def _baskets(self) -> Floats:
        """[n] what an order of each comes to."""
        found = np.empty(len(self.at))
        for plan, span in zip(self.plans.plans, self.spans, strict=True):
            if span.stop > span.start:
                found[span] = self.moment.columns(plan.campaign.economics.basket)[self.at[span]]
        return found

    def _uplift(self) -> Floats:
        """[A, n] as models say, or as assumed."""
        found = self.plans.table.uplift[:, self.campaign]
        for plan, span in zip(self.plans.plans, self.spans, strict=True):
            if plan.id in self.said.uplift:
                found[: len(plan.arms), span] = self.said.uplift[plan.id][:, self.at[span]]
        return found

    def _items(self) -> ItemFacts:
        """[A, n] about the items that each arm would offer."""
        shape = (len(self.plans.table.arm_is), len(self.at))
        unknown, no = np.full(shape, np.nan), np.zeros(shape, np.bool_)
        found = ItemFacts(unknown, unknown.copy(), no, no.copy())
        for plan, span in zip(self.plans.plans, self.spans, strict=True):
            if plan.id in self.said.items:
                items, at = self.said.items[plan.id], self.at[span]
                found.on_hand[: len(plan.arms), span] = items.on_hand[:, at]
                found.rating[: len(plan.arms), span] = items.rating[:, at]
                found.nothing[: len(plan.arms), span] = items.nothing[:, at]
                found.worse[: len(plan.arms), span] = items.worse[:, at]
        return found

    def settle(self, why: Ints) -> None:
        """Write the reason of every pair into ``why``; campaigns of higher priority come first."""
        reason = self._reasons()
        taken = np.zeros(len(self.moment), np.bool_)
        for c, span in enumerate(self.spans):
            at, mine = self.at[span], reason[span]
            self.guards[_OUTRANKED_AT, span] = gone = taken[at]
            np.copyto(mine, _OUTRANKED, where=gone & ((mine == _OFFERED) | (mine > _OUTRANKED)))
            if self.said.afford is not None:
                asks = (mine == _OFFERED) | (mine >= _CAMPAIGN_HOLDOUT)
                self._ask(self.said.afford, c, span.start + np.flatnonzero(asks), reason)
            taken[at[mine == _OFFERED]] = True
        why[self.campaign, self.at] = reason
        self.until *= reason == _QUIET_HOURS

    def _ask(self, afford: Callable[[Asked], Afforded], c: int, n: Ints, reason: Ints) -> None:
        if not len(n):
            return
        arm, values = self.drawn.arm[n], self.values
        profit, cost = values.profit[arm, n], values.cost[arm, n]
        held = reason[n] != _OFFERED
        found = afford(Asked(self.plans.plans[c], self.at[n], arm, profit, cost, self.drawn.explored[n], held))
        reason[n[~found.yes]] = _BUDGET_SPENT
        if found.dry is not None:
            reason[n[found.dry]] = _POOL_EMPTY
        self.price[n] = found.price
        self.codes |= {int(n[i]): code for i, code in found.codes.items()}

    def _reasons(self) -> Ints:
        """[n] the first reason that objects, were there no other campaign and plenty of money."""
        drawn, (quiet, own, shop) = self.drawn, self.guards[-3:]
        found = np.where(own, _CAMPAIGN_HOLDOUT, _OFFERED)
        np.copyto(found, _GLOBAL_HOLDOUT, where=shop)
        np.copyto(found, _QUIET_HOURS, where=quiet)
        np.copyto(found, np.where(drawn.explored, _EXPLORED_NOTHING, _NOT_WORTH_IT), where=drawn.arm < 0)
        np.copyto(found, self.refused.max(axis=0), where=drawn.admissible == 0)
        guards = self.guards[: len(SHOPPER_GUARDS)]
        first = guards.argmax(axis=0)
        return np.where(guards[first, np.arange(len(first))], _GUARD_CODES[first], found)

    def decided(self, why: Ints) -> Iterator[Decided]:
        """What each campaign decided."""
        for c, (plan, span) in enumerate(zip(self.plans.plans, self.spans, strict=True)):
            arms = len(plan.arms)
            yield Decided(
                plan,
                why[c],
                self.at[span],
                self.guards[:, span],
                self.values.select(arms, span),
                self.refused[:arms, span],
                self.price[span],
                self.drawn.select(span),
                {n - span.start: code for n, code in self.codes.items() if span.start <= n < span.stop},
                self.until[span],
            )


def remember(state: Rows, rows: Ints, moment: Moment, decided: list[Decided], offers: list[Hashes]) -> None:
    """Note in the k shoppers' rows what was offered and what waits. ``offers``: per campaign [n] 64-bit hash of the id
    that each offer has (anything where there is none)."""
    for found, ids in zip(decided, offers, strict=True):
        if not len(found.at):
            continue
        made = np.flatnonzero(found.offered)
        if len(made):
            at, arm = found.at[made], found.drawn.arm[made]
            now = moment.now_ms[at]
            worth = np.floor(found.values.discount[arm, made]).astype(np.int64)
            until = now + found.plan.arms.valid_ms[arm]
            reserve = found.plan.arms.reserve[arm] - found.plan.campaign.economics.contact_cents
            memory.remember_offers(state, rows[at], found.plan.code, now, until, worth, ids[made], reserve)
        waits = np.flatnonzero(found.due_again_ms)
        if len(waits):
            memory.remember_waits(state, rows[found.at[waits]], found.plan.code, found.due_again_ms[waits])
    again = moment.kind == DEFERRED
    memory.clear_waits(state, rows[again], moment.now_ms[again])

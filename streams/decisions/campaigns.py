"""Offers of campaigns, and why there is none: the core of ``streams/campaigns`` as a decider among the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streams.campaigns import memory
from streams.campaigns.deciding import Asked, Decided, Inputs, Moment, decide, remember
from streams.campaigns.draws import due_hashes, shopper_hashes
from streams.campaigns.plan import Plan, Plans
from streams.campaigns.reasons import Why
from streams.campaigns.receipts import Whom, receipts
from streams.campaigns.terms import KINDS
from streams.columns.arrays import Bools, Hashes, Ints, of_types
from streams.columns.layout import Column, Rows
from streams.decisions.campaign_outcomes import Naming, made, withheld
from streams.decisions.decider import Group, Names, Said, in_log_order
from streams.decisions.favourite import ADDRESS
from streams.records.campaigns import Campaign
from streams.records.events import OfferDismissed, OfferRedeemed
from streams.records.outcomes import ModelUsed

_OFFERED, _FIRST_WITHHELD = int(Why.OFFERED), int(Why.BLOCKED)
#: Events after which an offer is live no more.
_CLOSING = of_types(OfferRedeemed, OfferDismissed)
_CODE = {kind: code for code, kind in enumerate(KINDS)}


class Purse(Protocol):
    """What campaigns may still spend in a partition: a function of its log."""

    def left_cents(self, campaign: Campaign) -> int:
        """What may be set aside for offers of a campaign now."""

    def reserve(self, campaign: Campaign, cents: int, offset: int) -> None:
        """Set something aside for an offer that was decided at an offset of the log."""

    def mark(self) -> Any:
        """What is set aside now, to go back to."""

    def go_back(self, mark: Any) -> None:
        """Forget what was set aside since a mark."""

    @property
    def leased(self) -> bool:
        """Whether offers are asked for one by one: budgets are leased to the partition. Else ``left_cents`` says it."""

    def afford(self, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes) -> Bools:
        """[n] which offers there is money for, asked in the order of the log; sets it aside. ``offset`` and ``now_ms``
        [n] of each, ``due`` [n] what tells them apart."""

    def redeem(self, code: int, offset: int, at_ms: int, reserved_cents: int, ends_ms: int) -> None:
        """An offer of the campaign of this code was used at an offset of the log."""


class CampaignOffers:
    """Every campaign that holds, at every due point. Without any (``plans`` None) it only remembers what cooldowns will
    ask for."""

    columns: tuple[Column, ...] = memory.COLUMNS
    reads = (ADDRESS,)
    """What campaigns ask for changes with them: ``InForce.addresses`` names that."""

    def __init__(self, plans: Plans | None, purse: Purse, currency: str, rules: str, names: Names) -> None:
        self._plans, self._purse, self._currency = plans, purse, currency
        self._naming = Naming(currency, rules, names, "" if plans is None else plans.digest)

    def decide_slice(self, state: Rows, groups: Sequence[Group]) -> list[Said]:
        """Decide for the groups as they are; where that took an arm out of reach of a budget, anew in the order of the
        log: who gets the rest must not depend on how the log was cut."""
        if self._purse.leased:
            ordered = groups if self._plans is None else in_log_order(groups)
            return [one for group in ordered for one in self.decide(state, group)]
        plans = () if self._plans is None else self._plans.plans
        most = sum(len(group) for group in groups)
        if not any(self._tight(plan, most) for plan in plans):
            return [one for group in groups for one in self.decide(state, group)]
        rows = np.unique(np.concatenate([group.row for group in groups]))
        held, mark, before = state.words[rows].copy(), self._purse.mark(), self._within_reach()
        said = [one for group in groups for one in self.decide(state, group)]
        if self._within_reach() == before:
            return said
        state.words[rows] = held
        self._purse.go_back(mark)
        return [one for group in in_log_order(groups) for one in self.decide(state, group)]

    def _within_reach(self) -> list[int]:
        """How many arms of each campaign what is left allows."""
        plans = () if self._plans is None else self._plans.plans
        return [int((plan.arms.reserve <= self._purse.left_cents(plan.campaign)).sum()) for plan in plans]

    def _tight(self, plan: Plan, offers: int) -> bool:
        """Whether so many offers may make an arm too dear for what is left."""
        left, reserve = self._purse.left_cents(plan.campaign), plan.arms.reserve
        return bool(((reserve <= left) & (reserve > left - offers * int(reserve.max()))).any())

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        memory.note_events(state, group.row, group.now_ms, group.event_type)
        if self._plans is None or not self._plans.plans:
            return []
        self._close(state, group)
        return list(self._decide(state, group, self._plans))

    def _close(self, state: Rows, group: Group) -> None:
        over = np.flatnonzero(_CLOSING[group.event_type]).tolist()
        if over:
            offers = shopper_hashes([group.record[i].offer_id for i in over])
            self._redeem(state, group, np.array(over), offers)
            memory.close_offers(state, group.row[over], offers, group.now_ms[over])

    def _redeem(self, state: Rows, group: Group, over: Ints, offers: Hashes) -> None:
        used = np.array([isinstance(group.record[i], OfferRedeemed) for i in over.tolist()])
        rows, at = group.row[over[used]], over[used]
        found = memory.take_reserved(state, rows, offers[used])
        for i, code, cents, ends in zip(*(column.tolist() for column in found), strict=True):
            self._purse.redeem(code, int(group.offset[at[i]]), int(group.now_ms[at[i]]), cents, ends)

    def _leased(self, state: Rows, group: Group, plans: Plans) -> Iterator[Said]:
        moment = self._moment(group, slice(0, len(group)))

        def afford(asked: Asked) -> Bools:
            at = asked.at
            return self._purse.afford(asked, group.offset[at], moment.now_ms[at], moment.due[at])

        decided = decide(plans, moment, memory.read(state, group.row), Inputs(afford=afford))
        yield from self._say(state, group, 0, group.row, moment, decided)

    def _decide(self, state: Rows, group: Group, plans: Plans) -> Iterator[Said]:
        if self._purse.leased:
            yield from self._leased(state, group, plans)
            return
        start = 0
        while start < len(group):
            moment = self._moment(group, slice(start, len(group)))
            rows = group.row[start:]
            left = {plan.id: self._purse.left_cents(plan.campaign) for plan in plans.plans}
            decided = decide(plans, moment, memory.read(state, rows), Inputs(left_cents=left))
            count = self._holds(decided, left, len(rows))
            if count < len(rows):
                moment = self._moment(group, slice(start, start + count))
                rows = rows[:count]
                decided = decide(plans, moment, memory.read(state, rows), Inputs(left_cents=left))
            yield from self._say(state, group, start, rows, moment, decided)
            start += count

    def _holds(self, decided: Sequence[Decided], left: dict[str, int], k: int) -> int:
        """For how many of k due points, in their order, a decision holds: up to the first offer after which an arm is
        too dear for what is left; those after it are decided anew."""
        found = k
        for each in decided:
            reserve = each.plan.arms.reserve
            offered = np.flatnonzero(each.offered)
            spent = np.cumsum(reserve[each.drawn.arm[offered]])
            if not len(offered) or left[each.plan.id] - int(spent[-1]) >= int(reserve.max()):
                continue
            rest = left[each.plan.id] - spent
            dearer = (reserve[:, None] <= left[each.plan.id]) & (reserve[:, None] > rest)
            now = np.flatnonzero(dearer.any(axis=0))
            if len(now):
                found = min(found, int(each.at[offered[now[0]]]) + 1)
        return found

    def _moment(self, group: Group, some: slice) -> Moment:
        def column(address: str) -> npt.NDArray[np.floating[Any]]:
            task, _, output = address.partition(".")
            if task in group.seen.scores:
                return group.answer(task, output)[some]
            return group.feature(address)[some]

        due, key = group.due[some], group.key[some]
        return Moment(
            now_ms=group.now_ms[some],
            kind=np.array([_CODE[each.kind] for each in due]),
            event_type=group.event_type[some],
            amount=group.amount[some],
            shopper=shopper_hashes(key),
            due=due_hashes(key, [f"{each.kind}:{each.ref}" for each in due]),
            columns=column,
        )

    def _say(
        self, state: Rows, group: Group, start: int, rows: Ints, moment: Moment, decided: list[Decided]
    ) -> Iterator[Said]:
        assert self._plans is not None
        some = slice(start, start + len(rows))
        tasks = frozenset(group.seen.scores)

        def model(task: str, i: int) -> ModelUsed | None:
            return group.model(task, start + i) if task in tasks else None

        whom = Whom(group.key[some], group.due[some], model, tasks, self._currency)
        names = [[whom.offer_id(found.plan, i) for i in found.at.tolist()] for found in decided]
        remember(state, rows, moment, decided, [shopper_hashes(ids) for ids in names])
        for found, ids in zip(decided, names, strict=True):
            yield from self._of(state, group, start, rows, found, ids)
            for i, receipt in receipts(self._plans, moment, found, whom):
                yield start + i, receipt

    def _of(self, state: Rows, group: Group, start: int, rows: Ints, found: Decided, ids: list[str]) -> Iterator[Said]:
        at, why = found.at, found.why[found.at]
        said = np.flatnonzero((why == _OFFERED) | (why >= _FIRST_WITHHELD))
        new = memory.newly_said(state, rows[at[said]], found.plan.code, why[said])
        for n, is_new in zip(said.tolist(), new.tolist(), strict=True):
            i = start + int(at[n])
            if why[n] == _OFFERED:
                cents = int(found.plan.arms.reserve[int(found.drawn.arm[n])])
                self._purse.reserve(found.plan.campaign, cents, int(group.offset[i]))
                yield i, made(self._naming, group, i, found, n, ids[n])
            elif is_new:
                yield i, withheld(self._naming, group, i, found, n)

"""Offers of campaigns, and why there is none: the core of ``streams/campaigns`` as a decider among the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from streams.campaigns import memory, trigger_items
from streams.campaigns.asking import Afforded, Asked
from streams.campaigns.deciding import Decided, Inputs, Moment, decide, remember
from streams.campaigns.draws import due_hashes, shopper_hashes
from streams.campaigns.offered_items import OfferedItems, most_items, recommends
from streams.campaigns.plan import Plan, Plans
from streams.campaigns.reasons import Why
from streams.campaigns.receipts import Whom, receipts
from streams.campaigns.terms import KINDS
from streams.campaigns.vocabulary import PROFILED
from streams.columns.arrays import Hashes, Ints, of_types
from streams.columns.layout import Column, Rows
from streams.decisions.campaign_outcomes import Naming, coupon, made, withheld
from streams.decisions.decider import Group, Names, Said, in_log_order
from streams.decisions.favourite import ADDRESS
from streams.decisions.listed import Best
from streams.decisions.recommendations import Recommender
from streams.decisions.uplift import Foretold, foretold
from streams.effects.attribution import Opened
from streams.records.campaign_parts import AnyOffer
from streams.records.campaigns import Campaign
from streams.records.events import OfferDismissed, OfferRedeemed
from streams.records.outcomes import ModelUsed

_OFFERED, _FIRST_WITHHELD = int(Why.OFFERED), int(Why.BLOCKED)
#: With these a shopper enters a campaign: what they do from here on is measured.
_ENTERS = (_OFFERED, int(Why.CAMPAIGN_HOLDOUT))
#: What is known of the time before.
ORDERS_BEFORE, REVENUE_BEFORE = "orders.count_30d", "orders.spend_30d"
#: Events after which an offer is live no more.
_CLOSING = of_types(OfferRedeemed, OfferDismissed)
_CODE: dict[str, int] = {kind: code for code, kind in enumerate(KINDS)}


#: Cents that were set aside for an offer, and when it ends.
SetAside: TypeAlias = tuple[int, int]


class Purse(Protocol):
    """What campaigns may still spend in a partition, and what became of their offers: a function of its log."""

    def afford(self, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes) -> Afforded:
        """Which offers there is money for, asked in the order of the log; sets it aside. ``offset`` and ``now_ms``
        [n] of each, ``due`` [n] what tells them apart."""

    def redeem(self, code: int, offset: int, at_ms: int, set_aside: SetAside, cost_cents: int | None) -> None:
        """An offer of the campaign of this code was used at an offset of the log; ``cost_cents``: what it came to, None
        where nobody says."""

    def entered(self, shopper: str, campaign: str) -> bool:
        """Whether a shopper entered a campaign before."""

    def open(self, campaign: Campaign, opened: Opened, offset: int) -> None:
        """An offer was decided at an offset, or kept back by the campaign's holdout alone."""


class CampaignOffers:
    """Every campaign that holds, at every due point. Without any (``plans`` None) it only remembers what cooldowns will
    ask for."""

    columns: tuple[Column, ...] = (*memory.COLUMNS, *trigger_items.COLUMNS)
    reads = (ADDRESS, ORDERS_BEFORE, REVENUE_BEFORE)
    """What campaigns ask for changes with them: ``InForce.addresses`` names that."""

    def __init__(
        self,
        plans: Plans | None,
        purse: Purse,
        currency: str,
        rules: str,
        names: Names,
        item: Callable[[int], str | None],
        recommender: Recommender,
    ) -> None:
        """``item``: the id behind the hash of an item that news made somebody due for. ``recommender``: says what may
        be recommended, and what cannot be bought."""
        self._plans, self._purse, self._currency, self._item = plans, purse, currency, item
        self._recommender = recommender
        running = [] if plans is None else plans.plans
        of_items = {plan.id: OfferedItems.of(plan) for plan in running}
        self._of_items = {name: items for name, items in of_items.items() if items is not None}
        """Of campaigns with an arm for items."""
        self._recommends = any(recommends(plan) for plan in running)
        self._naming = Naming(currency, rules, names, "" if plans is None else plans.digest)

    def decide_slice(self, state: Rows, groups: Sequence[Group]) -> list[Said]:
        """Decide in the order of the log: who gets the rest of a budget must not depend on how that was cut."""
        ordered = groups if self._plans is None else in_log_order(groups)
        return [one for group in ordered for one in self.decide(state, group)]

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        memory.note_events(state, group.row, group.now_ms, group.event_type)
        if self._plans is None or not self._plans.plans:
            return []
        self._close(state, group)
        trigger_items.note(state, group.row, group.record)
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
            cost = group.record[at[i]].discount_cents
            self._purse.redeem(code, int(group.offset[at[i]]), int(group.now_ms[at[i]]), (cents, ends), cost)

    def _decide(self, state: Rows, group: Group, plans: Plans) -> Iterator[Said]:
        moment, heard = self._moment(group), foretold(group, plans)

        def afford(asked: Asked) -> Afforded:
            at = asked.at
            return self._purse.afford(asked, group.offset[at], moment.now_ms[at], moment.due[at])

        best = self._recommender.best(group) if self._recommends else Best.none(len(group))
        where, unavailable = (state, group.row, moment.kind), self._recommender.unavailable
        facts = {
            name: items.facts(*where, group.offset, unavailable, best.count) for name, items in self._of_items.items()
        }
        said = Inputs(heard.uplift, afford=afford, items=facts)
        decided = decide(plans, moment, memory.read(state, group.row), said)
        about = {name: items.trigger(*where) for name, items in self._of_items.items()}

        def named(plan: Plan, i: int, arm: int) -> Sequence[str]:
            return self._items(plan.campaign.offers[arm], i, about.get(plan.id), best)

        yield from self._say(state, group, moment, decided, self._whom(group, heard, named, best))

    def _moment(self, group: Group) -> Moment:
        due, key = group.due, group.key
        return Moment(
            now_ms=group.now_ms,
            kind=np.array([_CODE[each.kind] for each in due]),
            event_type=group.event_type,
            amount=group.amount,
            shopper=shopper_hashes(key),
            due=due_hashes(key, [f"{each.kind}:{each.ref}" for each in due]),
            columns=partial(column, group),
        )

    def _items(self, arm: AnyOffer, i: int, about: Hashes | None, best: Best) -> Sequence[str]:
        """What an offer of an arm names to the i-th of a group; ``about``: [k] hash of what the trigger is about."""
        if arm.applies_to == "items":
            return arm.names
        if arm.applies_to == "recommended":
            return best.items(i, most_items(arm))
        item = self._item(int(about[i])) if arm.applies_to == "trigger_item" and about is not None else None
        return () if item is None else (item,)

    def _whom(
        self, group: Group, heard: Foretold, named: Callable[[Plan, int, int], Sequence[str]], best: Best
    ) -> Whom:
        tasks = frozenset(group.seen.scores)

        def model(task: str, i: int) -> ModelUsed | None:
            return group.model(task, i) if task in tasks else None

        def recommender(i: int) -> ModelUsed | None:
            task = best.task(i)
            return None if task is None else group.model(task, i)

        return Whom(group.key, group.due, model, tasks, self._currency, heard.told, named, recommender)

    def _say(self, state: Rows, group: Group, moment: Moment, decided: list[Decided], whom: Whom) -> Iterator[Said]:
        assert self._plans is not None
        names = [[whom.offer_id(found.plan, i) for i in found.at.tolist()] for found in decided]
        remember(state, group.row, moment, decided, [shopper_hashes(ids) for ids in names])
        for found, ids in zip(decided, names, strict=True):
            yield from self._of(state, group, found, ids, whom)
            yield from receipts(self._plans, moment, found, whom)

    def _of(self, state: Rows, group: Group, found: Decided, ids: list[str], whom: Whom) -> Iterator[Said]:
        at, why = found.at, found.why[found.at]
        said = np.flatnonzero((why == _OFFERED) | (why >= _FIRST_WITHHELD))
        new = memory.newly_said(state, group.row[at[said]], found.plan.code, why[said])
        for n, is_new in zip(said.tolist(), new.tolist(), strict=True):
            i = int(at[n])
            code = coupon(found, n, ids[n]) if why[n] in _ENTERS else None
            # Who is held back is held back at every due point: only the first one begins a window.
            if why[n] == _OFFERED or (why[n] in _ENTERS and not self._purse.entered(group.key[i], found.plan.id)):
                opened = self._opened(group, i, found, n, ids[n], code)
                self._purse.open(found.plan.campaign, opened, int(group.offset[i]))
            if why[n] == _OFFERED:
                items = whom.items(found.plan, i, int(found.drawn.arm[n]))
                yield i, made(self._naming, group, i, found, n, ids[n], code, items)
            elif is_new:
                yield i, withheld(self._naming, group, i, found, n)

    def _opened(self, group: Group, i: int, found: Decided, n: int, offer_id: str, code: str | None) -> Opened:
        """What follows the offer to the i-th of a group is counted from here on."""
        campaign, arm = found.plan.campaign, int(found.drawn.arm[n])
        return Opened(
            offer_id=offer_id,
            shopper_id=group.key[i],
            campaign=campaign.id,
            arm=campaign.arms[arm].id,
            at_ms=int(group.now_ms[i]),
            held=bool(found.why[i] != _OFFERED),
            segment=found.plan.segment(lambda address: column(group, address)[i : i + 1]),
            contact_cents=campaign.economics.contact_cents,
            coupon_code=code or "",
            before_orders=int(group.feature(ORDERS_BEFORE)[i]),
            before_revenue_cents=int(group.feature(REVENUE_BEFORE)[i]),
        )


def column(group: Group, address: str) -> npt.NDArray[np.floating[Any]]:
    """[k] or [k, width] a feature, an answer of a task, or the code of what a profile says."""
    if address in PROFILED:
        return group.noted(address)
    task, _, output = address.partition(".")
    return group.answer(task, output) if task in group.seen.scores else group.feature(address)

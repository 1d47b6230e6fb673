"""A throw-away decision that spends campaigns' budgets: whoever puts something into a cart may be offered something,
from one of two campaigns, and may redeem it. The rows of shoppers remember what was set aside and what was spent, so
that ledgers can be held against them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from xxhash import xxh3_64_intdigest

from streams.budget.candidates import Candidates
from streams.columns.arrays import TYPE_CODE, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said, in_log_order
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.processing.entity import Entity
from streams.processing.rules import Rules
from streams.processing.spending import Spending
from streams.records.events import CartItemAdded, OfferRedeemed

CAMPAIGNS, CURRENCY = ("win-back", "back-in-stock"), "USD"
HOUR = 3_600_000
#: Of the open offer: what was set aside, when it ends, of which campaign (place + 1).
RESERVED, ENDS, OF = (Column(f"spender/{name}", "i8") for name in ("reserved", "ends", "of"))
#: By campaign, ever.
COMMITTED = tuple(Column(f"spender/committed/{campaign}", "i8") for campaign in CAMPAIGNS)
SPENT = tuple(Column(f"spender/spent/{campaign}", "i8") for campaign in CAMPAIGNS)


class Spender:
    """One open offer per shopper."""

    columns = (RESERVED, ENDS, OF, *COMMITTED, *SPENT)
    reads: tuple[str, ...] = ()

    def __init__(self, spending: Spending) -> None:
        self._spending = spending

    def decide_slice(self, state: Rows, groups: Sequence[Group]) -> list[Said]:
        """In the order of the log: who gets the rest of a lease must not depend on how that was cut."""
        return [said for group in in_log_order(groups) for said in self.decide(state, group)]

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Redeem, or offer."""
        self._redeem(state, group, np.flatnonzero(group.event_type == TYPE_CODE[OfferRedeemed]))
        flat = state.flat["i8"]
        free = flat[state.cells(ENDS, group.row)] <= group.now_ms
        drawn = [xxh3_64_intdigest(f"{key}/{group.ref(i)}".encode()) for i, key in enumerate(group.key)]
        draw = np.array(drawn, np.uint64)
        for c, campaign in enumerate(CAMPAIGNS):
            mine = free & (group.event_type == TYPE_CODE[CartItemAdded]) & (draw % 2 == c)
            at = np.flatnonzero(mine)
            cost = 100 + (draw[at] // 2 % 900).astype(np.int64)
            value = cost * (draw[at] // 4096 % 300) / 100.0
            ends = group.now_ms[at] + 2 * HOUR
            some = Candidates(group.offset[at], draw[at], cost, value, ends, np.zeros(len(at), np.bool_))
            yes = self._spending.afford(campaign, CURRENCY, some)
            row = group.row[at[yes]]
            for column, said in ((RESERVED, cost[yes]), (ENDS, ends[yes]), (OF, np.full(len(row), c + 1))):
                flat[state.cells(column, row)] = said
            flat[state.cells(COMMITTED[c], row)] += cost[yes]
        return ()

    def _redeem(self, state: Rows, group: Group, at: Ints) -> None:
        flat = state.flat["i8"]
        for i in at.tolist():
            row = group.row[i : i + 1]
            (of,), (reserved,), (ends,) = (flat[state.cells(column, row)].tolist() for column in (OF, RESERVED, ENDS))
            if not of:
                continue
            paid = self._spending.settle(
                CAMPAIGNS[of - 1], CURRENCY, int(group.offset[i]), int(group.now_ms[i]), reserved, ends, reserved // 2
            )
            flat[state.cells(SPENT[of - 1], row)] += paid
            flat[state.cells(ENDS, row)] = flat[state.cells(OF, row)] = 0


class SpendingSide(ShopperSide):
    """What a partition of shoppers knows, with the decision that spends."""

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold."""
        super().under(rules, watermark_ms)
        if self.spending is not None:
            self.deciders = (*self.deciders, Spender(self.spending))


class OnlySpendingSide(SpendingSide):
    """The same without any other decision."""

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold."""
        super().under(rules, watermark_ms)
        self.deciders = self.deciders[-1:]


#: Shoppers with all that is decided about them …
SPENDERS: Entity = replace(SHOPPER, deciders=(*SHOPPER.deciders, Spender), side=SpendingSide)
#: … and with this alone.
ONLY_SPENDERS: Entity = replace(SHOPPER, deciders=(Spender,), side=OnlySpendingSide)

"""What to order of an item and when, and which items will be sold out before an order could arrive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.decisions.sales_forecast import TASK, foretold
from streams.features.days import Days
from streams.features.kinds.decay import DAY_MS
from streams.records.demand import InventoryPlanned, RunsOut, StockAlerted
from streams.records.outcomes import outcome_id

#: Shares of outcomes below the quantiles of the task, and how much of all outcomes each stands for.
LEVELS = np.array((0.05, 0.25, 0.5, 0.75, 0.95))
WEIGHTS = np.array((0.15, 0.225, 0.25, 0.225, 0.15))
#: Days that the two horizons of the task cover.
WEEK, TWO_WEEKS = 7.0, 14.0
#: Nothing is said of when stock runs out beyond so many days.
FARTHEST_DAYS = 60
#: An alert is raised when so much of demand's outcomes would sell all there is: the middle. Of Complete Journey's
#: steady items it foretells 84% of what sells out three days before, and 65% of such alerts come true (at 0.55: 87%,
#: 59%).
ALERTED_AT = 0.5

PLANNED = Column("inventory/planned", "i8")
ORDERING = Column("inventory/ordering", "u1")
ALERTED = Column("inventory/alerted", "i8")


@dataclass(frozen=True, slots=True)
class InventoryPolicy:
    """How much is ordered, and when somebody is told.

    Prevents five accidents: ordering again what is on its way already (what counts is stock and what is on its way); an
    order that stands on a count nobody has repeated for ``count_days`` (nothing is said then); an order for what is
    delisted; a warehouse filled by one week's rush (never for more than ``most_days`` at the mean pace foretold); and a
    buyer told each day of the same shortage (alerts each ``again_days``, plans when an order becomes due, else each
    ``plan_days``).
    """

    lead_days: float = 7.0
    """Until an order is in stock, where the catalogue says nothing."""
    review_days: float = 7.0
    """How often orders can be placed: what is ordered must last until the one after it is there."""
    service_level: float = 0.9
    """Where price or cost is unknown."""
    lost_share: float = 0.2
    """What a unit too many loses of its cost: storage, spoilage, selling it off."""
    most_days: float = 60.0
    count_days: float = 14.0
    again_days: float = 7.0
    plan_days: float = 7.0
    alert_cents: int = 1_000
    """Less at stake is nobody's concern."""

    def service(self, price: Floats, cost: Floats) -> Floats:
        """[n] the share of demand that pays: margin over margin and loss (the newsvendor's critical ratio), within what
        the quantiles can say.

        >>> InventoryPolicy().service(np.array([100.0, 100.0]), np.array([70.0, 0.0])).round(2).tolist()
        [0.68, 0.9]
        """
        margin, loss = np.maximum(price - cost, 0.0), cost * self.lost_share
        ratio = np.clip(margin / np.maximum(margin + loss, 1e-9), 0.5, LEVELS[-1])
        found: Floats = np.where((price > 0) & (cost > 0), ratio, self.service_level)
        return found

    def order(self, told: Floats, lead: Floats, service: Floats, position: Floats) -> tuple[Floats, Floats, Floats]:
        """[n] the reorder point, up to which amount is ordered, and what is ordered now, in units: of the task's
        answers [n, 12], ``lead`` days, the share of demand to be served, and what is there or on its way."""
        point = np.ceil(at_level(demand(told, lead)[1], service))
        mean, until_next = demand(told, lead + self.review_days)
        most = np.ceil(mean * self.most_days / (lead + self.review_days))
        level = np.minimum(np.ceil(at_level(until_next, service)), most)
        return point, level, np.where(position <= point, np.maximum(level - position, 0.0), 0.0)


def demand(told: Floats, days: Floats) -> tuple[Floats, Floats]:
    """[n] mean and [n, levels] quantiles of what is sold within ``days`` [n], of the task's answers [n, 12]: straight
    between nothing, 7 and 14 days; beyond, the mean goes on and what lies around it grows with the root of time."""
    seven, fourteen = told[:, :6], told[:, 6:]
    d = days[:, None]
    early = seven * np.minimum(d, WEEK) / WEEK + (fourteen - seven) * np.clip((d - WEEK) / WEEK, 0.0, 1.0)
    ratio = np.maximum(d, TWO_WEEKS) / TWO_WEEKS
    mean = fourteen[:, :1] * ratio
    spread = np.maximum(mean + (fourteen - fourteen[:, :1]) * np.sqrt(ratio), 0.0)
    found = np.where(d <= TWO_WEEKS, early, spread)
    return found[:, 0], np.maximum.accumulate(found[:, 1:], axis=1)


def at_level(quantiles: Floats, level: Floats) -> Floats:
    """[n] the quantile of a level each, straight between those that are known.

    >>> at_level(np.array([[0.0, 1.0, 2.0, 3.0, 9.0]]), np.array([0.85])).round(2).tolist()
    [6.0]
    """
    place = np.clip(np.searchsorted(LEVELS, level, side="right") - 1, 0, len(LEVELS) - 2)
    share = np.clip((level - LEVELS[place]) / (LEVELS[place + 1] - LEVELS[place]), 0.0, 1.0)
    n = np.arange(len(level))
    found: Floats = quantiles[n, place] * (1 - share) + quantiles[n, place + 1] * share
    return found


def lasts(told: Floats, stock: Floats) -> Ints:
    """[n, 3] whole days after which stock is sold, by the quantiles of 95%, 50% and 5% (soonest first); one more than
    ``FARTHEST_DAYS`` where it lasts longer."""
    found = np.full((len(stock), 3), FARTHEST_DAYS + 1, np.int64)
    for day in range(FARTHEST_DAYS, -1, -1):
        _, quantiles = demand(told, np.full(len(stock), float(day + 1)))
        sold = quantiles[:, [4, 2, 0]] >= np.maximum(stock, 0.0)[:, None]
        found = np.where(sold, day, found)
    return found


class Inventory:
    """Says ``InventoryPlanned`` and ``StockAlerted`` of items that were foretold and counted; ``currency`` and
    ``rules`` are said with them, days are the shop's."""

    columns = (PLANNED, ORDERING, ALERTED)
    reads = (
        "stock.on_hand", "stock.on_order", "stock.locations", "stock.days_since_counted", "stock.lead_time_days",
        "listing.listed", "listing.days_since_changed", "price.now", "price.cost", "sales.average_price",
        "sales.units_7d",
    )  # fmt: skip

    def __init__(self, policy: InventoryPolicy, currency: str, rules: str, days: Days) -> None:
        self._policy, self._currency, self._rules, self._days = policy, currency, rules, days

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        some, policy = np.flatnonzero(group.whole(TASK)), self._policy
        if not len(some):
            return
        facts = {address: group.feature(address)[some].astype(np.float64) for address in self.reads}
        # Nothing was ever said of it by a catalogue: it is for sale. What was delisted is not.
        for_sale = (facts["listing.listed"] > 0) | (facts["listing.days_since_changed"] >= 365)
        known = (facts["stock.locations"] > 0) & for_sale & (facts["stock.days_since_counted"] <= policy.count_days)
        some, facts = some[known], {address: values[known] for address, values in facts.items()}
        if not len(some):
            return
        told, row, now = foretold(group, some), group.row[some], group.now_ms[some]
        counted_ago = facts["stock.days_since_counted"]
        # A window of 7 days holds 6 that are over when a day ends.
        hand = np.maximum(facts["stock.on_hand"] - np.round(counted_ago * facts["sales.units_7d"] / 6.0), 0.0)
        way, lead = facts["stock.on_order"], facts["stock.lead_time_days"]
        lead = np.where(lead > 0, lead, policy.lead_days)
        price = np.where(facts["price.now"] > 0, facts["price.now"], facts["sales.average_price"])
        cost = facts["price.cost"]
        service = policy.service(price, cost)
        _, until_there = demand(told, lead)
        point, level, order = policy.order(told, lead, service, hand + way)
        short = (np.maximum(until_there - (hand + way)[:, None], 0.0) * WEIGHTS).sum(axis=1)
        stake = np.round(short * price)

        planned_cells, ordering_cells, alerted_cells = (state.cells(column, row) for column in self.columns)
        times, flags = state.flat["i8"], state.flat["u1"]
        again, anew = int(policy.again_days * DAY_MS), int(policy.plan_days * DAY_MS)
        plans = (now - times[planned_cells] >= anew) | ((order > 0) & (flags[ordering_cells] == 0))
        alerts = (at_level(until_there, np.full(len(hand), ALERTED_AT)) > hand + way) & (stake >= policy.alert_cents)
        alerts &= now - times[alerted_cells] >= again
        flags[ordering_cells] = order > 0
        times[planned_cells[plans]] = now[plans]
        times[alerted_cells[alerts]] = now[alerts]
        speaks = np.flatnonzero(plans | alerts)
        if not len(speaks):
            return
        days = lasts(told[speaks], hand[speaks])
        today = self._days.number(now[speaks])
        for k, (at, ahead, first) in enumerate(zip(speaks.tolist(), days.tolist(), today.tolist(), strict=True)):
            i = int(some[at])
            common: dict[str, Any] = {
                "item_id": group.key[i],
                "event_time_ms": int(now[at]),
                "due": group.due[i],
                "model": group.model(TASK, i),
                "on_hand": int(hand[at]),
                "on_order": int(way[at]),
                "lead_days": int(lead[at]),
                "runs_out": _runs_out(ahead, first),
                "currency": self._currency,
                "rules": self._rules,
            }
            if plans[at]:
                plan = InventoryPlanned(
                    outcome_id=outcome_id("inventory_planned", group.key[i], group.ref(i), ""),
                    counted_days_ago=int(counted_ago[at]),
                    service_level=round(float(service[at]), 3),
                    reorder_point=int(point[at]),
                    order_up_to=int(level[at]),
                    order_quantity=int(order[at]),
                    order_cents=round(order[at] * cost[at]) if cost[at] > 0 else None,
                    cover_days=None if days[k, 1] > FARTHEST_DAYS else int(days[k, 1]),
                    **common,
                )
                yield i, plan
            if alerts[at]:
                alert = StockAlerted(
                    outcome_id=outcome_id("stock_alerted", group.key[i], group.ref(i), ""),
                    short_units=round(float(short[at]), 1),
                    at_stake_cents=int(stake[at]),
                    **common,
                )
                yield i, alert


def _runs_out(ahead: list[int], today: int) -> RunsOut:
    soonest, likely, latest = (
        None if days > FARTHEST_DAYS else str(np.datetime64(today + days, "D")) for days in ahead
    )
    return RunsOut(soonest=soonest, likely=likely, latest=latest)

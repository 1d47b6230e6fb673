"""Real days to pace a budget over: when offers are considered is real, what they would bring is drawn: nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from streams.bench.loads import BUDGET_SHARE, MEAN_CENTS, Load
from streams.budget.candidates import DAY_MS
from streams.columns.arrays import Ints
from streams.features.days import Days
from streams.records.events import OrderPlaced, ShopperEvent

#: Of a grocery's orders, 45% get their offer: a tenth of the basket, 0.20 to 5 USD.
GROCERY_SHARE, PART, LEAST_CENTS, MOST_CENTS = 0.45, 10, 20, 500
#: 2017-11-06 and 2017-11-25, days since 1970.
GROCERY_FIRST, CLICKS_FIRST = 17_476, 17_495


def grocery_days(learned: int, measured: int) -> list[Load]:
    """Complete Journey: about 420 orders a day of 2,469 households."""
    from training.datasets.complete_journey import COMPLETE_JOURNEY

    orders = [event for event in COMPLETE_JOURNEY.read(None) if isinstance(event, OrderPlaced)]
    basket = [sum(one.unit_price_cents * one.quantity - one.discount_cents for one in order.lines) for order in orders]
    cost = np.clip(np.array(basket) // PART, LEAST_CENTS, MOST_CENTS)
    times = [_ms(order) for order in orders]
    return _days(times, cost, "America/New_York", range(GROCERY_FIRST, GROCERY_FIRST + learned + measured), learned,
                 GROCERY_SHARE)  # fmt: skip


def clickstream_days(data: Path, learned: int, measured: int) -> list[Load]:
    """Taobao UserBehavior, of a folder that holds it: about 11,000 events a day of 983 shoppers, each of which may get
    an offer."""
    from training.datasets.taobao import read

    times = [_ms(event) for event in read(data)]
    cost = np.rint(np.random.default_rng(1).uniform(0.5, 1.5, len(times)) * MEAN_CENTS).astype(np.int64)
    days = range(CLICKS_FIRST, CLICKS_FIRST + learned + measured)
    return _days(times, cost, "Asia/Shanghai", days, learned, BUDGET_SHARE)


def _ms(event: ShopperEvent) -> int:
    assert isinstance(event.event_time, int)
    return event.event_time


def _days(times: Iterable[int], cost: Ints, zone: str, days: range, learned: int, share: float) -> list[Load]:
    """All have one budget: so much of what the days learned from would have cost."""
    local = Days(zone).local_ms(np.array(list(times)))
    order = np.argsort(local, kind="stable")
    local, cost = local[order], cost[order]
    value = cost * np.random.default_rng(0).lognormal(0, 1, len(cost))
    some = [np.flatnonzero(local // DAY_MS == day) for day in days]
    loads = [Load(local[one] % DAY_MS, cost[one], value[one], 0) for one in some]
    budget = int(share * sum(load.cost_cents.sum() for load in loads[:learned]) / learned)
    return [replace(load, budget_cents=budget) for load in loads]

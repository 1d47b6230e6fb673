"""Real days to pace a budget over: the orders of 2,469 grocery households (Complete Journey, 2017).

Each order is an offer that is considered: when it was placed is real, and so is its cost, a tenth of the basket, at
most 5 USD. What it
would bring is drawn, because nobody knows.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from streams.bench.loads import BUDGET_SHARE, Load
from streams.budget.candidates import DAY_MS
from streams.features.days import Days
from streams.records.events import OrderPlaced

ZONE, FIRST = "America/New_York", datetime(2017, 11, 6, tzinfo=ZoneInfo("America/New_York"))
LEARNED, MEASURED = 14, 28
PART, LEAST_CENTS, MOST_CENTS = 10, 20, 500


def real_days() -> list[Load]:
    """The days, those learned from first; every day has one budget, from what the former came to."""
    from training.datasets.complete_journey import COMPLETE_JOURNEY

    first = int(FIRST.timestamp() * 1000)
    found = [
        (event.event_time, sum(one.unit_price_cents * one.quantity - one.discount_cents for one in event.lines))
        for event in COMPLETE_JOURNEY.read(None)
        if isinstance(event, OrderPlaced) and event.event_time >= first
    ]
    time, basket = (np.array(column, np.int64) for column in zip(*sorted(found), strict=True))
    cost = np.clip(basket // PART, LEAST_CENTS, MOST_CENTS)
    value = cost * np.random.default_rng(0).lognormal(0, 1, len(cost))
    local = Days(ZONE).local_ms(time)
    day = local // DAY_MS - local[0] // DAY_MS
    budget = int(BUDGET_SHARE * cost[day < LEARNED].sum() / LEARNED)
    days = [np.flatnonzero(day == d) for d in range(LEARNED + MEASURED)]
    return [Load(local[some] % DAY_MS, cost[some], value[some], budget) for some in days]

"""Campaigns, moments and rows for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from models.registry import TASKS
from streams.budget.candidates import Candidates, worth
from streams.budget.purse import Purse
from streams.campaigns import memory
from streams.campaigns.asking import Afforded, Asked
from streams.campaigns.deciding import Moment
from streams.campaigns.draws import due_hashes, shopper_hashes
from streams.campaigns.plan import Plans
from streams.campaigns.terms import EVENT
from streams.campaigns.vocabulary import vocabulary
from streams.columns.layout import Layout, Rows
from streams.features.shopper import CATALOGUE
from streams.records.budget import PRICE_UNIT
from streams.records.campaigns import Campaign, CampaignSet

WORDS = vocabulary(CATALOGUE.features.values(), TASKS)
NOON = 1_700_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
DAY, HOUR = 86_400_000, 3_600_000
PERCENT = {"kind": "percent", "id": "ten", "percent": 10, "max_discount_cents": 1000, "assumed_uplift": 0.2}
CONTENT = {"kind": "content", "id": "hello", "assumed_uplift": 0.01, "assumed_redemption": 0}


def campaign(**changes: Any) -> Campaign:
    """A campaign that is always running, addresses everybody at every due point and has no guard but those asked
    for."""
    plain: dict[str, Any] = {
        "id": "c",
        "approval": "approved",
        "approved_by": "tests",
        "audience": "true",
        "trigger": {"kind": "due_point"},
        "arms": [PERCENT],
        "budget": {"USD": {"total_cents": 100_000}},
        "start": datetime(2000, 1, 1, tzinfo=UTC),
        "end": datetime(2100, 1, 1, tzinfo=UTC),
        "caps": [{"offers": 12, "days": 0.001}],
        "cooldown": {"after_purchase_days": 0, "after_return_days": 0, "after_complaint_days": 0},
        "holdout_share": 0,
        "exploration_share": 0,
    }
    return msgspec.convert(plain | changes, Campaign)


def plans(*campaigns: Campaign, **shop: Any) -> Plans:
    """Campaigns made ready, in a shop without guards but those asked for."""
    plain = {"holdout_share": 0.0, "caps": [{"offers": 12, "days": 0.001}]}
    return Plans.of(msgspec.convert({"shop": plain | shop, "campaigns": campaigns}, CampaignSet), WORDS)


def moment(
    shoppers: Sequence[str],
    now_ms: int | Sequence[int] = NOON,
    *,
    kind: int | Sequence[int] = EVENT,
    event_type: int | Sequence[int] = 1,
    amount: float = float("nan"),
    ref: str = "event:e1",
    columns: Mapping[str, Sequence[float] | float] | None = None,
    **more: Any,
) -> Moment:
    """Some shoppers who are due at once; consent is given and a basket is 100.00 where nothing else is said."""
    k = len(shoppers)
    said = {"offers.consent": 1.0, "orders.average_value": 10_000.0} | dict(columns or {})
    arrays = {address: np.resize(np.asarray(value, np.float64), k) for address, value in said.items()}
    return Moment(
        now_ms=np.resize(np.asarray(now_ms, np.int64), k),
        kind=np.resize(np.asarray(kind, np.int64), k),
        event_type=np.resize(np.asarray(event_type, np.int64), k),
        amount=np.full(k, amount),
        shopper=shopper_hashes(shoppers),
        due=due_hashes(shoppers, [ref] * k),
        columns=arrays.__getitem__,
        **more,
    )


def purses(left: Mapping[str, int], price: float = 0.0) -> Callable[[Asked], Afforded]:
    """Asks for money as workers do: of purses that were leased so much, others plenty, at one price."""
    micros = round(price * PRICE_UNIT)
    held: dict[str, Purse] = {}

    def afford(asked: Asked) -> Afforded:
        plan, arms = asked.plan, asked.plan.arms
        granted = left.get(plan.id, 10**12)
        purse = Purse(plan.id, "USD", granted=granted, day=0, lease_day=0, expires_at_ms=1 << 60, price=micros)
        purse = held.setdefault(plan.id, purse)
        reserve, n = arms.reserve[asked.arm], len(asked.at)
        value = worth(asked.profit, asked.cost, reserve, asked.explored)
        ends, key = NOON + arms.valid_ms[asked.arm], asked.at.astype(np.uint64)
        yes = purse.commit(Candidates(asked.at, key, reserve, value, ends, asked.held))
        return Afforded(yes, np.full(n, price))

    return afford


def rows(k: int) -> Rows:
    """Rows of shoppers never seen."""
    return Rows.zeros(Layout(memory.COLUMNS), k)

"""What is said of what items will sell, and of what to order: when, how much, and never what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Layout, Rows
from streams.decisions.decider import Group, Seen
from streams.decisions.inventory import Inventory, InventoryPolicy, demand, lasts
from streams.decisions.sales_forecast import OUTPUTS, TASK, ForecastPolicy, SalesForecasts
from streams.features.days import Days
from streams.records import words
from streams.records.demand import InventoryPlanned, SalesForecast, StockAlerted
from streams.records.outcomes import Due
from tests.shoppers import DAY, NOON

#: Mean, then the quantiles, of 7 and of 14 days, per unit of mean.
SHAPE = np.array([1.0, 0.4, 0.8, 1.0, 1.2, 1.7])


class Model:
    task, version, digest = TASK, "v1", "d" * 16


def group(day: int, weekly: float | None = 20.0, **facts: float) -> Group:
    """An item at the end of a day; ``weekly``: what 7 days will bring, None where the model does not judge it."""
    stated = {
        "stock.on_hand": 100.0, "stock.on_order": 0.0, "stock.locations": 1.0, "stock.days_since_counted": 0.0,
        "stock.lead_time_days": 7.0, "listing.listed": 1.0, "listing.days_since_changed": 30.0, "price.now": 1000.0,
        "price.cost": 500.0, "sales.average_price": 900.0, "sales.units_7d": 18.0, "sales.units_30d": 80.0,
    } | {name.replace("__", "."): value for name, value in facts.items()}  # fmt: skip
    places = {address: slice(k, k + 1) for k, address in enumerate(stated)}
    places["sales.week_units"] = slice(len(stated), len(stated) + 26)
    told = np.full(12, np.nan) if weekly is None else np.r_[SHAPE * weekly, SHAPE * 2 * weekly]
    answers = dict(zip(OUTPUTS, (told[:1], told[None, 1:6], told[6:7], told[None, 7:]), strict=True))
    scores: Any = SimpleNamespace(answers=answers, models=(Model,), used=np.zeros(1, np.int64), learned_day=None)
    seen = Seen(np.array([[*stated.values(), *range(26)]], np.float32), places, {TASK: scores})
    now = NOON // DAY * DAY + day * DAY
    nothing = np.zeros(1, np.int64)
    return Group(
        seen, slice(0, 1), nothing, np.array([now]), ["tea"], [Due(kind="day", ref=str(now))], nothing, nothing,
        nothing, [0],
    )  # fmt: skip


def said(decider: Any, *groups: Group) -> list[Any]:
    """What is said of the same row, one due point after the other."""
    state = Rows.zeros(Layout(decider.columns), 1)
    return [one for each in groups for _, one in decider.decide(state, each)]


def forecasts(*groups: Group) -> list[SalesForecast]:
    return said(SalesForecasts(ForecastPolicy(), "r"), *groups)


def inventory(*groups: Group, policy: InventoryPolicy | None = None) -> list[Any]:
    return said(Inventory(policy or InventoryPolicy(), "USD", "r", Days()), *groups)


def plan(**facts: float) -> InventoryPlanned:
    (found,) = [one for one in inventory(group(0, **facts)) if isinstance(one, InventoryPlanned)]
    return found


def test_a_forecast_is_said_once_a_week_and_at_once_when_it_moved() -> None:
    found = forecasts(*(group(day) for day in range(9)))
    assert [(f.said, f.event_time_ms // DAY - NOON // DAY) for f in found] == [("first", 0), ("weekly", 7)]
    found = forecasts(group(0), group(1, 22.0), group(2, 40.0), group(3, 41.0))
    assert [f.said for f in found] == ["first", "moved"]
    assert found[1].next_7_days.p50 == 40.0
    assert found[1].next_14_days.p95 == 136.0
    assert found[1].weeks == (8, 7, 6, 5, 4, 3, 2, 1)  # the week that has begun (0) is not over


def test_few_units_more_are_no_news_and_what_is_not_judged_is_not_said() -> None:
    assert [f.said for f in forecasts(group(0, 2.0), group(1, 4.0))] == ["first"]
    assert not forecasts(group(0, None))
    assert not inventory(group(0, None))


def test_forecasts_and_plans_are_said_in_words() -> None:
    (forecast,) = forecasts(group(0))
    told = "sales forecast: 40 in 14 days (16 to 68), 20 of them in 7; sold 18 in 7 days and 80 in 30"
    assert words.said(forecast) == told
    assert words.said(plan(stock__on_hand=10)).startswith("inventory: order ")
    alert = next(one for one in inventory(group(0, stock__on_hand=2)) if isinstance(one, StockAlerted))
    assert words.said(alert).startswith("about to be sold out: 18 units short within 7 days")


def test_what_to_order_follows_from_forecast_stock_lead_time_and_costs() -> None:
    enough = plan(stock__on_hand=100)
    assert enough.order_quantity == 0
    assert enough.service_level == round(500 / 600, 3)
    # 83% of 7 days: between 75% (24) and 95% (34); of 14 days: between 48 and 68.
    assert enough.reorder_point == 29
    assert enough.order_up_to == 57
    assert plan(stock__on_hand=29).order_quantity == 28
    assert plan(stock__on_hand=10, stock__on_order=19).order_quantity == 28
    assert plan(stock__on_hand=29).order_cents == 28 * 500
    assert plan(stock__on_hand=29, stock__lead_time_days=14.0).order_quantity > 28
    assert plan(stock__on_hand=29, price__cost=0.0).service_level == 0.9
    dear = plan(stock__on_hand=29, price__cost=990.0)
    assert dear.service_level == 0.5
    assert dear.reorder_point == 20


def test_stock_runs_out_within_a_range_of_days() -> None:
    found = plan(stock__on_hand=20)
    assert found.cover_days == 6  # half have sold 20 when the seventh day is over
    assert found.runs_out.soonest < found.runs_out.likely < found.runs_out.latest  # type: ignore[operator]
    assert plan(stock__on_hand=10_000).cover_days is None


@pytest.mark.parametrize(
    "facts",
    [
        {"stock__locations": 0.0},
        {"stock__days_since_counted": 15.0},
        {"listing__listed": 0.0},
    ],
    ids=["never counted", "counted long ago", "delisted"],
)
def test_nothing_is_ordered_on_what_nobody_knows(facts: dict[str, float]) -> None:
    assert not inventory(group(0, stock__on_hand=0, **facts))


def test_what_was_sold_since_the_count_is_taken_off() -> None:
    assert plan(stock__on_hand=100, stock__days_since_counted=3).on_hand == 91
    # No catalogue speaks of it: it is for sale all the same.
    assert plan(listing__listed=0.0, listing__days_since_changed=365.0).on_hand == 100


def test_an_alert_says_what_is_at_stake_and_is_not_repeated() -> None:
    found = inventory(*(group(day, stock__on_hand=2) for day in range(8)))
    alerts = [one for one in found if isinstance(one, StockAlerted)]
    plans = [one for one in found if isinstance(one, InventoryPlanned)]
    assert len(alerts) == len(plans) == 2
    assert alerts[0].at_stake_cents == pytest.approx(alerts[0].short_units * 1000, rel=0.01)
    assert not [one for one in inventory(group(0, stock__on_hand=2, price__now=1.0)) if isinstance(one, StockAlerted)]
    covered = inventory(group(0, stock__on_hand=2, stock__on_order=60))
    assert not [one for one in covered if isinstance(one, StockAlerted)]


def test_an_order_that_becomes_due_is_said_at_once() -> None:
    found = inventory(group(0), group(1), group(2, stock__on_hand=20), group(3, stock__on_hand=20))
    assert [one.order_quantity > 0 for one in found if isinstance(one, InventoryPlanned)] == [False, True]


numbers = st.floats(0, 1e5, allow_nan=False, width=32)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, numbers, st.floats(0, 365), st.floats(0.1, 5e3), numbers, numbers)
def test_no_order_is_negative_twice_or_for_more_than_the_policy_allows(
    hand: float, way: float, weekly_sold: float, lead: float, weekly: float, price: float, cost: float
) -> None:
    facts = {
        "stock__on_hand": hand, "stock__on_order": way, "sales__units_7d": weekly_sold, "price__now": price,
        "stock__lead_time_days": float(int(lead)), "price__cost": cost,
    }  # fmt: skip
    found = [one for one in inventory(group(0, weekly, **facts)) if isinstance(one, InventoryPlanned)]
    (told,) = found
    assert told.order_quantity >= 0
    assert 0.5 <= told.service_level <= 0.95
    assert told.order_quantity == 0 or told.on_hand + told.on_order <= told.reorder_point
    assert told.order_quantity <= weekly / 7 * InventoryPolicy().most_days + 1
    after = plan_after(told, weekly, facts)
    assert after.order_quantity == 0 or after.order_up_to <= after.reorder_point


def plan_after(told: InventoryPlanned, weekly: float, facts: dict[str, float]) -> InventoryPlanned:
    """The plan when what was said was ordered: on its way."""
    way = {"stock__on_order": float(told.on_order + told.order_quantity)}
    found = [one for one in inventory(group(0, weekly, **facts | way)) if isinstance(one, InventoryPlanned)]
    return found[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=2), st.floats(0, 300))
def test_demand_grows_with_time_and_stock_lasts_longer_the_more_there_is(steps: list[float], stock: float) -> None:
    told = np.r_[SHAPE * steps[0], SHAPE * (steps[0] + steps[1])][None]
    days = np.arange(0.0, 90.0)
    mean, quantiles = demand(np.repeat(told, len(days), axis=0), days)
    assert (np.diff(mean) > -1e-9).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (np.diff(quantiles[:, 2:], axis=0) > -1e-9).all()
    ahead = lasts(np.repeat(told, 2, axis=0), np.array([stock, stock + 10]))
    assert (np.diff(ahead, axis=1) >= 0).all()
    assert (ahead[0] <= ahead[1]).all()

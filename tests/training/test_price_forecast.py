"""What items will cost: past prices as the worker counts them, labels, baselines, and what the network can say."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from models.registry import task
from models.tasks.price_forecast.task import WEEKS
from streams.entities.item import ITEM
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules as StreamRules
from streams.records.demand import PriceForecast
from streams.records.events import ClockTicked, OrderLine, OrderPlaced
from tests.shoppers import DAY, HOUR, NOON
from tests.training.test_sales import item_log, items_slice, row_at, shop
from tests.worlds import shipped
from training.baselines import smoothing
from training.history import history_of
from training.items import Sales, price_within, replay_items
from training.networks.prices import Rule, foretold, median, smoothed, weekly_prices

FEATURES = task("price_forecast").features
WEEK = 7 * DAY


def ordered(at: int, name: str, item: str, units: int, cents: int, off: int = 0) -> OrderPlaced:
    line = OrderLine(item_id=item, quantity=units, unit_price_cents=cents, discount_cents=off)
    return OrderPlaced(event_id=name, shopper_id="s1", event_time=at, order_id=name, lines=[line])


def test_full_weeks_are_told_by_windows_of_a_day_more_and_rings_of_weeks() -> None:
    rows = replay_items(shop(), FEATURES)
    sales = Sales(shop())
    # A row that is read once the next day has begun knows what was sold since.
    last = (rows.at_ms < shop().end_ms - DAY) & (rows.at_ms % DAY == 0)
    x, item, at = rows.x[last].astype(np.float64), rows.shopper[last], rows.at_ms[last]
    price, known = weekly_prices(x, FEATURES, np)
    for weeks_ago in range(4):
        start, until = at - (weeks_ago + 1) * WEEK, at - weeks_ago * WEEK
        np.testing.assert_array_equal(known[:, -1 - weeks_ago] > 0, sales.between(item, start, until) > 0)
        there = known[:, -1 - weeks_ago] > 0
        paid = np.maximum(sales.price(item, start, until), 1.0)
        np.testing.assert_allclose(price[there, -1 - weeks_ago], paid[there], rtol=1e-6)
    assert len(at) > 500


def test_labels_are_what_a_unit_is_paid_with_and_none_where_none_is_sold() -> None:
    history = history_of(
        [
            ordered(NOON, "a", "tea", 3, 100),
            ordered(NOON + DAY, "b", "tea", 1, 100, off=60),
            ordered(NOON + 15 * DAY, "c", "tea", 1, 500),
        ],
        "USD",
    )
    found = price_within(history, row_at(NOON, NOON + 8 * DAY, NOON + 9 * DAY), WEEKS)
    assert found.value[0, 0] == (3 * 100 + 40) / 4
    assert np.isnan(found.value[0, 1])
    assert found.value[1, 0] != found.value[1, 0]
    assert np.isnan(found.value[2]).tolist() == [True, True]  # sold on day 6; of the week after not all is known
    assert (found.known_ms - row_at(NOON, NOON + 8 * DAY, NOON + 9 * DAY).at_ms[:, None] == [WEEK, 2 * WEEK]).all()


def test_baselines_pass_over_weeks_without_a_sale_and_know_only_what_was_before() -> None:
    days = [ordered(NOON + k * WEEK, f"o{k}", "tea", 1, 100 if k < 6 else 300) for k in range(9) if k not in (3, 5)]
    sales, item, at = Sales(history_of(days, "USD")), np.zeros(1, np.int64), np.array([NOON + 6 * WEEK])
    assert smoothing.last_price(sales, item, at, NOON).tolist() == [100]
    assert smoothing.smoothed_price(sales, item, at, NOON).tolist() == [100]
    assert smoothing.last_price(sales, item, at + WEEK, NOON).tolist() == [300]
    assert np.isnan(smoothing.last_price(sales, item, np.array([NOON]), NOON)).all()


def test_the_weight_of_the_newest_week_is_that_of_least_error() -> None:
    stays, wobbles = np.r_[np.full(6, 100.0), np.full(6, 200.0)], np.tile([100.0, 200.0], 6)
    known = np.ones((2, 12), np.bool_)
    found = smoothing.level_of(np.stack([stays, wobbles]), known, (0.1, 1.0))
    assert found[0] == 200
    assert 120 < found[1] < 160


PRICES = {"steady": 200, "cheaper": 200}


@cache
def told() -> dict[str, list[PriceForecast]]:
    """What is said of items of 60 days, 3 units a day: one whose price stays, one on offer by a third for 4 weeks."""
    found: list[Any] = []
    for k in range(60):
        for n, item in enumerate(("steady", "cheaper")):
            off = 200 if item == "cheaper" and k >= 32 else 0
            found.append(ordered(NOON + k * DAY + n * HOUR, f"{item}-{k}", item, 3, 200, off))
        found.append(ordered(NOON + k * DAY + 2 * HOUR, f"rare-{k}", f"rare-{k % 20}", 1, 200))
    found.append(ClockTicked(event_time=NOON + 60 * DAY + HOUR))
    processor = PartitionProcessor(ITEM, 0, StreamRules(), shipped(), partitions=1)
    outcomes = processor.apply(items_slice(item_log(found))).outcomes
    said: dict[str, list[PriceForecast]] = {}
    for one in outcomes:
        if isinstance(one, PriceForecast):
            said.setdefault(one.item_id, []).append(one)
    return said


def test_the_shipped_model_says_the_price_that_stays_and_follows_one_that_went_down() -> None:
    assert told().keys() == {"steady", "cheaper"}  # of what sells less, nothing is said
    steady, cheaper = told()["steady"][-1], told()["cheaper"][-1]
    for week in (steady.next_week, steady.week_after):
        assert week.p05 <= 200 <= week.p95
        assert week.p50 == pytest.approx(200, rel=0.05)
    assert cheaper.next_week.p50 == pytest.approx(133, rel=0.15)
    assert cheaper.paid_7d_cents == 133
    assert "moved" in {one.said for one in told()["cheaper"]}
    assert {one.said for one in told()["steady"]} == {"first", "weekly"}


def test_smoothing_and_the_median_are_what_they_say() -> None:
    """A price that stays is foretold; of one that went up for good the median says the old one, smoothing the new."""
    price = np.array([[200.0] * 25, [100.0] * 15 + [300.0] * 10, [0.0] * 20 + [100.0, 0.0, 100.0, 100.0, 400.0]])
    known = (price > 0).astype(float)
    level, erred = smoothed(price, known, np)
    assert level[0] == pytest.approx(200)
    assert level[1] == pytest.approx(300, rel=0.02)
    assert erred[0] < 1e-3 < erred[1]
    assert median(price, known, 0.99, np).tolist() == [200, 100, 100]
    assert median(price, known, 0.5, np)[1] == 300
    nothing, _ = foretold(np.zeros((1, 25)), np.zeros((1, 25)), Rule(), np)
    assert nothing.tolist() == [1.0]


def test_an_answer_is_a_multiple_of_the_items_own_prices() -> None:
    """What costs ten times as much is foretold to cost about ten times as much: prices are its own, not a shop's."""
    model = shipped().model("price_forecast")
    rows = np.load(task("price_forecast").folder / "golden.npz")
    x = next(rows[name] for name in rows.files if rows[name].ndim == 2 and rows[name].shape[1] == 8 + 2 * 26)
    more = x.copy()
    more[:, np.r_[4:8, 34:60]] *= 10
    one, ten = (model.score(some)["price_week_1_quantiles"] for some in (x, more))
    some = one[:, 2] > 20
    assert np.median(ten[some, 2] / one[some, 2]) == pytest.approx(10, rel=0.05)

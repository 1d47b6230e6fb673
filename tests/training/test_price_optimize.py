"""How units answer to prices: rows as the worker counts them, known elasticities found, planted leads caught."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from models.registry import task
from streams.columns.shopper_events import category_code
from streams.decisions.price_optimize import WIDE, PricePolicy
from streams.entities.item import ITEM
from streams.processing.due import DuePoints
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules as StreamRules
from streams.records.events import ClockTicked, OrderLine, OrderPlaced
from streams.records.items import ItemListed, encode_item_record
from streams.records.prices import PriceSuggested, PriceTested
from streams.records.slices import Slice
from tests.shoppers import DAY, HOUR, NOON
from tests.training.test_sales import item_log, items_slice
from tests.worlds import shipped
from training import price_simulation, profit
from training.elasticities import known_of, priors_of
from training.history import APPENDED_MS, History, history_of
from training.items import replay_items
from training.networks.elasticity import (
    OF_CATEGORY,
    REVENUE,
    UNITS,
    WEEKS,
    WIDTH,
    elasticity,
    own_slope,
    posterior,
    weeks_of,
)  # fmt: skip
from training.networks.tabular import answers_of
from training.tasks.price_optimize import monday_after, rows_at

TASK = task("price_optimize")
PASSED = "FLUID MILK PRODUCTS"
GOOD, BAD = (category_code(name) for name in ("good", "bad"))


def placed(at: int, name: str, line: OrderLine) -> OrderPlaced:
    return OrderPlaced(event_id=name, shopper_id="s1", event_time=at, order_id=name, lines=[line])


@cache
def events() -> list[Any]:
    """70 days of three items of two categories, and one whose category is told late; prices alternate by week."""
    rng, found = np.random.default_rng(3), []
    for k in range(70):
        for n, (item, category) in enumerate((("a", "tea"), ("b", "tea"), ("c", "coffee"), ("d", None))):
            price = 200 + 50 * ((k // 7 + n) % 2)
            named = "coffee" if category is None and k > 40 else category
            line = OrderLine(item_id=item, quantity=int(rng.integers(1, 6)), unit_price_cents=price, category=named)
            at = NOON + k * DAY + n * HOUR // 6
            found.append(placed(at, f"{item}-{k}", line))
        # Later than the allowed lateness: so all of the day is told on that day.
        found.append(
            placed(NOON + k * DAY + 3 * HOUR, f"rare-{k}", OrderLine(item_id="rare", quantity=1, unit_price_cents=9))
        )
    return found


@cache
def history() -> History:
    return history_of(events(), "USD")


def test_rows_of_training_are_those_of_the_worker_bit_for_bit() -> None:
    """Also what is made of categories, of which a history knows hashes alone; and as it was reckoned in one pass."""
    kept: dict[tuple[str, int], np.ndarray] = {}

    def collect(due: list[DuePoints], x: np.ndarray) -> None:
        at = [pair for p in due for pair in zip(p.row.tolist(), p.now_ms.tolist(), strict=True)]
        for (row, now), values in zip(at, x, strict=True):
            kept[processor.arena.key(row), now] = values

    processor = PartitionProcessor(ITEM, 0, StreamRules(), partitions=1, collector=collect, collected=TASK.features)
    processor.apply(items_slice(item_log([*events(), ClockTicked(event_time=NOON + 70 * DAY)])))
    rows = replay_items(history(), TASK.features)
    assert rows.x.shape[1] == WIDTH
    ours = zip(rows.shopper.tolist(), rows.at_ms.tolist(), rows.x, strict=True)
    found = {(history().item_ids[i], at): x for i, at, x in ours}
    same = found.keys() & kept.keys()
    assert len(same) > 180
    for key in same:
        assert found[key].tobytes() == kept[key].tobytes(), key
    for at in (monday_after(NOON + days * DAY) for days in (30, 44, 63)):
        x, units = rows_at(history(), at)
        for i, item in enumerate(history().item_ids):
            # Weeks before a category was told are not told anew once it is.
            if item != "d":
                np.testing.assert_array_equal(found[item, at], x[i].astype(np.float32), err_msg=item)
            assert units[i] == x[i, UNITS][1:5].sum()


def test_a_moments_rows_know_nothing_of_later() -> None:
    at = monday_after(NOON + 30 * DAY)
    early = history().until(int((history().time_ms < at).sum()))
    for whole, cut in zip(rows_at(history(), at), rows_at(early, at), strict=True):
        np.testing.assert_array_equal(whole, cut)


def panel(slopes: np.ndarray, code: int, seed: int, lead: float = 0.0) -> np.ndarray:
    """Rows of items with known elasticities; ``lead``: how the week before goes with a price to come."""
    rng, n = np.random.default_rng(seed), len(slopes)
    x = np.zeros((n, WIDTH))
    x[:, :2] = code >> 16, code & 0xFFFF
    price = 300 * np.where(rng.random((n, WEEKS)) < 0.3, 0.75, 1.0) * np.exp(rng.normal(0, 0.02, (n, WEEKS)))
    later = np.roll(price, 1, axis=1)  # the newest first
    season = np.exp(rng.normal(0, 0.3, WEEKS))
    noise = np.exp(rng.normal(0, 0.3, (n, WEEKS)))
    units = rng.poisson(40 * season * noise * (price / 300) ** slopes[:, None] * (later / 300) ** lead)
    x[:, UNITS], x[:, REVENUE] = units, units * price
    x[:, OF_CATEGORY] = units.sum(axis=0)
    return x


def test_known_elasticities_are_found_within_their_intervals_season_or_not() -> None:
    slopes = np.random.default_rng(1).normal(-2.0, 0.5, 120)
    x = panel(slopes, GOOD, 2)
    found = priors_of(x)
    slope, precision = own_slope(weeks_of(x, np), np)
    mean, variance, placebo = known_of(found.priors, x)
    told, sd = posterior(slope, precision, mean, variance)
    assert found.whole.mean == pytest.approx(-2.0, abs=0.2)
    inside = np.abs(told - slopes) <= WIDE * sd
    assert 0.88 <= inside.mean() <= 1.0
    # Drawn to what all say, the answers err less than each item's own weeks.
    assert np.abs(told - slopes).mean() < np.abs(slope - slopes).mean()
    assert (placebo == 1).all()


def test_a_category_in_which_later_prices_explain_earlier_units_fails_and_a_small_one_is_not_tested() -> None:
    slopes = np.full(40, -2.0)
    tiny = panel(slopes[:2], category_code("tiny"), 4)
    x = np.concatenate([panel(slopes, GOOD, 2), panel(slopes, BAD, 3, lead=1.5), tiny])
    priors = priors_of(x).priors
    told = dict(zip(priors.codes.tolist(), priors.placebo.tolist(), strict=True))
    assert told == {GOOD: 1.0, BAD: 0.0, category_code("tiny"): -1.0}


def test_the_graph_says_what_the_numbers_say_and_of_an_unknown_category_what_holds_of_any() -> None:
    x = np.concatenate([panel(np.linspace(-3, -1, 20), GOOD, 2), panel(np.full(3, -2.0), BAD, 3), np.zeros((1, WIDTH))])
    priors = priors_of(x[:20]).priors
    told = answers_of(elasticity(priors), x.astype(np.float32))
    slope, precision = own_slope(weeks_of(x, np), np)
    mean, variance, placebo = known_of(priors, x)
    middle, sd = posterior(slope, precision, mean, variance)
    ends = np.stack([middle - WIDE * sd, middle, middle + WIDE * sd], axis=1)
    np.testing.assert_allclose(told["elasticity_quantiles"], ends, rtol=2e-3)
    np.testing.assert_array_equal(told["category"][:, 1], placebo)
    assert placebo.tolist() == [1.0] * 20 + [-1.0] * 4
    assert told["elasticity"][-1] == pytest.approx(priors.other[0], rel=1e-4)


def test_profit_that_prices_would_have_brought_is_found_and_has_the_right_sign() -> None:
    slopes = np.full(150, -2.0)
    x = panel(slopes, GOOD, 5)
    price, cost = np.full(150, 300.0), np.full(150, 210.0)
    whole = 40 * (price - cost)
    for to in (330.0, 270.0):
        gain = profit.brought(x, price, cost, np.full(150, to), 25)
        true = 40 * np.exp(0.3**2 / 2) * ((to - cost) * (to / price) ** -2.0 - (price - cost))
        assert gain.sum() == pytest.approx(true.sum(), abs=0.05 * whole.sum())
        assert np.sign(gain.sum()) == np.sign(true.sum())
    assert not profit.brought(x, price, cost, np.zeros(150), 25).any()
    better = profit.compared({"ours": np.full(9, 2.0), "ols": np.full(9, 1.0)}, np.full(9, 100.0), 1)
    assert better == {"ours": [2.0] * 3, "ols": [1.0] * 3, "ours - ols": [1.0] * 3}


def test_experiments_come_near_the_best_profit_and_break_no_guard() -> None:
    found = price_simulation.run()
    assert found["after"] >= 0.95 > 0.91 > found["first"]
    assert found["guards_broken"] == 0


def test_the_worker_suggests_a_price_of_an_item_with_a_cost_and_says_why_not_of_one_without() -> None:
    """Over a small log, with the model that ships: its prices move, its category is one that passed."""
    rng, found = np.random.default_rng(5), list[object]()
    for k in range(60):
        for n, item in enumerate(("milk", "other", "free", "rare")):
            price = 209 if (k // 7 + n) % 3 else 169
            units = int(rng.poisson(9 * (price / 209) ** -1.0)) + 1
            line = OrderLine(item_id=item, quantity=units, unit_price_cents=price, category=PASSED)
            found.append(placed(NOON + k * DAY + n * HOUR // 6 + 3 * HOUR * (n == 3), f"{item}-{k}", line))
    log = item_log([*found, ClockTicked(event_time=NOON + 60 * DAY + HOUR)])
    listed = [
        ItemListed(
            event_id=f"l-{item}", item_id=item, event_time=NOON, unit_price_cents=price, unit_cost_cents=cost,
            category_path=[PASSED], minimum_price_cents=least, currency=currency,
        )
        for item, price, cost, least, currency in (
            ("milk", 209, 150, 215, "USD"), ("other", 209, None, None, None), ("free", 0, 150, None, None),
            ("other", 500, 100, None, "EUR"),  # refused: another currency
        )
    ]  # fmt: skip
    keys = [one.item_id.encode() for one in listed] + [None] * len(log)
    values = [*map(encode_item_record, listed), *log]
    processor = PartitionProcessor(ITEM, 0, StreamRules(), shipped(), partitions=1)
    applied = processor.apply(Slice("items", 0, range(len(values)), [APPENDED_MS] * len(values), keys, values))
    assert [dead.reason for dead in applied.dead] == ["foreign_currency"]
    said: dict[str, list[PriceSuggested]] = {}
    for one in applied.outcomes:
        if isinstance(one, PriceSuggested):
            said.setdefault(one.item_id, []).append(one)
    assert said["milk"][0].why == "changed_lately"  # listed that day
    milk = said["milk"][-1]
    assert (milk.why, milk.from_cents, milk.to_cents, milk.cost_cents) == ("more_profit", 209, 229, 150)
    assert milk.elasticity.low < milk.elasticity.middle < milk.elasticity.high
    assert milk.profit_change_cents is not None
    assert milk.profit_change_cents.low > 0
    assert {one.why for one in said["other"]} == {"cost_unknown"}
    assert {one.why for one in said["free"]} == {"price_unknown"}
    assert all(one.to_cents is None for one in (*said["other"], *said["free"]))


@pytest.mark.parametrize("cut", [1, 7])
def test_the_worker_measures_items_of_an_experiment_however_the_log_is_cut(cut: int) -> None:
    """What was sold in the 14 days after each entered, to the unit; both sides of the draw."""
    rng, found, sold = np.random.default_rng(5), list[object](), dict[str, list[tuple[int, int]]]()
    items = [f"tea-{i}" for i in range(6)]
    for k in range(60):
        for n, item in enumerate(items):
            if rng.random() < 0.2:
                continue  # a day on which nobody asks
            at, units = NOON + k * DAY + n * HOUR // 6, int(rng.poisson(3)) + 1
            sold.setdefault(item, []).append((at, units))
            line = OrderLine(item_id=item, quantity=units, unit_price_cents=1009, category="unheard of")
            found.append(placed(at, f"{item}-{k}", line))
    log = item_log([*found, ClockTicked(event_time=NOON + 60 * DAY + HOUR)])
    listed = [
        ItemListed(event_id=f"l-{i}", item_id=i, event_time=NOON, unit_price_cents=1009, unit_cost_cents=700)
        for i in items
    ]
    keys = [one.item_id.encode() for one in listed] + [None] * len(log)
    values = [*map(encode_item_record, listed), *log]
    rules = StreamRules(prices=PricePolicy(experiment="split"))
    processor, tested = PartitionProcessor(ITEM, 0, rules, shipped(), partitions=1), list[PriceTested]()
    for some in np.array_split(np.arange(len(values)), cut):
        a, b = int(some[0]), int(some[-1]) + 1
        applied = processor.apply(Slice("items", 0, range(a, b), [APPENDED_MS] * (b - a), keys[a:b], values[a:b]))
        tested += [one for one in applied.outcomes if isinstance(one, PriceTested)]
    assert {one.item_id for one in tested} == set(items)
    assert len(tested) == len(items)
    assert {one.held for one in tested} == {True, False}
    for one in tested:
        end = one.began_ms + 14 * DAY
        assert one.units == sum(units for at, units in sold[one.item_id] if one.began_ms <= at < end)
        assert one.before_units == sum(
            units for at, units in sold[one.item_id] if one.began_ms - 14 * DAY <= at < one.began_ms
        )
        assert one.revenue_cents == one.units * 1009
        assert one.margin_cents == one.units * 309
        assert one.event_time_ms >= end

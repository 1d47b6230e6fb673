"""What shoppers bring: labels, metrics, and a network that cannot contradict itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.tasks.value.task import LEVELS
from streams.features.kinds.decay import DAY_MS
from streams.records.events import OrderCancelled, OrderLine
from tests.shoppers import NOON, ordered
from training import amounts
from training.baselines.spending import BuyTillYouDie
from training.corrections import BANDS, Correction, Judged, correction
from training.history import history_of
from training.labels.amounts import brought_before, brought_within
from training.replay import Rows

DAY = DAY_MS


def rows_at(*at_ms: int) -> Rows:
    """Rows of the first shopper."""
    n = len(at_ms)
    return Rows(np.zeros((n, 0), np.float32), np.array(at_ms), np.zeros(n, np.int64), np.zeros(n, np.int64))


def test_labels_are_what_comes_after_and_known_when_the_days_are_over() -> None:
    line = OrderLine(item_id="tea-1", quantity=1, unit_price_cents=100)
    back = OrderCancelled(event_id="b", shopper_id="s1", event_time=NOON + 30 * DAY, order_id="gone", lines=[line])
    events: list[Any] = [ordered("s1", NOON, "o0"), ordered("s1", NOON + 10 * DAY, "o1"), back]
    events += [ordered("s1", NOON + 89 * DAY, "o2"), ordered("s1", NOON + 200 * DAY, "o3")]
    history = history_of(events, "USD")
    each = int(history.cents[0])
    found = brought_within(history, rows_at(NOON, NOON - 1, NOON + 89 * DAY, NOON + 120 * DAY), 90)
    assert found.value[:3].tolist() == [[2, 2 * each - 100], [3, 3 * each - 100], [0, 0]]
    assert np.isnan(found.value[3]).all()  # the history ends before
    assert (found.known_ms[:, 0] == rows_at(NOON, NOON - 1, NOON + 89 * DAY, NOON + 120 * DAY).at_ms + 90 * DAY).all()
    assert brought_before(history, rows_at(NOON + 89 * DAY), 90).tolist() == [[3, 3 * each - 100]]


def test_quantiles_that_hold_what_they_promise_are_measured_so() -> None:
    label = np.random.default_rng(0).exponential(size=20_000)
    right = np.tile(-np.log(1 - np.array(LEVELS)), (len(label), 1))
    found = amounts.measure_quantiles(label, right, LEVELS)
    assert found["coverage"] == pytest.approx(0.8, abs=0.01)
    assert found["pinball"] < amounts.measure_quantiles(label, right * 1.5, LEVELS)["pinball"]


def test_intervals_are_paired() -> None:
    label = np.random.default_rng(0).exponential(size=500)
    found = amounts.intervals(label, {"ours": label + 1, "other": label + 2}, 7)
    assert found["mae_95"]["ours - other"] == (-1, -1)


def test_buy_till_you_die_ranks_who_buys_more_higher() -> None:
    rng = np.random.default_rng(1)
    pace = rng.gamma(2, 0.02, 400)
    orders = [
        (i, int(day)) for i, rate in enumerate(pace) for day in np.cumsum(rng.exponential(1 / rate, 30)) if day < 300
    ]
    orders = sorted({*orders, *((i, 0) for i in range(400))}, key=lambda one: one[1])
    who, day = np.array(orders).T
    cents = 1000 + rng.integers(0, 500, len(who))
    model = BuyTillYouDie(who, day * DAY, cents, 300 * DAY, 400)
    count, revenue = model.foretell(np.arange(400), 90)
    assert amounts.spearman(pace, count) > 0.6
    assert (revenue > 0).all()


def judged(rng: np.random.Generator, n: int, narrow: float = 1.0, much: float = 1.0) -> Judged:
    """Exponential amounts whose ranges reach ``narrow`` of the way they should, and whose mean is ``much`` times too
    high."""
    chance, mean = rng.uniform(0, 1, n), rng.uniform(10, 1000, n)
    right = -np.log(1 - np.array(LEVELS)) * mean[:, None]
    said = right[:, 1:2] + (right - right[:, 1:2]) * narrow
    return Judged(chance, mean * much, said, rng.exponential(mean))


def answered(said: Judged, by: Correction) -> tuple[Any, Any]:
    """The corrected mean and quantiles."""
    mean, low, high = (np.interp(said.chance, by.chance, factor) for factor in np.array(by.factors).T)
    a, b, c = said.quantiles.T
    return said.mean * mean, np.stack([np.maximum(b - (b - a) * low, 0), b, b + (c - b) * high], axis=1)


def test_ranges_and_sums_that_were_wrong_are_right_after() -> None:
    rng = np.random.default_rng(3)
    # A large shop says no more than a small one, and nobody's currency counts.
    small, large = judged(rng, 5_000, 0.5, 1.3), judged(rng, 40_000, 0.5, 1.3)
    dear = Judged(small.chance, small.mean * 100, small.quantiles * 100, small.came * 100)
    by = correction([dear, large], LEVELS)
    mean, ranges = answered(fresh := judged(rng, 40_000, 0.5, 1.3), by)
    assert amounts.measure_quantiles(fresh.came, fresh.quantiles, LEVELS)["coverage"] < 0.55
    assert amounts.measure_quantiles(fresh.came, ranges, LEVELS)["coverage"] == pytest.approx(0.8, abs=0.02)
    assert fresh.mean.sum() / fresh.came.sum() == pytest.approx(1.3, abs=0.03)
    assert mean.sum() / fresh.came.sum() == pytest.approx(1.0, abs=0.03)


def test_ranges_are_never_made_narrower_and_of_few_rows_nothing_is_said() -> None:
    rng = np.random.default_rng(4)
    wide = np.array(correction([judged(rng, 20_000, 1.8)], LEVELS).factors)
    assert (wide[:, 1:] == 1).all()
    few = judged(rng, 150, 0.5, 2.0)
    assert (np.array(correction([few], LEVELS).factors) == 1).all()
    assert len(correction([], LEVELS).chance) == len(BANDS) - 1


def test_a_network_never_contradicts_itself() -> None:
    from training.fit import seed_everything
    from training.networks.spending import spending

    seed_everything(7)
    rng = np.random.default_rng(2)
    x = rng.exponential(100, (512, 5)).astype(np.float32)
    by = Correction((0.2, 0.5, 0.9), ((0.5, 3.0, 1.0), (2.0, 1.0, 1.5), (1.0, 1.2, 3.0)))
    plain = spending(x, 0, (0.5, 2.0), members=2, hidden=(8,))[1]
    answering = spending(x, 0, (0.5, 2.0), members=2, hidden=(8,), correction=by)[1]
    for weight, same in zip(answering.trainable_variables, plain.trainable_variables, strict=True):
        weight.assign(rng.normal(0, 1, weight.shape))
        same.assign(weight)
    before = [np.asarray(a, np.float64) for a in plain.predict(x * 10, verbose=0)]
    revenue, quantiles, orders, active = (np.asarray(a) for a in answering.predict(x * 10, verbose=0))
    mean, ranges = answered(Judged(before[3], before[0], before[1], before[0]), by)
    np.testing.assert_allclose(revenue, mean, rtol=1e-4)
    np.testing.assert_allclose(quantiles, ranges, rtol=1e-4, atol=1e-3 * np.abs(ranges).max())
    assert (orders == before[2]).all()
    assert ((active > 0) & (active < 1)).all()
    assert (orders >= active * (1 - 1e-6)).all()
    assert (revenue >= 0).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()

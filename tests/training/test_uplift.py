"""Metrics of uplift on cases whose answer is known, and calibration on trials whose truth is."""

from __future__ import annotations

import numpy as np
import pytest

from streams.features.shopper import CATALOGUE
from streams.records.events import ShopperEvent, decode_event
from tests.shoppers import random_history
from training import uplift
from training.history import History, history_of
from training.networks.effects import calibrate
from training.replay import EVENT, SILENCE, replay, standing


def trial(rng: np.random.Generator, n: int, differ: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A feature, the arm (of three) that each got with known chances, the answer, and the true effects [n, 2] of arms 1
    and 2: arm 1 does 0.1 on average and ``differ`` more or less by the feature's sign; arm 2 nothing."""
    x = rng.normal(size=n)
    propensity = np.stack([np.full(n, 0.3), np.where(x > 0, 0.5, 0.2), np.where(x > 0, 0.2, 0.5)], axis=1)
    arm = (rng.random(n)[:, None] > np.cumsum(propensity, axis=1)[:, :-1]).sum(axis=1)
    true = np.stack([0.1 + differ * np.sign(x), np.zeros(n)], axis=1)
    chance = 0.3 + 0.05 * x.clip(-2, 2) + np.c_[np.zeros(n), true][np.arange(n), arm]
    return x, arm, (rng.random(n) < chance).astype(float), propensity


def test_whoever_knows_the_truth_is_ahead_of_chance_and_chance_is_zero() -> None:
    rng = np.random.default_rng(1)
    x, arm, y, _ = trial(rng, 60_000, 0.1)
    both = arm < 2
    treated, outcome = arm[both] == 1, y[both]
    # Chances depend on the feature here, so each side is a sample of its own: compare within the sign.
    for sign in (1, -1):
        mine = np.sign(x[both]) == sign
        assert uplift.effect(treated[mine], outcome[mine]) == pytest.approx(0.1 + 0.1 * sign, abs=0.03)
    chance = [uplift.qini(rng.random(both.sum()), treated, outcome) for _ in range(20)]
    assert abs(np.mean(chance)) < 3 * np.std(chance) / 20**0.5 + 1e-3
    assert uplift.qini(np.zeros(both.sum()), treated, outcome) == pytest.approx(0, abs=1e-12)


def test_qini_is_that_of_its_definition() -> None:
    """Against areas added up by hand, with ties."""
    said = np.array([0.3, 0.3, 0.2, 0.1, 0.1, 0.0])
    treated = np.array([True, False, True, False, True, False])
    y = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    x, curve = uplift.qini_curve(said, treated, y)
    assert x.tolist() == [0, 2, 3, 5, 6]
    assert curve.tolist() == pytest.approx([0, 1, 1, 2 - 1.5, 2 - 1])
    best_x, best = uplift.qini_curve(np.where(treated, y, -y), treated, y)
    area, most = np.trapezoid(curve, x) - 3, np.trapezoid(best, best_x) - 3
    assert uplift.qini(said, treated, y) == pytest.approx(area / most)


def test_a_policy_is_worth_what_those_say_who_got_what_it_gives() -> None:
    choice, arm = np.array([1, 1, 0, 0]), np.array([1, 0, 0, 1])
    y, cost = np.array([1.0, 0.0, 0.5, 9.0]), np.array([0.0, 0.25])
    assert uplift.value(choice, arm, y, cost) == 0.5 * (1.0 - 0.25) + 0.5 * 0.5


def test_splits_are_stratified_and_their_intervals_are_wider_for_other_people() -> None:
    strata = np.repeat([0, 1, 2], [100, 50, 30])
    found = uplift.splits(strata, 0.4, 3, 7)
    assert all(np.bincount(strata[test]).tolist() == [40, 20, 12] for _, test in found)
    assert all(len(np.intersect1d(*each)) == 0 and sum(map(len, each)) == 180 for each in found)
    told = uplift.spread(np.array([1.0, 2.0, 3.0, np.nan]), 0.4)
    assert told.mean == 2.0
    assert told.over_people[0] < told.over_splits[0] < 2 < told.over_splits[1] < told.over_people[1]


def said(rng: np.random.Generator, x: np.ndarray, common: float, own: float) -> np.ndarray:
    """What networks say of a trial's people: right on average, ``common`` more or less of both arms by the feature's
    sign, and ``own`` more of arm 1 and less of arm 2, by something that means nothing."""
    base, nothing = 0.3 + 0.05 * x, np.sign(rng.normal(size=len(x)))
    one = base + 0.1 + common * np.sign(x) + own * nothing
    return np.stack([base, one, base + common * np.sign(x) - own * nothing], axis=1)


def test_calibration_finds_differences_where_there_are_some_and_says_so_where_there_are_none() -> None:
    some, none, means = 0, 0, []
    runs = 100
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        # Arm 1 differs by 0.1, arm 2 does not: 0.05 whatever the arm, of which networks say twice as much.
        x, arm, y, propensity = trial(rng, 12_000, 0.1)
        found = calibrate(said(rng, x, 0.1, 0.05), arm, y, propensity)
        some += found.every.believed > 0
        none += not any(slope.believed for slope in found.own)
        means.append((*found.mean, found.every.found))
    assert some >= 95
    assert none >= 95
    one, two, slope = np.mean(means, axis=0)
    assert one == pytest.approx(0.1, abs=0.01)
    assert two == pytest.approx(0.0, abs=0.01)
    assert slope == pytest.approx(0.5, abs=0.06)


def test_where_arms_do_not_differ_between_people_the_same_one_is_best_for_all() -> None:
    rng = np.random.default_rng(5)
    x, arm, y, propensity = trial(rng, 40_000, 0.0)
    chance = said(rng, x, 0.0, 0.2)
    found = calibrate(chance, arm, y, propensity)
    raw = chance[:, 1:] - chance[:, :1]
    assert (raw.argmax(axis=1) == 1).mean() > 0.3
    assert (found.apply(raw).argmax(axis=1) == 0).all()
    assert not found.heterogeneous(0)
    assert not found.matrix.any()
    one = calibrate(chance[arm < 2][:, :2], arm[arm < 2], y[arm < 2], propensity[arm < 2][:, :2])
    assert one.matrix.tolist() == [[one.every.believed]]


@pytest.fixture(scope="module")
def history() -> History:
    decoded = [decode_event(value or b"") for _, value in random_history(23, 1500, 40, hostile=False)]
    return history_of(sorted((e for e in decoded if isinstance(e, ShopperEvent)), key=lambda e: e.event_time), "USD")


def test_who_is_looked_at_stands_as_the_stream_saw_them_bit_for_bit(history: History) -> None:
    addresses = ("orders.count", "orders.gap_mean", "orders.spend_decayed_30d", "visits.events_30d", "carts.adds_24h")
    rows = replay(history, addresses)
    # At one time several events may stand, after each of which the shopper was due; the last one is what is asked for.
    key = (rows.shopper << 48) + rows.at_ms
    events = np.sort((history.shopper << 48) + history.time_ms)
    once = np.searchsorted(events, key, side="right") - np.searchsorted(events, key) <= 1
    assert {EVENT, SILENCE} <= set(rows.why[once].tolist())
    x = standing(history, addresses, rows.shopper, rows.at_ms)
    np.testing.assert_array_equal(x[once], rows.x[once])
    some = np.random.default_rng(1).permutation(len(rows))[:200]
    np.testing.assert_array_equal(standing(history, addresses, rows.shopper[some], rows.at_ms[some]), x[some])


def test_nothing_that_comes_later_changes_how_somebody_stood(history: History) -> None:
    addresses = tuple(a for a in CATALOGUE.features if a.startswith("orders."))
    moment = int(history.time_ms[len(history) // 2])
    early = history.until(int(np.searchsorted(history.time_ms, moment, side="right")))
    shopper = np.arange(len(early.shoppers) + 2)  # two who have not come yet
    at = np.full(len(shopper), moment)
    np.testing.assert_array_equal(
        standing(history, addresses, shopper, at)[: len(early.shoppers)],
        standing(early, addresses, shopper[:-2], at[:-2]),
    )
    nobody = standing(history, addresses, shopper, at)[-1]
    features = [CATALOGUE.features[a] for a in addresses]
    assert nobody.tolist() == pytest.approx([each.cold_start for each in features for _ in range(each.width)])

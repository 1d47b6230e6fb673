"""Recalibration: what it learns, from what, and that it is the same however the log was cut or shared."""

from __future__ import annotations

import numpy as np
import pytest

from streams.columns.arrays import Ints
from streams.columns.layout import Layout, Rows
from streams.monitoring.calibration import (
    CAME,
    COUNT,
    EXPECTED,
    JUDGED_DAYS,
    KEPT_DAYS,
    ORDERED,
    UNIT,
    InRow,
    Recalibration,
    Tallies,
    Waiting,
)
from tests.shoppers import DAY, NOON

DAY_0 = NOON // DAY
IN_ROW = InRow.of("churn")


def world(seed: int, factor: float, days: int = 200, shoppers: int = 400) -> list[tuple[int, int, float, bool]]:
    """(time, shopper, chance of no order in 15 days, an order made it due) of shoppers whose orders come by chance,
    ``factor`` times as often as was foretold."""
    rng = np.random.default_rng(seed)
    found = []
    for shopper in range(shoppers):
        hazard = rng.gamma(2.0, 0.4)  # per 15 days
        at, ordered = NOON + int(rng.integers(0, 20 * DAY)), True
        while at < NOON + days * DAY:
            found.append((at, shopper, float(np.exp(-hazard)), ordered))
            order = at + int(rng.exponential(15 * DAY / (hazard * factor)))
            look = at + int(rng.integers(DAY, 40 * DAY))  # due for another reason
            at, ordered = (order, True) if order < look else (look, False)
    return sorted(found)


def tallies(points: list[tuple[int, int, float, bool]], step: int = 1) -> Tallies:
    """Due points taken one by one; sums made after every ``step`` of them."""
    state, waiting = Rows.zeros(Layout(IN_ROW.columns), 400), Waiting(IN_ROW)
    for i, (at, shopper, score, ordered) in enumerate(points):
        waiting.observe(state, np.array([shopper]), np.array([at]), np.array([score]), np.array([ordered]))
        if i % step == 0:
            waiting.sums()
    return waiting.sums()


def held(found: Tallies) -> dict[int, list[int]]:
    return {day: sums.tolist() for day, sums in found.days.items() if sums.any()}


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_it_learns_how_much_sooner_orders_come_than_foretold(factor: float) -> None:
    learned = Recalibration.learned(tallies(world(1, factor), 50), DAY_0 + 200)
    assert learned.level == pytest.approx(factor, rel=0.12)
    for days in (15, 90):
        assert learned.exponent(days) == pytest.approx(factor, rel=0.25)


def test_what_is_so_lately_is_seen_before_any_label_of_it_is_known() -> None:
    """From day 150 on orders come twice as often; ten days later no due point has been waited for since."""
    usual = [p for p in world(2, 1.0) if p[0] < NOON + 150 * DAY]
    busy = [p for p in world(3, 2.0) if NOON + 150 * DAY <= p[0] < NOON + 160 * DAY]
    learned = Recalibration.learned(tallies(usual + busy, 50), DAY_0 + 160)
    assert learned.level == pytest.approx(1.0, abs=0.12)
    assert learned.exponent(15) > 1.3
    assert 1 < learned.exponent(90) < learned.exponent(15)


@pytest.mark.parametrize("step", [7, 10_000])
def test_the_sums_do_not_depend_on_how_the_log_is_cut_or_shared(step: int) -> None:
    points = world(4, 1.3, days=80)
    whole = held(tallies(points))
    assert held(tallies(points, step)) == whole
    parts = [tallies([p for p in points if p[1] % 3 == k], step) for k in range(3)]
    for order in ((0, 1, 2), (2, 0, 1)):
        together = Tallies()
        for k in order:
            together += parts[k]
        assert held(together) == whole
        assert Recalibration.learned(together, DAY_0 + 80) == Recalibration.learned(tallies(points), DAY_0 + 80)


def test_only_what_was_known_is_learned_from() -> None:
    points = world(5, 1.4, days=120)
    today = DAY_0 + 60
    known = [p for p in points if p[0] < today * DAY]
    assert Recalibration.learned(tallies(points), today) == Recalibration.learned(tallies(known), today)


def test_the_sums_are_what_a_plain_loop_finds() -> None:
    points = world(6, 1.0, days=60)
    found = tallies(points)
    waits: dict[int, tuple[int, float]] = {}
    came: dict[int, int] = {}
    begun: dict[int, int] = {}
    ordered_in_time: dict[int, int] = {}
    expected = 0.0
    for at, shopper, score, ordered in points:
        start, foretold = waits.get(shopper, (-1, 0.0))
        waited = start >= 0 and at <= start + JUDGED_DAYS * DAY
        if waited and not ordered:
            continue
        if start >= 0:
            expected += -np.log(foretold) * min(at - start, JUDGED_DAYS * DAY) / (JUDGED_DAYS * DAY)
        if waited:
            came[at // DAY] = came.get(at // DAY, 0) + 1
            ordered_in_time[start // DAY] = ordered_in_time.get(start // DAY, 0) + 1
        waits[shopper] = at, round(score, 4)
        begun[at // DAY] = begun.get(at // DAY, 0) + 1
    expected += sum(-np.log(score) for _, score in waits.values())
    assert {d: int(s[CAME]) for d, s in found.days.items() if s[CAME]} == came
    assert {d: int(s[ORDERED]) for d, s in found.days.items() if s[ORDERED]} == ordered_in_time
    assert {d: int(s[COUNT].sum()) for d, s in found.days.items() if s[COUNT].any()} == begun
    assert sum(int(s[EXPECTED]) for s in found.days.values()) / UNIT == pytest.approx(expected, rel=1e-3)


def test_nothing_known_changes_nothing_and_order_is_kept() -> None:
    assert Recalibration.learned(Tallies(), DAY_0) == Recalibration()
    scores = np.array([0.0, 0.2, 0.5, 1.0, np.nan])
    np.testing.assert_array_equal(Recalibration().apply(scores, 30), scores)
    moved = Recalibration(1.4, 0.8).apply(scores, 30)
    assert (np.diff(moved[:4]) > 0).all()
    assert (moved[0], moved[3]) == (0.0, 1.0)
    assert np.isnan(moved[4])


def test_old_days_are_forgotten() -> None:
    found = tallies(world(7, 1.0, days=60))
    before: Ints = np.array(sorted(found.days))
    found.forget(DAY_0 + KEPT_DAYS + 30)
    assert sorted(found.days) == before[before >= DAY_0 + 30].tolist()

"""How much to bake: rows know the day before, and costs are those of the newsvendor."""

from __future__ import annotations

import numpy as np

from training.checks.bakery import FLAGS, WARM_UP, by_weekday, compared, cost, rows_of


def test_a_row_knows_what_was_sold_before_its_day_and_nothing_of_the_day() -> None:
    n = 90
    series, day, demand = np.repeat([0, 1], n), np.tile(np.arange(n), 2), np.arange(2.0 * n)
    known = {name: np.zeros(2 * n) for name in FLAGS}
    rows = rows_of(series, day, demand, known)
    assert len(rows.x) == 2 * (n - WARM_UP)
    at = int(np.flatnonzero(rows.day == 60)[0])
    told = dict(zip(rows.names, rows.x[at].tolist(), strict=True))
    assert (told["mean_1"], told["mean_7"], told["same_1"], told["same_2"]) == (59.0, 56.0, 53.0, 49.5)
    changed = demand.copy()
    changed[60:n] = 0
    assert rows_of(series, day, changed, known).x[at].tolist() == rows.x[at].tolist()


def test_the_quantile_of_a_weekday_is_of_days_before() -> None:
    day, demand = np.arange(70), np.repeat(np.arange(10.0), 7)
    found = by_weekday(np.zeros(70, np.int64), day, demand, np.array([69]), 0.5, 4)
    assert found.tolist() == [6.0]  # of 5, 6, 7, 8


def test_ours_is_held_against_each_by_what_it_costs() -> None:
    assert cost(np.array([10.0, 10.0]), np.array([8.0, 12.0]), 0.75).tolist() == [1.5, 0.5]
    wanted = np.array([10.0, 10.0])
    lines = compared(np.array([0, 1]), wanted, {"ours": wanted - 1, "other": wanted - 2}, 0.9, 7)
    assert lines[1]["ours_less_percent"] == -50.0
    assert (lines[0]["cost"], lines[0]["served_whole"]) == (2, 0.0)

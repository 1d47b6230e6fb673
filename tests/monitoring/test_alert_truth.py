"""Whether alerts came true, by hand and against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from streams.monitoring.alert_truth import (
    Alerts,
    Orders,
    base_rate,
    came_true,
    foretold,
    per_shopper_month,
    share,
    truth,
)
from tests.shoppers import DAY, NOON


def orders(*placed: tuple[int, float], end: float = 100) -> Orders:
    """(shopper, days after noon) each."""
    who, when = np.array(placed).T
    return Orders(who.astype(np.int64), NOON + (when * DAY).astype(np.int64), NOON + int(end * DAY))


def alerts(*made: tuple[int, float, int]) -> Alerts:
    """(shopper, days after noon, level) each."""
    who, when, level = np.array(made).T
    return Alerts(
        who.astype(np.int64), NOON + (when * DAY).astype(np.int64), level.astype(np.int64), np.full(len(who), 0.5)
    )


def test_an_alert_comes_true_when_no_order_follows_within_thirty_days() -> None:
    placed = orders((1, 0), (1, 40), (2, 5))
    made = alerts((1, 9, 1), (1, 10, 2), (2, 60, 3), (2, 70.5, 3))
    known, true = came_true(made.shopper, made.at_ms, placed)
    assert known.tolist() == [True, True, True, False]  # the last one's window does not lie within the data
    assert true.tolist() == [True, False, True, True]  # 31 days to the order of day 40, 30 days to it
    found = truth(made, placed)
    assert [(found[name]["judged"], found[name]["came_true"]) for name in ("watch", "high", "critical")] == [
        (1, 1),
        (1, 0),
        (1, 1),
    ]


def test_an_order_at_the_very_time_of_the_alert_is_before_it() -> None:
    _, true = came_true(np.array([1]), np.array([NOON]), orders((1, 0)))
    assert true.tolist() == [True]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_a_plain_loop_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    who, when = rng.integers(0, 20, 200), NOON + rng.integers(0, 300 * DAY, 200)
    at_who, at_when = rng.integers(0, 25, 300), NOON + rng.integers(0, 300 * DAY, 300)
    end = NOON + 300 * DAY
    known, true = came_true(at_who, at_when, Orders(who, when, end))
    for i in range(300):
        after = [t for w, t in zip(who.tolist(), when.tolist(), strict=True) if w == at_who[i] and t > at_when[i]]
        assert known[i] == (at_when[i] + 30 * DAY <= end)
        assert true[i] == (not after or min(after) > at_when[i] + 30 * DAY)
    found = base_rate(at_who, at_when, Orders(who, when, end))
    assert (found["judged"], found["came_true"]) == (int(known.sum()), int(true[known].sum()))


def test_a_lapse_is_foretold_by_an_alert_before_it_is_complete() -> None:
    placed = orders((1, 0), (2, 0), (3, 0), (4, 0), (4, 50), (5, 60))
    made = alerts((1, 20, 1), (1, 40, 2), (2, 60, 3), (4, 10, 1))
    assert foretold(made, placed) == {"lapses": 3, "foretold": 1, "days_before": 40.0}  # 1 told; 2 too late; 3 never
    assert foretold(made, placed, NOON + DAY) == {"lapses": 0, "foretold": 0, "days_before": None}


def test_the_interval_is_wider_where_few_shoppers_gave_all_alerts_and_holds_what_it_should() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        rate = rng.beta(7, 3, 60)  # each shopper has their own
        low, high = share(rng.random(600) < np.repeat(rate, 10), np.repeat(np.arange(60), 10))["interval"]
        held += low <= 0.7 <= high
    assert held > 180
    alone = share(np.array([True] * 70 + [False] * 30), np.arange(100))["interval"]
    together = share(np.array([True] * 70 + [False] * 30), np.arange(100) // 10)["interval"]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
    assert share(np.ones(3, np.bool_), np.arange(3))["interval"][1] == 1.0
    assert share(np.zeros(0, np.bool_), np.zeros(0, np.int64)) == {"judged": 0, "came_true": 0, "interval": [0.0, 1.0]}


def test_alerts_per_shopper_and_month() -> None:
    assert per_shopper_month(alerts((1, 1, 1), (1, 2, 1), (2, 3, 1)), 10, NOON, NOON + 60 * DAY) == 0.15

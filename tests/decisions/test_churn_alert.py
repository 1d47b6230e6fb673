"""Churn alerts: levels, hysteresis, cooldown."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.columns.layout import Rows
from streams.decisions.churn_alert import ChurnAlertPolicy
from streams.entities.shopper import SHOPPER
from streams.processing.partition import row_layout
from tests.shoppers import DAY, NOON

POLICY = ChurnAlertPolicy()
ROW = np.array([0])


def alerts(scores: list[float], times: list[int], orders: tuple[int, ...] = ()) -> list[int]:
    """The levels alerted for one shopper's scores; ``orders``: which of them an order made due."""
    state = Rows.zeros(row_layout(SHOPPER), 1)
    return [
        int(
            POLICY.decide(
                state,
                ROW,
                np.array([score]),
                np.array([at]),
                np.array([POLICY.thresholds]),
                np.array([i in orders]),
            )[0]
        )
        for i, (score, at) in enumerate(zip(scores, times, strict=True))
    ]


def test_crossing_a_threshold_alerts_once() -> None:
    assert alerts([0.1, 0.35, 0.36, 0.34], [NOON + i * DAY for i in range(4)]) == [0, 1, 0, 0]


def test_a_rise_to_a_higher_level_alerts_within_the_cooldown() -> None:
    assert alerts([0.35, 0.55, 0.8], [NOON, NOON + 1, NOON + 2]) == [1, 2, 3]


def test_trembling_around_a_threshold_does_not_alert_again() -> None:
    """Within the hysteresis the level is kept, so coming back over the threshold is no rise."""
    assert alerts([0.31, 0.29, 0.31, 0.29, 0.31], [NOON + i * DAY for i in range(5)]) == [1, 0, 0, 0, 0]


def test_leaving_and_coming_back_within_the_cooldown_does_not_alert() -> None:
    assert alerts([0.35, 0.05, 0.35], [NOON, NOON + DAY, NOON + 2 * DAY]) == [1, 0, 0]


def test_a_silence_that_lasts_is_told_once_per_level() -> None:
    at = [NOON + i * 20 * DAY for i in range(6)]
    assert alerts([0.35, 0.35, 0.55, 0.6, 0.8, 0.9], at) == [1, 0, 2, 0, 3, 0]


def test_who_came_back_and_leaves_again_is_told_again_after_the_cooldown() -> None:
    at = [NOON + days * DAY for days in (0, 2, 10, 20)]
    assert alerts([0.55, 0.05, 0.55, 0.55], at) == [2, 0, 0, 2]


def test_an_order_does_not_alert_but_lets_the_next_silence() -> None:
    """Some shoppers are as likely to leave after each order; each silence is told, the order itself is not."""
    at = [NOON + days * DAY for days in (0, 20, 40, 60)]
    assert alerts([0.8, 0.8, 0.8, 0.8], at, orders=(0, 2)) == [0, 3, 0, 3]
    assert alerts([0.8, 0.8, 0.8], [NOON, NOON + DAY, NOON + 2 * DAY], orders=(1,)) == [3, 0, 0]


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=40),
    gaps=st.lists(st.integers(0, 5 * DAY), min_size=40, max_size=40),
)
def test_never_two_alerts_in_a_cooldown_but_for_a_rise(scores: list[float], gaps: list[int]) -> None:
    times = (NOON + np.cumsum(gaps[: len(scores)])).tolist()
    last_at, last_level = None, 0
    for level, at in zip(alerts(scores, times), times, strict=True):
        if level:
            if last_at is not None and at - last_at < POLICY.cooldown_days * DAY:
                assert level > last_level
            last_at, last_level = at, level

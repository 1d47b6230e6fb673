"""Receipts joined with what followed: the chances are those by which campaigns drew, and each window counts once."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.campaigns.arms import draw
from streams.effects.decided import chances, join
from tests.effects.receipts import outcome, receipt, weighed


@given(
    worth=st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1, max_size=8),
    share=st.floats(0.01, 1.0),
    whether=st.floats(0, 0.999),
    which=st.floats(0, 0.999),
)
def test_chances_are_those_of_the_draw(worth: list[int | None], share: float, whether: float, which: float) -> None:
    """None: an arm that may not be offered."""
    allowed = np.array([[each is not None] for each in worth])
    values = np.array([[float(each or 0)] for each in worth])
    drawn = draw(allowed, values, *(np.array([each]) for each in (share, whether, which)))
    arms = [weighed(f"a{i}", each, refused=None if each is not None else "no_stock") for i, each in enumerate(worth)]
    arm = None if drawn.arm[0] < 0 else f"a{drawn.arm[0]}"
    found, nothing = chances(arms, arm, float(drawn.propensity[0]), explored=bool(drawn.explored[0]))
    assert found.sum() + nothing == pytest.approx(1)
    if not allowed.any():
        return
    n, best = int(allowed.sum()), int(drawn.best[0])
    wanted = np.where(allowed[:, 0], share / (n + 1), 0.0)
    if best >= 0:
        wanted[best] += 1 - share
    ties = sum(each == max(e for e in worth if e is not None) for each in worth) > 1
    if not (ties and drawn.explored[0]):  # of equals a receipt does not say which is taken to be the best
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_what_followed_is_joined_with_what_was_decided_in_any_order_and_once() -> None:
    receipts = [
        receipt("ann", 10, "offered", "a", offer_id="f1"),
        receipt("bob", 20, "campaign_holdout", "b"),
        receipt("cid", 30, "explored_nothing", None),
        receipt("dan", 5, "no_consent", "a"),
        receipt("eve", 6, "offered", "a", offer_id="f2"),
        receipt("ann", 25, "offered", "a", offer_id="f3"),
        receipt("ann", 26, "explored_nothing", None),
        receipt("fay", 99, "not_worth_it", None),
    ]
    outcomes = [
        outcome("f1", "ann", 10, "a"),
        outcome("held", "bob", 20, "b", held=True, margin=70),
        outcome("f3", "ann", 25, "a", measured=False),
        outcome("late", "gus", 40, "a"),
    ]
    for seed in range(5):
        some: list[Any] = [*receipts, *receipts[:3]]
        random.Random(seed).shuffle(some)
        found = join(some, random.Random(seed).sample([*outcomes, outcomes[0]], 5))
        rows = [(each.receipt.shopper_id, each.held, each.chosen) for each in found.decisions]
        assert rows == [("ann", False, 0), ("bob", True, 1), ("cid", False, -1)]
        assert found.decisions[1].profit_cents == 70
        assert found.left_out == {
            "said before": 3,
            "of no_consent": 1,
            "whose window is not over, or not told": 1,
            "of shoppers who had entered before": 2,
            "after the last window that is over": 1,
        }
        assert "8 receipts" not in found.told()
        assert "2 with a window that is over (1 of the holdout)" in found.told()

"""From sums to what a marketer reads: estimates, verdict, words."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from streams.effects.boundaries import once
from streams.effects.campaign import Plan, measure, return_on_cost
from streams.effects.difference import difference
from streams.effects.moments import Moments
from streams.effects.sums import Cell, Sums
from streams.effects.words import about
from streams.records.effects import EffectMeasured, Range

Floats = npt.NDArray[np.float64]
DAY_MS = 86_400_000


def side(seed: int, n: int, share: float, margin: int = 1_000, cost: int = 0) -> Sums:
    """n shoppers, a share of whom order for a margin around ``margin`` and cost ``cost`` each."""
    rng = np.random.default_rng(seed)
    buys = rng.random(n) < share
    earned = np.where(buys, rng.integers(margin // 2, margin * 3 // 2, n), 0)
    columns = np.zeros((n, 7), np.int64)
    columns[:, 0] = columns[:, 1] = buys
    columns[:, 2], columns[:, 3], columns[:, 4] = 3 * earned, earned, cost * buys
    return Sums.of(columns, np.zeros((n, 4), np.int64))


def told(treated: Sums, held: Sums, plan: Plan | None = None, per_day: float | None = None) -> EffectMeasured:
    cells = {Cell("c", "a", "", False): treated, Cell("c", "", "", True): held, Cell("other", "a", "", False): held}
    return measure("c", cells, plan or Plan(20_000), "USD", at_ms=7, shoppers_per_day=per_day)[0]


def inside(value: float, each: Range) -> bool:
    assert each.low is not None
    assert each.high is not None
    return each.low <= value <= each.high


def test_a_campaign_that_pays_says_so_with_what_it_brought() -> None:
    found = told(side(1, 18_000, 0.30, cost=100), side(2, 2_000, 0.20))
    assert (found.verdict, found.shoppers, found.held) == ("pays", 18_000, 2_000)
    assert inside(70, found.per_shopper["profit"])
    assert inside(0.1, found.per_shopper["orders"])
    assert inside(70 * 18_000, found.incremental["profit"])
    assert found.roi is not None
    assert inside(70 / 30, found.roi)
    assert found.words.startswith("It pays: profit beyond the holdout lies between 0.")
    assert found.shoppers_to_go is None
    assert msgspec.json.decode(msgspec.json.encode(found), type=EffectMeasured) == found


def test_the_return_is_in_its_interval_as_often_as_it_says() -> None:
    """A ratio of two noisy means: 15% more orders of 1,000 cents of margin, for 100 cents each."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        sides = []
        for n, share, cost in ((4_000, 0.345, 100), (1_000, 0.3, 0)):
            rows = np.zeros((n, 7))
            rows[:, 0] = rng.random(n) < share
            rows[:, 3], rows[:, 4] = rows[:, 0] * rng.gamma(1.0, 1_000, n), rows[:, 0] * cost
            sides.append(Moments.of(Sums.of(np.rint(rows).astype(np.int64), np.zeros((n, 4), np.int64))))
        found = return_on_cost(difference(sides[0], sides[1]), once(0.05))
        assert found is not None
        held += inside(45 / 34.5 - 1, found)
    assert 0.92 < held / 400 < 0.98


def test_the_returns_of_the_interval_are_those_at_which_margin_may_be_cost_times_so_much() -> None:
    gap = difference(Moments.of(side(1, 900, 0.3, cost=200)), Moments.of(side(2, 300, 0.2)))
    found, reach = return_on_cost(gap, 2.5), 2.5
    assert found is not None
    for r in np.linspace(-3, 5, 401):
        mean, error = gap.of(np.array([0, 0, 0, 1, -1 - r]))
        assert (abs(mean) <= reach * error) == inside(float(r), found), r


def test_a_campaign_that_loses_says_so() -> None:
    found = told(side(1, 18_000, 0.20, cost=900), side(2, 2_000, 0.20))
    assert found.verdict == "loses"
    assert found.words.startswith("It loses")
    assert found.roi is not None
    assert inside(-1, found.roi)


def test_not_yet_enough_says_how_much_longer() -> None:
    found = told(side(1, 9_000, 0.22), side(2, 1_000, 0.20), per_day=500.0)
    assert found.verdict == "not_yet"
    assert found.shoppers_to_go is not None
    more, days = about(found.shoppers_to_go), about(found.shoppers_to_go / 500)
    assert f"about {more} more shoppers (about {days} days) will show it" in found.words


def test_as_many_shoppers_more_as_it_said_are_enough() -> None:
    """With the same mean and spread: every side repeated as often."""
    treated, held = side(1, 9_000, 0.23), side(2, 1_000, 0.20)
    first = told(treated, held)
    assert first.shoppers_to_go is not None
    times = -(-(first.shoppers_to_go + 10_000) // 10_000)
    more = [sum([each] * (times + 1), Sums()) for each in (treated, held)]
    assert told(more[0], more[1]).verdict == "pays"


def test_too_few_orders_say_no_interval() -> None:
    found = told(side(1, 900, 0.2), side(2, 100, 0.1), per_day=100.0)
    assert found.verdict == "too_few"
    assert all(each.low is None and each.high is None for each in found.per_shopper.values())
    assert found.words.startswith("Too few orders to say")
    assert "days)" in found.words


@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (5, 1), (1, 5)])
def test_an_empty_campaign_is_told_as_well(sizes: tuple[int, int]) -> None:
    assert told(side(1, sizes[0], 0.5), side(2, sizes[1], 0.5)).verdict == "too_few"


def test_an_arm_is_held_against_who_would_have_got_it() -> None:
    """Arms are chosen: whom the better arm is for buys more anyway, and the whole holdout would flatter it."""
    cells = {
        Cell("c", "small", "", False): side(1, 9_000, 0.10),
        Cell("c", "large", "", False): side(2, 9_000, 0.40),
        Cell("c", "small", "", True): side(3, 1_000, 0.10),
        Cell("c", "large", "", True): side(4, 1_000, 0.40),
    }
    whole, small, large = measure("c", cells, Plan(20_000, arms=("small", "large")), "USD", at_ms=0)
    assert [each.arm for each in (whole, small, large)] == ["*", "small", "large"]
    for each in (whole, small, large):
        assert inside(0, each.per_shopper["margin"]), each.arm
    assert (large.shoppers, large.held) == (9_000, 1_000)


def test_segments_and_arms_share_what_may_be_wrong() -> None:
    plan = Plan(arms=("a", "b"), segments=("new", "old"))
    assert len(plan.rows()) == 9
    assert sum(plan.alpha_of(*row) for row in plan.rows()) == pytest.approx(plan.alpha)
    assert Plan().alpha_of("*", "*") == 0.05
    cells = {
        Cell("c", arm, segment, held): side(i, 200 if held else 1_800, 0.2)
        for i, (arm, segment, held) in enumerate(
            (a, s, h) for a in ("a", "b") for s in ("new", "old") for h in (False, True)
        )
    }
    found = {(each.arm, each.segment): each for each in measure("c", cells, plan, "USD", at_ms=0)}
    assert found["*", "*"].shoppers == 4 * found["a", "new"].shoppers == 2 * found["*", "old"].shoppers


def test_an_alpha_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.05 is usual"):
        Plan(alpha=5.0)

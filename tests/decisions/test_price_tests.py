"""What items of an experiment with prices sold: of whoever was drawn, exactly the days of the window, once."""

from __future__ import annotations

import numpy as np
import pytest

from streams.columns.layout import Layout, Rows
from streams.decisions.decider import Group, Seen
from streams.decisions.price_optimize import PricePolicy, PriceSuggestions
from streams.decisions.price_tests import NOTED, WINDOW_DAYS, PriceTests
from streams.records import words
from streams.records.outcomes import Due
from streams.records.prices import PriceSuggested, PriceTested
from tests.decisions.test_price_optimize import group as suggesting
from tests.shoppers import DAY, NOON

FACTS = dict.fromkeys(PriceTests.reads, 0.0) | {"price.now": 1009.0, "price.usual": 1009.0}


def days(*told: tuple[int, float, float], experiments: bool = True, cost: float = 700.0) -> list[PriceTested]:
    """What is said of an item that is asked on days (day, what suggestions note of it, units sold ever)."""
    decider, said = PriceTests(experiments, 0.3, "USD", "r"), list[PriceTested]()
    state = Rows.zeros(Layout(decider.columns), 1)
    for day, noted, units in told:
        known = FACTS | {
            "sales.units": units,
            "sales.revenue": units * 1_000,
            "sales.units_15d": 40.0,
            "price.cost": cost,
        }
        x = np.array([[known[address] for address in decider.reads]], np.float32)
        seen = Seen(x, {address: slice(k, k + 1) for k, address in enumerate(decider.reads)}, {})
        seen.note(NOTED, slice(0, 1), np.array([noted]))
        now, nothing = np.array([NOON // DAY * DAY + day * DAY]), np.zeros(1, np.int64)
        due = [Due(kind="day", ref=str(now[0]))]
        one = Group(seen, slice(0, 1), np.arange(1), now, ["tea"], due, nothing, nothing, nothing, [0])
        said += [tested for _, tested in decider.decide(state, one) if isinstance(tested, PriceTested)]
    return said


NOT = float("nan")


def test_an_item_is_measured_once_from_its_entry_to_the_end_of_its_window() -> None:
    (one,) = days((0, NOT, 50), (1, 3, 100), (8, 1, 130), (1 + WINDOW_DAYS, 3, 160), (30, 3, 300), (60, NOT, 900))
    assert (one.arm, one.held, one.units, one.revenue_cents, one.before_units) == ("up", False, 60, 60_000, 40)
    assert one.margin_cents == 60 * (1_000 - 700)
    assert one.event_time_ms - one.began_ms == WINDOW_DAYS * DAY
    assert words.said(one) == "price tested: to be tried up, 60 units in 14 days (40 before), 180.00 USD margin"


def test_what_is_sold_after_the_window_does_not_count_when_nobody_asked_at_its_end() -> None:
    (late,) = days((1, 0, 100), (9, NOT, 120), (40, NOT, 500))
    assert (late.arm, late.held, late.units) == ("down", True, 20)
    (none,) = days((1, 1, 100), (40, NOT, 500))
    assert none.units == 0


def test_a_cost_that_is_not_known_is_assumed_as_suggestions_do_it() -> None:
    (one,) = days((1, 3, 100), (1 + WINDOW_DAYS, NOT, 110), cost=0.0)
    assert one.margin_cents == 10 * (1_000 - 706)


def test_without_an_experiment_nothing_is_remembered_or_said() -> None:
    assert not days((1, 3, 100), (20, NOT, 200), experiments=False)


@pytest.mark.parametrize("experiment", ["split", "switchback"])
def test_both_sides_hold_items_that_could_have_been_tried(experiment: str) -> None:
    """An item with no price to try within the guards is on neither side, whatever its draw."""
    policy = PricePolicy(experiment=experiment)  # type: ignore[arg-type]
    names = [f"tea-{i}" for i in range(200)]
    some = suggesting(20, *[{"placebo": -1.0}] * 100, *[{"placebo": -1.0, "price.cost": 1_000.0}] * 100, names=names)
    decider = PriceSuggestions(policy, "USD", "r")
    told = [one for _, one in decider.decide(Rows.zeros(Layout(decider.columns), 200), some)]
    noted = some.noted(NOTED)
    assert np.isfinite(noted[:100]).sum() > 90
    tried = np.array([isinstance(one, PriceSuggested) and one.why == "test" for one in told])
    # Those that are told a price and are in the experiment are those drawn to be tried.
    inside = np.isfinite(noted)
    assert (tried[inside] == (noted[inside] % 2 == 1)).all()
    assert 30 < tried[:100].sum() < 70
    down = noted[100:][np.isfinite(noted[100:])]
    assert (down >= 2).all()  # a lower price would break the margin floor

"""Which prices are suggested: within every guard, when it is sure, not too often; and why none is."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Layout, Rows
from streams.decisions.decider import Group, Seen
from streams.decisions.price_optimize import TASK, WIDE, PricePolicy, PriceSuggestions, digest
from streams.records import words
from streams.records.outcomes import Due
from streams.records.prices import PriceSuggested
from tests.shoppers import DAY, NOON

#: An item whose price lies far below what would bring most.
FACTS = {
    "price.now": 1009.0, "price.usual": 1009.0, "price.cost": 700.0, "price.minimum": 0.0, "price.days_held": 40.0,
    "listing.listed": 1.0, "listing.days_since_changed": 30.0, "sales.units_29d": 80.0,
}  # fmt: skip


USUAL = PricePolicy()


def group(day: int, *items: dict[str, float], names: list[str] | None = None) -> Group:
    """Items at the end of a day: ``FACTS`` but what is said; ``mean``, ``sd`` and ``placebo`` are the model's."""
    n = len(items)
    told = [FACTS | {"mean": -1.6, "sd": 0.1, "placebo": 1.0} | item for item in items]
    x = np.array([[each[address] for address in FACTS] for each in told], np.float32)
    mean, sd, placebo = (np.array([each[name] for each in told]) for name in ("mean", "sd", "placebo"))
    answers = {
        "elasticity": mean,
        "elasticity_quantiles": np.stack([mean - WIDE * sd, mean, mean + WIDE * sd], axis=1),
        "category": np.stack([mean, placebo], axis=1),
    }
    model = SimpleNamespace(task=TASK, version="v1", digest="d" * 16)
    scores: Any = SimpleNamespace(answers=answers, models=(model,), used=np.zeros(n, np.int64), learned_day=None)
    seen = Seen(x, {address: slice(k, k + 1) for k, address in enumerate(FACTS)}, {TASK: scores})
    now, nothing = np.full(n, NOON // DAY * DAY + day * DAY), np.zeros(n, np.int64)
    keys = names or [f"tea-{i}" for i in range(n)]
    due = [Due(kind="day", ref=str(now[0]))] * n
    return Group(seen, slice(0, n), np.arange(n), now, keys, due, nothing, nothing, nothing, [0] * n)


def said(policy: PricePolicy, *groups: Group) -> list[PriceSuggested]:
    """What is said of the same rows, one due point after the other."""
    decider = PriceSuggestions(policy, "USD", "r")
    state = Rows.zeros(Layout(decider.columns), max(map(len, groups)))
    return [one for each in groups for _, one in decider.decide(state, each)]  # type: ignore[misc]


def one(policy: PricePolicy = USUAL, /, **facts: float) -> PriceSuggested:
    """What is said of one item for the first time."""
    (found,) = said(policy, group(0, {name.replace("__", "."): v for name, v in facts.items()}))
    return found


def test_the_price_that_brings_most_is_suggested_with_what_it_brings_and_what_bounds_it() -> None:
    found = one()
    assert (found.why, found.from_cents, found.to_cents) == ("more_profit", 1009, 1109)
    # 20 units a week at a margin of 3.09 become 20 · 1.0991^-1.6 at one of 4.09.
    assert found.profit_change_cents is not None
    assert found.profit_change_cents.middle == pytest.approx(20 * ((1109 / 1009) ** -1.6 * 409 - 309), rel=0.01)
    assert 0 < found.profit_change_cents.low < found.profit_change_cents.middle < found.profit_change_cents.high
    assert "largest_change" in found.bounded_by
    cheaper = one(mean=-6.0, price__cost=500.0)
    assert cheaper.to_cents == 909
    assert words.said(found) == (
        "price suggested: 11.09 USD instead of 10.09 USD, 8.52 USD more a week (7.23 USD to 9.84 USD); elasticity -1.6 "
        "(-1.8 to -1.4), 80 sold in 28 days; bounded by largest change, price points"
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"price__cost": 0.0}, "cost_unknown"),
        ({"price__now": 0.0}, "price_unknown"),
        ({"price__days_held": 3.0}, "changed_lately"),
        ({"listing__listed": 0.0}, "not_for_sale"),
        ({"placebo": 0.0}, "category_failed_placebo"),
        ({"placebo": -1.0}, "category_untested"),
        ({"sd": 2.0}, "unsure"),
        ({"mean": -3.265, "sd": 0.01}, "at_best"),
        ({"price__now": 35.0, "price__cost": 20.0}, "guarded"),
        ({"price__cost": 1005.0, "mean": -0.5}, "guarded"),
    ],
)
def test_where_no_price_is_suggested_it_is_said_why(facts: dict[str, float], why: str) -> None:
    found = one(**facts)
    assert (found.why, found.to_cents, found.profit_change_cents, found.bounded_by) == (why, None, None, [])
    assert words.said(found).startswith(f"price suggested: none: {words.NO_PRICE[why]}; elasticity ")


def test_an_unknown_cost_may_be_assumed_and_that_is_said() -> None:
    found = one(PricePolicy(assumed_margin=0.3), price__cost=0.0)
    assert (found.cost_cents, found.cost_assumed, found.to_cents) == (706, True, 1109)


@settings(max_examples=150, deadline=None)
@given(
    price=st.integers(0, 200_000), cost=st.floats(0, 2), minimum=st.floats(0, 1.5), mean=st.floats(-8, 2),
    sd=st.floats(0.01, 3), held=st.integers(0, 60), placebo=st.sampled_from((1.0, 0.0, -1.0)),
    experiment=st.sampled_from(("off", "split", "switchback")), day=st.integers(0, 60), usual=st.floats(0.5, 2),
)  # fmt: skip
def test_no_guard_is_ever_broken(
    price: int, cost: float, minimum: float, mean: float, sd: float, held: int, placebo: float, experiment: Any,
    day: int, usual: float,
) -> None:  # fmt: skip
    policy = PricePolicy(experiment=experiment)
    facts = {
        "price.now": float(price), "price.cost": round(price * cost), "price.minimum": round(price * minimum),
        "price.usual": round(price * usual), "price.days_held": float(held), "mean": mean, "sd": sd, "placebo": placebo,
    }  # fmt: skip
    for found in said(policy, group(day, *[facts] * 6)):
        if found.to_cents is None:
            assert found.why not in ("more_profit", "test")
            continue
        assert abs(found.to_cents / price - 1) <= policy.largest_change + 1e-6
        assert found.to_cents * (1 - policy.margin_floor) >= facts["price.cost"] - 1e-3
        assert found.to_cents >= facts["price.minimum"]
        assert found.to_cents % 10 == 9
        assert found.to_cents != price
        assert held >= policy.change_days
        if found.why == "more_profit":
            assert placebo == 1
            assert found.profit_change_cents is not None
            assert found.profit_change_cents.low >= 0
        else:
            assert experiment != "off"


def test_it_is_said_once_a_week_and_what_stays_every_four() -> None:
    every = said(PricePolicy(), *(group(day, {}) for day in range(60)))
    assert [f.event_time_ms // DAY - NOON // DAY for f in every] == [0, 28, 56]
    turned = said(PricePolicy(), group(0, {}), group(3, {"placebo": 0.0}), group(8, {"placebo": 0.0}), group(9, {}))
    assert [f.why for f in turned] == ["more_profit", "category_failed_placebo"]


def test_each_item_is_said_as_if_it_were_alone() -> None:
    together = said(PricePolicy(experiment="split"), group(0, {}, {"sd": 2.0}, {"placebo": 0.0}))
    alone = [
        said(PricePolicy(experiment="split"), group(0, item, names=[f"tea-{k}"]))[0]
        for k, item in enumerate(({}, {"sd": 2.0}, {"placebo": 0.0}))
    ]
    assert together == alone


def test_experiments_go_by_the_digest_of_the_id_alone() -> None:
    names = [f"item-{k}" for k in range(400)]
    unsure = [{"sd": 3.0}] * len(names)
    split = {f.item_id: f.why for f in said(PricePolicy(experiment="split"), group(0, *unsure, names=names))}
    later = {f.item_id: f.why for f in said(PricePolicy(experiment="split"), group(35, *unsure, names=names))}
    assert split == later
    assert 150 < sum(why == "test" for why in split.values()) < 250
    assert {why for name, why in split.items() if digest(name) & 1} == {"test"}
    switching = PricePolicy(experiment="switchback")
    first, second = (
        {f.item_id: f.why for f in said(switching, group(day, *unsure, names=names))} for day in (0, 14)
    )  # fmt: skip
    assert all({first[name], second[name]} == {"test", "control"} for name in names)


def test_one_who_is_sure_is_not_in_the_experiment() -> None:
    assert one(PricePolicy(experiment="split")).why == "more_profit"
    assert one(replace(PricePolicy(experiment="split"), change_days=90.0), sd=3.0).why == "changed_lately"

"""What is said of what items will cost: when, in whole cents, and of which items never."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Layout, Rows
from streams.decisions.decider import Group, Seen
from streams.decisions.price_forecast import OUTPUTS, TASK, PriceForecastPolicy, PriceForecasts, whole_cents
from streams.records import words
from streams.records.demand import PriceForecast
from streams.records.outcomes import Due
from tests.shoppers import DAY, NOON

#: Quantiles per cent of the middle one.
SHAPE = np.array([0.7, 0.9, 1.0, 1.05, 1.3])


class Model:
    task, version, digest = TASK, "v1", "d" * 16


def group(day: int, *middles: float | None, units: float = 6.0) -> Group:
    """Items at the end of a day; ``middles``: what a unit of each will cost next week, None where none is judged."""
    n = len(middles)
    told = np.stack([np.full(5, np.nan) if one is None else SHAPE * one for one in middles])
    answers = dict(zip(OUTPUTS, (told, told * 1.1), strict=True))
    scores: Any = SimpleNamespace(answers=answers, models=(Model,), used=np.zeros(n, np.int64), learned_day=None)
    places = {address: slice(k, k + 1) for k, address in enumerate(PriceForecasts.reads)}
    x = np.tile(np.array([units, units * 200, 24.0, 5000.0], np.float32), (n, 1))
    now = np.full(n, NOON // DAY * DAY + day * DAY)
    nothing = np.zeros(n, np.int64)
    due = [Due(kind="day", ref=str(now[0]))] * n
    keys = [f"tea-{i}" for i in range(n)]
    seen = Seen(x, places, {TASK: scores})
    return Group(seen, slice(0, n), np.arange(n), now, keys, due, nothing, nothing, nothing, [0] * n)


def said(*groups: Group) -> list[PriceForecast]:
    """What is said of the same rows, one due point after the other."""
    decider = PriceForecasts(PriceForecastPolicy(), "USD", "r")
    state = Rows.zeros(Layout(decider.columns), max(map(len, groups)))
    return [one for each in groups for _, one in decider.decide(state, each)]  # type: ignore[misc]


def test_a_price_is_said_once_a_week_and_at_once_when_it_moved() -> None:
    found = said(*(group(day, 200.0) for day in range(9)))
    assert [(f.said, f.event_time_ms // DAY - NOON // DAY) for f in found] == [("first", 0), ("weekly", 7)]
    found = said(group(0, 200.0), group(1, 205.0), group(2, 150.0), group(3, 150.0))
    assert [f.said for f in found] == ["first", "moved"]
    assert found[1].next_week.p50 == 150


def test_a_cent_more_is_no_news_and_what_is_not_judged_is_not_said() -> None:
    assert [f.said for f in said(group(0, 4.0), group(1, 5.0))] == ["first"]
    found = said(group(0, None, 200.0, None, 300.0))
    assert [f.item_id for f in found] == ["tea-1", "tea-3"]
    assert not said(group(0, None))


def test_each_item_is_said_as_if_it_were_alone() -> None:
    together = said(*(group(day, 200.0 + 90 * (day > 2), 50.0) for day in range(9)))
    alone = said(*(group(day, 200.0 + 90 * (day > 2)) for day in range(9)))
    assert [f for f in together if f.item_id == "tea-0"] == alone
    assert [f.said for f in alone] == ["first", "moved"]


def test_a_price_is_said_in_words() -> None:
    (found,) = said(group(0, 200.0))
    told = (
        "price forecast: 2.00 USD (1.40 USD to 2.60 USD) a unit in the next week, 2.20 USD (1.54 USD to 2.86 USD) in "
    )
    assert words.said(found) == told + "the week after; 2.00 USD paid in the last"
    (found,) = said(group(0, 200.0, units=0.0))
    assert found.paid_7d_cents is None
    assert words.said(found).endswith("; nothing sold in the last")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=5, max_size=5))
def test_quantiles_stay_in_order_in_whole_cents(numbers: list[float]) -> None:
    told = np.sort(np.array(numbers)) + np.array([-0.5, -0.5, 0.0, 0.5, 0.5])
    found = whole_cents(np.maximum(told, 0.0)[None])[0]
    assert (np.diff(found) >= 0).all()
    assert np.abs(found - told).max() <= 1.0

"""Profiles in words: what never may happen."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decisions.shopper_profile import (
    DEALS,
    SEGMENT_NAMES,
    STAGE_CODE,
    STAGES,
    VALUABLE,
    ProfilePolicy,
)
from streams.records.profiled import SEGMENTS, ShopperProfiled
from streams.records.words import said
from tests.shoppers import DAY, NOON, log_of, ordered, viewed
from tests.worlds import cut, run_plain

POLICY = ProfilePolicy()


def stage(gaps: float, mean: float, newest: float, since: float) -> str:
    facts = (np.array([float(value)]) for value in (gaps, mean, newest, since))
    return STAGES[int(POLICY.stages(*facts)[0]) - 1]


def walk(worth: list[float], days: list[float], deals: float = 0.0) -> list[int]:
    """The traits of one shopper, one look after the other."""
    held, changed, found, now = 0, 0, [], NOON
    for level, wait in zip(worth, days, strict=True):
        now += int(wait * DAY)
        traits = int(
            POLICY.traits(np.array([held]), np.array([changed]), np.array([now]), np.array([level]), np.array([deals]))[
                0
            ]
        )
        changed, held = (now if traits != held else changed), traits
        found.append(traits)
    return found


@pytest.mark.parametrize(
    ("gaps", "mean", "newest", "since", "expected"),
    [
        (0, 0, 0, 5, "new"),
        (0, 0, 0, 61, "at_risk"),
        (0, 0, 0, 121, "lapsed"),
        (11, 7, 7, 10, "active"),
        (11, 7, 7, 25, "at_risk"),
        (11, 7, 7, 60, "lapsed"),
        (11, 30, 30, 25, "active"),
        (11, 20, 140, 3, "returned"),
        (11, 20, 140, 200, "lapsed"),
    ],
)
def test_stages_go_by_the_shoppers_own_rhythm(
    gaps: float, mean: float, newest: float, since: float, expected: str
) -> None:
    assert stage(gaps, mean, newest, since) == expected


numbers = st.floats(0, 365)


@given(gaps=st.integers(0, 11), mean=numbers, newest=numbers, since=st.lists(numbers, min_size=2, max_size=20))
def test_in_silence_a_stage_only_moves_on(gaps: int, mean: float, newest: float, since: list[float]) -> None:
    order = [
        {"new": 0, "active": 0, "returned": 0, "at_risk": 1, "lapsed": 2}[stage(gaps, mean, newest, s)]
        for s in sorted(since)
    ]
    assert order == sorted(order)


@given(
    worth=st.lists(st.floats(0.85, 1.15), min_size=1, max_size=40),
    days=st.lists(st.floats(0.0, 30), min_size=40, max_size=40),
)
def test_who_trembles_around_a_threshold_changes_at_most_once(worth: list[float], days: list[float]) -> None:
    found = [0, *walk(worth, days[: len(worth)])]
    assert sum(a != b for a, b in itertools.pairwise(found)) <= 1


@given(
    worth=st.lists(st.floats(0, 3), min_size=1, max_size=40),
    days=st.lists(st.floats(0.0, 5), min_size=40, max_size=40),
    deals=st.floats(0, 2),
)
def test_traits_never_change_twice_within_the_time_to_settle(
    worth: list[float], days: list[float], deals: float
) -> None:
    times = np.cumsum([int(day * DAY) for day in days[: len(worth)]])
    found = [0, *walk(worth, days[: len(worth)], deals)]
    pairs = zip(times, itertools.pairwise(found), strict=True)
    changes = [int(at) for at, (a, b) in pairs if a != b]
    assert all(b - a >= POLICY.settled_days * DAY for a, b in itertools.pairwise(changes))


def test_every_stage_and_trait_has_a_segment_and_every_segment_a_name() -> None:
    found = set()
    for code in STAGE_CODE.values():
        for traits in (0, VALUABLE, DEALS, VALUABLE | DEALS):
            for gaps in (0.0, 1.0, 5.0):
                (segment,) = POLICY.segments(np.array([code]), np.array([traits]), np.array([gaps])).tolist()
                found.add(SEGMENT_NAMES[segment - 1])
    assert found == set(SEGMENT_NAMES) == set(SEGMENTS)


def profiles(step: int = 3) -> list[ShopperProfiled]:
    events: list[Any] = [ordered("weekly", NOON + week * 7 * DAY, f"w{week}") for week in range(10)]
    events += [ordered("once", NOON + DAY, "o1"), viewed("looks", NOON + 2 * DAY, "l1")]
    events += [viewed(f"clock-{day % 9}", NOON + day * DAY, f"c{day}") for day in range(300)]
    events.sort(key=lambda event: event.event_time)
    world = run_plain(cut(log_of(*events), list(range(0, len(events), step))))
    told = [value for value in world.outcomes.values() if b'"segment_text"' in value]
    return sorted(
        (msgspec.json.decode(value, type=ShopperProfiled) for value in told), key=lambda each: each.event_time_ms
    )


def test_a_shopper_is_told_from_first_order_to_lost() -> None:
    mine = [each for each in profiles() if each.shopper_id == "weekly"]
    stages = list(dict.fromkeys(each.stage for each in mine))
    assert stages == ["new", "active", "at_risk", "lapsed"]
    assert all(each.expected is not None and each.model is not None for each in mine)
    active = next(each for each in mine if each.orders == 6)
    assert (active.rhythm_days, active.next_order_in_days, active.give_or_take_days) == (7, 7, 0)
    assert (active.weekday is not None, active.daypart) == (True, "evening")
    assert active.favourite_category == "tea"
    assert "90 days bring" in said(active)
    expected = active.expected
    assert expected is not None
    assert expected.revenue_low_cents <= expected.revenue_middle_cents <= expected.revenue_high_cents


def test_whoever_never_ordered_has_no_profile() -> None:
    assert {each.shopper_id for each in profiles()} == {"weekly", "once"}


def test_a_profile_is_said_again_only_for_news_or_after_a_week() -> None:
    for shopper in ("weekly", "once"):
        mine = [each for each in profiles() if each.shopper_id == shopper]
        for one, other in itertools.pairwise(mine):
            news = (one.stage, one.segment) != (other.stage, other.segment)
            assert news or other.event_time_ms - one.event_time_ms >= POLICY.again_days * DAY


def test_profiles_do_not_depend_on_how_the_log_is_cut() -> None:
    assert profiles(1) == profiles(7) == profiles(500)

"""Timers: when silence makes a shopper due."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.silence import FIRED, SilencePolicy
from streams.records.events import ClockTicked, ShopperEvent
from streams.records.outcomes import Scored
from tests.shoppers import DAY, HOUR, NOON, log_of, ordered, slice_of, viewed
from tests.worlds import DictTier, cut, run_plain, shipped


def silences(*events: ShopperEvent | ClockTicked) -> list[tuple[str, float]]:
    """Who fell silent, and how many days after noon; each event in a slice of its own."""
    processor = PartitionProcessor(SHOPPER, 0, Rules(allowed_lateness_ms=HOUR), shipped())
    found = []
    for i, record in enumerate(log_of(*events)):
        for outcome in processor.apply(slice_of([record], i)).outcomes:
            if outcome.due.kind == "silence" and isinstance(outcome, Scored) and "churn" in outcome.answers:
                found.append((outcome.key, (outcome.event_time_ms - NOON) / DAY))
    return found


def tick(days: float) -> ClockTicked:
    return ClockTicked(event_time=NOON + int(days * DAY))


def lasting(first: float, until: float, began: float = 0.0) -> list[float]:
    """When a silence that began at a time and is first due ``first`` days later is due, up to some time."""
    policy = SilencePolicy()
    due = [began + first * policy.growth**k for k in range(policy.firings)]
    return [at for at in due if at <= until]


def test_an_unknown_rhythm_waits_three_weeks_and_is_due_again_while_the_silence_lasts() -> None:
    found = silences(ordered("a"), tick(21), tick(22), tick(60), tick(400), tick(4000))
    assert [shopper for shopper, _ in found] == ["a"] * SilencePolicy().firings
    assert [at for _, at in found] == pytest.approx(lasting(21, 4000))


def test_a_jump_of_the_watermark_passes_every_firing_in_order_of_time() -> None:
    """Each is a due point of its own, with its own time and features, as if the clock had ticked all along."""
    slowly = [tick(days) for days in range(20, 400)]
    for log in (log_of(ordered("a"), tick(400)), log_of(ordered("a"), *slowly)):
        jumped, crawled = run_plain(cut(log, [1])), run_plain(cut(log, range(1, len(log))))
        assert jumped.outcomes == crawled.outcomes
        assert jumped.rows == crawled.rows
        assert jumped.due["silence"] == SilencePolicy().firings
    at = [days for _, days in silences(ordered("a"), tick(400))]
    assert at == sorted(at)
    assert len(set(at)) == len(at)


def test_an_event_ends_the_silence_and_the_next_one_begins_anew() -> None:
    found = silences(ordered("a"), tick(30), viewed("a", NOON + 31 * DAY, "v"), tick(60))
    assert [at for _, at in found] == pytest.approx([*lasting(21, 30), *lasting(21, 60, 31)])


def test_the_event_that_passes_the_last_firings_comes_after_them() -> None:
    """A shopper who comes back moves the watermark: what was due before is due before they are seen."""
    found = silences(ordered("a"), viewed("a", NOON + 40 * DAY, "v"))
    assert [at for _, at in found] == pytest.approx(lasting(21, 39.9))


@settings(max_examples=20)
@given(
    days=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    restarts=st.lists(st.integers(0, 11), max_size=4),
    growth=st.floats(1.05, 4),
    firings=st.integers(1, 30),
)
def test_restarts_from_packed_rows_change_no_firing(
    days: list[int], restarts: list[int], growth: float, firings: int
) -> None:
    rules = Rules(silence=SilencePolicy(growth=growth, firings=firings))
    times = np.cumsum(np.sort(days) // 10).tolist()
    log = log_of(*(viewed(f"s{i % 2}", NOON + int(at) * DAY, f"v{i}") for i, at in enumerate(times)), tick(10_000))
    whole = run_plain(cut(log, []), rules)
    tier, due = DictTier(), 0
    processor = PartitionProcessor(SHOPPER, 0, rules, shipped(), tier=tier)
    for i, record in enumerate(log):
        due += processor.apply(slice_of([record], i)).due_kinds["silence"]
        if i in restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(SHOPPER, 0, rules, shipped(), tier=tier)
    assert due == whole.due["silence"] <= firings * len(days)
    assert int(processor.arena.rows.column(FIRED.name).max()) <= firings


def test_time_passes_with_the_events_of_others() -> None:
    assert silences(ordered("a"), viewed("b", NOON + 25 * DAY)) == [("a", 21.0)]


def test_the_watermark_counts_not_the_newest_event() -> None:
    assert silences(ordered("a"), tick(21)) == []
    assert silences(ordered("a"), tick(21 + 1 / 24)) == [("a", 21.0)]


def test_a_known_rhythm_waits_its_mean_and_two_spreads() -> None:
    weekly = [ordered("a", NOON + i * 5 * DAY, f"o{i}") for i in range(4)]
    assert silences(*weekly, tick(21)) == [("a", 20.0)]
    assert [at for _, at in silences(*weekly, tick(60))] == pytest.approx(lasting(5, 60, 15))


def test_coming_back_moves_the_timer_and_arms_it_again() -> None:
    found = silences(
        ordered("a"), viewed("a", NOON + 20 * DAY, "v1"), tick(42), viewed("a", NOON + 50 * DAY, "v2"), tick(80)
    )
    assert [at for _, at in found] == pytest.approx([*lasting(21, 49.9, 20), *lasting(21, 80, 50)])


def test_a_wait_is_never_shorter_than_three_days_nor_longer_than_sixty() -> None:
    hourly = [ordered("a", NOON + i * 2 * HOUR, f"o{i}") for i in range(5)]
    assert silences(*hourly, tick(4)) == [("a", 3 + 8 / 24)]
    yearly = [ordered("a", NOON + i * 300 * DAY, f"o{i}") for i in range(4)]
    assert silences(*yearly, tick(970))[-1] == ("a", 960.0)

"""Timers: when silence makes a shopper due."""

from __future__ import annotations

from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import ClockTicked, ShopperEvent
from streams.records.outcomes import Scored
from tests.shoppers import DAY, HOUR, NOON, log_of, ordered, slice_of, viewed
from tests.worlds import shipped


def silences(*events: ShopperEvent | ClockTicked) -> list[tuple[str, float]]:
    """Who fell silent, and how many days after noon; each event in a slice of its own."""
    processor = PartitionProcessor(0, Rules(allowed_lateness_ms=HOUR), shipped())
    found = []
    for i, record in enumerate(log_of(*events)):
        for outcome in processor.apply(slice_of([record], i)).outcomes:
            if outcome.due.kind == "silence" and isinstance(outcome, Scored) and outcome.model.task == "churn":
                found.append((outcome.shopper_id, (outcome.event_time_ms - NOON) / DAY))
    return found


def tick(days: float) -> ClockTicked:
    return ClockTicked(event_time=NOON + int(days * DAY))


def test_an_unknown_rhythm_waits_three_weeks_and_fires_once() -> None:
    assert silences(ordered("a"), tick(21), tick(22), tick(60), tick(400)) == [("a", 21.0)]


def test_time_passes_with_the_events_of_others() -> None:
    assert silences(ordered("a"), viewed("b", NOON + 25 * DAY)) == [("a", 21.0)]


def test_the_watermark_counts_not_the_newest_event() -> None:
    assert silences(ordered("a"), tick(21)) == []
    assert silences(ordered("a"), tick(21 + 1 / 24)) == [("a", 21.0)]


def test_a_known_rhythm_waits_its_mean_and_two_spreads() -> None:
    weekly = [ordered("a", NOON + i * 5 * DAY, f"o{i}") for i in range(4)]
    assert silences(*weekly, tick(60)) == [("a", 20.0)]


def test_coming_back_moves_the_timer_and_arms_it_again() -> None:
    found = silences(
        ordered("a"), viewed("a", NOON + 20 * DAY, "v1"), tick(42), viewed("a", NOON + 50 * DAY, "v2"), tick(80)
    )
    assert found == [("a", 41.0), ("a", 71.0)]


def test_a_wait_is_never_shorter_than_three_days_nor_longer_than_sixty() -> None:
    hourly = [ordered("a", NOON + i * 2 * HOUR, f"o{i}") for i in range(5)]
    assert silences(*hourly, tick(10)) == [("a", 3 + 8 / 24)]
    yearly = [ordered("a", NOON + i * 300 * DAY, f"o{i}") for i in range(4)]
    assert silences(*yearly, tick(1200))[-1] == ("a", 960.0)

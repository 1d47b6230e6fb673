"""The worker's console: in words, at most one line of a kind in a while, and silent when nothing comes."""

from __future__ import annotations

import msgspec
import pytest

from streams.announce import Announcer
from streams.records.outcomes import LateEvent
from tests.outcomes import alert, letter, offer, withheld
from tests.shoppers import DAY, NOON


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_comes_is_told_in_words_with_counts_once_in_a_while(clock: Clock) -> None:
    told: list[str] = []
    announcer = Announcer(5.0, told.append, clock)
    announcer.announce()
    assert not told
    announcer.observe([alert("ann"), withheld("ann")], [])
    announcer.announce()
    assert told == ["1 alert: ann: high, 0.61, Days since the last order: 24 days (typical: 7 days)"]
    for second in range(1, 5):
        clock.now = float(second)
        announcer.observe([alert(f"s{second}"), offer("bob")], [letter()] * 2 if second == 1 else [])
        announcer.announce()
    assert [line.partition(",")[0] for line in told[1:]] == [
        "1 offer: bob: 10% off tea",
        "2 dead letters in 1 s",
    ]
    assert told[2].endswith(
        "e.g. s1: invalid at unit_price_cents: Expected `int`, got `float` [storefront.events.v1/2/17]"
    )
    clock.now = 6.0
    announcer.announce()
    assert [line.partition(" (")[0] for line in told[3:]] == [
        "4 alerts in 5 s, e.g. s4: high, 0.61, Days since the last order: 24 days",
        "3 offers in 4 s, e.g. bob: 10% off tea, at most 1,234.56 USD, until 2023-11-21: likely to leave, uses coupons",
    ]
    del told[:]
    clock.now = 60.0
    announcer.announce()
    assert not told


def test_no_code_of_a_coupon_is_told(clock: Clock) -> None:
    told: list[str] = []
    announcer = Announcer(5.0, told.append, clock)
    clock.now = 6.0
    announcer.observe([msgspec.structs.replace(offer("bob"), coupon_code="SPRING-17")], [])
    announcer.announce()
    assert told[0].startswith("1 offer: bob: 10% off tea, at most")
    assert "SPRING" not in told[0]


def test_late_events_are_told_with_what_it_means(clock: Clock) -> None:
    told: list[str] = []
    announcer = Announcer(5.0, told.append, clock)
    late = LateEvent(
        late_id="1", key="ann", event_id="e", event_time_ms=NOON - 3 * DAY, watermark_ms=NOON,
        source_topic="storefront.events.v1", source_partition=2, source_offset=17, original=b"",
    )  # fmt: skip
    announcer.observe([], [], [late])
    announcer.announce()
    assert told[0].startswith("1 late event, which counts in no feature: ann: event e came 3.0 days behind")


def test_at_the_end_everything_is_told(clock: Clock) -> None:
    told: list[str] = []
    announcer = Announcer(5.0, told.append, clock)
    for _ in range(2):
        announcer.observe([alert("ann")], [])
        announcer.announce()
    assert len(told) == 1
    announcer.announce(last=True)
    assert len(told) == 2


def test_it_can_be_told_to_be_silent() -> None:
    told: list[str] = []
    announcer = Announcer(0, told.append)
    announcer.observe([alert()], [letter()])
    announcer.announce(last=True)
    assert not told


def test_how_a_worker_stands_is_told_when_it_changes_whatever_else_is_told(clock: Clock) -> None:
    told: list[str] = []
    announcer = Announcer(0, told.append, clock)
    for line in ("Ready: one", "Ready: one", "Ready: two", "Ready: one"):
        announcer.stands(line)
    assert told == ["Ready: one", "Ready: two", "Ready: one"]

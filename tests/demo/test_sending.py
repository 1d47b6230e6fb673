"""What is sent: the part of the data that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.access import Access
from streams.demo.ads import EVERY, VISITORS, with_ads
from streams.demo.part import Part
from streams.demo.recording import Recording
from streams.demo.searches import QUERIES, with_searches
from streams.demo.sending import Sending
from streams.records.events import AdRequested, ConsentChanged, OrderPlaced, Searched
from tests.decisions.test_ads import decided
from tests.shoppers import NOON, log_of, ordered
from tests.worlds import cut, run_plain


def ms(time: str) -> int:
    """UTC milliseconds since 1970."""
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "stop", "share", "said"),
    [
        (None, None, 1.0, ""),
        (None, None, 0.4, ", 40% of the households"),
        (None, "2017-02-20", 1.0, " before 2017-02-20"),
        ("2017-02-20", None, 0.5, ", 50% of the households, from 2017-02-20 on"),
        ("2017-02-01T12:00", "2017-03-01", 1.0, " from 2017-02-01 12:00:00Z on and before 2017-03-01"),
    ],
)
def test_the_part_is_said_in_words(start: str | None, stop: str | None, share: float, said: str) -> None:
    start_ms, stop_ms = (ms(time) if time else None for time in (start, stop))
    assert Part(start_ms, stop_ms, share).in_words == said


def test_households_are_chosen_by_who_they_are() -> None:
    names = [f"household-{n}" for n in range(1, 2501)]
    of_ten = {share: {name for name in names if Part(share=share).has(name)} for share in (0.3, 0.6, 1.0)}
    assert of_ten[0.3] < of_ten[0.6] < of_ten[1.0] == set(names)
    assert 1_450 < len(of_ten[0.6]) < 1_600


def test_a_part_without_events_is_told_without_asking_kafka() -> None:
    sending = Sending(Access("127.0.0.1:1"), Recording(), Part(ms("2019-01-01"), share=1))
    sending.start()
    assert sending.lane.finished.wait(60)
    assert str(sending.lane.failure) == "Complete Journey has no event from 2019-01-01 on: its events are of 2017."


def test_requests_for_ads_are_simulated_beside_real_orders_which_stay_as_they_are() -> None:
    real = [ordered(f"h{i % 7}", NOON + 1_000 * i, f"o{i}", 100 + i) for i in range(50 * EVERY)]
    both = list(with_ads(real))
    assert [event for event in both if isinstance(event, OrderPlaced)] == real
    times = [event.event_time for event in both]
    assert times == sorted(times)
    asked = [event for event in both if isinstance(event, AdRequested)]
    assert len(asked) == 50
    assert {event.placement for event in asked} == {"simulated"}
    assert sum(isinstance(event, ConsentChanged) for event in both) == VISITORS
    assert both == list(with_ads(real))
    answers = decided(run_plain(cut(log_of(*both), [])))
    assert len(answers) == 50
    assert {"worth_most"} <= {reason for each in answers for reason in each.reasons}


def test_searches_come_after_all_else_and_only_where_there_is_something() -> None:
    real = [ordered(f"h{i}", NOON + i, f"o{i}") for i in range(3)]
    found = list(with_searches(real))
    assert found[:3] == real
    assert [event.query for event in found[3:] if isinstance(event, Searched)] == list(QUERIES)
    assert {event.event_time for event in found[3:]} == {NOON + 2}
    assert list(with_searches([])) == []

"""What is sent: the part of the data that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.access import Access
from streams.demo.recording import Recording
from streams.demo.sending import Sending


def ms(time: str) -> int:
    """UTC milliseconds since 1970."""
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        (None, None, ""),
        (None, "2017-02-20", " before 2017-02-20"),
        ("2017-02-20", None, " from 2017-02-20 on"),
        ("2017-02-01T12:00", "2017-03-01", " from 2017-02-01 12:00:00Z on and before 2017-03-01"),
    ],
)
def test_the_part_is_said_in_words(start: str | None, stop: str | None, said: str) -> None:
    start_ms, stop_ms = (ms(time) if time else None for time in (start, stop))
    assert Sending(Access("127.0.0.1:1"), Recording(), start_ms, stop_ms).part == said


def test_a_part_without_events_is_told_without_asking_kafka() -> None:
    sending = Sending(Access("127.0.0.1:1"), Recording(), ms("2019-01-01"), None)
    sending.start()
    assert sending.lane.finished.wait(60)
    assert str(sending.lane.failure) == "Complete Journey has no event from 2019-01-01 on: its events are of 2017."

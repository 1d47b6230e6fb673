"""When a worker is ready, and what it says when it is not."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from streams.health import health, measure_lags, pass_over_losses
from streams.kafka_watch import Extent
from streams.metrics import Metrics
from streams.topics import EVENTS
from streams.web import Health


class Consumer:
    """Two partitions, read so far."""

    def __init__(self, read: dict[int, int]) -> None:
        self.read = read
        self.passed: dict[int, int] = {}

    def assignment(self) -> set[TP]:
        return {TP(EVENTS.name, p) for p in self.read}

    def last_stable_offset(self, _tp: TP) -> int:
        return 0

    def waiting(self, _tp: TP, next_offset: int, end: int) -> int:
        return max(0, end - next_offset)

    def read_until(self, tp: TP) -> int:
        return self.read[tp.partition]

    def pass_over(self, tp: TP, next_offset: int) -> None:
        self.passed[tp.partition] = next_offset


def tp(partition: int) -> TP:
    return TP(EVENTS.name, partition)


def worker(applied: dict[int, int], extent: Extent, read: dict[int, int] | None = None) -> Any:
    now = time.monotonic()
    processors = {p: SimpleNamespace(next_offset=n) for p, n in applied.items()}
    passed: list[tuple[int, int]] = []
    events = SimpleNamespace(
        entity=SimpleNamespace(name="shopper"),
        processors=processors,
        progressed=dict.fromkeys(applied, now),
        passed=passed,
        pass_over=lambda partition, start: passed.append((partition, start)),
    )
    app = SimpleNamespace(
        consumer=Consumer(read or applied),
        should_stop=False,
        unassigned=False,
        rebalancing=False,
        in_recovery=False,
        tables=SimpleNamespace(
            recovery=SimpleNamespace(completed=SimpleNamespace(is_set=lambda: True)),
        ),
    )
    return SimpleNamespace(
        app=app,
        logs={EVENTS.name: events},
        durability=SimpleNamespace(failure=None, unflushed=False),
        kafka=SimpleNamespace(extents={EVENTS.name: extent}, silent_seconds=0.0, missing="", failure=None, error=""),
        writer=SimpleNamespace(waiting_seconds=0.0, flushing=False),
        settings=SimpleNamespace(stalled_seconds=60.0),
        metrics=Metrics(),
        lags={},
        overtaken={},
        coming_back=False,
    )


def test_who_asks_before_the_consumer_has_started_is_told_so() -> None:
    starting = worker({}, Extent({}, {}))

    def not_yet() -> set[TP]:
        raise ConsumerNotStarted("Consumer thread not yet started")

    starting.app.consumer.assignment = not_yet
    assert health(starting) == Health(True, False, "starting")


def test_a_partition_that_stands_still_does_not_hide_behind_a_busy_one() -> None:
    watched = worker({0: 5, 1: 5}, Extent({}, {0: 5, 1: 22}))
    measure_lags(watched)
    assert watched.lags == {tp(0): 0, tp(1): 17}
    assert health(watched).ready
    watched.logs[EVENTS.name].progressed[1] -= 61
    measure_lags(watched)  # partition 0 goes on; 1 does not
    now = health(watched)
    assert (now.live, now.ready) == (True, False)
    assert now.reason.startswith("stalled: 17 records of storefront.events.v1, partition 1, wait")


def test_a_worker_whose_state_is_there_in_part_is_not_ready() -> None:
    watched = worker({0: 5}, Extent({}, {0: 5}))
    watched.coming_back = True
    assert not health(watched).ready


def test_records_that_come_after_a_quiet_hour_are_not_stalled_at_once() -> None:
    watched = worker({0: 5}, Extent({}, {0: 5}))
    watched.logs[EVENTS.name].progressed[0] -= 3600
    measure_lags(watched)
    watched.kafka.extents = {EVENTS.name: Extent({}, {0: 9})}
    measure_lags(watched)
    assert watched.lags == {tp(0): 4}
    assert health(watched).ready


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"silent_seconds": 12.0, "error": "Connection refused"}, "Kafka is away: no answer for 12 s Connection"),
        ({"missing": "storefront.events.v1: deleted."}, "storefront.events.v1: deleted."),
        ({"failure": RuntimeError("made anew")}, "failed: made anew"),
    ],
)
def test_it_is_not_ready_when_kafka_says_so(what: dict[str, Any], reason: str) -> None:
    watched = worker({0: 5}, Extent({}, {0: 5}))
    for name, value in what.items():
        setattr(watched.kafka, name, value)
    now = health(watched)
    assert not now.ready
    assert now.live is ("failure" not in what)
    assert now.reason.startswith(reason)


def test_it_is_not_ready_while_a_flush_that_failed_waits_for_the_state_to_be_read_back() -> None:
    watched = worker({0: 5}, Extent({}, {0: 5}))
    watched.durability.unflushed = True
    assert not health(watched).ready
    watched.writer.flushing = True
    assert health(watched).ready


def test_a_state_that_retention_overtook_is_moved_only_when_nothing_is_on_its_way() -> None:
    watched = worker({0: 5, 1: 5}, Extent({0: 9, 1: 9}, {0: 9, 1: 9}), read={0: 9, 1: 7})
    pass_over_losses(watched)
    assert watched.logs[EVENTS.name].passed == []
    pass_over_losses(watched)
    assert watched.logs[EVENTS.name].passed == [(0, 9)]
    assert watched.app.consumer.passed == {0: 9}

"""What a plan says is held to points that were measured and that no coefficient was taken from."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from streams import coefficients as c
from streams import planning
from streams.cli import cli
from streams.planning import Load, PlanError, plan

LOAD = Load(1000, 1_000_000)


@pytest.mark.parametrize("point", c.CHECKED_RECOVERIES, ids=lambda p: f"{p.shoppers}-{p.hot}")
def test_a_worker_that_comes_back_takes_what_was_measured(point: c.Recovery) -> None:
    assert planning.memory_bytes(point.shoppers, point.hot) == pytest.approx(point.memory_bytes, rel=0.1)
    assert planning.changelog_bytes(point.shoppers) == pytest.approx(point.changelog_bytes, rel=0.05)
    if point.cpu_seconds is not None:
        assert planning.cpu_seconds(point.shoppers) == pytest.approx(point.cpu_seconds, rel=0.1)


def test_a_clickstream_takes_what_was_measured() -> None:
    planned = planning.log_bytes(c.CHECKED_LOG.events)
    assert planned.keys() == c.CHECKED_LOG.bytes.keys()
    assert sum(planned.values()) == pytest.approx(sum(c.CHECKED_LOG.bytes.values()), rel=0.05)
    per_event = 1e6 / c.WORKER_EVENTS_PER_SECOND
    assert per_event == pytest.approx(c.CHECKED_LOG.cpu_microseconds_per_event, rel=0.1)


def test_workers_follow_the_busiest_time_and_the_rows_whichever_wants_more() -> None:
    rate = c.WORKER_EVENTS_PER_SECOND
    assert plan(Load(rate, 1000, peak=1)).workers == 1
    assert plan(Load(rate, 1000, peak=1.01)).workers == 2
    assert plan(Load(1, 4_000_000)).workers > plan(Load(1, 4_000_000, hot_share=0.1)).workers
    large = plan(replace(LOAD, shoppers=40_000_000))
    assert large.worker_memory_bytes <= LOAD.memory_bytes
    assert large.partitions == planning.PARTITIONS_PER_WORKER * large.workers


def test_copies_are_counted_on_disk_and_between_brokers() -> None:
    one, three = plan(replace(LOAD, replication=1)), plan(LOAD)
    assert three.kafka_disk_bytes == pytest.approx(3 * one.kafka_disk_bytes, abs=3)
    assert one.network_bytes_per_second.between_brokers == 0
    assert three.network_bytes_per_second.between_brokers > 0


def test_events_that_are_kept_longer_take_as_much_more() -> None:
    short, long = plan(replace(LOAD, retention_days=1)), plan(replace(LOAD, retention_days=3))
    more = 2 * 86_400 * LOAD.events_per_second * c.EVENT_BYTES * LOAD.replication
    assert long.kafka_disk_bytes - short.kafka_disk_bytes == pytest.approx(more, abs=2)


def test_a_worker_with_too_little_memory_is_told_what_it_needs() -> None:
    with pytest.raises(PlanError, match=r"--worker-memory"):
        plan(replace(LOAD, memory_bytes=100 << 20))


def called(*words: str) -> Any:
    return CliRunner().invoke(cli, ["plan", "--events-per-second", "1000", "--shoppers", "1000000", *words])


def test_the_command_says_what_the_formula_says() -> None:
    said = json.loads(called("--json").stdout)
    assert said["workers"] == plan(LOAD).workers
    assert said["network_bytes_per_second"]["events"] == plan(LOAD).network_bytes_per_second.events
    assert f"{plan(LOAD).partitions}" in called().stdout
    refused = called("--worker-memory", "0.1")
    assert refused.exit_code == 2
    assert "--worker-memory" in refused.output

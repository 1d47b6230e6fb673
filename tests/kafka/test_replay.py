"""Replaying a file: all of it or nothing, and what was sent is always said."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.admin import create
from streams.broker.cache import fetch_jars
from streams.broker.embedded import Broker
from streams.processing.partitioning import homes
from streams.producer.fates import wait
from streams.producer.replay import Record, ReplayError, Sent, records_of, send
from streams.settings import Settings
from streams.topics import EVENTS
from tests import processes
from tests.kafka.harness import Cluster, wait_until
from tests.shoppers import DAY, HOUR, NOON, log_of, viewed

pytestmark = pytest.mark.kafka
LINE = '{"type":"item_viewed","event_id":"e%d","shopper_id":"s%d","event_time":%d,"item_id":"i"}\n'


def history(n: int, step_ms: int = 1000) -> list[str]:
    return [LINE % (i, i % 7, NOON + i * step_ms) for i in range(n)]


def start(cluster: Cluster, source: str, *more: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return processes.Process[bytes](
        "streams",
        *("replay", source, "--format", "jsonl", "--broker", cluster.bootstrap),
        *more,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "300", **(env or {})},
    )


def run(cluster: Cluster, content: bytes, *more: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    process = start(cluster, "-", *more, env=env)
    out, err = process.communicate(content, timeout=120)
    return process.returncode, out.decode(), err.decode()


def test_a_bad_line_sends_nothing_and_after_its_repair_everything_is_sent_once(cluster: Cluster) -> None:
    lines = history(100)
    bad = [*lines[:80], lines[80].replace('"i"', "17"), *lines[81:]]
    code, out, err = run(cluster, "".join(bad).encode())
    assert (code, out) == (1, "")
    assert 'standard input:81: item_id: Expected `str`, got `int`. Send a string: "17", in quotes.' in err
    assert "Nothing was sent: 1 of 100 records are bad." in err
    assert not cluster.read(EVENTS.name)
    code, out, err = run(cluster, gzip.compress("".join(lines).encode()))
    assert (code, err) == (0, "")
    assert out == (
        "100 records sent to storefront.events.v1, 3 partitions, event times from 2023-11-14 22:13:20Z to "
        "2023-11-14 22:14:59Z.\n"
    )
    assert len(cluster.read(EVENTS.name)) == 100


def test_raw_sends_every_line(cluster: Cluster) -> None:
    code, out, _ = run(cluster, ("".join(history(3)) + "junk\n").encode(), "--raw")
    assert (code, out[:15]) == (0, "4 records sent ")
    assert {value for *_, value in cluster.read(EVENTS.name)} == {*(s.strip().encode() for s in history(3)), b"junk"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_says_what_was_sent(cluster: Cluster, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(history(2000, 20)))  # 40 s, paced
    process = start(cluster, str(path), "--speed", "1")
    wait_until(lambda: len(cluster.read(EVENTS.name)) >= 20, pause=0.0)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, b"Traceback" in err) == (130, False)
    told = re.fullmatch(
        r"Stopped\. (\d+) records sent to \S+, 3 partitions, event times from .* to .*\.\n", out.decode()
    )
    assert told, out
    assert 20 <= int(told[1]) == len(cluster.read(EVENTS.name)) < 2000


def test_a_record_that_kafka_refuses_midway_does_not_hide_what_was_sent(cluster: Cluster) -> None:
    content = "".join(history(50)).encode() + b"x" * (13 << 20) + b"\n" + "".join(history(60)[50:]).encode()
    code, out, err = run(cluster, content, "--raw")
    assert (code, "Kafka refused a record" in err) == (1, True)
    assert out.startswith("50 records sent to storefront.events.v1, 3 partitions, event times from ")
    assert len(cluster.read(EVENTS.name)) == 50


def test_a_broker_that_dies_midway_does_not_hide_what_was_sent(tmp_path: Path) -> None:
    running = Broker(tmp_path, fetch_jars())
    running.start()
    kafka, sent = Settings(broker=running.bootstrap).access, Sent()
    create(kafka, [EVENTS], 3)

    def records() -> Iterator[Record]:
        yield from records_of(viewed(f"s{i}", NOON + i * HOUR, f"e{i}") for i in range(30))
        wait_until(lambda: sent.records >= 30, pause=0.05)
        running.stop()
        yield from records_of(viewed(f"s{i}", NOON + i * HOUR, f"e{i}") for i in range(30, 40))

    try:
        with pytest.raises(ReplayError, match="Kafka refused a record"):
            send(kafka, records(), sent, patience_seconds=4)
    finally:
        running.stop()
    assert (sent.records, sent.handed) == (30, 40)
    assert (sent.first_ms, sent.last_ms) == (NOON, NOON + 29 * HOUR)
    assert set(sent.ends) == {(EVENTS.name, partition) for partition in range(3)}


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_keys_go_where_the_setting_says(cluster: Cluster, partitioner: str) -> None:
    events = [viewed(f"shopper-{i}", NOON, f"e{i}") for i in range(30)]
    send(cluster.settings().access, records_of(events), Sent(), partitioner=partitioner)
    found = cluster.read(EVENTS.name)
    assert len(found) == 30
    assert [partition for partition, *_ in found] == homes([r[3] for r in found], partitioner, 3).tolist()


def test_wait_tells_the_fates_of_what_was_sent(cluster: Cluster) -> None:
    worker = cluster.worker()
    worker.wait_ready()
    lines = history(100)
    late = LINE % (999, 3, NOON - 2 * HOUR)  # behind its partition's events, wherever it comes
    again = "".join([*lines, lines[7], late])
    code, out, err = run(cluster, again.encode(), "--wait", env={"OFFERSTREAM_APP_ID": cluster.app_id})
    assert code == 0, err
    assert out.splitlines()[1] == (
        "Fates: 100 applied, 1 duplicate, 1 late, 0 dead. Late ones count in no feature; they are in late-events.v1."
    )
    more = "".join(history(120)[100:]) + "junk\n"
    code, out, _ = run(cluster, more.encode(), "--raw", "--wait", env={"OFFERSTREAM_APP_ID": cluster.app_id})
    assert out.splitlines()[1] == (
        "Fates: 20 applied, 0 duplicate, 0 late, 1 dead. Why, and what to do: offerstream dead-letters"
    )
    worker.stop()


def test_waiting_ends_when_no_worker_applies_anything(cluster: Cluster) -> None:
    sent = Sent()
    send(cluster.settings().access, records_of([viewed()]), sent)
    with pytest.raises(ReplayError, match=r"1 records wait, and group.*Does a worker run"):
        wait(cluster.settings(), sent, {}, patience_seconds=1)


@pytest.mark.parametrize("applied", [True, False])
def test_a_live_event_does_not_make_a_history_late_without_a_word(applied: bool, cluster: Cluster) -> None:
    """Also when no worker has come to it yet."""
    year = "".join(history(50, HOUR))
    code, _, err = run(cluster, year.encode())
    assert code == 0, err
    cluster.send(log_of(*[viewed(f"s{i}", NOON + 365 * DAY, f"live-{i}") for i in range(7)]))
    if applied:
        worker = cluster.worker()
        cluster.wait_committed(57)
        worker.stop()
    before = len(cluster.read(EVENTS.name))
    environment = {"OFFERSTREAM_APP_ID": cluster.app_id}
    code, out, err = run(cluster, year.encode(), env=environment)
    said = " ".join(err.split())
    assert (code, out) == (1, "")
    assert "Nothing was sent: the record of s0 at 2023-11-14 22:13:20Z would be late" in said
    assert "has come to 2024-11-13 21:13:20Z" in said  # the live event, less the allowed lateness
    assert "--force" in said
    assert "a fresh broker --dir and worker --data-dir" in said
    assert len(cluster.read(EVENTS.name)) == before
    code, _, err = run(cluster, year.encode(), "--force", env=environment)
    assert code == 0, err
    assert len(cluster.read(EVENTS.name)) == before + 50
    newer = LINE % (1, 0, NOON + 366 * DAY)
    assert run(cluster, newer.encode(), env=environment)[0] == 0

"""Dead letters by reason, and the whole way back: repaired, checked, sent again, applied."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from streams.processing.partitioning import homes
from streams.records.outcomes import DeadLetter, encode_outcome
from streams.topics import DEAD_LETTERS, EVENTS
from tests import processes
from tests.kafka.harness import Cluster, fates, wait_until
from tests.shoppers import NOON, Log, log_of, viewed

pytestmark = pytest.mark.kafka


def run(cluster: Cluster, *arguments: str, ok: bool = True) -> str:
    done = processes.run(
        "streams",
        *arguments,
        text=True,
        env={**os.environ, "OFFERSTREAM_BROKER": cluster.bootstrap, "COLUMNS": "300"},
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


def record(shopper: str, **more: Any) -> tuple[bytes, bytes]:
    good = {"type": "item_viewed", "event_id": shopper, "shopper_id": shopper, "event_time": NOON, "item_id": "i"}
    return shopper.encode(), json.dumps(good | more, indent=2).encode()


def test_bad_records_are_listed_repaired_checked_and_sent_again(cluster: Cluster, tmp_path: Path) -> None:
    dollars: Log = [record(f"d{i}", unit_price_cents=12.99) for i in range(3)]
    seconds: Log = [record(f"t{i}", event_time=NOON // 1000) for i in range(2)]
    cluster.send([*dollars, *seconds, (b"s", b"\xff\xfe\n"), *log_of(viewed("good"))])
    ((key, value),) = log_of(viewed("stray"))
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    home = int(homes([key], "murmur2", cluster.partitions)[0])
    producer.produce(EVENTS.name, value, key, (home + 1) % cluster.partitions)
    producer.flush(30)
    worker = cluster.worker()
    cluster.wait_committed(8)

    found = json.loads(run(cluster, "dead-letters", "--json"))
    assert found["letters"] == 7
    by_reason = {group["reason"]: group for group in found["reasons"]}
    assert {reason: group["count"] for reason, group in by_reason.items()} == {
        "invalid": 3,
        "event_time_too_old": 2,
        "not_json": 1,
        "wrong_partition": 1,
    }
    invalid = by_reason["invalid"]
    assert invalid["fields"] == {"unit_price_cents": 3}
    assert "12.99 dollars are 1299" in invalid["example"]["detail"]
    topic, partition, offset = invalid["example"]["record"].split("/")
    assert (int(partition), int(offset)) in {(r[0], r[1]) for r in cluster.read(topic) if (r[3], r[4]) in dollars}
    assert invalid["first"] <= invalid["last"]
    assert invalid["fix"]
    text = " ".join(run(cluster, "dead-letters", "--reason", "event_time_too_old").split())
    assert "event_time_too_old: 2" in text
    assert "seconds instead of milliseconds?" in text
    assert "invalid" not in text
    assert "No dead letters." in run(cluster, "dead-letters", "--to", "2020-01-01")

    file = tmp_path / "repair.jsonl"
    left = json.loads(run(cluster, "dead-letters", "--json", "--originals", str(file)))
    assert (left["originals_written"], len(left["originals_left_out"])) == (6, 1)  # one is no text
    assert "exists" in run(cluster, "dead-letters", "--originals", str(file), ok=False)
    assert "5 bad" in " ".join(run(cluster, "replay", str(file), "--format", "jsonl", ok=False).split())
    repaired = file.read_text().replace("12.99", "1299").replace(f"{NOON // 1000},", f"{NOON},")
    file.write_text(repaired)
    assert "6 good, 0 bad" in run(cluster, "check", str(file))
    assert run(cluster, "replay", str(file), "--format", "jsonl").startswith("6 records sent")
    wait_until(lambda: fates([worker])["applied"] >= 7, worker)
    cluster.wait_committed(14)
    assert +fates([worker]) == {"applied": 7, "dead": 7}
    worker.stop()
    cluster.assert_as_plain()


def test_a_letter_said_twice_is_counted_once(cluster: Cluster) -> None:
    """A worker that crashed says it again, under the same id."""
    letter = DeadLetter(
        dead_letter_id="a",
        reason="empty",
        detail="",
        field=None,
        source_topic=EVENTS.name,
        source_partition=0,
        source_offset=0,
        record_time_ms=NOON,
        original_key=None,
        original=None,
    )
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for said in (letter, letter, msgspec.structs.replace(letter, dead_letter_id="b", reason="of_a_newer_worker")):
        producer.produce(DEAD_LETTERS.name, encode_outcome(said))
    producer.flush(30)
    found = json.loads(run(cluster, "dead-letters", "--json", "--originals", "-", ok=True) or "{}")
    assert found == {}  # standard output is for the originals, of which there are none
    groups = json.loads(run(cluster, "dead-letters", "--json"))["reasons"]
    assert [(group["reason"], group["count"]) for group in groups] == [("empty", 1), ("of_a_newer_worker", 1)]
    assert "of_a_newer_worker: 1" in run(cluster, "dead-letters")

"""Kafka keeps events for a while; an archive keeps them, each once, and a feature table can be made anew from it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from models.store import Shelf
from streams.admin import admin_client, create, identities
from streams.entities import contents
from streams.entities.shopper import SHOPPER
from streams.outside.archive import Archive
from streams.outside.reading import Reader
from streams.processing.partition import outputs_of, row_layout
from streams.state.codec import Codec
from streams.topics import EVENTS
from tests import processes
from tests.kafka.harness import Cluster
from tests.kafka.test_operators import delete, delete_records
from tests.shoppers import random_history
from training.source import of_archive, of_name, of_topics

pytestmark = pytest.mark.kafka


def offerstream(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command, run as an operator does."""
    return processes.run(
        "streams",
        *arguments,
        text=True,
        env={**os.environ, "OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_APP_ID": cluster.app_id},
    )


def features(rows: dict[bytes, bytes]) -> dict[bytes, list[bytes]]:
    """By shopper, what they did: the columns of the catalogue, without where in a log it stood."""
    codec = Codec(row_layout(SHOPPER, outputs=outputs_of(Shelf(), "shopper")))
    data = codec.unpack([codec.name + bytes(8) + value for value in rows.values()]).data
    kept = [column.name for column in SHOPPER.catalogue.columns]
    return {key: [data[name][i].tobytes() for name in kept] for i, key in enumerate(rows)}


def archived(cluster: Cluster, url: str) -> dict[str, dict[str, int]]:
    done = offerstream(cluster, "archive", url, "--json")
    assert done.returncode == 0, done.stderr
    return {row["topic"]: row for row in json.loads(done.stdout)}


def test_each_record_is_archived_once_and_a_table_is_made_anew_from_it(cluster: Cluster, tmp_path: Path) -> None:
    log, url = random_history(71, 1200, 40), str(tmp_path / "archive")
    cluster.send(log[:700])
    first = archived(cluster, url)[EVENTS.name]
    assert (first["records"], first["lost"]) == (700, 0)
    cluster.send(log[700:])
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    before = cluster.rows()
    assert archived(cluster, url)[EVENTS.name]["records"] == cluster.end(EVENTS.name) - 700
    assert archived(cluster, url)[EVENTS.name]["records"] == 0

    kept, said = Archive(url), {}
    for partition, slices in cluster.slices().items():
        said[partition] = [
            (s.offsets[i], s.keys[i], s.values[i], s.timestamps_ms[i]) for s in slices for i in range(len(s))
        ]
        held = [(r.offset, r.key, r.value, r.time_ms) for r in kept.logs(EVENTS.name)[partition]]
        assert held == said[partition]

    settings = cluster.settings()
    own, tally = of_archive(url, settings.rules()).load(tmp_path, lambda _n: None)
    topic, its_tally = of_topics(settings).load(tmp_path, lambda _n: None)
    assert tally == its_tally
    assert len(own) == len(topic) > 500
    assert (own.time_ms == topic.time_ms).all()
    assert of_name(url, None, settings).name == url

    delete(cluster, EVENTS.name)
    cluster.app_id += "-anew"
    create(cluster.settings().access, contents.topics(cluster.app_id), cluster.partitions)
    sent = offerstream(cluster, "replay", url)
    assert sent.returncode == 0, sent.stderr
    worker = cluster.worker(data="anew")
    cluster.wait_committed(len(log))
    worker.stop()
    anew = cluster.rows()
    assert anew.keys() == before.keys()
    assert features(anew) == features(before)

    refused = offerstream(cluster, "archive", url)
    assert refused.returncode == 1
    assert "it was made anew. Archive it to another URL." in refused.stderr


def test_what_kafka_deleted_before_it_was_archived_is_said(cluster: Cluster, tmp_path: Path) -> None:
    url = str(tmp_path / "archive")
    cluster.send(random_history(72, 300, 10))
    archived(cluster, url)
    cluster.send(random_history(73, 300, 10))
    ends = cluster.client.ends([EVENTS.name], cluster.partitions)
    held = Archive(url).ends(EVENTS.name)
    gone = {p: min(ends[EVENTS.name, p], held[p] + 5) for p in range(cluster.partitions)}
    delete_records(cluster, EVENTS.name, gone)
    done = offerstream(cluster, "archive", url)
    assert done.returncode == 0, done.stderr
    lost = sum(gone[p] - held[p] for p in gone)
    assert f"note: {lost} records of {EVENTS.name} are in no archive: Kafka had deleted them" in " ".join(
        done.stderr.split()
    )
    assert sum(1 for log in Archive(url).logs(EVENTS.name) for _ in log) == sum(ends.values()) - lost


def test_two_runs_at_once_and_one_that_was_killed_leave_each_record_once(cluster: Cluster, tmp_path: Path) -> None:
    url = str(tmp_path / "archive")
    log = random_history(74, 400, 10)
    cluster.send(log)
    access = cluster.settings().access
    with Reader(access) as reader, admin_client(access) as admin:
        identity = identities(admin, [EVENTS.name])[EVENTS.name]
        assert identity is not None
        Archive(url).add(reader, EVENTS.name, identity)
        # Another run that began before the first one wrote; and a file that a killed run did not finish.
        late = Archive(url)
        late.ends = lambda topic: dict.fromkeys(range(cluster.partitions), 3)  # type: ignore[method-assign]
        late.add(reader, EVENTS.name, identity)
        (tmp_path / "archive" / EVENTS.name / "_new-cut-off").write_bytes(b"PAR1")
    held = [(p, r.offset) for p, log in enumerate(Archive(url).logs(EVENTS.name)) for r in log]
    assert len(held) == len(set(held)) == len(log)

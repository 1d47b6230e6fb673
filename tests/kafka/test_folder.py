"""The folder is a copy of the table, of one worker; and a worker with a name of its own is known when it returns."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.kafka.harness import SHORT, Cluster, fates, wait_until
from tests.shoppers import random_history

pytestmark = pytest.mark.kafka


def copies(cluster: Cluster) -> list[Path]:
    return sorted(path for path in (cluster.folder / "data").rglob("*.db") if path.is_dir())


@pytest.mark.parametrize("damaged", ["CURRENT", "*.sst"])
def test_a_damaged_local_copy_is_set_aside_and_made_anew(damaged: str, cluster: Cluster) -> None:
    log = random_history(71, 1200, 60)
    for start in (0, 500):  # a second start writes what the first had in its write-ahead log
        cluster.send(log[start : start + 500])
        worker = cluster.worker()
        cluster.wait_committed(start + 500)
        worker.stop()
    hit = [file for path in copies(cluster) for file in path.glob(damaged)]
    assert hit
    for file in hit:
        with file.open("r+b") as out:
            out.write(b"garbage" * 40)
    cluster.send(log[1000:])
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    said = worker.log.read_text()
    paths = re.findall(r"The local copy (\S+) is damaged .* set aside as (\S+) and is made anew", said)
    assert len(paths) == len({file.parent for file in hit})
    for before, after in paths:
        assert Path(before).is_dir()
        assert Path(after).is_dir()
    cluster.assert_as_plain()


def test_a_folder_is_one_workers_own(cluster: Cluster) -> None:
    """Until it ends, in whatever way."""
    first = cluster.worker(**SHORT)
    first.wait_ready()
    second = cluster.worker()
    assert second.process.wait(30) == 1
    assert f"is in use by another worker (process {first.process.pid})" in second.log.read_text()
    first.kill()
    third = cluster.worker()
    third.wait_ready()
    third.stop()


def seconds_until_it_works_again(cluster: Cluster, seed: int, **settings: str) -> float:
    """From the start of a worker whose predecessor was killed until it has applied what waited."""
    log = random_history(seed, 600, 40)
    half = len(log) // 2
    cluster.send(log[:half])
    worker = cluster.worker(**settings)
    cluster.wait_committed(half)
    worker.kill()
    cluster.send(log[half:])
    began = time.monotonic()
    again = cluster.worker(**settings)
    again.wait_ready(90)
    took = time.monotonic() - began
    wait_until(lambda: fates([again]).total() >= len(log) - half, again, 30)
    cluster.wait_committed(len(log))
    again.stop()
    return took


def test_a_killed_worker_with_a_name_of_its_own_gets_its_partitions_back_at_once(cluster: Cluster) -> None:
    """It does not wait until Kafka has given up its predecessor."""
    session = {"session_seconds": "60"}
    assert seconds_until_it_works_again(cluster, 73, instance_id="shop-0", **session) < 45
    cluster.assert_as_plain()

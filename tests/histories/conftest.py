"""Two worlds for one history: the plain loop, and a worker on Apache Kafka."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.settings import Settings
from tests.kafka.harness import Cluster
from tests.shoppers import Log
from tests.worlds import cut, run_plain, shipped

#: Told a log, a world answers with its outcomes as wire records.
Tell = Callable[[Log], list[dict[str, Any]]]


@pytest.fixture(params=["plain", pytest.param("kafka", marks=pytest.mark.kafka)])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tell]:
    """Tell a history and get its outcomes, in either world."""
    if request.param == "plain":

        def plain(log: Log) -> list[dict[str, Any]]:
            processor = PartitionProcessor(SHOPPER, 0, Settings().rules(), shipped())
            return _decoded(run_plain(cut(log, [1, len(log) // 2]), processor=processor).outcomes)

        yield plain
        return
    broker = request.getfixturevalue("broker")
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60]
    # One partition, so that time passes for everybody alike.
    cluster = Cluster(broker.bootstrap, tmp_path, name, partitions=1)
    cluster.prepare()

    def kafka(log: Log) -> list[dict[str, Any]]:
        cluster.send(log)
        worker = cluster.worker()
        cluster.wait_committed(len(log))
        worker.stop()
        return _decoded(cluster.outcomes())

    yield kafka
    for worker in cluster.workers:
        worker.kill()


def _decoded(outcomes: dict[str, bytes]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(value) for value in outcomes.values()]

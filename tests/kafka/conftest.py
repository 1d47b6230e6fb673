"""Fixtures of the Kafka world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from streams.broker.embedded import Broker
from tests.kafka.harness import Cluster


@pytest.fixture
def cluster(broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Fresh topics and a group of its own; every worker still running afterwards is killed."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50] + f"-{crc32(request.node.name.encode()):08x}"
    fresh = Cluster(broker.bootstrap, tmp_path, name)
    fresh.prepare()
    yield fresh
    fresh.close()

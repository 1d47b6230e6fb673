"""Marketing systems read outcomes with whatever client they have."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streams.topics import SCORES
from tests.kafka.harness import Cluster
from tests.shoppers import random_history

pytestmark = pytest.mark.kafka


def test_outcomes_can_be_read_without_libraries_for_compression(cluster: Cluster) -> None:
    log = random_history(75, 600, 40)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    expected = len(cluster.read(SCORES.name))
    code = f"""
import sys
for name in ("lz4", "lz4.frame", "cramjam", "snappy", "zstandard", "xxhash", "crc32c"):
    sys.modules[name] = None
from kafka import KafkaConsumer
consumer = KafkaConsumer({SCORES.name!r}, bootstrap_servers={cluster.bootstrap!r}, auto_offset_reset="earliest",
                         enable_auto_commit=False, consumer_timeout_ms=8000)
print(sum(record.value.startswith(b"{{") for record in consumer))
"""
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert read.stdout.split() == [str(expected)], read.stderr[-2000:]

"""The README's producer and subscriber, as they stand there, against a broker and a worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from streams.topics import ALERTS, EVENTS, OFFERS
from tests.kafka.harness import Cluster, fates, wait_until
from tests.shoppers import random_history

pytestmark = pytest.mark.kafka
README = (Path(__file__).parents[2] / "README.md").read_text()


def snippets(cluster: Cluster) -> tuple[str, str]:
    """Producer and subscriber, with the address of this broker."""
    producer, subscriber = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert all(len(code.strip().splitlines()) <= 11 and "127.0.0.1:9092" in code for code in (producer, subscriber))
    return producer.replace("127.0.0.1:9092", cluster.bootstrap), subscriber.replace(
        "127.0.0.1:9092", cluster.bootstrap
    )


def test_what_the_readme_sends_is_applied_and_what_it_reads_is_what_was_said(cluster: Cluster, tmp_path: Path) -> None:
    producer, subscriber = snippets(cluster)
    log = random_history(75, 900, 40)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    before = fates([worker])["applied"]
    sent = subprocess.run([sys.executable, "-c", producer], capture_output=True, text=True, check=False, timeout=60)
    assert sent.returncode == 0, sent.stderr
    cluster.wait_committed(len(log) + 1)
    assert fates([worker])["applied"] == before + 1
    assert any(key == b"ann" for _, _, _, key, _ in cluster.read(EVENTS.name))

    said = {
        (topic, outcome["outcome_id"]): outcome["shopper_id"]
        for topic in (ALERTS.name, OFFERS.name)
        for *_, value in cluster.read(topic)
        if (outcome := msgspec.json.decode(value or b""))
    }
    assert said
    printed = tmp_path / "printed"
    with printed.open("w") as out:
        reading = subprocess.Popen([sys.executable, "-c", subscriber], stdout=out, stderr=out, env=dict(os.environ))
        try:
            wait_until(lambda: len(printed.read_text().splitlines()) >= len(said), told=printed.read_text)
        finally:
            reading.kill()
            reading.wait()
    told = sorted(tuple(line.split()[:2]) for line in printed.read_text().splitlines())
    assert told == sorted((topic, shopper) for (topic, _), shopper in said.items())
    worker.stop()

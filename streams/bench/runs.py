"""What every measurement on a broker needs: events sent in order, an environment without settings, a result told."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from confluent_kafka import Producer

from streams.bench.errors import BenchError
from streams.broker.embedded import free_ports
from streams.demo import scrape
from streams.topics import EVENTS

Summary = dict[str, Any]
POLL_SECONDS = 0.05


def send_events(bootstrap: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send (key, value) of events, each shopper's in order, and return when all are there."""
    producer = event_producer(bootstrap, linger_ms=20)
    for key, value in records:
        produce(producer, EVENTS.name, value, key)
    producer.flush()


def event_producer(bootstrap: str, linger_ms: int) -> Producer:
    """A producer that keeps each shopper's events in order."""
    # Without idempotence, a batch that is sent again stands behind those after it, and its events are late.
    sending = {"partitioner": "murmur2", "linger.ms": linger_ms, "enable.idempotence": True, "log_level": 0}
    return Producer({"bootstrap.servers": bootstrap, **sending})


def produce(producer: Producer, topic: str, value: bytes, key: bytes | None = None, partition: int = -1) -> None:
    """Hand a record over, once there is room for it."""
    while True:
        try:
            producer.produce(topic, value, key, partition)
            return
        except BufferError:
            producer.poll(0.05)


def without_settings() -> dict[str, str]:
    """The environment of a process that is told all of its settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OFFERSTREAM_")}


@contextmanager
def worker(
    bootstrap: str, folder: Path, app_id: str, partitions: int, environment: dict[str, str], patience: float = 60.0
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A worker in a process of its own, once /ready says so, and its port; data, models and its log are in a folder.
    Raises ``BenchError`` when it does not become ready within ``patience`` seconds."""
    port = free_ports(1)[0]
    told = {
        "BROKER": bootstrap,
        "APP_ID": app_id,
        "DATA_DIR": str(folder / "data"),
        "PORT": str(port),
        "PARTITIONS": str(partitions),
        "MODELS": str(folder / "models"),
        "IDLE_TICK_SECONDS": "0",
    }
    began = time.perf_counter()
    with (folder / "worker.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "worker"],
            env={f"OFFERSTREAM_{name}": value for name, value in told.items()} | environment,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            while scrape.get(port, "/ready") is None:
                if process.poll() is not None or time.perf_counter() - began > patience:
                    log.seek(0)
                    raise BenchError(f"A worker did not become ready:\n{log.read()[-3000:]}")
                time.sleep(POLL_SECONDS)
            yield process, port
        finally:
            process.terminate()
            process.wait(60)


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def tell(summary: Summary, out: Path, as_json: bool, show: Callable[[Summary, Path], None]) -> None:
    """Write a result as JSON, and print it: as it was written, or as ``show`` does."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(summary, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        show(summary, out)

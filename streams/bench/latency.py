"""``offerstream bench --latency``: how long after an event was produced the score that it led to can be read.

One embedded broker, one worker as it is run in production, and here a producer that keeps to a rate and a subscriber,
all on the same cores. Offers and alerts are handed to Kafka together with the score of their event: they come with it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import numpy.typing as npt
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from rich.console import Console
from rich.progress import Progress

from streams.access import Access
from streams.admin import create
from streams.bench.clickstream import clickstream, number_of
from streams.bench.errors import BenchError
from streams.bench.runs import event_producer, machine, produce, tell, without_settings, worker
from streams.broker.embedded import Broker
from streams.entities import contents
from streams.records.events import decode_event, encode_event
from streams.terminal import print_rows
from streams.topics import EVENTS, SCORES

APP_ID, PARTITIONS, SHOPPERS = "bench-latency", 4, 20_000
#: What comes in the first seconds of a rate is not counted: code is warm after it, and buffers have the size they keep.
WARM_SECONDS, PATIENCE_SECONDS = 15.0, 30.0
#: Upper ends of the histogram, in milliseconds; the last one is open.
BINS = (2, 5, 10, 15, 25, 50, 100, 250, 500, 1000)


def run(out: Path, rates: Sequence[int], seconds: int, as_json: bool = False) -> None:
    """Measure each rate (events per second) for so long; write what was found as JSON and print it."""
    from streams.broker.cache import fetch_jars

    with Progress(console=Console(stderr=True)) as progress:
        found = measure(fetch_jars(), rates, seconds, progress)
    tell(found | {"machine": machine()}, out, as_json, show)


def measure(jars: list[Path], rates: Sequence[int], seconds: int, progress: Progress) -> dict[str, Any]:
    """Each rate for so long, one after the other with the same worker. ``event_to_offer_p99_ms``: the worst of them."""
    events = clickstream(sum(round(rate * (WARM_SECONDS + seconds)) for rate in rates), SHOPPERS)
    points = []
    with (
        tempfile.TemporaryDirectory(prefix="offerstream-bench-") as folder,
        Broker(Path(folder) / "kafka", jars) as broker,
    ):
        create(Access(broker.bootstrap), contents.topics(APP_ID), PARTITIONS)
        task = progress.add_task("Starting a worker", total=len(rates))
        with worker(broker.bootstrap, Path(folder), APP_ID, PARTITIONS, without_settings()):
            sent = 0
            for rate in rates:
                progress.update(task, description=f"Latency at {rate:,} events per second")
                n = round(rate * (WARM_SECONDS + seconds))
                points.append(_measure(broker.bootstrap, events[sent : sent + n], sent, rate))
                sent += n
                progress.advance(task)
    worst = max(points, key=lambda point: point["p99_ms"])
    return {
        "event_to_offer_p99_ms": worst["p99_ms"],
        "latency": points,
        "latency_histogram_up_to_ms": [*BINS, None],
    }


@dataclass
class _Subscriber:
    """Reads scores, in a thread of its own, and notes when each came."""

    bootstrap: str
    came: dict[int, float] = field(default_factory=dict)
    """By number of the event: when its score was read."""
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "bench", "log_level": 2})
        there = self._consumer.list_topics(SCORES.name, timeout=10).topics[SCORES.name].partitions
        self._consumer.assign([TopicPartition(SCORES.name, p, OFFSET_END) for p in there])
        self._consumer.poll(1.0)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stopped.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            now = time.perf_counter()
            said = msgspec.json.decode(message.value() or b"{}")
            if said["entity"] == "shopper" and said["due"]["kind"] == "event":
                self.came.setdefault(number_of(said["due"]["ref"]), now)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._consumer.close()


def _measure(bootstrap: str, events: Sequence[tuple[bytes, bytes]], first: int, rate: int) -> dict[str, Any]:
    """Send events, of which the first is the ``first`` of the clickstream, at a rate."""
    subscriber = _Subscriber(bootstrap)
    producer = event_producer(bootstrap, linger_ms=2)
    sent: list[float] = []
    now_ms = int(time.time() * 1000)
    events = [(key, _at(value, now_ms + 1000 * i // rate)) for i, (key, value) in enumerate(events)]
    began = time.perf_counter()
    for i, (key, value) in enumerate(events):
        ahead = began + i / rate - time.perf_counter()
        if ahead > 0.0005:
            producer.poll(0)
            time.sleep(ahead)
        sent.append(time.perf_counter())
        produce(producer, EVENTS.name, value, key)
    took = time.perf_counter() - began
    producer.flush()
    end, before = time.perf_counter() + PATIENCE_SECONDS, -1
    # Nothing new for a second: all scores are there.
    while len(subscriber.came) > before and time.perf_counter() < end:
        before = len(subscriber.came)
        time.sleep(1.0)
    subscriber.stop()
    warm = first + round(rate * WARM_SECONDS)
    waits = np.array([1000 * (at - sent[n - first]) for n, at in subscriber.came.items() if n >= warm])
    if not len(waits):
        raise BenchError(f"No score came of {len(events):,} events at {rate:,} a second.")
    return told(waits, rate, len(events) / took)


def _at(value: bytes, at_ms: int) -> bytes:
    """An event at another time: while a rate is kept, time passes as it does for shoppers, and days do not end."""
    return encode_event(msgspec.structs.replace(decode_event(value), event_time=at_ms))


def told(waits: npt.NDArray[np.float64], rate: int, sent: float) -> dict[str, Any]:
    """What waits [n] in milliseconds came to, at a rate that was wanted and that which was ``sent``.

    >>> point = told(np.array([3.0, 4.0, 120.0]), 2000, 1999.6)
    >>> point["median_ms"], point["longest_ms"], point["histogram"]
    (4.0, 120.0, [0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    """
    median, p90, p99 = np.percentile(waits, (50, 90, 99)).round(1).tolist()
    return {
        "events_per_second": rate,
        "sent_per_second": round(sent),
        "scores": len(waits),
        "median_ms": median,
        "p90_ms": p90,
        "p99_ms": p99,
        "longest_ms": round(float(waits.max()), 1),
        "histogram": np.bincount(np.searchsorted(BINS, waits), minlength=len(BINS) + 1).tolist(),
    }


def show(summary: dict[str, Any], out: Path) -> None:
    """Print what ``run`` wrote."""
    print_points(summary["latency"])
    click.echo(f"Written to {out}.")


def print_points(points: Sequence[dict[str, Any]]) -> None:
    """Print what each rate came to, as tables."""
    columns = ("events per second", "scores", "median", "90%", "99%", "longest")
    rows = [
        (
            f"{point['sent_per_second']:,}",
            f"{point['scores']:,}",
            *(f"{point[name]:,.1f} ms" for name in ("median_ms", "p90_ms", "p99_ms", "longest_ms")),
        )
        for point in points
    ]
    print_rows(columns, rows)
    ends = [f"≤ {end} ms" for end in BINS] + [f"> {BINS[-1]} ms"]
    print_rows(
        ("events per second", *ends),
        [(f"{point['events_per_second']:,}", *map("{:,}".format, point["histogram"])) for point in points],
    )

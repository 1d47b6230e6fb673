"""``offerstream bench --overload``: a minute of three times as many events as a worker can take.

One embedded broker, one worker in a process of its own as it is run in production, and a producer here, on the same
cores: what the worker can take is measured first, in the same run.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from streams.access import Access
from streams.admin import create
from streams.bench.clickstream import clickstream
from streams.bench.errors import BenchError
from streams.bench.latency import SHOPPERS
from streams.bench.recovery import spent_by
from streams.bench.runs import event_producer, machine, produce, send_events, tell, without_settings, worker
from streams.broker.embedded import Broker
from streams.demo import scrape
from streams.entities import contents
from streams.terminal import print_rows
from streams.topics import EVENTS

APP_ID, PARTITIONS = "bench-overload", 4
TIMES, FIRST = 3, 200_000
EVERY_SECONDS, PATIENCE_SECONDS = 1.0, 60.0


def run(out: Path, seconds: int, as_json: bool = False) -> None:
    """Send for so long; write what was found as JSON and print it."""
    from streams.broker.cache import fetch_jars

    jars = fetch_jars()
    with Progress(console=Console(stderr=True)) as progress:
        found = measure(jars, seconds, progress)
    tell(found | {"machine": machine()}, out, as_json, _show)


def measure(jars: list[Path], seconds: int, progress: Progress) -> dict[str, Any]:
    """What a worker can take, and what becomes of ``TIMES`` as much for so many seconds. Raises ``BenchError`` where
    records are missing."""
    task = progress.add_task("Making events", total=4)
    with (
        tempfile.TemporaryDirectory(prefix="offerstream-bench-") as folder,
        Broker(Path(folder) / "kafka", jars) as broker,
    ):
        create(Access(broker.bootstrap), contents.topics(APP_ID), PARTITIONS)
        with worker(broker.bootstrap, Path(folder), APP_ID, PARTITIONS, without_settings()) as (process, port):
            watched = _Watched(process, port)
            events = clickstream(FIRST, SHOPPERS)
            progress.update(task, advance=1, description="What the worker can take")
            began = time.perf_counter()
            send_events(broker.bootstrap, events)
            watched.until(FIRST)
            capacity = FIRST / (time.perf_counter() - began)
            before = watched.memory[-1]
            progress.update(task, advance=1, description="Making events")
            rate = TIMES * capacity
            # Of the same shoppers, and after the first ones, which have ids of their own.
            events = clickstream(FIRST + round(rate * seconds), SHOPPERS)[FIRST:]
            progress.update(task, description=f"{rate:,.0f} events per second for {seconds} s")
            sent = _send(broker.bootstrap, events, rate, watched)
            behind = FIRST + len(events) - watched.applied()
            progress.update(task, advance=1, description=f"{behind:,} events behind")
            began = time.perf_counter()
            fates = watched.until(FIRST + len(events))
            drained = time.perf_counter() - began
            progress.advance(task)
    return {
        "capacity_events_per_second": round(capacity),
        "sent_events_per_second": round(sent),
        "events": len(events),
        "behind_at_the_end": behind,
        "drained_seconds": round(drained, 1),
        "fates": fates,
        "rss_bytes_before": before,
        "rss_bytes_most": max(watched.memory),
        "rss_bytes_after": watched.memory[-1],
    }


@dataclass
class _Watched:
    """A worker whose memory and records are looked at now and then."""

    process: subprocess.Popen[str]
    port: int
    memory: list[int] = field(default_factory=list)
    """Resident bytes each time."""

    def applied(self) -> int:
        """Records of shoppers that have a fate."""
        self.memory.append(int(spent_by(self.process.pid)["rss_bytes"]))
        return scrape.records(scrape.scrape(self.port))

    def until(self, records: int) -> dict[str, int]:
        """Wait until so many records have a fate: how many have each. Raises ``BenchError`` when nothing goes on."""
        found, moved = self.applied(), time.monotonic()
        while found < records:
            time.sleep(EVERY_SECONDS)
            now = self.applied()
            if now > found:
                found, moved = now, time.monotonic()
            elif time.monotonic() - moved > PATIENCE_SECONDS:
                raise BenchError(f"{records - found:,} of {records:,} records have no fate, and nothing goes on.")
        fates = scrape.by(scrape.scrape(self.port), "offerstream_records_total", "fate", entity="shopper")
        return {fate: fates[fate] for fate in scrape.RECORD_FATES}


def _send(bootstrap: str, events: Sequence[tuple[bytes, bytes]], rate: float, watched: _Watched) -> float:
    """Send events at a rate, or as fast as can be: events per second."""
    producer = event_producer(bootstrap, linger_ms=20)
    began, looked = time.perf_counter(), time.perf_counter()
    for i, (key, value) in enumerate(events):
        if not i % 1000:
            producer.poll(0)
            time.sleep(max(0.0, began + i / rate - time.perf_counter()))
            if time.perf_counter() - looked > EVERY_SECONDS:
                watched.applied()
                looked = time.perf_counter()
        produce(producer, EVENTS.name, value, key)
    producer.flush()
    return len(events) / (time.perf_counter() - began)


def _show(s: dict[str, Any], out: Path) -> None:
    rows = [
        ("the worker can take", f"{s['capacity_events_per_second']:,} events per second"),
        ("sent", f"{s['events']:,}, {s['sent_events_per_second']:,} per second"),
        ("behind at the end", f"{s['behind_at_the_end']:,}"),
        ("all applied after", f"{s['drained_seconds']:,} s more"),
        ("fates", ", ".join(f"{fate} {n:,}" for fate, n in s["fates"].items())),
        *(
            (f"memory, {when}", f"{s[f'rss_bytes_{name}'] / 1e6:,.0f} MB")
            for when, name in (("before", "before"), ("at most", "most"), ("after", "after"))
        ),
    ]
    print_rows(("", ""), rows)
    click.echo(f"Written to {out}.")

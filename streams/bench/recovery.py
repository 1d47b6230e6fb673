"""``offerstream bench --recovery``: how long, and in how much memory, a worker comes back from its changelog.

Each size is a fresh embedded broker whose changelog holds so many shoppers, and a worker with an empty folder, in a
process of its own as it is run in production; it is measured from its start until /ready says so, and until rows are in
memory.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from confluent_kafka import Producer
from rich.console import Console
from rich.progress import Progress

from streams.access import Access
from streams.admin import create
from streams.bench.command import topic_bytes
from streams.bench.errors import BenchError
from streams.bench.filled import FOLDED, filled, folded
from streams.bench.runs import machine, produce, send_events, tell, without_settings, worker
from streams.broker.embedded import Broker
from streams.demo import scrape
from streams.entities import contents
from streams.entities.shopper import SHOPPER
from streams.terminal import print_rows
from streams.topics import changelog_name, table_name

APP_ID, PARTITIONS = "bench-recovery", 4
PATIENCE_SECONDS = 600.0


def run(out: Path, sizes: Sequence[int], hot_rows: int | None, as_json: bool = False) -> None:
    """Measure each size, and none for comparison; write what was found as JSON and print it."""
    from streams.broker.cache import fetch_jars

    jars = fetch_jars()
    points: list[dict[str, Any]] = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("Folding a clickstream", total=len(sizes) + 2)
        records, held = folded(min(FOLDED, *sizes), PARTITIONS, APP_ID)
        for shoppers in (0, *sizes):
            progress.update(task, advance=1, description=f"{shoppers:,} shoppers")
            points.append(_measure(jars, records, held, shoppers, hot_rows))
        progress.advance(task)
    summary = summarize(points)
    tell(summary, out, as_json, _print)


def _measure(
    jars: list[Path],
    records: Sequence[tuple[bytes, bytes]],
    held: Sequence[dict[bytes, bytes]],
    shoppers: int,
    hot_rows: int | None,
) -> dict[str, Any]:
    """A worker that comes back to so many shoppers."""
    with (
        tempfile.TemporaryDirectory(prefix="offerstream-bench-") as folder,
        Broker(Path(folder) / "kafka", jars) as broker,
    ):
        create(Access(broker.bootstrap), contents.topics(APP_ID), PARTITIONS)
        changelog = changelog_name(APP_ID, SHOPPER.name)
        # What the table was made from stands in the log, or the worker would take it for another one.
        send_events(broker.bootstrap, records if shoppers else ())
        # As a flush writes it (streams/state/write_behind.py).
        rows = Producer(
            {"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "compression.type": "lz4", "log_level": 0}
        )
        for partition, key, value in filled(held, shoppers) if shoppers else ():
            produce(rows, changelog, value, key, partition)
        rows.flush()
        data = Path(folder) / "data"
        point = _come_back(broker.bootstrap, Path(folder), shoppers, hot_rows)
        kafka = topic_bytes(Path(folder) / "kafka", changelog)
        store = sum(f.stat().st_size for f in data.rglob("*") if table_name(SHOPPER.name) in str(f) and f.is_file())
        return point | {
            "store_bytes_per_shopper": round(store / shoppers) if shoppers else 0,
            "changelog_bytes_per_shopper": round(kafka / shoppers) if shoppers else 0,
        }


def _come_back(bootstrap: str, folder: Path, shoppers: int, hot_rows: int | None) -> dict[str, Any]:
    # Entities share it, and partitions, which have not quite as many shoppers each.
    share = 2 * shoppers + PARTITIONS if hot_rows is None else hot_rows
    environment = without_settings() | {"OFFERSTREAM_HOT_ROWS": str(len(contents.ENTITIES) * share)}
    began = time.perf_counter()
    expected = shoppers if hot_rows is None else min(shoppers, hot_rows)
    with worker(bootstrap, folder, APP_ID, PARTITIONS, environment, PATIENCE_SECONDS) as (process, port):
        seconds = time.perf_counter() - began
        ready, at_ready = scrape.scrape(port), spent_by(process.pid)
        armed = sum(scrape.values(ready, "offerstream_timers", SHOPPER.name))
        if not 0.9 * shoppers <= armed <= shoppers:
            raise BenchError(f"Of {shoppers:,} shoppers {armed:,.0f} have timers: recovery lost some.")
        rows, warm = 0.0, ready
        while rows < 0.99 * expected:  # They come beside other work, and nobody waits for them.
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise BenchError(f"Of {expected:,} rows {rows:,.0f} came into memory.")
            time.sleep(1)  # To be asked more often is work of the worker's own.
            warm = scrape.scrape(port)
            rows = sum(scrape.values(warm, "offerstream_state_rows", SHOPPER.name))
        seconds_until_warm = time.perf_counter() - began
        spent = spent_by(process.pid)
    return {
        "shoppers": shoppers,
        "rows_in_memory": int(rows),
        "ready_seconds": round(seconds, 2),
        "ready_cpu_seconds": at_ready["cpu_seconds"],
        "ready_rss_bytes": at_ready["rss_bytes"],
        "warm_seconds": round(seconds_until_warm, 2),
        **spent,
        "longest_block_ms": round(1000 * warm[("offerstream_loop_block_seconds_max", ())]),
    }


def spent_by(pid: int) -> dict[str, float]:
    """Seconds of CPU so far, resident bytes now and at most, as Linux counts them."""
    process = Path(f"/proc/{pid}")
    # Behind the name, which may hold anything: user and system time are fields 14 and 15 of all.
    ticks = sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:13]))
    lines = (process / "status").read_text().splitlines()
    status = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return {
        "cpu_seconds": round(ticks / os.sysconf("SC_CLK_TCK"), 2),
        "rss_bytes": int(status["VmRSS"].split()[0]) << 10,
        "peak_bytes": int(status["VmHWM"].split()[0]) << 10,
    }


def summarize(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The largest size, every size under ``growth``, and what a shopper more costs between each and the one before."""
    growth = [dict(point) for point in points]
    for before, point in itertools.pairwise(growth):
        more = point["shoppers"] - before["shoppers"]
        point["more_seconds_per_100000"] = round(1e5 * (point["ready_seconds"] - before["ready_seconds"]) / more, 2)
        point["more_cpu_seconds_per_100000"] = round(1e5 * (point["cpu_seconds"] - before["cpu_seconds"]) / more, 2)
        point["more_bytes_per_shopper"] = round((point["rss_bytes"] - before["rss_bytes"]) / more)
    return {
        **points[-1],
        "empty": points[0],
        "growth": growth[1:],
        "partitions": PARTITIONS,
        "machine": machine(),
    }


def _print(summary: dict[str, Any], out: Path) -> None:
    columns = (
        "shoppers", "ready after", "… CPU", "… resident", "in memory", "… after", "CPU", "… per 100,000 more",
        "resident", "… per shopper more",
        "at most", "store per shopper", "changelog per shopper", "loop held at most",
    )  # fmt: skip
    rows = [
        (
            f"{p['shoppers']:,}",
            f"{p['ready_seconds']:.1f} s",
            f"{p['ready_cpu_seconds']:.1f} s",
            f"{p['ready_rss_bytes'] >> 20:,} MiB",
            f"{p['rows_in_memory']:,}",
            f"{p['warm_seconds']:.1f} s",
            f"{p['cpu_seconds']:.1f} s",
            f"{p['more_cpu_seconds_per_100000']:.2f} s" if "more_cpu_seconds_per_100000" in p else "",
            f"{p['rss_bytes'] >> 20:,} MiB",
            f"{p['more_bytes_per_shopper']:,} B" if "more_bytes_per_shopper" in p else "",
            f"{p['peak_bytes'] >> 20:,} MiB",
            f"{p['store_bytes_per_shopper']:,} B" if p["shoppers"] else "",
            f"{p['changelog_bytes_per_shopper']:,} B" if p["shoppers"] else "",
            f"{p['longest_block_ms']:,} ms",
        )
        for p in (summary["empty"], *summary["growth"])
    ]
    print_rows(columns, rows)
    click.echo(f"Written to {out}.")

"""What bots with random ids leave, with and without forgetting: ``python -m streams.bench.forgetting``.

Each event is of an id that never comes again, through one partition whose table is RocksDB as a worker has it; each run
in a process of its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import faust

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import ForgetPolicy, Rules
from streams.records.events import ItemViewed, encode_event
from streams.records.slices import Slice
from streams.state.keys import ROW
from streams.tables import PartitionTier, entity_table
from streams.terminal import print_rows

BOTS, DAYS, FORGET_DAYS, HOT_ROWS = 1_000_000, 100, 30.0, 20_000
#: Events to a slice, and flushes after each: between two of a worker hardly a bot comes.
SLICE, FLUSHES = 4096, 256
DAY_MS, _BEGAN_MS, _APPENDED_MS = 86_400_000, 1_700_000_000_000, 2_000_000_000_000


def log(bots: int, days: int) -> Iterator[Slice]:
    """One view each, evenly over the days."""
    for start in range(0, bots, SLICE):
        many = min(SLICE, bots - start)
        names = [f"bot-{n * 0x9E3779B97F4A7C15 % 2**64:016x}" for n in range(start, start + many)]
        times = [_BEGAN_MS + (start + n) * days * DAY_MS // bots for n in range(many)]
        events = [
            ItemViewed(event_id="e", shopper_id=name, event_time=at, item_id="i")
            for name, at in zip(names, times, strict=True)
        ]
        keys, values = [name.encode() for name in names], [encode_event(event) for event in events]
        yield Slice("bench", 0, range(start, start + many), [_APPENDED_MS] * many, keys, values)


def measure(bots: int, days: int, forget_days: float, folder: Path) -> dict[str, Any]:
    """Rows and bytes that are left, the most that there were, CPU per event, and per flush."""
    app = faust.App("bench", broker="kafka://127.0.0.1:1", datadir=str(folder))
    table = entity_table(app, SHOPPER.name, 1, "bench")
    rules = Rules(forget=ForgetPolicy(days=forget_days))
    processor = PartitionProcessor(SHOPPER, 0, rules, tier=PartitionTier(table, 0), limit=HOT_ROWS)
    most = 0
    began, flushes = time.thread_time(), list[float]()
    for n, slice_ in enumerate(log(bots, days)):
        processor.apply(slice_)
        for _ in range(FLUSHES):
            before = time.thread_time()
            changes = processor.drain_changes()
            flushes.append(time.thread_time() - before)
            table.write(0, changes, None)
        processor.arena.evict()
        if n % (bots // SLICE // 20 + 1) == 0:
            most = max(most, sum(key[:1] == ROW for key, _ in table.partition_db(0).items()))
    spent = time.thread_time() - began
    held = [len(key) + len(value) for key, value in table.partition_db(0).items() if key[:1] == ROW]
    table.partition_db(0).compact_range(None, None)
    return {
        "rows": len(held),
        "most_rows": most,
        "table_bytes": sum(held),
        "disk_bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        "rows_in_memory": len(processor.arena),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "timers": processor.arena.armed,
        "cpu_microseconds_per_event": spent / bots * 1e6,
        "flush_ms": 1000 * statistics.median(flushes),
    }


def _measured(bots: int, days: int, forget_days: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="offerstream-bench-") as folder:
        return measure(bots, days, forget_days, Path(folder))


@click.command()
@click.option("--bots", type=click.IntRange(1000), default=BOTS, show_default=True)
@click.option("--days", type=click.IntRange(1), default=DAYS, show_default=True, help="Over which they come.")
@click.option("--forget-days", type=float, default=FORGET_DAYS, show_default=True)
def main(bots: int, days: int, forget_days: float) -> None:
    """Measure and print."""
    rows = []
    for forgets in (0.0, forget_days):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(_measured, (bots, days, forgets))
        rows.append(
            (
                f"after {forgets:g} days" if forgets else "never",
                f"{found['rows']:,}",
                f"{found['most_rows']:,}",
                f"{found['table_bytes'] / 1e6:.1f} MB",
                f"{found['disk_bytes'] / 1e6:.1f} MB",
                f"{found['timers']:,}",
                f"{found['peak_bytes'] / 1e6:.0f} MB",
                f"{found['cpu_microseconds_per_event']:.1f} µs",
                f"{found['flush_ms']:.1f} ms",
            )
        )
    click.echo(f"{bots:,} bots, one event each, over {days} days; {HOT_ROWS:,} rows in memory.")
    print_rows(
        (
            "forgotten", "rows at the end", "at most", "packed", "on disk", "timers", "resident at most",
            "CPU per event", "CPU per flush, median",
        ),
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()

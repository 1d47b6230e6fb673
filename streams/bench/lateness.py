"""What a larger allowed lateness costs: ``python -m streams.bench.lateness``.

A clickstream in which one shopper in fifty is always two hours behind, a phone that was offline, through one partition
under several settings.
"""

from __future__ import annotations

import statistics
import time

import click
import msgspec

from streams.bench.clickstream import clickstream
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.slices import Slice
from streams.state.keys import IDS
from streams.terminal import print_rows

EVENTS, SHOPPERS, ROUNDS = 300_000, 5_000, 3
SLICE, FLUSH = 4096, 4
HOUR_MS = 3_600_000
HOURS = (1, 3, 12, 24)
OFFLINE_MS, OFFLINE_SHOPPERS = 2 * HOUR_MS, 50
_APPENDED = 2_000_000_000_000


def log() -> list[tuple[bytes, bytes]]:
    """The clickstream, with one shopper in fifty always two hours behind."""

    def sent(record: tuple[bytes, bytes]) -> int:
        happened = int(msgspec.json.decode(record[1])["event_time"])
        return happened + (OFFLINE_MS if int(record[0].rpartition(b"-")[2]) % OFFLINE_SHOPPERS == 0 else 0)

    return sorted(clickstream(EVENTS, SHOPPERS), key=sent)


def measure(records: list[tuple[bytes, bytes]], hours: int) -> tuple[float, int, int, int]:
    """CPU microseconds per event to decode, judge and fold; late events; bytes of ids in memory, and in the table."""
    processor = PartitionProcessor(SHOPPER, 0, Rules(allowed_lateness_ms=hours * HOUR_MS))
    late, chunks = 0, {}
    began = time.thread_time()
    for n, start in enumerate(range(0, len(records), SLICE)):
        some = records[start : start + SLICE]
        keys, values = zip(*some, strict=True)
        offsets = range(start, start + len(some))
        result = processor.apply(Slice("bench", 0, offsets, [_APPENDED] * len(some), keys, values))
        late += result.fates["late"]
        if n % FLUSH == 0:
            for key, value in processor.drain_changes().items():
                if key[:1] == IDS:
                    chunks[key] = value
    held = sum(len(key) + len(value) for key, value in chunks.items() if value is not None)
    assert isinstance(processor.side, ShopperSide)
    side = processor.side
    return (time.thread_time() - began) / len(records) * 1e6, late, side.applied_ids.nbytes, held


def main() -> None:
    """Measure and print."""
    records = log()
    rows = []
    for hours in HOURS:
        rounds = [measure(records, hours) for _ in range(ROUNDS)]
        micros = statistics.median(r[0] for r in rounds)
        _, late, memory, stored = rounds[0]
        cells = f"{micros:.1f}", f"{late / len(records):.2%}", f"{memory / 2**20:.1f} MiB", f"{stored / 2**20:.1f} MiB"
        rows.append((f"{hours} h", *cells))
    click.echo(f"{len(records):,} events of {SHOPPERS:,} shoppers, {SHOPPERS * 36 // 24:,} events an hour.")
    print_rows(("allowed lateness", "µs/event", "late", "ids, in memory", "ids, in the table"), rows)


if __name__ == "__main__":
    main()

"""A shoppers' table to come back to: rows folded from a clickstream by the worker's code, as a changelog holds them.

Some shoppers are folded; the others are given copies of their packed rows under ids of their own, so that a table of
a million shoppers is made in a minute. Ids of events, names and the like are those of the shoppers that were folded.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence

from models.store import Shelf
from streams.bench.clickstream import clickstream
from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import WORKERS, homes
from streams.processing.rules import Rules
from streams.records.slices import Slice
from streams.state.keys import PROGRESS, ROW, row_key

#: Shoppers that are folded, and events of each: two sessions.
FOLDED, EVENTS_EACH = 10_000, 24
SLICE = 4096
#: (partition, key, value), each as Kafka takes it.
Record = tuple[int, bytes, bytes]


def folded(shoppers: int, partitions: int, group: str) -> tuple[list[tuple[bytes, bytes]], list[dict[bytes, bytes]]]:
    """A clickstream's records, and by partition what a worker of the group would have written of them."""
    records, shelf, now = clickstream(shoppers * EVENTS_EACH, shoppers), Shelf(), int(time.time() * 1000)
    home = homes([key for key, _ in records], WORKERS, partitions).tolist()
    held: list[dict[bytes, bytes]] = []
    for partition in range(partitions):
        processor = PartitionProcessor(SHOPPER, partition, Rules(), shelf, group=group, partitions=partitions)
        mine = [record for record, of in zip(records, home, strict=True) if of == partition]
        for at in range(0, len(mine), SLICE):
            keys, values = zip(*mine[at : at + SLICE], strict=True)
            n = len(keys)
            processor.apply(Slice(SHOPPER.log, partition, range(at, at + n), [now] * n, keys, values))
        held.append({key: value for key, value in processor.drain_changes().items() if value is not None})
    return records, held


def filled(held: Sequence[dict[bytes, bytes]], shoppers: int) -> Iterator[Record]:
    """The changelog of a table of so many shoppers: the rows held, then copies; each partition's progress last."""
    rows = [[value for key, value in table.items() if key[:1] == ROW] for table in held]
    for partition, table in enumerate(held):
        yield from ((partition, key, value) for key, value in table.items() if key != PROGRESS)
    copies = [itertools.cycle(some) for some in rows]
    for first in range(sum(map(len, rows)), shoppers, SLICE):
        names = [f"copied-{i}" for i in range(first, min(first + SLICE, shoppers))]
        home = homes([name.encode() for name in names], WORKERS, len(held)).tolist()
        yield from ((of, row_key(name), next(copies[of])) for name, of in zip(names, home, strict=True))
    for partition, table in enumerate(held):
        yield partition, PROGRESS, table[PROGRESS]

"""Carries records of catalogue topics over into the log of their items, as they are.

So an item's partition has one log, and what it comes to is a property of that log. Where each record comes from is its
header: the partition of items remembers how far it has come with each, so what is carried over again counts once.
"""

from __future__ import annotations

from streams.processing.partitioning import homes
from streams.records.slices import Slice
from streams.state.write_behind import WriteBehind
from streams.topics import ITEMS
from streams.transport.sliced import ORIGIN


class Carrier:
    """``partitions``: of the items' log; ``partitioner``: how producers place keys."""

    def __init__(self, writer: WriteBehind, partitions: int, partitioner: str) -> None:
        self._writer, self._partitions, self._partitioner = writer, partitions, partitioner

    def carry(self, slice_: Slice) -> None:
        """Hand every record of a slice to the producer. Without a key, it stays in the partition it came from."""
        home = homes(slice_.keys, self._partitioner, self._partitions).tolist()
        for i, (key, value) in enumerate(zip(slice_.keys, slice_.values, strict=True)):
            partition = slice_.partition if key is None else home[i]
            self._writer.send(ITEMS.name, key, value, partition, {ORIGIN: slice_.origin(i).header()})
        self._writer.poll()

"""Carries records of catalogue topics over into the log of their items, as they are.

So an item's partition has one log, and what it comes to is a property of that log. Where each record comes from is its
header: the partition of items remembers how far it has come with each, so what is carried over again counts once.
"""

from __future__ import annotations

from streams.processing.partitioning import homes
from streams.records.slices import Slice
from streams.state.write_behind import WriteBehind
from streams.transport.sliced import ORIGIN


class Carrier:
    """``log``: the topic that is the items' log, of so many ``partitions``; ``partitioner``: how producers place
    keys."""

    def __init__(self, writer: WriteBehind, log: str, partitions: int, partitioner: str) -> None:
        self._writer, self._log, self._partitions, self._partitioner = writer, log, partitions, partitioner

    def carry(self, slice_: Slice) -> None:
        """Hand every record of a slice to the producer. Without a key, it stays in the partition it came from."""
        home = homes(slice_.keys, self._partitioner, self._partitions).tolist()
        for i, (key, value) in enumerate(zip(slice_.keys, slice_.values, strict=True)):
            partition = slice_.partition if key is None else home[i]
            self._writer.send(self._log, key, value, partition, {ORIGIN: slice_.origin(i).header()})
        self._writer.poll()

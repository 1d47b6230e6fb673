"""The one Faust table: packed rows of shoppers, bytes to bytes, RocksDB, with a changelog that is read in slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import faust
import rocksdict
from faust.stores import rocksdb
from faust.types import TP, EventT

from streams.processing.partition import older
from streams.processing.slices import Slice
from streams.topics import changelog_name
from streams.transport.sliced import SliceSchema

SHOPPERS = "shoppers"
#: Faust's default is 2 GiB of block cache per partition.
ROCKSDB = {"block_cache_size": 32 << 20, "write_buffer_size": 16 << 20, "max_write_buffer_number": 2}
_OFFSET_KEY = b"__faust\0offset__"


class ShopperTable(faust.Table[bytes, bytes]):
    """The durable tier of the feature rows.

    Rows are not written through ``table[key] = value`` (15 µs each, and only inside an agent) but in one batch per
    flush, after their changelog records were delivered: ``write``. Recovery and standbys come through
    ``apply_changelog_batch``.
    """

    def partition_db(self, partition: int) -> Any:
        """The partition's RocksDB."""
        return cast(rocksdb.Store, self.data)._db_for_partition(partition)

    def offset(self, partition: int) -> int:
        """The changelog's last offset that is in the local store; -1 when none is known."""
        held: bytes | None = self.partition_db(partition).get(_OFFSET_KEY)
        return -1 if held is None else int(held)

    def write(self, partition: int, changes: dict[bytes, bytes | None], offset: int | None) -> None:
        """Write changes and how far the changelog is in them (``offset`` of the last record) in one batch."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if offset is not None:
            batch.put(_OFFSET_KEY, str(offset).encode())
        self.partition_db(partition).write(batch)

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Take changelog slices into the local store, passing over records older than what is there.

        A worker that was stopped and continued may have written rows after its partition went to another one.
        What a row holds is decided by the log alone, so of two the one from the later offset is right.
        """
        newest: dict[TP, int] = {}
        latest: dict[int, dict[bytes, bytes | None]] = {}
        for event in batch:
            slice_ = cast(Slice, event.message.value)
            tp = TP(slice_.topic, slice_.partition)
            newest[tp] = max(newest.get(tp, -1), int(slice_.offsets[-1]))
            pending = latest.setdefault(slice_.partition, {})
            db = self.partition_db(slice_.partition)
            for key, value in zip(slice_.keys, slice_.values, strict=True):
                if key is not None:
                    held = pending[key] if key in pending else db.get(key)
                    if not older(key, value, held):
                        pending[key] = value
        for tp, offset in newest.items():
            self.write(tp.partition, latest[tp.partition], offset)


class PartitionTier:
    """One partition of the table, as the arena's durable tier."""

    def __init__(self, table: ShopperTable, partition: int) -> None:
        self.table, self.partition = table, partition

    def get(self, key: bytes) -> bytes | None:
        """The stored value, or None."""
        value: bytes | None = self.table.partition_db(self.partition).get(key)
        return value

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every stored key and value, in order of keys. Finish it: an open iterator locks the database."""
        for key, value in self.table.partition_db(self.partition).items():
            if key != _OFFSET_KEY:
                yield key, value


def shopper_table(app: faust.App, partitions: int) -> ShopperTable:
    """Declare the table on an app."""
    topic = app.topic(
        changelog_name(app.conf.id),
        schema=SliceSchema(),
        partitions=partitions,
        compacting=True,
        acks=False,
        internal=True,
        # In slices, not records.
        maxsize=64,
        allow_empty=True,
    )
    table = ShopperTable(
        app,
        name=SHOPPERS,
        partitions=partitions,
        key_type=bytes,
        value_type=bytes,
        changelog_topic=topic,
        # In slices. Not 1: Faust then goes on reading the changelog of partitions it owns.
        recovery_buffer_size=4,
        options=dict(ROCKSDB),
    )
    app.tables.add(table)
    return table

"""The Faust tables, one per entity: packed rows, bytes to bytes, RocksDB, with a changelog that is read in slices."""

from __future__ import annotations

import gc
import itertools
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import faust
import rocksdict
from faust.stores import rocksdb
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP, EventT

from streams.records.slices import Slice
from streams.state.keys import older
from streams.topics import changelog_name, table_name
from streams.transport.sliced import SliceSchema

log = logging.getLogger(__name__)
#: Faust's default is 2 GiB of block cache per partition.
ROCKSDB = {"block_cache_size": 32 << 20, "write_buffer_size": 16 << 20, "max_write_buffer_number": 2}
_OFFSET_KEY = b"__faust\0offset__"
#: Which changelog the local copy is of.
_CHANGELOG_KEY = b"__offerstream\0changelog__"


#: What RocksDB says of files that are damaged or gone, and not of a lock, permissions or a full disk.
DAMAGED = ("Corruption", "No such file")


class ChangelogError(RuntimeError):
    """The changelog does not hold the whole table any more."""


class Copy(rocksdb.Store):
    """The local copy of a table: one that is damaged, or of another changelog, is set aside and made anew."""

    changelog_id = ""

    def _open_for_partition(self, partition: int) -> Any:
        path = self.partition_path(partition)
        try:
            db = super()._open_for_partition(partition)
            why = "" if whole(db) else "cannot be read to its end"
            held = db.get(_CHANGELOG_KEY)
            if held not in (None, self.changelog_id.encode()):
                why = f"is of changelog topic {held.decode()}, which is now {self.changelog_id}"
        except Exception as error:
            if not any(sign in str(error) for sign in DAMAGED):
                raise
            why = f"is damaged ({error})"
        if why:
            db = None
            gc.collect()  # It closes when nobody refers to it.
            set_aside(path, why)
            db = super()._open_for_partition(partition)
        db.put(_CHANGELOG_KEY, self.changelog_id.encode())
        return db


def whole(db: Any) -> bool:
    """Whether a RocksDB can be read from end to end; raises where it can say what is wrong.

    Read later, a damaged block would look like the end of the table, and Faust would swallow the error in a recovery.
    """
    newest: Any = deque(db.keys(), maxlen=1)
    last = newest[0] if newest else None
    rest = db.iter()
    if last is None:
        rest.seek_to_first()
    else:
        rest.seek(last)
        rest.next()
    rest.status()
    return not rest.valid()


def set_aside(path: Path, why: str) -> None:
    """Rename a local copy that cannot be used, so that it is made anew from the changelog."""
    to = path.with_name(f"{path.name}.aside-{time.strftime('%Y%m%dT%H%M%S')}-{time.monotonic_ns()}")
    path.rename(to)
    log.warning(
        "The local copy %s %s. It was set aside as %s and is made anew from the changelog.",
        path.absolute(),
        why,
        to.absolute(),
    )


class PatientRecovery(Recovery):
    """Faust's recovery, which takes an answer that is late for its own end and never recovers again."""

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        await super()._wait(coro)

    async def _build_offsets(self, consumer: Any, tps: Any, destination: Counter[TP], title: str) -> None:
        for tp, start in (await consumer.earliest_offsets(*tps)).items():
            held = destination[tp]
            if start and start > (-1 if held is None else held) + 1:
                raise ChangelogError(
                    f"{tp.topic}, partition {tp.partition} starts at offset {start}, but the local copy ends at "
                    f"{'none' if held is None else held}: rows between were deleted (retention, or delete-records). "
                    "Start under another OFFERSTREAM_APP_ID, which makes the table anew from the log."
                )
        await super()._build_offsets(consumer, tps, destination, title)


class Tables(TableManager):
    """Faust's table manager, with a recovery that waits for Kafka, and without a second's sleep before it begins:
    all tables are declared before a worker starts."""

    async def on_start(self) -> None:
        """Begin to recover."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        """The recovery service of the tables."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class EntityTable(faust.Table[bytes, bytes]):
    """The durable tier of the feature rows.

    Rows are not written through ``table[key] = value`` (15 µs each, and only inside an agent) but in one batch per
    flush, after their changelog records were delivered: ``write``. Recovery and standbys come through
    ``apply_changelog_batch``.
    """

    changelog = changelog_id = ""
    """The topic of its changelog, and which one stands behind that name now."""

    def _new_store(self) -> Any:
        store = Copy(
            "rocksdb://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            value_type=self.value_type,
            loop=self.loop,
            options=self.options,
        )
        store.changelog_id = self.changelog_id
        return store

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

    def __init__(self, table: EntityTable, partition: int) -> None:
        self.table, self.partition = table, partition

    def get(self, key: bytes) -> bytes | None:
        """The stored value, or None."""
        value: bytes | None = self.table.partition_db(self.partition).get(key)
        return value

    def behind(self, key: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """The next records behind a key, at most so many, in order of keys. No iterator stays open, for that would lock
        the database."""
        rows = self.table.partition_db(self.partition).items(from_key=key + b"\0")
        return list(itertools.islice((row for row in rows if row[0] not in (_OFFSET_KEY, _CHANGELOG_KEY)), most))


def entity_table(app: faust.App, entity: str, partitions: int, changelog_id: str) -> EntityTable:
    """Declare an entity's table on an app. ``changelog_id``: which topic stands behind the changelog's name now."""
    changelog = changelog_name(app.conf.id, entity)
    topic = app.topic(
        changelog,
        schema=SliceSchema(),
        partitions=partitions,
        compacting=True,
        acks=False,
        internal=True,
        # In slices, not records.
        maxsize=64,
        allow_empty=True,
    )
    table = EntityTable(
        app,
        name=table_name(entity),
        partitions=partitions,
        key_type=bytes,
        value_type=bytes,
        changelog_topic=topic,
        # In slices. Not 1: Faust then goes on reading the changelog of partitions it owns.
        recovery_buffer_size=2,
        options=dict(ROCKSDB),
    )
    table.changelog, table.changelog_id = changelog, changelog_id
    app.tables.add(table)
    return table

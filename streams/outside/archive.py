"""An archive: what others produced, kept as Parquet by day in a folder or at any URL that fsspec knows.

Kafka keeps events for its retention; "orders ever" needs years. ``URL/TOPIC/day=2026-11-29/p00003-FIRST-NEXT.parquet``
holds the records of a partition from offset FIRST to before NEXT that were appended on that day (UTC): a row each, with
``partition``, ``offset``, ``time`` (when it was appended), ``key`` and ``value`` as they were sent. What a file holds
stands in its name, so how far the archive has come needs no ledger: a run that was killed left whole files, and the
next one goes on behind them. Two runs at once, and one that was killed while it merged, leave records in two files:
``Archive.logs`` takes each offset once, and the next run mends the files.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec

from streams.admin import Identity
from streams.outside.reading import Reader, Record
from streams.topics import SOURCES

#: A file is written of no more bytes of keys and values than these, and crosses no multiple of this offset: so much do
#: files that are merged hold at most.
MOST_BYTES, CELL = 128 << 20, 1 << 18
#: So many rows are read at once.
BLOCK = 8192
_NAME = re.compile(r"day=(\d{4}-\d\d-\d\d)/p(\d{5})-(\d{19})-(\d{19})\.parquet$")
_ABOUT = "_topic.json"


class ArchiveError(RuntimeError):
    """An archive cannot be read or written, or is of another topic."""


class About(msgspec.Struct, frozen=True):
    """Which topic a folder is of."""

    topic: str
    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A file: a partition's records from offset ``first`` to before ``next``."""

    partition: int
    first: int
    next: int
    day: str
    path: str = field(compare=False)


@dataclass(slots=True)
class Added:
    """What a run wrote of a topic. ``lost``: records that Kafka had deleted before they were archived."""

    topic: str
    records: int = 0
    files: int = 0
    lost: int = 0
    merged: int = 0
    """Files whose records stand in a larger one, and that were removed."""


class Archive:
    """The archive at a URL; it need not exist before something is added. Everything raises ``ArchiveError``."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise ArchiveError("An archive needs the extra 'data': pip install 'offerstream[data]'.") from error
        try:
            self._files, self._root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ArchiveError(f"{url} cannot be opened: {error}") from error

    def topics(self) -> list[str]:
        """The topics that it holds; none where nothing was archived."""
        return [topic.name for topic in SOURCES.values() if self._files.exists(self._path(topic.name, _ABOUT))]

    def about(self, topic: str) -> About:
        """Which topic the records are of."""
        try:
            return msgspec.json.decode(self._files.cat_file(self._path(topic, _ABOUT)), type=About)
        except (OSError, msgspec.MsgspecError) as error:
            raise ArchiveError(f"{self.url} holds no archive of {topic}: {error}") from error

    def parts(self, topic: str) -> list[Part]:
        """Its files in order of partitions and offsets, without those whose records others hold as well."""
        return _largest(self._found(topic))

    def ends(self, topic: str) -> dict[int, int]:
        """By partition, the offset before which all is archived."""
        return {part.partition: part.next for part in self.parts(topic)}

    def logs(self, topic: str) -> list[Iterator[Record]]:
        """Of each partition the records in the order of its log, each once."""
        kept: list[list[Part]] = [[] for _ in range(self.about(topic).partitions)]
        for part in self.parts(topic):
            kept[part.partition].append(part)
        return [self._read(topic, parts) for parts in kept]

    def add(
        self, reader: Reader, topic: str, identity: Identity, tell: Callable[[int], None] = lambda _n: None
    ) -> Added:
        """Archive what a topic holds now and the archive does not; then merge files, and remove those that were.
        ``tell`` is told the number of records written so far."""
        self._begin(topic, identity)
        added, ends = Added(topic), self.ends(topic)
        for partition in range(identity.partitions):
            low, high = reader.extent((topic, partition))
            start = ends.get(partition, low)
            if start > high:
                raise ArchiveError(
                    f"{topic} ends at offset {high}, but {self.url} holds it up to {start}: another topic?"
                )
            added.lost += max(0, low - start)
            start = max(start, low)
            for day, block in _cut(reader.between((topic, partition), start, high)):
                after = block[-1].offset + 1
                self._write(topic, Part(partition, start, after, day, ""), block)
                start, added.records, added.files = after, added.records + len(block), added.files + 1
                tell(added.records)
        added.merged = self._merge(topic)
        return added

    def _begin(self, topic: str, identity: Identity) -> None:
        path, about = self._path(topic, _ABOUT), About(topic, identity.topic_id, identity.partitions)
        try:
            if not self._files.exists(path):
                self._files.makedirs(self._path(topic), exist_ok=True)
                self._files.pipe_file(path, msgspec.json.encode(about))
        except OSError as error:
            raise ArchiveError(f"{self.url} cannot be written to: {error}") from error
        if (held := self.about(topic)) != about:
            raise ArchiveError(
                f"{self.url} is of another {topic} ({held.topic_id} with {held.partitions} partitions; this one is "
                f"{about.topic_id} with {about.partitions}): it was made anew. Archive it to another URL."
            )

    def _found(self, topic: str) -> list[Part]:
        """All its files."""
        try:
            self._files.invalidate_cache()
            paths = self._files.find(self._path(topic))
        except OSError as error:
            raise ArchiveError(f"{self.url} cannot be listed: {error}") from error
        matches = ((_NAME.search(path), path) for path in map(str, paths))
        return [Part(int(m[2]), int(m[3]), int(m[4]), m[1], path) for m, path in matches if m]

    def _merge(self, topic: str) -> int:
        """Make one file of those that hold the same records, and of the small ones of each day that is over; return
        how many were removed.

        A file is removed only when one file holds all that it does, and none is ever made smaller: wherever this run is
        killed, and whatever another one does at once, no record goes. What a killed run left to be removed goes here.
        """
        found = self._found(topic)
        for group in _groups(_largest(found)):
            whole = Part(group[0].partition, group[0].first, group[-1].next, group[0].day, "")
            try:
                records = list(self._read(topic, group))
            except ArchiveError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    continue  # Another run merged it.
                raise
            found.append(self._write(topic, whole, records))
        kept = {part.path for part in _largest(found)}
        gone = [part.path for part in found if part.path not in kept]
        self._remove(gone)
        return len(gone)

    def _read(self, topic: str, parts: Iterable[Part]) -> Iterator[Record]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        known = -1
        for part in parts:
            try:
                with self._files.open(part.path, "rb") as file:
                    for batch in pq.ParquetFile(file).iter_batches(BLOCK, columns=["offset", "time", "key", "value"]):
                        times = batch.column("time").cast(pa.int64()).to_pylist()
                        rest = (batch.column(name).to_pylist() for name in ("offset", "key", "value"))
                        for time_ms, offset, key, value in zip(times, *rest, strict=True):
                            if offset > known:
                                known = offset
                                yield Record(topic, part.partition, offset, time_ms, key, value)
            except (OSError, pa.ArrowException) as error:
                raise ArchiveError(f"{part.path} cannot be read: {error}") from error

    def _write(self, topic: str, part: Part, records: list[Record]) -> Part:
        """Write a file, which is there as a whole or not at all; return it with its path."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {
                "partition": pa.array([part.partition] * len(records), pa.int32()),
                "offset": pa.array([record.offset for record in records], pa.int64()),
                "time": pa.array([record.time_ms for record in records], pa.timestamp("ms", "UTC")),
                "key": pa.array([record.key for record in records], pa.binary()),
                "value": pa.array([record.value for record in records], pa.binary()),
            }
        )
        held = io.BytesIO()
        pq.write_table(table, held, compression="zstd")
        folder, new = self._path(topic, f"day={part.day}"), self._path(topic, f"_new-{uuid.uuid4().hex}")
        path = f"{folder}/p{part.partition:05d}-{part.first:019d}-{part.next:019d}.parquet"
        try:
            self._files.makedirs(folder, exist_ok=True)
            self._files.pipe_file(new, held.getvalue())
            self._files.mv(new, path)
        except OSError as error:
            raise ArchiveError(f"{self.url} cannot be written to: {error}") from error
        return replace(part, path=path)

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            try:
                self._files.rm_file(path)
            except FileNotFoundError:
                pass  # Another run did.
            except OSError as error:
                raise ArchiveError(f"{path} cannot be removed: {error}") from error

    def _path(self, *names: str) -> str:
        return "/".join((str(self._root).rstrip("/"), *names))


def _largest(found: Iterable[Part]) -> list[Part]:
    """In order, the files whose records no other one holds as well; of two that hold the same, the one of the earlier
    day."""
    kept: list[Part] = []
    for part in sorted(found, key=lambda p: (p.partition, p.first, -p.next, p.day)):
        if not kept or kept[-1].partition != part.partition or part.next > kept[-1].next:
            kept.append(part)
    return kept


def _groups(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Of files in order, none of which holds all of another: those that are to be one. They overlap, or follow each
    other on a day that is over; no record is missing between them, so a file holds all that its name says."""
    newest = {part.partition: part.day for part in parts}
    group: list[Part] = []
    for part in parts:
        if group and part.partition == group[0].partition:
            over = part.day == group[0].day != newest[part.partition]
            fits = (part.next - 1) // CELL == group[0].first // CELL
            if part.first < group[-1].next or (part.first == group[-1].next and over and fits):
                group.append(part)
                continue
        if len(group) > 1:
            yield group
        group = [part]
    if len(group) > 1:
        yield group


def _cut(records: Iterable[Record]) -> Iterator[tuple[str, list[Record]]]:
    """Days and their records in order. A record that says an earlier time than one before it was still appended after
    it: it is of that day."""
    block: list[Record] = []
    day, size, newest = "", 0, 0
    for record in records:
        newest = max(newest, record.time_ms)
        its = datetime.fromtimestamp(newest / 1000, UTC).date().isoformat()
        if block and (its != day or record.offset // CELL != block[0].offset // CELL or size >= MOST_BYTES):
            yield day, block
            block, size = [], 0
        day = its
        block.append(record)
        size += len(record.key or b"") + len(record.value or b"")
    if block:
        yield day, block


def is_archive(url: str) -> bool:
    """Whether something was archived there; False where nothing can be."""
    try:
        return bool(Archive(url).topics())
    except (ArchiveError, OSError):
        return False

"""Before and after a replay: whether what is to be sent would come too late, and what became of what was sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice

from streams.inspect import Progress, progress, watermarks
from streams.processing.partitioning import homes
from streams.producer.replay import Record, ReplayError, Sent
from streams.reading import Reader
from streams.records.words import shown_time
from streams.settings import Settings
from streams.topics import EVENTS

#: The fates of records; ticks and choices are the workers' own.
FATES = ("applied", "duplicate", "late", "dead")
_CHUNK = 4096


def refuse_late(settings: Settings, records: Iterable[Record], *, in_order: bool) -> None:
    """Make sure that no record is older than the watermark of the partition it goes to: it would count for nothing.

    ``in_order``: by event time, so that the first one that is new enough settles it. Raises ``ReplayError``, and what
    reading ``records`` raises, before Kafka is asked.
    """
    source = iter(records)
    first = next(source, None)
    if first is None:
        return
    with Reader(settings.access) as reader:
        marks = watermarks(reader, settings)
    for record, partition in _older(chain([first], source), max(marks.values()), settings, len(marks), in_order):
        assert record.time_ms is not None
        if record.time_ms < marks[partition]:
            raise ReplayError(
                f"Nothing was sent: the event of {(record.key or b'').decode(errors='replace')} at "
                f"{shown_time(record.time_ms)} would be late, and maybe others. Partition {partition}, where it "
                f"belongs, has come to {shown_time(marks[partition])}; what is older counts in no feature. A history "
                "goes first, live events after it: docs/operating.md, History first, then live. To send it "
                "all the same: --force"
            )


def _older(
    records: Iterator[Record], mark_ms: int, settings: Settings, partitions: int, in_order: bool
) -> Iterator[tuple[Record, int]]:
    """The records that are older than a time, with the partitions they belong to."""

    def old() -> Iterator[Record]:
        for record in records:
            if record.time_ms is not None and record.time_ms < mark_ms:
                yield record
            elif in_order and record.time_ms is not None:
                return

    source = old()
    while chunk := list(islice(source, _CHUNK)):
        keys = [record.key for record in chunk]
        yield from zip(chunk, homes(keys, settings.partitioner, partitions).tolist(), strict=True)


def wait(
    settings: Settings,
    sent: Sent,
    before: Mapping[int, Progress],
    told: Callable[[int], None] = lambda _n: None,
    patience_seconds: float = 60.0,
) -> Counter[str]:
    """Wait until the group has applied everything that was sent; the fates of all records that were applied since
    ``before``, which may hold others'. ``told`` is told how many were. Raises ``ReplayError`` when nothing is applied
    for ``patience_seconds``."""
    patience, last = time.monotonic() + patience_seconds, -1
    with Reader(settings.access) as reader:
        while True:
            now = progress(reader, settings)
            found: Counter[str] = Counter()
            ends = {partition: end for (topic, partition), end in sent.ends.items() if topic == EVENTS.name}
            for partition in ends:
                for fate in FATES:
                    found[fate] += now[partition].fates[fate] - before.get(partition, Progress()).fates[fate]
            behind = {p: end - now[p].next_offset for p, end in ends.items() if now[p].next_offset < end}
            if not behind:
                return found
            done = found.total()
            told(done)
            if done != last:
                patience, last = time.monotonic() + patience_seconds, done
            if time.monotonic() > patience:
                raise ReplayError(
                    f"{sum(behind.values()):,} records wait in {len(behind)} partitions, and group {settings.app_id!r} "
                    f"(OFFERSTREAM_APP_ID) applied none for {patience_seconds:.0f} s. Does a worker run, and does its "
                    "/ready answer? What was sent stays in Kafka and is applied when one does."
                )
            time.sleep(0.5)


def in_words(sent: int, found: Counter[str]) -> str:
    """What became of what was sent.

    >>> print(in_words(4, Counter(applied=3, dead=1)))
    Fates: 3 applied, 0 duplicate, 0 late, 1 dead. Why, and what to do: offerstream dead-letters
    >>> print(in_words(3, Counter(applied=4, late=1)))
    Fates: 4 applied, 0 duplicate, 1 late, 0 dead, with 2 that others sent or that waited before. Late ones count \
in no feature; they are in late-events.v1.
    """
    text = "Fates: " + ", ".join(f"{found[fate]:,} {fate}" for fate in FATES)
    if (others := found.total() - sent) > 0:
        text += f", with {others:,} that others sent or that waited before"
    text += "."
    if found["late"]:
        text += " Late ones count in no feature; they are in late-events.v1."
    if found["dead"]:
        text += " Why, and what to do: offerstream dead-letters"
    return text

"""Before and after a replay: whether what is to be sent would come too late, and what became of what was sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice

from streams.entities.contents import find
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.outside.inspect import Progress, progress, watermarks
from streams.outside.reading import Reader, committed
from streams.processing.decode import NO_TIME
from streams.processing.partitioning import homes
from streams.producer.replay import Record, ReplayError, Sent
from streams.records.words import shown_time
from streams.settings import Settings
from streams.topics import CARRIED, EVENTS

#: The fates of records; ticks, choices and what is merged are the workers' own. What is forwarded is applied elsewhere.
FATES = ("applied", "duplicate", "late", "dead", "forwarded")
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
        marks = _marks(reader, settings)
    for record, partition in _older(chain([first], source), marks, settings, in_order):
        assert record.time_ms is not None
        if record.time_ms < marks[record.topic][partition]:
            raise ReplayError(
                f"Nothing was sent: the record of {(record.key or b'').decode(errors='replace')} at "
                f"{shown_time(record.time_ms)} would be late, and maybe others. Partition {partition} of "
                f"{record.topic}, where it belongs, has come to {shown_time(marks[record.topic][partition])}; what is "
                "older counts in no feature. A history goes first, live events after it: docs/operating.md, History "
                "first, then live. To send it all the same: --force. To start over, as with a file that was corrected: "
                "a fresh broker --dir and worker --data-dir."
            )


def _marks(reader: Reader, settings: Settings) -> dict[str, list[int]]:
    """By topic, what is too old in each of its partitions, UTC milliseconds since 1970."""
    found = {EVENTS.name: list(watermarks(reader, settings).values())}
    lateness = settings.rules().allowed_lateness_ms
    carried = [held.carried_ms for held in standing(reader, settings).get(ITEM.name, {}).values()]
    for topic in CARRIED:
        if reader.exists(topic.name):
            places = [f"{topic.name}/{partition}" for partition in range(reader.partitions(topic.name))]
            found[topic.name] = [max(held.get(p, NO_TIME) for held in [{}, *carried]) - lateness for p in places]
    return found


def _older(
    records: Iterator[Record], marks: Mapping[str, list[int]], settings: Settings, in_order: bool
) -> Iterator[tuple[Record, int]]:
    """The records that are too old for some partition of their topic, with the one they belong to."""
    most = {topic: max(of) for topic, of in marks.items()}

    def old() -> Iterator[Record]:
        for record in records:
            if record.time_ms is not None and record.time_ms < most.get(record.topic, NO_TIME):
                yield record
            elif in_order and record.time_ms is not None:
                return

    source = old()
    while chunk := list(islice(source, _CHUNK)):
        for topic in dict.fromkeys(record.topic for record in chunk):
            some = [record for record in chunk if record.topic == topic]
            home = homes([record.key for record in some], settings.partitioner, len(marks[topic]))
            yield from zip(some, home.tolist(), strict=True)


#: entity → partition of its log → how far that was applied
Standing = Mapping[str, Mapping[int, Progress]]


def standing(reader: Reader, settings: Settings) -> Standing:
    """How far the group has come with the log of each entity that it keeps. Raises ``TopicError``."""
    kept = [find(name) for name in settings.kept_entities]
    there = [entity for entity in kept if reader.exists(entity.topic(settings.app_id))]
    return {entity.name: progress(reader, settings, entity) for entity in there}


def wait(
    settings: Settings,
    sent: Sent,
    before: Standing,
    told: Callable[[int], None] = lambda _n: None,
    patience_seconds: float = 60.0,
) -> Counter[str]:
    """Wait until the group has applied everything that was sent; the fates of all records that were applied since
    ``before``, which may hold others'. ``told`` is told how many of those sent were. Raises ``ReplayError`` when
    nothing is applied for ``patience_seconds``."""
    patience, last, done = time.monotonic() + patience_seconds, -1, 0
    events = {partition: end for (topic, partition), end in sent.ends.items() if topic == EVENTS.name}
    carried = {place: end for place, end in sent.ends.items() if place[0] != EVENTS.name}
    ends: dict[str, dict[int, int]] = {SHOPPER.name: events}
    with Reader(settings.access) as reader:
        while True:
            waiting = 0
            if carried and ITEM.name not in ends:
                offsets = committed(settings.access, settings.app_id, carried)
                waiting = sum(max(0, end - offsets.get(place, 0)) for place, end in carried.items())
                if not waiting:  # All of it is in the items' log: before its present end.
                    log = ITEM.topic(settings.app_id)
                    ends[ITEM.name] = {p: reader.extent((log, p))[1] for p in range(reader.partitions(log))}
            now = standing(reader, settings)
            found: Counter[str] = Counter()
            for entity, until in ends.items():
                for partition, end in until.items():
                    held = now.get(entity, {}).get(partition, Progress())
                    was = before.get(entity, {}).get(partition, Progress())
                    found.update({fate: held.fates[fate] - was.fates[fate] for fate in FATES})
                    waiting += max(0, end - held.next_offset)
            if not waiting:
                return found
            done = max(done, sent.records - waiting)  # the logs hold records of workers, too
            told(done)
            if found.total() - waiting != last:
                patience, last = time.monotonic() + patience_seconds, found.total() - waiting
            if time.monotonic() > patience:
                raise ReplayError(
                    f"{waiting:,} records wait, and group {settings.app_id!r} (OFFERSTREAM_APP_ID) applied none for "
                    f"{patience_seconds:.0f} s. Does a worker run, does its /ready answer, and does it keep what the "
                    "records are about (OFFERSTREAM_ENTITIES)? What was sent stays in Kafka and is applied when one "
                    "does."
                )
            time.sleep(0.5)


def in_words(sent: int, found: Counter[str]) -> str:
    """What became of what was sent. Of the records that were applied some more are workers' own (what shoppers did to
    items, news of items) or others'.

    >>> print(in_words(4, Counter(applied=3, dead=1)))
    Fates: 3 applied, 0 duplicate, 0 late, 1 dead. Why, and what to do: offerstream dead-letters
    >>> print(in_words(3, Counter(applied=4, late=1)))
    Fates: 2 applied, 0 duplicate, 1 late, 0 dead. Workers applied 2 more, that they or others wrote or that waited \
before. Late ones count in no feature; they are in late-events.v1.
    """
    more = min(max(0, found.total() - sent), found["applied"])
    fates = found - Counter(applied=more)
    text = "Fates: " + ", ".join(f"{fates[fate]:,} {fate}" for fate in FATES if fates[fate] or fate != "forwarded")
    text += "."
    if more:
        text += f" Workers applied {more:,} more, that they or others wrote or that waited before."
    if found["late"]:
        text += " Late ones count in no feature; they are in late-events.v1."
    if found["dead"]:
        text += " Why, and what to do: offerstream dead-letters"
    return text

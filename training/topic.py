"""The topics that a shop produces to as a history: every partition from its first record that is still there to its
present end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from streams.access import Access
from streams.outside.reading import Reader, Record
from streams.records.slices import Slice
from streams.topics import CATALOG, EVENTS, REVIEWS, Topic
from training.errors import TrainingError
from training.history import BLOCK
from training.records import Log

#: What is told of shoppers, and of items.
OF_SHOPPERS, OF_ITEMS = (EVENTS,), (CATALOG, REVIEWS)


def called(topics: Sequence[Topic]) -> str:
    """What a history of some topics is called."""
    return " and ".join(topic.name for topic in topics)


def check(kafka: Access, topics: Sequence[Topic]) -> None:
    """Raises ``TopicError`` where no broker answers or has a topic, ``TrainingError`` where none holds anything."""
    with Reader(kafka) as reader:
        extents = [reader.extent((t.name, p)) for t in topics for p in range(reader.partitions(t.name))]
    if all(low >= high for low, high in extents):
        raise TrainingError(
            f"{called(topics)} at {kafka.servers} holds no record. Produce to it, or send a history: offerstream "
            "replay FILE."
        )


def logs(kafka: Access, topics: Sequence[Topic]) -> Iterator[Log]:
    """The partitions, up to where they end when the first is asked for. Raises ``TopicError``."""
    with Reader(kafka) as reader:
        counts = {t.name: reader.partitions(t.name) for t in topics}
        extents = {(name, p): reader.extent((name, p)) for name, count in counts.items() for p in range(count)}
        for (name, partition), (low, high) in extents.items():
            yield Log(slices(name, partition, reader.between((name, partition), low, high)), counts[name])


def slices(topic: str, partition: int, records: Iterator[Record]) -> Iterator[Slice]:
    """The records of a partition, some at a time."""
    while block := list(islice(records, BLOCK)):
        yield Slice(
            topic,
            partition,
            [record.offset for record in block],
            [record.time_ms for record in block],
            [record.key for record in block],
            [record.value for record in block],
        )


def gone(kafka: Access, topics: Sequence[Topic]) -> str:
    """What the topics held before their first records of now, in words; empty where they held nothing."""
    with Reader(kafka) as reader:
        before = [sum(reader.extent((t.name, p))[0] for p in range(reader.partitions(t.name))) for t in topics]
    return " ".join(
        f"Of {t.name} {n:,} older records are gone: Kafka keeps them for its retention.ms ({t.retention_days} days "
        "where offerstream made the topic). Keep them longer, or train from files."
        for t, n in zip(topics, before, strict=True)
        if n
    )

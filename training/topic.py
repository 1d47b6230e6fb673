"""The events topic as a history: every partition from its first record that is still there to its present end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from streams.access import Access
from streams.outside.reading import Reader, Record
from streams.records.slices import Slice
from streams.topics import EVENTS
from training.errors import TrainingError
from training.history import BLOCK
from training.records import Log


def check(kafka: Access) -> None:
    """Raises ``TopicError`` where no broker answers or has the topic, ``TrainingError`` where it holds nothing."""
    with Reader(kafka) as reader:
        partitions = range(reader.partitions(EVENTS.name))
        extents = [reader.extent((EVENTS.name, p)) for p in partitions]
    if all(low >= high for low, high in extents):
        raise TrainingError(
            f"{EVENTS.name} at {kafka.servers} holds no record. Have storefronts produce to it, or send a history: "
            "offerstream replay FILE."
        )


def logs(kafka: Access) -> Iterator[Log]:
    """The partitions, up to where they end when the first is asked for. Raises ``TopicError``."""
    with Reader(kafka) as reader:
        count = reader.partitions(EVENTS.name)
        extents = [reader.extent((EVENTS.name, p)) for p in range(count)]
        for partition, (low, high) in enumerate(extents):
            yield Log(slices(partition, reader.between((EVENTS.name, partition), low, high)), count)


def slices(partition: int, records: Iterator[Record]) -> Iterator[Slice]:
    """The records of one of its partitions, some at a time."""
    while block := list(islice(records, BLOCK)):
        yield Slice(
            EVENTS.name,
            partition,
            [record.offset for record in block],
            [record.time_ms for record in block],
            [record.key for record in block],
            [record.value for record in block],
        )


def gone(kafka: Access) -> str:
    """What the topic held before its first record of now, in words; empty where it held nothing."""
    with Reader(kafka) as reader:
        before = sum(reader.extent((EVENTS.name, p))[0] for p in range(reader.partitions(EVENTS.name)))
    if not before:
        return ""
    return (
        f"Of {EVENTS.name} {before:,} older records are gone: Kafka keeps them for its retention.ms "
        f"({EVENTS.retention_days} days where offerstream made the topic). Keep them longer, or train from files."
    )

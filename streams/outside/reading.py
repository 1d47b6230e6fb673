"""Reads topics from outside, as anybody may: nothing is committed and no group is joined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.access import Access
from streams.admin import TopicError, admin_client
from streams.compacted import PASSING

PATIENCE_SECONDS = 30.0
#: What Kafka says of a group that nobody has joined, or may not be told of.
NOBODY, NOT_TOLD = "GROUP_ID_NOT_FOUND", "GROUP_AUTHORIZATION_FAILED"
#: A new topic's partitions, or those of a broker that stops, have no leader for a moment.
CHOOSING = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
_T = TypeVar("_T")
#: (topic, partition)
Place = tuple[str, int]


def members(kafka: Access, group: str) -> int | None:
    """How many members a consumer group has; None for a user who may not ask. Raises ``TopicError``."""
    try:
        with admin_client(kafka) as admin:
            return len(admin.describe_consumer_groups([group], request_timeout=10)[group].result(11).members)
    except KafkaException as error:
        if error.args[0].name() not in (NOBODY, NOT_TOLD):
            raise TopicError(f"Group {group} cannot be described: {error.args[0].str()}") from error
        return 0 if error.args[0].name() == NOBODY else None


def committed(kafka: Access, group: str, places: Iterable[Place]) -> dict[Place, int]:
    """Before which offset a group says that all was processed; 0 where it says nothing. Raises ``TopicError``.

    Asked of a consumer that does not join the group: librdkafka's administration ends the process when a coordinator
    answers that it is none any more.
    """
    consumer = Consumer(kafka.librdkafka() | {"group.id": group, "enable.auto.commit": False, "log_level": 2})
    try:
        told = consumer.committed([TopicPartition(*place) for place in places], timeout=10)
    except KafkaException as error:
        raise TopicError(f"What group {group} committed cannot be read: {error.args[0].str()}") from error
    finally:
        consumer.close()
    return {(each.topic, each.partition): max(0, each.offset) for each in told}


@dataclass(frozen=True, slots=True)
class Record:
    """A record as Kafka holds it; ``time_ms`` is its timestamp there."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None


class Reader:
    """A consumer whose partitions are assigned by hand. Use it as a context. Everything raises ``TopicError``, the
    beginning also ``Unreachable``."""

    def __init__(self, kafka: Access) -> None:
        kafka.require()
        self._kafka = kafka
        self._consumer = Consumer(
            kafka.librdkafka()
            | {
                "group.id": "offerstream-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                # A fetch that waits at the end of one partition holds up the first one of the next.
                "fetch.wait.max.ms": 50,
                "log_level": 2,
            }
        )

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End reading."""
        self._consumer.close()

    def exists(self, topic: str) -> bool:
        """Whether a topic is there."""
        return self._count(topic) is not None

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        found = self._count(topic)
        if found is None:
            raise TopicError(f"{topic} does not exist at {self._kafka.servers}: offerstream topics create")
        return found

    def _count(self, topic: str) -> int | None:
        def described() -> int | None:
            found = self._consumer.list_topics(topic, timeout=10).topics[topic]
            if found.error is None:
                return len(found.partitions)
            if found.error.code() in CHOOSING:
                raise KafkaException(found.error)
            return None

        return self._ask(described)

    def extent(self, place: Place) -> tuple[int, int]:
        """The first offset that is there, and the one that the next record will have."""
        low, high = self._ask(lambda: self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=10))
        return low, high

    def since(self, place: Place, time_ms: int) -> int:
        """The offset of the first record that Kafka has from a time on; the end where there is none."""
        (found,) = self._ask(lambda: self._consumer.offsets_for_times([TopicPartition(*place, time_ms)], timeout=10))
        return int(found.offset) if found.offset >= 0 else self.extent(place)[1]

    def follow(self, starts: Mapping[Place, int], seconds: float = 0.5) -> Iterator[list[Record]]:
        """Records from these offsets on, as they come, for ever: what came within some time, which may be nothing."""
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
        while True:
            yield self._taken(self._consumer.consume(1000, seconds))[0]

    def between(self, place: Place, start: int, end: int) -> Iterator[Record]:
        """The records from one offset to before another."""
        return self.together({place: (start, end)})

    def together(self, spans: Mapping[Place, tuple[int, int]]) -> Iterator[Record]:
        """The records of several partitions, of each from one offset to before another: of one in order, of several as
        Kafka gives them. One after the other would wait for Kafka as often as there are partitions."""
        ends = {place: end for place, (start, end) in spans.items() if start < end}
        if not ends:
            return
        self._consumer.assign([TopicPartition(*place, spans[place][0]) for place in ends])
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            # What is there comes at once: the first waits, and the others do not wait for more.
            found, over = self._taken(self._consumer.consume(1, 0.2) + self._consumer.consume(1000, 0))
            for record in found:
                end = ends.get((record.topic, record.partition), 0)
                if record.offset < end:
                    yield record
                if record.offset >= end - 1:
                    over.append((record.topic, record.partition))
            if over := [place for place in dict.fromkeys(over) if ends.pop(place, None) is not None]:
                # Also of the last one: what is asked next would wait for a fetch that waits for records.
                self._consumer.incremental_unassign([TopicPartition(*place) for place in over])
                if not ends:
                    return
            if found or over:
                patience = time.monotonic() + PATIENCE_SECONDS
            elif time.monotonic() > patience:
                raise TopicError(f"{next(iter(ends))[0]} did not answer for {PATIENCE_SECONDS:.0f} s.")

    def whole(self, topic: str) -> Iterator[Record]:
        """All records of a topic up to its present end, partition after partition."""
        for partition in range(self.partitions(topic)):
            place = (topic, partition)
            yield from self.between(place, *self.extent(place))

    def newest(self, places: Iterable[Place], fits: Callable[[Record], bool], least: int = 64) -> list[Record]:
        """Of each partition the records that fit among its last so many (``least``); where none does, among the eight
        times as many before, and so on: cheap where what is looked for is near the end."""
        extents, size, every = {place: self.extent(place) for place in places}, least, list[Record]()
        while extents := {place: (low, high) for place, (low, high) in extents.items() if low < high}:
            spans = {place: (max(low, high - size), high) for place, (low, high) in extents.items()}
            found = [record for record in self.together(spans) if fits(record)]
            every += found
            fruitless = extents.keys() - {(record.topic, record.partition) for record in found}
            extents = {place: (extents[place][0], spans[place][0]) for place in fruitless}
            size *= 8
        return every

    def _taken(self, messages: Iterable[Message]) -> tuple[list[Record], list[Place]]:
        """Their records, and which partitions came to their end."""
        found, over = list[Record](), list[Place]()
        for message in messages:
            error, topic, partition, offset = message.error(), message.topic(), message.partition(), message.offset()
            if error is not None and error.code() in PASSING:
                continue
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise TopicError(f"{topic} cannot be read: {error.str()}. offerstream topics check")
            assert topic is not None
            assert partition is not None
            assert offset is not None
            if error is not None:
                over.append((topic, partition))
                continue
            key, value = message.key(), message.value()
            found.append(Record(topic, partition, offset, message.timestamp()[1], _bytes(key), _bytes(value)))
        return found, over

    def _ask(self, question: Callable[[], _T]) -> _T:
        """Kafka's answer; a partition whose leader is being chosen is asked again."""
        patience = time.monotonic() + PATIENCE_SECONDS
        with self._kafka.answering(KafkaException, TopicError):
            while True:
                try:
                    return question()
                except KafkaException as error:
                    if error.args[0].code() not in CHOOSING or time.monotonic() > patience:
                        raise
                time.sleep(0.1)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value

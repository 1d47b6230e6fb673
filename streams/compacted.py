"""Compacted topics of one partition: what operators said last of each key, read by every worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.access import Access
from streams.admin import TopicError, wait_for
from streams.topics import Topic

log = logging.getLogger(__name__)
#: A broker is away: the client goes on by itself.
PASSING = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT)


class Newest(Protocol):
    """The newest record of every key, and what follows from them."""

    def apply(self, record: Any, /) -> None:
        """Take a record; a later one of the same key replaces it. Whoever reads meanwhile sees all of it or none."""


_N = TypeVar("_N", bound=Newest)


@dataclass(frozen=True, slots=True)
class Board(Generic[_N]):
    """A topic, how its records are read (raises ``msgspec.DecodeError``), and what they are collected in."""

    topic: Topic
    decode: Callable[[bytes], Any]
    empty: Callable[[], _N]


def put(kafka: Access, topic: Topic, records: list[tuple[bytes, bytes]]) -> None:
    """Put records into a topic, by key, and wait until they are there. Raises ``TopicError``."""
    _put(kafka, topic, [{"key": key, "value": value} for key, value in records])


def put_at(kafka: Access, topic: Topic, records: list[tuple[int, bytes]]) -> None:
    """Put records without a key into partitions of a topic, and wait until they are there. Raises ``TopicError``."""
    _put(kafka, topic, [{"partition": partition, "value": value} for partition, value in records])


def _put(kafka: Access, topic: Topic, records: list[dict[str, Any]]) -> None:
    producer = Producer(kafka.librdkafka() | {"enable.idempotence": True, "log_level": 2})
    failed: list[str] = []
    for record in records:
        producer.produce(
            topic.name, on_delivery=lambda error, _message: failed.append(error.str()) if error else None, **record
        )
        producer.poll(0)
    if producer.flush(30) or failed:
        raise TopicError(f"{topic.name} did not take the change: {failed or 'no answer'}. offerstream topics check")


def newest(kafka: Access, board: Board[_N]) -> _N:
    """A topic as it stands. Raises ``TopicError``, ``Unreachable``."""
    kafka.require()
    found = board.empty()
    for record in _records(kafka, board, lambda: False, follow=False):
        if record is not None:
            found.apply(record)
    return found


def _records(kafka: Access, board: Board[Any], stop: Callable[[], bool], *, follow: bool) -> Iterator[Any]:
    """Records from the first on; None when all that was there has been read. Without ``follow``, ends there."""
    name = board.topic.name
    consumer = Consumer(
        kafka.librdkafka()
        | {
            "group.id": "offerstream-control",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    try:
        if wait_for(consumer, [name], 2) and name not in consumer.list_topics(timeout=10).topics:
            raise TopicError(f"{name} does not exist: offerstream topics create")
        place = TopicPartition(name, 0, 0)
        low, high = _extent(consumer, place)
        consumer.assign([place])
        patience = time.monotonic() + 30
        if ended := low == high:
            yield None
        while follow or not ended:
            if stop():
                return
            message = consumer.poll(0.1)
            if not ended and time.monotonic() > patience:
                raise TopicError(f"{name} did not answer for 30 s.")
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() in PASSING:
                    continue
                if error.code() != KafkaError._PARTITION_EOF:
                    raise TopicError(f"{name} cannot be read: {error.str()}. offerstream topics check")
                ended = True
                yield None
                continue
            value, offset = message.value(), message.offset()
            try:
                yield board.decode(value if isinstance(value, bytes) else b"")
            except msgspec.DecodeError as failure:
                log.error("%s holds a record at offset %s that is none: %s", name, offset, failure)
            if offset == high - 1:
                ended = True
                yield None
    except KafkaException as failure:
        raise TopicError(
            f"{name} at {kafka.servers} cannot be read: {failure.args[0].str()}. offerstream topics check"
        ) from failure
    finally:
        consumer.close()


def _extent(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """The first offset and the end, asked for because a consumer is told only after half a second that it is there; an
    end before the start where it is told so all the same, while the partition's leader is being chosen."""
    try:
        low, high = consumer.get_watermark_offsets(place, timeout=10)
        return low, high
    except KafkaException:
        return 0, -1


class Watch(Generic[_N]):
    """Follows a topic in a thread of its own, for as long as the worker lives.

    ``newest`` is whole from the start: the constructor returns when all that was there has been read.
    """

    def __init__(self, kafka: Access, board: Board[_N]) -> None:
        self._kafka, self._board, self._newest = kafka, board, board.empty()
        self._stopped, self._read = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name=board.topic.name, daemon=True)
        self._thread.start()
        if not self._read.wait(30):
            self._stopped.set()
            raise TopicError(f"{board.topic.name} could not be read within 30 s.")

    @property
    def newest(self) -> _N:
        """All that was said, as it stands now."""
        return self._newest

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                newest = self._board.empty()  # Read anew after an error; shown once it is whole.
                for record in _records(self._kafka, self._board, self._stopped.is_set, follow=True):
                    if record is None:
                        self._newest = newest
                        self._read.set()
                    else:
                        newest.apply(record)
            except TopicError as error:
                log.warning("%s Trying again.", error)
                self._stopped.wait(2)

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(5)

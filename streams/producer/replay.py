"""Replays a history into its topics with kafka-python: keyed by shopper or item, in order, as fast as asked."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import DefaultPartitioner

from streams.access import Access
from streams.outside.archive import Archive
from streams.outside.reading import Place
from streams.processing.partitioning import homes
from streams.records.events import ClockTicked, ShopperEvent, decode_event
from streams.records.items import ItemRecord, item_decoder
from streams.records.produced import FAMILY_OF, WORKERS_TYPES, family_of, key_of, type_of
from streams.records.tags import tag_of
from streams.topics import EVENTS, MAX_EVENT_MESSAGE, SOURCES

_encode = msgspec.json.Encoder().encode


class ReplayError(RuntimeError):
    """A history cannot be read or sent."""


@dataclass(frozen=True, slots=True)
class Record:
    """What goes over the wire; ``time_ms`` is None for a line that could not be parsed."""

    key: bytes | None
    value: bytes | None
    time_ms: int | None
    topic: str = EVENTS.name


def records_of(events: Iterable[ShopperEvent | ItemRecord]) -> Iterator[Record]:
    """Events and records about items as what goes over the wire, and where to."""
    for event in events:
        key = event.shopper_id if isinstance(event, ShopperEvent) else event.item_id
        topic = SOURCES[FAMILY_OF[tag_of(event)]].name
        yield Record(key.encode(), _encode(event), event_time_ms(event), topic)


def event_time_ms(event: ShopperEvent | ItemRecord | ClockTicked) -> int:
    """An event's time in UTC milliseconds since 1970, whichever form it came in."""
    at = event.event_time
    return at if isinstance(at, int) else int(at.timestamp() * 1000)


def records_of_lines(lines: Iterable[tuple[int, bytes]]) -> Iterator[Record]:
    """JSON lines in the wire format as records, also those that are none; each goes to the topic of its type, of no
    known type to that of shoppers' events."""
    for _, value in lines:
        yield Record(key_of(value), value, said_ms(value), SOURCES[family_of(value)].name)


def records_of_archive(archive: Archive) -> Iterator[Record]:
    """What others produced, as it was sent, in the order in which it was appended. What workers wrote is left out: the
    workers that get these records write it anew."""
    kept = [log for topic in archive.topics() for log in archive.logs(topic)]
    for record in heapq.merge(*kept, key=lambda record: record.time_ms):
        if type_of(record.value or b"") not in WORKERS_TYPES:
            yield Record(record.key, record.value, said_ms(record.value or b""), record.topic)


def said_ms(value: bytes) -> int | None:
    """The event time that a record says, UTC milliseconds since 1970; None of one that cannot be read."""
    try:
        event: object = decode_event(value) if family_of(value) == "events" else item_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return event_time_ms(event) if isinstance(event, (ShopperEvent, ItemRecord, ClockTicked)) else None


def between(records: Iterable[Record], start_ms: int | None, stop_ms: int | None) -> Iterator[Record]:
    """Records with an event time in [start, stop); those without one pass."""
    for record in records:
        at = record.time_ms
        if at is None or ((start_ms is None or at >= start_ms) and (stop_ms is None or at < stop_ms)):
            yield record


def paced(records: Iterable[Record], speed: float) -> Iterator[Record]:
    """Records spaced as in the history, ``speed`` times as fast; 0 for as fast as can be."""
    first: int | None = None
    started = time.monotonic()
    for record in records:
        if speed > 0 and record.time_ms is not None:
            first = record.time_ms if first is None else first
            wait = (record.time_ms - first) / 1000 / speed - (time.monotonic() - started)
            if wait > 0:
                time.sleep(wait)
        yield record


@dataclass(slots=True)
class Sent:
    """What Kafka has acknowledged so far, in whatever order its partitions did."""

    records: int = 0
    handed: int = 0
    """Records handed to the client: those beyond ``records`` are under way, and may arrive or not."""
    first_ms: int | None = None
    """Earliest event time, UTC milliseconds since 1970 …"""
    last_ms: int | None = None
    """… and the latest."""
    ends: dict[Place, int] = field(default_factory=dict)
    """Where they went: by topic and partition, the offset after the last of them."""

    def add(self, time_ms: int | None, where: Any) -> None:
        """Kafka has a record. Called by the client's thread, one at a time."""
        self.records += 1
        place = (where.topic, where.partition)
        self.ends[place] = max(self.ends.get(place, 0), where.offset + 1)
        if time_ms is not None:
            self.first_ms = time_ms if self.first_ms is None else min(time_ms, self.first_ms)
            self.last_ms = time_ms if self.last_ms is None else max(time_ms, self.last_ms)


class _Crc32Partitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python ships no types
    """Places keys as librdkafka does by itself."""

    def partition(
        self, topic: Any, key: Any, serialized_key: Any, value: Any, serialized_value: Any, cluster: Any
    ) -> int:
        """The partition of a record."""
        if not serialized_key:
            return int(super().partition(topic, key, None, value, serialized_value, cluster))
        known = sorted(cluster.partitions_for_topic(topic))
        return int(known[int(homes([serialized_key], "crc32", len(known))[0])])


def send(
    kafka: Access,
    records: Iterable[Record],
    sent: Sent,
    progress: Callable[[int], None] = lambda _n: None,
    partitioner: str = "murmur2",
    patience_seconds: float = 60.0,
) -> None:
    """Send records until all are acknowledged; ``sent`` says how far it came, also where this raises.

    Raises ``Unreachable``, and ``ReplayError`` when Kafka refuses a record or takes none for ``patience_seconds``. On
    Ctrl-C what is under way is waited for.
    """
    failed: list[BaseException] = []
    # A history that cannot be read is told before a broker that does not answer.
    source = iter(records)
    first = next(source, None)
    if first is None:
        return
    kafka.require()
    patience_ms = int(patience_seconds * 1000)
    with kafka.answering(KafkaError, ReplayError):
        producer = KafkaProducer(
            **kafka.kafka_python(),
            acks="all",
            linger_ms=20,
            batch_size=256 << 10,
            # kafka-python computes checksums in Python, of what goes over the wire: this halves its time.
            compression_type="gzip",
            max_request_size=MAX_EVENT_MESSAGE,
            partitioner=_Crc32Partitioner() if partitioner == "crc32" else DefaultPartitioner(),
            max_block_ms=patience_ms,
            delivery_timeout_ms=patience_ms,
            request_timeout_ms=patience_ms // 2,
        )
    # It is closed below. Where the thread that does so is left behind, the process would end by waiting for Kafka.
    producer._unregister_cleanup()
    try:
        for record in chain([first], source):
            future = producer.send(record.topic, key=record.key, value=record.value)
            sent.handed += 1
            future.add_callback(sent.add, record.time_ms)
            future.add_errback(failed.append)
            if failed:
                break
            if sent.handed % 500 == 0:
                progress(sent.handed)
        producer.flush()
    except KafkaError as error:
        failed.append(error)
    finally:
        # What is under way, also after Ctrl-C or a failure, arrives now or is not counted.
        with suppress(KafkaError):
            producer.close(timeout=patience_seconds if not failed else patience_seconds / 10)
    if failed:
        raise ReplayError(f"Kafka refused a record: {failed[0]}")
    progress(sent.records)

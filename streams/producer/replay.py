"""Replays a history into the events topic with kafka-python: keyed by shopper, in order, as fast as asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.access import Access
from streams.records.events import ClockTicked, ShopperEvent, decode_event, encode_event
from streams.topics import EVENTS, MAX_EVENT_MESSAGE


class ReplayError(RuntimeError):
    """A history cannot be read or sent."""


@dataclass(frozen=True, slots=True)
class Record:
    """What goes over the wire; ``time_ms`` is None for a line that could not be parsed."""

    key: bytes | None
    value: bytes
    time_ms: int | None


def records_of(events: Iterable[ShopperEvent]) -> Iterator[Record]:
    """Events as records."""
    for event in events:
        yield Record(event.shopper_id.encode(), encode_event(event), event_time_ms(event))


def event_time_ms(event: ShopperEvent | ClockTicked) -> int:
    """An event's time in UTC milliseconds since 1970, whichever form it came in."""
    at = event.event_time
    return at if isinstance(at, int) else int(at.timestamp() * 1000)


def records_of_lines(lines: BinaryIO, raw: bool) -> Iterator[Record]:
    """JSON lines in the wire format as records. A bad line raises ``ReplayError``; with ``raw`` it is sent as it is."""
    for number, line in enumerate(lines, start=1):
        value = line.rstrip(b"\r\n")
        if not value:
            continue
        try:
            event = decode_event(value)
            if not isinstance(event, ShopperEvent):
                raise ReplayError(f"Line {number}: such records are written by workers, not by storefronts.")
            yield Record(event.shopper_id.encode(), value, event_time_ms(event))
        except (msgspec.MsgspecError, UnicodeError) as error:
            if not raw:
                raise ReplayError(f"Line {number}: {error}. Send it as it is with --raw.") from error
            yield Record(_key_of(value), value, None)


def _key_of(value: bytes) -> bytes | None:
    try:
        shopper = msgspec.json.decode(value)["shopper_id"]
        return str(shopper).encode()
    except (msgspec.MsgspecError, UnicodeError, KeyError, TypeError):
        return None


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


def send(kafka: Access, records: Iterable[Record], progress: Callable[[int], None] = lambda _n: None) -> int:
    """Send records; returns how many, once all were acknowledged. Raises ``ReplayError``."""
    failed: list[BaseException] = []
    sent = 0
    # A history that cannot be read is told before a broker that does not answer.
    source = iter(records)
    first = next(source, None)
    if first is None:
        return 0
    try:
        producer = KafkaProducer(
            **kafka.kafka_python(),
            acks="all",
            linger_ms=20,
            batch_size=256 << 10,
            max_request_size=MAX_EVENT_MESSAGE,
        )
    except KafkaError as error:
        raise ReplayError(f"No Kafka broker answers at {kafka.servers}: {error}") from error
    try:
        for record in chain([first], source):
            future = producer.send(EVENTS.name, key=record.key, value=record.value)
            future.add_errback(failed.append)
            sent += 1
            if failed:
                break
            if sent % 500 == 0:
                progress(sent)
        producer.flush()
    except KafkaError as error:
        raise ReplayError(f"Kafka refused a record: {error}") from error
    finally:
        producer.close()
    if failed:
        raise ReplayError(f"Kafka refused a record: {failed[0]}")
    progress(sent)
    return sent

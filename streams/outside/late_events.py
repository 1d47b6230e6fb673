"""Late events from the outside: what came too late, how late, and the originals to send again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from streams.access import Access
from streams.outside.reading import Reader, Record
from streams.records.outcomes import LateEvent
from streams.settings import Settings
from streams.topics import LATE


@dataclass(frozen=True, slots=True)
class Late:
    """Late events, each once, in log order of their partitions; times are UTC milliseconds."""

    events: list[LateEvent]
    again: int
    """How many more were sent again: their event stands earlier in the log, so it was applied or is among these."""

    @property
    def oldest_ms(self) -> int:
        """The event time of the oldest."""
        return min((event.event_time_ms for event in self.events), default=0)

    @property
    def most_behind_ms(self) -> int:
        """How far behind the watermark they were at most."""
        return max((event.watermark_ms - event.event_time_ms for event in self.events), default=0)


def read(settings: Settings, since_ms: int) -> Late:
    """Every record found late since a time. Raises ``TopicError``.

    One that was applied and sent again after its id was forgotten is late as well. The topic that it came in tells:
    such a record stands in it before. What the topic no longer holds cannot be told.
    """
    kafka = settings.access
    found: dict[tuple[str, int, int], LateEvent] = {}  # a worker may say one twice
    for message in _read(kafka, LATE.name, since_ms):
        event = msgspec.json.decode(message.value or b"", type=LateEvent)
        found[event.source_topic, event.source_partition, event.source_offset] = event
    events = [found[place] for place in sorted(found)]
    if not events:
        return Late([], 0)
    # A record is appended at most so long before its event's time.
    oldest_ms = min(event.event_time_ms for event in events) - int(settings.future_tolerance_seconds * 1000)
    first: dict[tuple[str, str, str], int] = {}
    for topic in {event.source_topic for event in events}:
        first |= _first_offsets(kafka, topic, events, oldest_ms)
    kept = [e for e in events if first.get((e.source_topic, e.key, e.event_id), e.source_offset) >= e.source_offset]
    return Late(kept, len(events) - len(kept))


class _Identity(msgspec.Struct):
    event_id: str


def _first_offsets(
    kafka: Access, topic: str, events: list[LateEvent], since_ms: int
) -> dict[tuple[str, str, str], int]:
    """The first offset at which a topic holds each of these events, in the partition of its shopper or item; by topic,
    key and id."""
    wanted = {(event.source_topic, event.key, event.event_id) for event in events}
    first: dict[tuple[str, str, str], int] = {}
    for message in _read(kafka, topic, since_ms):
        try:
            event_id = msgspec.json.decode(message.value or b"", type=_Identity).event_id
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # a dead letter
        place = (topic, (message.key or b"").decode(errors="replace"), event_id)
        if place in wanted:
            first.setdefault(place, message.offset)
    return first


def _read(kafka: Access, topic: str, since_ms: int) -> Iterator[Record]:
    """The records of a topic that were appended since a time, in log order of each partition."""
    with Reader(kafka) as reader:
        for partition in range(reader.partitions(topic)):
            place = (topic, partition)
            yield from reader.between(place, reader.since(place, since_ms), reader.extent(place)[1])

"""What topics hold of this run: what stood in them before is not of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streams.outside.reading import Place, Reader, Record
from streams.topics import Topic


def places(starts: Mapping[Place, int], topic: Topic) -> dict[Place, int]:
    """A topic's partitions, and where this run begins in each."""
    return {place: start for place, start in starts.items() if place[0] == topic.name}


def records(reader: Reader, starts: Mapping[Place, int], topic: Topic) -> Iterator[Record]:
    """All records of a topic, one partition after the other. Raises ``TopicError``."""
    for place, start in places(starts, topic).items():
        yield from reader.between(place, start, reader.extent(place)[1])

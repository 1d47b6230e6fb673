"""What topics hold of this run: what stood in them before is not of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streams.outside.reading import Place, Reader, Record
from streams.topics import Topic


def places(starts: Mapping[Place, int], topic: Topic) -> dict[Place, int]:
    """A topic's partitions, and where this run begins in each."""
    return {place: start for place, start in starts.items() if place[0] == topic.name}


def records(reader: Reader, starts: Mapping[Place, int], topic: Topic) -> Iterator[Record]:
    """All records of a topic; in order within each partition. Raises ``TopicError``."""
    return reader.together({place: (at, reader.extent(place)[1]) for place, at in places(starts, topic).items()})

"""What topics say last, read from their ends: what stands on a long time before is not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import msgspec

from streams.demo import of_run
from streams.outside.reading import Place, Reader
from streams.records.outcomes import ItemOutcome
from streams.topics import Topic

_BLOCK = 20_000
_T = TypeVar("_T", bound=ItemOutcome)


def lately(
    reader: Reader, starts: Mapping[Place, int], topic: Topic, kind: type[_T], since_ms: int
) -> Iterator[tuple[int, _T]]:
    """(offset, record) of what a topic says of items, of one kind, as of a time from ``since_ms`` on; in no order.
    ``starts``: what was in the partitions before is not of this run. Records of a partition come in about the order of
    their time, so a block that is older as a whole is the last one. Raises ``TopicError``."""
    decode = msgspec.json.Decoder[Any](reduce(or_, topic.records)).decode
    left = {place: (start, reader.extent(place)[1]) for place, start in of_run.places(starts, topic).items()}
    while left:
        spans = {place: (max(low, high - _BLOCK), high) for place, (low, high) in left.items()}
        newest = dict[Place, int]()
        for record in reader.together(spans):
            said, place = decode(record.value or b""), (record.topic, record.partition)
            newest[place] = max(newest.get(place, 0), said.event_time_ms)
            if said.event_time_ms >= since_ms and isinstance(said, kind):
                yield record.offset, said
        recent = [place for place in left if newest.get(place, 0) >= since_ms]
        left = {place: (left[place][0], spans[place][0]) for place in recent if left[place][0] < spans[place][0]}

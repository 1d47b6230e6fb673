"""What was told of items as a history: records of catalogues and reviews, in order of time, with their words.

Models of shoppers learn of columns; those that read words, or look at pictures, learn of the records themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from streams.columns.arrays import Ints
from streams.columns.item_records import WIRE
from streams.processing.decode import decode
from streams.processing.rules import Rules
from streams.records.items import ItemRecord
from streams.records.produced import EVENTS, family_of
from streams.records.slices import Slice
from training.records import Log, Tally

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Told:
    """n records about items in order of event time, none twice."""

    records: list[ItemRecord] = field(default_factory=list)
    time_ms: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """[n] UTC milliseconds since 1970."""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def end_ms(self) -> int:
        """When it ends."""
        return int(self.time_ms[-1]) if len(self) else 0

    def contents(self) -> str:
        """How much there is, in words."""
        return f"{len(self):,} records about {len({record.item_id for record in self.records}):,} items"


def told_by(records: Iterable[ItemRecord], tell: Tell = lambda _n: None) -> Told:
    """What a data set tells; its times are whole milliseconds already, in order."""
    kept, times = [], []
    for record in records:
        kept.append(record)
        times.append(record.event_time)
        if len(kept) % 1000 == 0:
            tell(len(kept))
    return Told(kept, np.array(times, np.int64))


def told_in_logs(logs: Iterable[Log], rules: Rules, tell: Tell = lambda _n: None) -> tuple[Told, Tally]:
    """Of some files what they tell of items, and what became of all records: events of shoppers that stand beside them
    are counted (``other``). The same id of an item again is a duplicate."""
    tally, found, seen = Tally(), list[tuple[int, ItemRecord]](), set[int]()
    for log in logs:
        for slice_ in log.slices:
            tally.records += len(slice_)
            mine = [i for i, value in enumerate(slice_.values) if value is None or family_of(value) != EVENTS]
            tally.other += len(slice_) - len(mine)
            _take(_some(slice_, mine), rules, tally, found, seen)
            tell(tally.records)
    found.sort(key=lambda pair: (pair[0], pair[1].item_id, pair[1].event_id))
    return Told([record for _, record in found], np.array([at for at, _ in found], np.int64)), tally


def _some(slice_: Slice, places: list[int]) -> Slice:
    return Slice(
        slice_.topic,
        slice_.partition,
        [slice_.offsets[i] for i in places],
        [slice_.timestamps_ms[i] for i in places],
        [slice_.keys[i] for i in places],
        [slice_.values[i] for i in places],
    )


def _take(slice_: Slice, rules: Rules, tally: Tally, found: list[tuple[int, ItemRecord]], seen: set[int]) -> None:
    decoded = decode(slice_, rules.decode, wire=WIRE)
    tally.workers += decoded.ticks
    for letter in decoded.dead:
        tally.dead[letter.reason] = tally.dead.get(letter.reason, 0) + 1
        tally.first_dead.setdefault(letter.reason, f"{letter.source_topic}:{letter.source_offset}: {letter.detail}")
    batch = decoded.batch
    for at, identity, record in zip(batch.time_ms.tolist(), batch.identity.tolist(), batch.records, strict=True):
        if not isinstance(record, ItemRecord):
            continue  # what shoppers did to items, by the minute
        if identity in seen:
            tally.duplicate += 1
            continue
        seen.add(identity)
        found.append((at, record))

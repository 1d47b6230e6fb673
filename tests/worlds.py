"""The plain world: a log through ``PartitionProcessor`` in a loop, and what came of it."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import msgspec

from models.store import Shelf
from streams.entities.shopper import SHOPPER
from streams.processing.applied import Applied
from streams.processing.entity import Emitted
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.outcomes import encode_outcome
from streams.records.slices import Slice
from streams.state.codec import row_bytes
from streams.state.keys import PROGRESS, ROW
from tests.shoppers import DAY, Log, slice_of


@cache
def shipped() -> Shelf:
    """The models as shipped."""
    return Shelf()


class DictTier:
    """A durable tier in memory."""

    def __init__(self, changes: Mapping[bytes, bytes | None] | None = None) -> None:
        self.held: dict[bytes, bytes] = {}
        self.write(changes or {})

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Store changes; None deletes."""
        self.held |= {key: value for key, value in changes.items() if value is not None}
        for key in [key for key, value in changes.items() if value is None]:
            self.held.pop(key, None)

    def get(self, key: bytes) -> bytes | None:
        """The stored value, or None."""
        return self.held.get(key)

    def items(self) -> list[tuple[bytes, bytes]]:
        """Everything stored, in order of keys."""
        return sorted(self.held.items())

    def behind(self, key: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """The next records behind a key, in order of keys."""
        return [(at, self.held[at]) for at in sorted(self.held) if at > key][:most]


class EmptyTable:
    """An entity's table in which nothing was ever written."""

    def partition_db(self, _partition: int) -> EmptyTable:
        """Every partition's is empty."""
        return self

    def get(self, _key: bytes) -> None:
        """Nothing is known."""

    def items(self, **_: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Nothing is there."""
        return iter(())


@dataclass
class World:
    """What a log came to: rows by table key, outcomes by id, fates."""

    packed: dict[bytes, bytes] = field(default_factory=dict)
    outcomes: dict[str, bytes] = field(default_factory=dict)
    fates: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    due: Counter[str] = field(default_factory=Counter)
    emitted: list[tuple[int, Emitted]] = field(default_factory=list)
    """What was said to other logs, each with the partition that said it."""

    @property
    def rows(self) -> dict[bytes, bytes]:
        """Shoppers' rows without their headers."""
        return {key: row_bytes(value) for key, value in self.packed.items() if key[:1] == b"s"}

    def take_result(self, result: Applied) -> None:
        """Take what a slice came to."""
        self.fates += result.fates
        self.due += result.due_kinds
        for outcome in result.outcomes:
            self.add(outcome, outcome.outcome_id)
        for late in result.late:
            self.add(late, late.late_id)
        for dead in result.dead:
            self.add(dead, dead.dead_letter_id)

    def add(self, record: msgspec.Struct, outcome_id: str) -> None:
        """Take an outcome; the same id must always say the same."""
        said = encode_outcome(record)
        assert self.outcomes.setdefault(outcome_id, said) == said
        self.kinds[type(record).__name__] += 1


def cut(log: Log, cuts: Iterable[int]) -> list[Slice]:
    """A log as slices, cut before the given offsets."""
    bounds = [0, *sorted(set(cuts)), len(log)]
    return [slice_of(log[a:b], a) for a, b in itertools.pairwise(bounds) if b > a]


def run_plain(
    slices: Iterable[Slice],
    rules: Rules | None = None,
    shelf: Shelf | None = None,
    processor: PartitionProcessor | None = None,
) -> World:
    """Apply slices of one partition, one after the other."""
    world = World()
    processor = processor or PartitionProcessor(SHOPPER, 0, rules or Rules(), shelf or shipped())
    for slice_ in slices:
        world.take_result(processor.apply(slice_))
    world.packed = DictTier(processor.drain_changes()).held
    return world


def seldom_due(log: Log, cuts: Iterable[int], most_due: int) -> World:
    """A log that is cut, of shoppers who are due no more than so often a day."""
    processor = PartitionProcessor(replace(SHOPPER, most_due=most_due), 0, Rules(cadence_ms=DAY), shipped())
    return run_plain(cut(log, cuts), processor=processor)


def cut_off(changes: Mapping[bytes, bytes | None], rng: random.Random, lost: float) -> dict[bytes, bytes | None]:
    """What arrived of a flush that did not come to its end: all that is written before the rows, of the rest all but
    the share ``lost``, and no progress record."""
    rows = [key[:1] == ROW for key in changes]
    before = rows.index(True) if any(rows) else len(rows)
    return {
        key: value
        for n, (key, value) in enumerate(changes.items())
        if key != PROGRESS and (n < before or rng.random() > lost)
    }


def crashed(
    log: Log,
    crash: int,
    lost: float,
    rng: random.Random,
    bounds: Iterable[int] | None = None,
    make: Callable[[DictTier], PartitionProcessor] | None = None,
    evict: bool = False,
    arrived: Callable[[Mapping[bytes, bytes | None], random.Random, float], dict[bytes, bytes | None]] = cut_off,
) -> World:
    """What a log comes to, with the rows of the table, where the worker that flushed once dies in the flush before the
    record ``crash`` and another goes on from what ``arrived``. Slices begin at ``bounds`` (every 40 records);
    ``make`` gives a processor over a table, and rows are evicted all along with ``evict``."""
    tier, world = DictTier(), World()
    places = sorted(range(0, len(log), 40) if bounds is None else bounds)

    def go_on(start: int, stop: int) -> dict[bytes, bytes | None]:
        processor = make(tier) if make else PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier)
        assert processor.next_offset == start
        for a, b in itertools.pairwise([start, *(place for place in places if start < place < stop), stop]):
            world.take_result(processor.apply(slice_of(log[a:b], a)))
            if evict:
                processor.arena.evict()
        return processor.drain_changes()

    tier.write(go_on(0, crash // 2))
    tier.write(arrived(go_on(crash // 2, crash), rng, lost))
    tier.write(go_on(crash // 2, len(log)))
    world.packed = tier.held
    return world

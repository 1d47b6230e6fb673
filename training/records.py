"""A shop's own records as a history: decoded and judged as a worker does, put in order of time, and all accounted for.

Each record has one fate: used, duplicate, late, dead, or a worker's own. Those of a partition of the topic are judged
where they stand, as the worker judged them. Then all are judged in order of time, which is the order of the history: of
a partition this finds next to nothing (an order placed again that was not among the shopper's last twelve in the log).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from streams.columns.arrays import Bools, EventBatch, Ints
from streams.columns.layout import Layout
from streams.processing import order_book
from streams.processing.decode import NO_TIME, decode
from streams.processing.fates import APPLIED, judge, watermarks
from streams.processing.rules import Rules
from streams.records.dead_reasons import DEAD_REASONS
from streams.records.produced import EVENTS, family_of
from streams.records.slices import Slice
from streams.state.applied_ids import AppliedIds
from streams.state.arena import Arena
from streams.state.codec import TIMER, Codec
from training.history import History, Tell, in_columns, repeated


@dataclass(frozen=True, slots=True)
class Log:
    """Records in the order in which they stand.

    ``partitions``: how many the topic has that the log is a partition of: then the order is that in which workers get
    the records, and what is late to them is late here. None for a file: exports come in any order, so it is put in
    order of time, and nothing in it is late.
    """

    slices: Iterable[Slice]
    partitions: int | None = None


class Tally(msgspec.Struct):
    """What became of the records of a history."""

    records: int = 0
    duplicate: int = 0
    late: int = 0
    workers: int = 0
    """Ticks of the clock and choices, which workers write."""
    other: int = 0
    """Of a file: records of items where events of shoppers are learned from, or the other way round."""
    displaced: int = 0
    """Events that stood after a later one of their shopper, and were put in order."""
    dead: dict[str, int] = msgspec.field(default_factory=dict)
    """By reason (``streams/records/dead_reasons.py``)."""
    first_dead: dict[str, str] = msgspec.field(default_factory=dict)
    """By reason: where the first one stands, and what is wrong with it."""

    @property
    def used(self) -> int:
        """Events that the history holds."""
        return self.records - self.duplicate - self.late - self.workers - self.other - sum(self.dead.values())

    def told(self, other: str = "of another kind") -> Iterator[str]:
        """What became of the records, a line for the sum and one for each reason of dead records. ``other``: what those
        of another kind are.

        >>> dead = {"first_dead": {"empty": "a.jsonl:3: It has no value."}, "dead": {"empty": 1}}
        >>> print(next(Tally(10, late=2, **dead).told()))
        10 records: 7 used, 0 duplicate, 2 late, 1 dead
        """
        text = f"{self.records:,} records: {self.used:,} used, {self.duplicate:,} duplicate, {self.late:,} late, "
        text += f"{sum(self.dead.values()):,} dead"
        if self.workers:
            text += f", {self.workers:,} of workers"
        if self.other:
            text += f", {self.other:,} {other}"
        if self.displaced:
            text += f"; {self.displaced:,} stood after a later event of their shopper and were put in order"
        yield text
        for reason, n in Counter(self.dead).most_common():
            yield f"dead, {reason}: {n:,}, the first is {self.first_dead[reason]} {DEAD_REASONS[reason].fix}"


def history_of_logs(logs: Iterable[Log], rules: Rules, tell: Tell = lambda _n: None) -> tuple[History, Tally]:
    """The events of some logs in order of time (at one time: in order of shoppers' names, of one shopper as they stand
    in the log), and what became of all records. ``tell`` is told the number of records read so far."""
    tally = Tally()
    used: list[Bools] = []

    def batches() -> Iterator[EventBatch]:
        for log in logs:
            for batch, applied in _decoded(log, rules, tally):
                used.append(applied)
                yield batch
                tell(tally.records)

    found = in_columns(batches())
    if used:
        found = found.take(np.flatnonzero(np.concatenate(used)))
    rank = np.argsort(np.argsort(np.array(found.shoppers, object), kind="stable"))
    order = np.lexsort((rank[found.shopper], found.time_ms))
    again = repeated(found.take(order), rules.allowed_lateness_ms)
    tally.duplicate += int(again.sum())
    kept = order[~again]
    tally.displaced = _displaced(found.take(np.sort(kept)))
    return found.take(kept), tally


def _decoded(log: Log, rules: Rules, tally: Tally) -> Iterator[tuple[EventBatch, Bools]]:
    """The events of a log, and [n] which of them the worker applied; of a file all."""
    seen, ids, newest = Arena(Codec(Layout((APPLIED, *order_book.COLUMNS, TIMER)))), AppliedIds(), NO_TIME
    for slice_ in log.slices:
        decoded = decode(slice_, rules.decode, log.partitions)
        tally.records += len(slice_)
        tally.workers += decoded.ticks + len(decoded.turns)
        for letter in decoded.dead:
            value = slice_.values[bisect_left(slice_.offsets, letter.source_offset)]
            if log.partitions is None and value is not None and family_of(value) != EVENTS:
                tally.other += 1
                continue
            tally.dead[letter.reason] = tally.dead.get(letter.reason, 0) + 1
            where = f"{letter.source_topic}:{letter.source_offset}"
            if log.partitions is not None:
                where = f"{letter.source_topic}[{letter.source_partition}]:{letter.source_offset}"
            tally.first_dead.setdefault(letter.reason, f"{where}: {letter.detail}")
        batch = decoded.batch
        if log.partitions is None:
            yield batch, np.ones(len(batch), np.bool_)
            continue
        ahead, before, _ = watermarks(decoded.clock_ms, newest, rules.allowed_lateness_ms, NO_TIME)
        newest = int(ahead[-1])
        _, fates = judge(batch, seen.find(batch.keys), seen.rows, ids, before[batch.position])
        tally.late += int(fates.late.sum())
        tally.duplicate += int(fates.duplicate.sum())
        yield batch, fates.applied


def _displaced(history: History) -> int:
    """How many events stand after a later one of their shopper."""
    by_shopper = np.argsort(history.shopper, kind="stable")
    # Of shoppers one after the other: times are below 2^48 ms.
    key: Ints = (history.shopper[by_shopper] << 48) + history.time_ms[by_shopper]
    return int((key < np.maximum.accumulate(key)).sum()) if len(key) else 0

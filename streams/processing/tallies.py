"""What shoppers of one partition did to items, added up per item and minute, and told to the items' logs.

The minutes of an hour are closed together by the first record that carries the partition's newest event time beyond the
hour or the shop's day, sooner where much waits, or by a record that says that nothing more came for a while; so what is
told, and in which records, is a property of the shoppers' log. Events that come later for a minute that was closed are
told with the next closing. Whatever was done since the last closing waits in the feature table; it is written before
the rows, so a crash between the two leaves it ahead of all of them, and records that are in it are not counted again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from streams.columns.arrays import TYPE_CODE, EventBatch, Ints
from streams.columns.shopper_events import category_code
from streams.features.days import Days
from streams.processing.decode import MIN_EVENT_TIME_MS
from streams.processing.entity import Emitted
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.items import PARTS, ItemsTallied, ItemTally, SourceIdle, encode_item_record
from streams.records.slices import Slice
from streams.state.keys import OPEN

MINUTE_MS, HOUR = 60_000, 60
#: Once so many things were done to items, they are told at the end of the minute. A quiet partition would otherwise
#: tell each partition of items of nearly each order in a record of its own; a busy one must not keep an hour in memory.
MANY = 1_000
#: More tallies than this go into several records.
MOST = 20_000
#: In the order of ``ItemTally``.
COUNTS, UNITS = 9, 4
_VIEWED, _CARTED, _WISHED = (TYPE_CODE[c] for c in (e.ItemViewed, e.CartItemAdded, e.ItemWishlisted))
_ORDERED, _BACK = TYPE_CODE[e.OrderPlaced], (TYPE_CODE[e.OrderCancelled], TYPE_CODE[e.OrderReturned])


@dataclass(slots=True)
class _Tallied:
    """m sums: of an item and minute, in the ``closing`` that tells them."""

    closing: Ints
    item: np.ndarray
    minute: Ints
    counts: Ints
    """[m, COUNTS]"""
    category: Ints
    """[m] hash of the category's name, 0 when none was named."""
    item_ids: list[str]
    categories: list[str | None]

    @staticmethod
    def none() -> _Tallied:
        nothing = np.zeros(0, np.int64)
        return _Tallied(nothing, np.zeros(0, np.uint64), nothing, np.zeros((0, COUNTS), np.int64), nothing, [], [])

    def merged(self) -> _Tallied:
        """Each item and minute of a closing once, in an order that only depends on what they are; of several categories
        that were named in a minute, the one of the largest hash, whatever the order."""
        if not len(self.closing):
            return self
        order = np.lexsort((self.category, self.minute, self.item, self.closing))
        closing, item, minute = self.closing[order], self.item[order], self.minute[order]
        new = (np.diff(closing) != 0) | (np.diff(item) != 0) | (np.diff(minute) != 0)
        first = np.flatnonzero(np.concatenate(([True], new)))
        last = order[np.concatenate((first[1:], [len(order)])) - 1]
        return _Tallied(
            closing[first],
            item[first],
            minute[first],
            np.add.reduceat(self.counts[order], first, axis=0),
            self.category[last],
            [self.item_ids[i] for i in last.tolist()],
            [self.categories[i] for i in last.tolist()],
        )

    def select(self, chosen: np.ndarray) -> _Tallied:
        index = np.flatnonzero(chosen).tolist()
        return _Tallied(
            self.closing[chosen],
            self.item[chosen],
            self.minute[chosen],
            self.counts[chosen],
            self.category[chosen],
            [self.item_ids[i] for i in index],
            [self.categories[i] for i in index],
        )

    def __add__(self, other: _Tallied) -> _Tallied:
        return _Tallied(
            np.concatenate((self.closing, other.closing)),
            np.concatenate((self.item, other.item)),
            np.concatenate((self.minute, other.minute)),
            np.concatenate((self.counts, other.counts)),
            np.concatenate((self.category, other.category)),
            self.item_ids + other.item_ids,
            self.categories + other.categories,
        )


class Tallies:
    """The open minutes of one partition of shoppers. ``partitions``: of the log of the ``entity`` that is told."""

    def __init__(self, partition: int, partitions: int, entity: str) -> None:
        self._partition, self._partitions, self._entity = partition, partitions, entity
        self._minute = -1
        """The newest minute, which is open; -1 before the first event."""
        self._open = _Tallied.none()
        self._done = 0
        """How many things were done to items since the last closing."""
        self._categories: Counter[str] = Counter()
        self._until = 0
        self._changed = False
        self.idle = False
        """Whether items were told not to wait for this partition."""

    def __bool__(self) -> bool:
        """Whether something waits for its minute to be closed."""
        return bool(self._open.item_ids)

    def count(self, batch: EventBatch, applied: Ints, newest_ms: Ints, slice_: Slice, rules: Rules) -> list[Emitted]:
        """Count the applied events of a slice (in log order); gives what the records of the slice close.

        ``newest_ms`` [len(slice)]: the newest event time up to and with each record.
        """
        start = int(np.searchsorted(np.asarray(slice_.offsets), self._until))
        minutes = np.maximum(newest_ms[start:] // MINUTE_MS, self._minute)
        if not len(minutes):
            return []
        before = np.concatenate(([self._minute], minutes[:-1]))
        found = self._tallied(batch, applied, start)
        closes = self._closes(before, minutes, found.closing, rules)
        # [m] how many closings lie before each: what is 0 is told by the first of them.
        found.closing = np.searchsorted(closes, found.closing, side="right")
        self._open.closing = np.zeros(len(self._open.closing), np.int64)
        both = (self._open + found).merged()
        self._changed |= bool(found.item_ids) or int(minutes[-1]) != self._minute or self.idle
        self.idle = False
        emitted = self._close(both, closes, before, minutes, rules)
        self._open = both.select(both.closing == len(closes))
        self._minute = int(minutes[-1])
        return emitted

    def _closes(self, before: Ints, minutes: Ints, done_at: Ints, rules: Rules) -> Ints:
        """Which records close what is open: their positions, where ``before`` and ``minutes`` are those that are open
        before and from each on, and ``done_at`` [m] where things were done to items."""
        ends = np.flatnonzero((minutes > before) & (before >= 0))
        was, is_ = before[ends], minutes[ends]
        number = Days(rules.time_zone).number
        over = (is_ // HOUR > was // HOUR) | (number(is_ * MINUTE_MS) > number(was * MINUTE_MS))
        done = self._done + np.searchsorted(np.sort(done_at), ends)
        found, told = [], 0
        for end, is_over, so_far in zip(ends.tolist(), over.tolist(), done.tolist(), strict=True):
            if is_over or so_far - told >= MANY:
                found.append(end)
                told = so_far
        self._done += len(done_at) - told
        return np.array(found, np.int64)

    def _tallied(self, batch: EventBatch, applied: Ints, start: int) -> _Tallied:
        """What the applied events did; ``closing`` is their position after ``start``."""
        touches = batch.touches
        counted = np.zeros(len(batch), np.bool_)
        counted[applied] = True
        counted &= batch.position >= start
        chosen = np.flatnonzero(counted[touches.event])
        event = touches.event[chosen]
        kind, quantity = batch.type[event], touches.quantity[chosen]
        cents, discount = touches.cents[chosen], touches.discount_cents[chosen]
        ordered, back = kind == _ORDERED, np.isin(kind, _BACK)
        counts = np.stack(
            [
                kind == _VIEWED,
                np.where(kind == _CARTED, quantity, 0),
                kind == _WISHED,
                ordered,
                np.where(ordered, quantity, 0),
                np.where(ordered, cents, 0),
                np.where(ordered, discount, 0),
                np.where(back, quantity, 0),
                np.where(back, cents, 0),
            ],
            axis=1,
        ).astype(np.int64)
        some = counts.any(axis=1)
        index = chosen[some].tolist()
        return _Tallied(
            batch.position[event[some]] - start,
            touches.item[chosen[some]],
            batch.time_ms[event[some]] // MINUTE_MS,
            counts[some],
            touches.category[chosen[some]],
            [touches.item_ids[i] for i in index],
            [touches.categories[i] for i in index],
        )

    def _close(self, tallied: _Tallied, closes: Ints, before: Ints, minutes: Ints, rules: Rules) -> list[Emitted]:
        if not len(closes):
            return []
        waiting = self._categories
        home = homes([i.encode() for i in tallied.item_ids], rules.decode.partitioner, self._partitions)
        was, is_ = (Days(rules.time_zone).number(m[closes] * MINUTE_MS).tolist() for m in (before, minutes))
        bounds = np.searchsorted(tallied.closing, np.arange(len(closes) + 1)).tolist()
        emitted: list[Emitted] = []
        for k, at in enumerate(closes.tolist()):
            closed, now = int(before[at]), int(minutes[at])
            a, b = bounds[k], bounds[k + 1]
            for name, units in zip(tallied.categories[a:b], tallied.counts[a:b, UNITS].tolist(), strict=True):
                if name is not None and units:
                    waiting[name] += units
            daily = dict(sorted(waiting.items())) if is_[k] > was[k] else None
            if daily is not None:
                waiting = Counter()
            everybody = now // HOUR > closed // HOUR or daily is not None
            by_home: dict[int, list[int]] = {p: [] for p in range(self._partitions)} if everybody else {}
            for i, p in zip(range(a, b), home[a:b].tolist(), strict=True):
                by_home.setdefault(p, []).append(i)
            for p in sorted(by_home):
                emitted += self._records(tallied, by_home[p], closed, now, p, daily)
        self._categories = waiting
        return emitted

    def _records(
        self, tallied: _Tallied, index: list[int], closed: int, now: int, partition: int, daily: dict[str, int] | None
    ) -> list[Emitted]:
        minute, counts = tallied.minute, tallied.counts
        found = []
        for part, start in enumerate(range(0, max(1, len(index)), MOST)):
            tallies = []
            for i in index[start : start + MOST]:
                views, carted, wishes, orders, units, cents, discount, returned, refunded = counts[i].tolist()
                tallies.append(
                    ItemTally(
                        tallied.item_ids[i], int(minute[i]) * MINUTE_MS, views, carted, wishes, orders, units, cents,
                        discount, returned, refunded, tallied.categories[i],
                    )
                )  # fmt: skip
            record = ItemsTallied(
                source_partition=self._partition,
                sequence=closed * PARTS + part,
                event_time=now * MINUTE_MS,
                tallies=tallies,
                categories=daily if part == 0 else None,
            )
            found.append(Emitted(self._entity, partition, encode_item_record(record)))
        return found

    def fall_idle(self, offset: int, rules: Rules) -> list[Emitted]:
        """Close what is open though its minute may go on, and tell every partition of items not to wait for this one:
        the log holds nothing more for now, as its record at ``offset`` says."""
        if offset < self._until:
            return []
        emitted: list[Emitted] = []
        if self:
            now = np.array([self._minute + 1])
            self._open.closing = np.zeros(len(self._open.closing), np.int64)
            emitted = self._close(self._open, np.array([0]), now - 1, now, rules)
            self._open, self._minute, self._done = _Tallied.none(), self._minute + 1, 0
        record = SourceIdle(
            source_partition=self._partition,
            sequence=max(self._minute, 0) * PARTS,
            event_time=max(self._minute * MINUTE_MS, MIN_EVENT_TIME_MS),
        )
        value = encode_item_record(record)
        self.idle = self._changed = True
        return emitted + [Emitted(self._entity, partition, value) for partition in range(self._partitions)]

    def drain_changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """What is open, when it changed since this was last called, as a record of the feature table."""
        if not self._changed:
            return {}
        self._changed, self._until = False, next_offset
        o = self._open
        held: dict[str, Any] = {
            "minute": self._minute,
            "idle": self.idle,
            "done": self._done,
            "categories": self._categories,
            "items": o.item_ids,
            "names": o.categories,
            "item": o.item.tolist(),
            "minutes": o.minute.tolist(),
            "counts": o.counts.tolist(),
        }
        return {OPEN: next_offset.to_bytes(8, "big") + msgspec.msgpack.encode(held)}

    def restore(self, value: bytes) -> None:
        """Take it back."""
        held = msgspec.msgpack.decode(value[8:])
        self._until, self._minute = int.from_bytes(value[:8], "big"), held["minute"]
        self._categories, self.idle = Counter(held["categories"]), held.get("idle", False)
        self._done = held.get("done", 0)
        n = len(held["items"])
        self._open = _Tallied(
            np.zeros(n, np.int64),
            np.array(held["item"], np.uint64),
            np.array(held["minutes"], np.int64),
            np.array(held["counts"], np.int64).reshape(n, COUNTS),
            np.array([0 if name is None else category_code(name) for name in held["names"]], np.int64),
            held["items"],
            held["names"],
        )

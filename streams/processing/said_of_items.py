"""What the log of one partition of shoppers says of items: the category and the price of each.

Of each item the first one said in each quarter of event time counts, from the record on that said it, and for the next
quarter as well. So what is known at a due point is a function of the log however that is cut; a crash that leaves what
was learned ahead of the progress record does no harm, for the same records come again; and of items that nobody touches
any more nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, EventBatch, Hashes, Ints
from streams.decisions.list_limits import CATEGORY, PRICE
from streams.features.kinds.decay import DAY_MS
from streams.state.keys import ITEM_SAID

PERIOD_MS = 91 * DAY_MS
#: Of so many items a quarter, those said first, one fact is known: a producer that makes up items fills no memory.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What was said in one quarter, by item."""

    items: Hashes
    value: Ints
    since: Ints
    """Offset of the record that said it."""

    @staticmethod
    def nothing() -> _Known:
        return _Known(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))

    def find(self, items: Hashes) -> tuple[Ints, Bools]:
        """Where items stand, of any shape, and whether they do."""
        if not len(self.items):
            return np.zeros(items.shape, np.int64), np.zeros(items.shape, np.bool_)
        at = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return at, self.items[at] == items

    def also(self, more: _Known) -> _Known:
        """With others."""
        items = np.concatenate([self.items, more.items])
        value, since = np.concatenate([self.value, more.value]), np.concatenate([self.since, more.since])
        order = np.argsort(items, kind="stable")
        return _Known(items[order], value[order], since[order])


class SaidOfItems:
    """What one partition heard of items. ``most``: items per quarter of which a fact is known."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[tuple[int, int], _Known] = {}
        """By fact and quarter."""
        self._changes: dict[bytes, bytes | None] = {}

    def __len__(self) -> int:
        return sum(len(known.items) for known in self._known.values())

    def learn(self, batch: EventBatch, late_before_ms: Ints) -> None:
        """Take what records that are not late say: ``late_before_ms`` [len(batch)]."""
        touches, in_time = batch.touches, batch.time_ms >= late_before_ms
        some = np.flatnonzero(in_time[touches.event])
        event = touches.event[some]
        paid = touches.cents[some] + touches.discount_cents[some]
        facts = {CATEGORY: touches.category[some], PRICE: paid // np.maximum(touches.quantity[some], 1)}
        period = batch.time_ms[event] // PERIOD_MS
        for fact, value in facts.items():
            for quarter in np.unique(period[value > 0]).tolist():
                mine = np.flatnonzero((value > 0) & (period == quarter))
                self._take(fact, quarter, touches.item[some[mine]], value[mine], batch.offset[event[mine]])

    def _take(self, fact: int, quarter: int, items: Hashes, value: Ints, since: Ints) -> None:
        """In log order."""
        known = self._known.get((fact, quarter), _Known.nothing())
        new = np.flatnonzero(~known.find(items)[1])
        _, first = np.unique(items[new], return_index=True)
        new = new[np.sort(first)][: self._most - len(known.items)]
        if not len(new):
            return
        more = _Known(items[new], value[new], since[new])
        self._known[fact, quarter] = known.also(more)
        for item, held, offset in zip(more.items.tolist(), more.value.tolist(), more.since.tolist(), strict=True):
            self._changes[_key(fact, quarter, item)] = offset.to_bytes(8, "big") + held.to_bytes(8, "big")

    def look(self, fact: int, items: Hashes, now_ms: Ints, before: Ints) -> Ints:
        """[m, n] what is known of items at times [m], of what stands before offsets [m] of the log; 0: nothing."""
        found, quarters = np.zeros(items.shape, np.int64), now_ms // PERIOD_MS
        for quarter in np.unique(quarters).tolist():
            rows = np.flatnonzero(quarters == quarter)
            for each in (quarter - 1, quarter):
                if (known := self._known.get((fact, each))) is not None:
                    at, has = known.find(items[rows])
                    has &= known.since[at] < before[rows, None]
                    found[rows] = np.where(has, known.value[at], found[rows])
        return found

    def drain_changes(self, watermark_ms: int) -> dict[bytes, bytes | None]:
        """What was learned since this was last called, as records of the feature table; forgets quarters that no due
        point asks for any more."""
        for fact, quarter in list(self._known):
            if quarter < watermark_ms // PERIOD_MS - 2:
                gone = self._known.pop((fact, quarter))
                self._changes |= {_key(fact, quarter, item): None for item in gone.items.tolist()}
        changes, self._changes = self._changes, {}
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take it back."""
        held: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        for key, value in records:
            if key[:1] == ITEM_SAID:
                fact, quarter, item = key[1], int.from_bytes(key[2:6], "big"), int.from_bytes(key[6:], "big")
                told = int.from_bytes(value[8:], "big"), int.from_bytes(value[:8], "big")
                held.setdefault((fact, quarter), []).append((item, *told))
        for place, rows in held.items():
            items, value_, since = zip(*rows, strict=True)
            some = _Known(np.array(items, np.uint64), np.array(value_, np.int64), np.array(since, np.int64))
            self._known[place] = _Known.nothing().also(some)


def _key(fact: int, quarter: int, item: int) -> bytes:
    return ITEM_SAID + bytes([fact]) + quarter.to_bytes(4, "big") + item.to_bytes(8, "big")

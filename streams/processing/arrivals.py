"""News of new items that one partition of shoppers heard: which there are, and what they sold since they came.

What is known is asked for with an offset of the log, and all that was told of an item is kept with the offsets that
told it, until it is new no more; so it is a function of the log however that is cut. A crash may leave it ahead of the
progress record: then only what stands before that counts, and the rest comes again.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np

from streams.columns.arrays import Ints
from streams.columns.shopper_events import item_code
from streams.decisions.likeness import Embedded
from streams.decisions.new_items import NEW_DAYS, NewItems
from streams.features.kinds.decay import DAY_MS
from streams.records.news import AnyItemNews, ItemArrived
from streams.state.keys import OPEN

#: How keys of new items in the feature table begin: their hash follows.
NEW = OPEN + b"new/"
#: Of those that came on one day so many are known, the first that were told of: a catalogue that is loaded anew is no
#: news.
MOST = 500
#: They are known so many days. It is a day more than they are new: when an item came is told from its age as a number
#: of 32 bits, so of one that is told of again after it was forgotten that may be another day.
KEPT_DAYS = NEW_DAYS + 1


_Told = tuple[int, int, int]


class _Arrived(msgspec.Struct, array_like=True):
    """A new item, as the feature table has it."""

    item_id: str
    category: int
    price: int
    came_ms: int
    told: list[_Told] = []
    """(offset, units sold since, units that its category sold) each time that it was told of."""
    embedded: tuple[int, str, bytes] | None = None
    """The offset that first told what it is like, by which model, and its embedding."""

    def embedded_before(self, offset: int) -> Embedded:
        """What it is like, as it is known from what stands before an offset."""
        return self.embedded[1:] if self.embedded is not None and self.embedded[0] < offset else None


class HeardArrivals:
    """What one partition heard of new items. ``most``: of those that came on one day."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._items: dict[int, _Arrived] = {}
        """By hash, the one told of first comes first."""
        self._place_of: dict[int, int] = {}
        """By hash, the place among all that are known."""
        self._of_day: Counter[int] = Counter()
        self._fresh: set[int] = set()
        """Of whom was told since the last flush."""
        self._facts, self._rows = array("q"), array("q")
        """Of each item its category, price and when it came; offset, place among the items, units and the category's
        units of all that was told, by offset."""
        self._told: Ints | None = None
        """[4, t] the same; None: to be made."""
        self._known: dict[int, NewItems] = {}
        """By how much of it was told."""
        self._flushed_ms = 0
        """Where the watermark stood at the flush before the next one."""

    def __len__(self) -> int:
        return len(self._items)

    def hear(self, news: Iterable[tuple[int, AnyItemNews]], offsets: Sequence[int]) -> None:
        """Hear news of a slice that was not heard before, with its places there. ``offsets``: of the slice."""
        for position, said in news:
            if isinstance(said, ItemArrived):
                self._hear(said, int(offsets[position]))

    def _hear(self, said: ItemArrived, offset: int) -> None:
        code, day = item_code(said.item_id), said.came_ms // DAY_MS
        held = self._items.get(code)
        if held is None:
            if self._of_day[day] >= self._most:
                return
            self._of_day[day] += 1
            held = self._items[code] = _Arrived(said.item_id, said.category, said.unit_price_cents, said.came_ms)
            self._place(code, held)
        told = (offset, said.units, said.category_units)
        held.told.append(told)
        if held.embedded is None and said.embedding:
            held.embedded = offset, said.embedded_by, said.embedding
        self._fresh.add(code)
        # Offsets only rise.
        self._rows.extend((offset, self._place_of[code], *told[1:]))
        self._told, self._known = None, {}

    def _place(self, code: int, held: _Arrived) -> None:
        """Behind all others."""
        self._place_of[code] = len(self._facts) // 3
        self._facts.extend((held.category, held.price, held.came_ms))

    def _place_all(self) -> None:
        self._facts, self._told, self._known, self._place_of = array("q"), None, {}, {}
        for code, held in self._items.items():
            self._place(code, held)
        rows = sorted((o, self._place_of[code], *rest) for code, held in self._items.items() for o, *rest in held.told)
        self._rows = array("q", chain.from_iterable(rows))

    def known(self, before: Ints) -> tuple[Ints, list[NewItems]]:
        """[m] which of the list is known from what stands before offsets [m] of the log."""
        if self._told is None:
            self._told = np.array(self._rows, np.int64).reshape(-1, 4).T
        versions, which = np.unique(np.searchsorted(self._told[0], before), return_inverse=True)
        return which, [self._as_of(version) for version in versions.tolist()]

    def _as_of(self, version: int) -> NewItems:
        assert self._told is not None
        if version not in self._known:
            offset, at, units, of_category = self._told[:, :version]
            # Items stand in the order in which they were first told of, so those told of are the first ones.
            many = int(at.max(initial=-1)) + 1
            sold, of_all = np.zeros(many, np.int64), np.zeros(many, np.int64)
            np.maximum.at(sold, at, units)
            np.maximum.at(of_all, at, of_category)
            some, end = tuple(islice(self._items.values(), many)), int(offset.max(initial=-1)) + 1
            names, embedded = tuple(held.item_id for held in some), tuple(held.embedded_before(end) for held in some)
            category, price, came = np.array(self._facts[: 3 * many], np.int64).reshape(-1, 3).T
            self._known[version] = NewItems(names, category, price, came, sold, of_all, embedded)
        return self._known[version]

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """What was told since this was last called, as records of the feature table; forgets what was new no more when
        it was last called. The flush before has come to its end: what is done again after a crash begins behind it."""
        changes: dict[bytes, bytes | None] = {}
        since, self._flushed_ms = self._flushed_ms // DAY_MS - KEPT_DAYS, watermark_ms
        old = [code for code, held in self._items.items() if held.came_ms // DAY_MS < since]
        for code in old:
            self._of_day[self._items.pop(code).came_ms // DAY_MS] -= 1
            changes[_key(code)] = None
        self._of_day = +self._of_day
        if old:
            self._place_all()
        for code in sorted(self._fresh - set(old)):
            changes[_key(code)] = next_offset.to_bytes(8, "big") + msgspec.msgpack.encode(self._items[code])
        self._fresh.clear()
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any]) -> None:
        """Take it back, as it stood at the progress record ``meta``."""
        end, found = meta.get("next_offset", 0), list[tuple[int, int, _Arrived]]()
        for key, value in records:
            if key.startswith(NEW):
                held = msgspec.msgpack.decode(value[8:], type=_Arrived)
                held.told = [told for told in held.told if told[0] < end]
                if held.embedded_before(end) is None:
                    held.embedded = None
                if held.told:
                    found.append((held.told[0][0], int.from_bytes(key[len(NEW) :], "big"), held))
        self._items = {code: held for _, code, held in sorted(found, key=lambda one: one[0])}
        self._of_day = Counter(held.came_ms // DAY_MS for held in self._items.values())
        self._place_all()


def _key(code: int) -> bytes:
    return NEW + code.to_bytes(8, "big")

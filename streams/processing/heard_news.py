"""News of items that one partition of shoppers heard: what of it is new, and which items must not be offered; which
items are new is kept beside it (``arrivals.py``).

Which items must not be offered is asked for with the offset of what made somebody due, so it is a function of the log
however that is cut, and no slice is cut for it. What changed is kept beside the rows, an item's changes with their
offsets: a crash may leave them ahead of the progress record, and then only those before it hold; the others come again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streams.columns.arrays import Hashes, Ints
from streams.columns.shopper_events import item_code
from streams.processing.arrivals import HeardArrivals
from streams.records.news import AVAILABLE, AnyItemNews, level_of, news_order
from streams.state.keys import OPEN

#: How keys of items in the feature table begin: their hash follows.
ITEMS = OPEN + b"items/"
#: So many items at most are known not to be offered; of more, those whose last change is oldest are forgotten.
MOST = 100_000
#: So many changes, and a share of all, are looked up beside the others before they are sorted in.
LATELY, SHARE = 256, 16


class _Sorted(NamedTuple):
    """Changes by item and offset."""

    items: Hashes
    since: Ints
    level: Ints

    @staticmethod
    def of(changes: Sequence[tuple[int, int, int]]) -> _Sorted:
        """Of (item, offset, level), of an item in their order."""
        items = np.array([item for item, _, _ in changes], np.uint64)
        since, level = (np.array([change[i] for change in changes], np.int64) for i in (1, 2))
        order = np.argsort(items, kind="stable")
        return _Sorted(items[order], since[order], level[order])

    def then(self, later: _Sorted, asked_from: int) -> _Sorted:
        """With later changes; without those that do not count any more from an offset on."""
        items, since, level = (np.concatenate(pair) for pair in zip(self, later, strict=True))
        order = np.argsort(items, kind="stable")
        items, since, level = items[order], since[order], level[order]
        same = np.r_[items[1:] == items[:-1], False]
        past = since < asked_from
        counts = ~(same & np.r_[past[1:], False]) & ~(past & (level == AVAILABLE))
        return _Sorted(items[counts], since[counts], level[counts])

    def look(self, items: Hashes, offset: Ints, found: Ints) -> None:
        """Write into ``found`` what holds of items at offsets, where anything does; all of one shape."""
        place, end = (np.searchsorted(self.items, items, side=side) for side in ("left", "right"))
        while (some := place < end).any():
            at = np.minimum(place, len(self.items) - 1)
            np.copyto(found, self.level[at], where=some & (self.since[at] <= offset))
            place = place + 1


class HeardNews:
    """What one partition of shoppers heard. ``most``: items that are remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.arrivals = HeardArrivals()
        self._last: dict[str, tuple[int, str, str]] = {}
        """Source of news → where among its news the last one stands."""
        self._changes: dict[int, list[tuple[int, int]]] = {}
        """Hash of an item → offsets at which it changed how much there is against it, and how much then."""
        self._out: dict[int, None] = {}
        """Those that must not be offered after all that was heard, the oldest change first."""
        self._written: set[int] = set()
        self._fresh: set[int] = set()
        """Whose changes stand in the feature table, and whose have to be written."""
        self._durable = 0
        """Every change before this offset is in the table, and so is a progress record that says so."""
        self._all = _Sorted.of([])
        self._lately: list[tuple[int, int, int]] = []
        """Changes that are not in ``_all`` …"""
        self._lately_sorted: _Sorted | None = None
        """… and the same, sorted when they are asked for."""

    def __len__(self) -> int:
        """How many items must not be offered."""
        return len(self._out)

    def hear(self, news: Sequence[tuple[int, AnyItemNews]], offsets: Sequence[int]) -> list[tuple[int, AnyItemNews]]:
        """Hear news of a slice, with its places there; gives what was not heard before. ``offsets``: of the slice."""
        fresh = []
        for position, said in news:
            source, order = str(said.source_partition), news_order(said)
            if source in self._last and order <= self._last[source]:
                continue
            self._last[source] = order
            fresh.append((position, said))
            level = level_of(said)
            if level is not None:
                self._change(item_code(said.item_id), int(offsets[position]), level)
        self.arrivals.hear(fresh, offsets)
        if len(self._lately) > max(LATELY, len(self._all.items) // SHARE):
            self._all = self._all.then(_Sorted.of(self._lately), self._durable)
            self._lately, self._lately_sorted = [], None
        return fresh

    def _change(self, item: int, offset: int, level: int) -> None:
        self._changes.setdefault(item, []).append((offset, level))
        self._lately.append((item, offset, level))
        self._lately_sorted = None
        self._fresh.add(item)
        self._out.pop(item, None)
        if level != AVAILABLE:
            self._out[item] = None
            if len(self._out) > self._most:
                self._change(next(iter(self._out)), offset, AVAILABLE)

    def levels(self, items: Hashes, offset: Ints) -> Ints:
        """How much there is against offering items (hashes, of any shape) at offsets (a shape that spreads to theirs):
        places in ``LEVELS``."""
        found, offset = np.zeros(items.shape, np.int64), np.broadcast_to(offset, items.shape)
        self._all.look(items, offset, found)
        if self._lately:
            if self._lately_sorted is None:
                self._lately_sorted = _Sorted.of(self._lately)
            self._lately_sorted.look(items, offset, found)
        return found

    def progress(self) -> dict[str, Any]:
        """How far news has come, by source."""
        return {"heard": dict(sorted(self._last.items()))}

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """What changed, as records of the feature table: before the progress record of the same flush. When this is
        called again, the flush before has come to its end."""
        durable, self._durable = self._durable, next_offset
        changes = self.arrivals.drain_changes(next_offset, watermark_ms)
        for item in sorted(self._fresh):
            held = self._changes[item]
            before = sum(offset < durable for offset, _ in held)
            held = self._changes[item] = held[max(before - 1, 0) :]
            key = ITEMS + item.to_bytes(8, "big")
            if held[-1][0] >= durable:
                changes[key] = next_offset.to_bytes(8, "big") + msgspec.msgpack.encode(held)
                self._written.add(item)
                continue
            # It stands as it did: only what it was before is to be forgotten.
            self._fresh.discard(item)
            if held[-1][1] == AVAILABLE:
                del self._changes[item]
                if item in self._written:
                    self._written.discard(item)
                    changes[key] = None
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any]) -> None:
        """Take it back, as it stood at the progress record ``meta``."""
        self._last = {source: (last[0], last[1], last[2]) for source, last in meta.get("heard", {}).items()}
        self._durable = meta.get("next_offset", 0)
        records = list(records)
        self.arrivals.restore(records, meta)
        for key, value in records:
            if key.startswith(ITEMS):
                item = int.from_bytes(key[len(ITEMS) :], "big")
                self._written.add(item)
                held = msgspec.msgpack.decode(value[8:], type=list[tuple[int, int]])
                if held := [change for change in held if change[0] < self._durable][-1:]:
                    self._changes[item] = held
                    self._fresh.add(item)
        stood = sorted((held[-1][0], item) for item, held in self._changes.items() if held[-1][1] != AVAILABLE)
        self._out = {item: None for _, item in stood}
        self._all = _Sorted.of([(item, *held[-1]) for item, held in self._changes.items()])

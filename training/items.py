"""Replays what shoppers did to items, and takes a training row of each item at the end of its days.

It is the very code that serves: a history of shoppers is counted by minutes as a partition of shoppers counts it
(``streams.processing.tallies``), and what that would write into the items' log is applied as a partition of items
applies it. That is why a training row equals a serving row, bit for bit. A history holds no catalogue: prices, stock
and reviews stand as nobody had said anything, and what is made of the names of categories cannot be had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.task import AtLeast, Taught
from streams.columns.arrays import TYPE_CODE, Floats, Ints
from streams.columns.shopper_events import category_code, item_code
from streams.entities.item import ITEM
from streams.features.kinds.decay import DAY_MS
from streams.processing.due import DuePoints
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules as StreamRules
from streams.processing.tallies import Tallies
from streams.records.events import OrderPlaced
from streams.records.slices import Slice
from training.errors import Misuse
from training.history import APPENDED_MS, History
from training.labels.horizons import Labels
from training.replay import EVENT, SILENCE, Rows

#: Events of shoppers that are counted at once.
BLOCK = 1 << 15
#: What was done to items is told at the end of an hour at the latest: a day may be over so much later.
TOLD_MS = 3_600_000
#: What a history of shoppers can say of items, by the first part of an address.
KNOWN = ("sales", "interest")

#: What can be said of a category by its hash; a history does not hold its name.
OF_CATEGORIES = ("listing.category", "listing.category_units_30d", "listing.category_week_units")

#: What a partition of items writes into every row at the end of its day.
REFRESHED = OF_CATEGORIES


def replay_items(
    history: History,
    features: tuple[str, ...],
    population: Sequence[AtLeast | Taught] = (),
    *,
    rules: StreamRules | None = None,
    tell: Callable[[int], None] = lambda _n: None,
) -> Rows:
    """A row of every item of a population at the end of each of its days; ``Rows.shopper`` is its place among
    ``history.item_ids``. ``features`` must hold those that the population goes by.

    Raises ``Misuse`` for a feature of which a history of shoppers says nothing.
    """
    unknown = [a for a in features if a.partition(".")[0] not in KNOWN and a not in OF_CATEGORIES]
    if unknown:
        raise Misuse(f"A history of shoppers says nothing of {', '.join(unknown)}: those are of a catalogue.")
    rules = rules or StreamRules()
    place = {item: i for i, item in enumerate(history.item_ids)}
    places = ITEM.catalogue.places(features)
    found: list[Rows] = []

    def collect(due: list[DuePoints], x: npt.NDArray[np.float32]) -> None:
        if not due:
            return
        judged = np.ones(len(x), np.bool_)
        for condition in population:
            judged &= condition.holds(x[:, places[condition.address].start])
        at_ms, row = (np.concatenate([getattr(points, name) for points in due]) for name in ("now_ms", "row"))
        why = np.repeat([SILENCE if points.timer else EVENT for points in due], [len(points) for points in due])
        found.append(Rows(x, at_ms, why, row).select(judged))

    processor = PartitionProcessor(
        ITEM,
        0,
        rules,
        catalogue=ITEM.catalogue.covering((*features, *REFRESHED)),
        collector=collect,
        collected=features,
        room=max(1, len(place)),
        limit=max(1, len(place)),
    )
    named, names = bool(set(OF_CATEGORIES) & set(features)), _Stand()
    tallies, offset, newest = Tallies(0, 1, ITEM.name), 0, -1
    by_hash = places_of(history)
    for a in range(0, len(history), BLOCK):
        b = min(a + BLOCK, len(history))
        batch = history.batch(a, b)
        ids = [history.item_ids[i] for i in by_hash(batch.touches.item).tolist()]
        categories: list[str | None] = names.of(batch.touches.category) if named else [None for _ in ids]
        batch = replace(batch, touches=replace(batch.touches, item_ids=ids, categories=categories))
        nothing: list[bytes | None] = [None] * (b - a)
        events = Slice("history", 0, range(a, b), [APPENDED_MS] * (b - a), nothing, nothing)
        newest_ms = np.maximum(np.maximum.accumulate(batch.time_ms), newest)
        newest = int(newest_ms[-1])
        values: list[bytes | None] = [
            told.value for told in tallies.count(batch, np.arange(b - a), newest_ms, events, rules)
        ]
        tell(b)
        if b == len(history):
            # Nothing more comes: what time it is by then is told, as of a partition that falls idle.
            values += [told.value for told in tallies.fall_idle(b, rules)]
        if values:
            n = len(values)
            processor.apply(Slice("items", 0, range(offset, offset + n), [APPENDED_MS] * n, [None] * n, values))
            offset += n
    if not found:
        nobody = np.zeros(0, np.int64)
        width = sum(ITEM.catalogue.features[a].width for a in features)
        return Rows(np.zeros((0, width), np.float32), nobody, nobody, nobody)
    item = np.array([place[processor.arena.key(row)] for row in range(len(processor.arena))], np.int64)
    x = np.concatenate([rows.x for rows in found])
    if "listing.category" in features:
        first = sum(ITEM.catalogue.features[a].width for a in features[: features.index("listing.category")])
        x[:, first : first + 2] = names.halves(x[:, first : first + 2])
    return Rows(
        x=x,
        at_ms=np.concatenate([rows.at_ms for rows in found]),
        why=np.concatenate([rows.why for rows in found]),
        shopper=item[np.concatenate([rows.shopper for rows in found])],
    )


class _Stand:
    """Names that stand for categories of which only hashes are known, and those hashes."""

    def __init__(self) -> None:
        self._codes: dict[int, int] = {0: 0}

    def of(self, codes: Ints) -> list[str | None]:
        """A name of each hash; None of 0."""
        for code in np.unique(codes).tolist():
            self._codes[category_code(str(code))] = code
        return [str(code) if code else None for code in codes.tolist()]

    def halves(self, found: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[n, 2] halves of the hashes of names as halves of the hashes that they stand for."""
        stands = (found[:, 0].astype(np.int64) << 16) + found[:, 1].astype(np.int64)
        codes = np.array([self._codes[stand] for stand in stands.tolist()], np.int64)
        return np.stack([codes >> 16, codes & 0xFFFF], axis=1).astype(np.float32)


def places_of(history: History) -> Callable[[npt.NDArray[np.uint64]], Ints]:
    """Of items' hashes, their places among ``history.item_ids``."""
    hashes = np.array([item_code(item) for item in history.item_ids], np.uint64)
    order = np.argsort(hashes)
    ascending = hashes[order]
    return lambda wanted: order[np.searchsorted(ascending, wanted)]


def sold_within(history: History, rows: Rows, days: tuple[int, ...]) -> Labels:
    """[n, horizons] units ordered in [row's time, row's time + days), returns not taken off. Known when the days have
    passed; NaN where the history ends before."""
    sold = Sales(history)
    found, known = [], []
    for horizon in days:
        until = rows.at_ms + horizon * DAY_MS
        found.append(np.where(until <= history.end_ms, sold.between(rows.shopper, rows.at_ms, until), np.nan))
        known.append(until)
    return Labels(np.stack(found, axis=1).astype(np.float32), np.stack(known, axis=1))


def price_within(history: History, rows: Rows, weeks: tuple[int, ...]) -> Labels:
    """[n, weeks] cents paid for a unit on average in the k-th 7 days from the row's time on. Known when they have
    passed; NaN where nothing was sold in them, and where the history ends before."""
    sold = Sales(history)
    found, known = [], []
    for week in weeks:
        start, until = (rows.at_ms + 7 * k * DAY_MS for k in (week - 1, week))
        found.append(np.where(until <= history.end_ms, sold.price(rows.shopper, start, until), np.nan))
        known.append(until)
    return Labels(np.stack(found, axis=1).astype(np.float32), np.stack(known, axis=1))


class Sales:
    """What items sold and what was paid, to be asked how much of it lies between two moments."""

    def __init__(self, history: History) -> None:
        event = np.repeat(np.arange(len(history)), np.diff(history.touch_start))
        lines = np.flatnonzero(history.type[event] == TYPE_CODE[OrderPlaced])
        item, at = places_of(history)(history.touch_item[lines]), history.time_ms[event[lines]]
        # One ascending key for (item, time): times are below 2^48 ms.
        key = (item << 48) + at
        order = np.argsort(key, kind="stable")
        self._key, self._sum = key[order], np.r_[0, np.cumsum(history.touch_quantity[lines][order])]
        self._cents = np.r_[0, np.cumsum(history.touch_cents[lines][order])]
        units, cents = (
            np.bincount(item, values[lines], len(history.item_ids))
            for values in (history.touch_quantity, history.touch_cents)
        )
        self.price_cents = cents / np.maximum(units, 1)
        """[items] what a unit of each was sold for on average; 0 of one that never was."""

    def between(self, item: Ints, from_ms: Ints, until_ms: Ints) -> Ints:
        """[n] units ordered from one moment to before another."""
        return self._within(self._sum, item, from_ms, until_ms)

    def price(self, item: Ints, from_ms: Ints, until_ms: Ints) -> Floats:
        """[n] cents paid for a unit on average from one moment to before another, discounts taken off; NaN where
        nothing was sold."""
        units, cents = (self._within(sums, item, from_ms, until_ms) for sums in (self._sum, self._cents))
        return np.where(units > 0, cents / np.maximum(units, 1), np.nan)

    def _within(self, sums: Ints, item: Ints, from_ms: Ints, until_ms: Ints) -> Ints:
        first, last = (np.searchsorted(self._key, (item << 48) + at, side="left") for at in (from_ms, until_ms))
        found: Ints = sums[last] - sums[first]
        return found

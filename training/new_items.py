"""Orders of a history that hold an item that is new to all, and what is known of such items when they are placed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Bools, Hashes, Ints
from streams.decisions.new_items import NEW_DAYS
from streams.features.days import DAY_MS
from streams.records.events import OrderPlaced
from training.history import History
from training.ranking import ROUNDS
from training.recommending import touches_of
from training.redraws import ends

Floats = npt.NDArray[np.float64]
#: Orders from so many days after a cut on are asked about, until so many after it, and no more than so many.
AFTER_DAYS, SPAN_DAYS, ORDERS = 14, 92, 9_000
#: Lines as all shoppers buy that a shopper's own are added to.
PRIOR = 100.0


class OrderLines:
    """All order lines of a history, in order of time."""

    def __init__(self, history: History) -> None:
        self.orders: Ints = np.flatnonzero(history.type == TYPE_CODE[OrderPlaced])
        """Which events are orders."""
        in_order = self.orders[np.argsort(history.time_ms[self.orders], kind="stable")]
        self.touch, owner = touches_of(history, in_order)
        """Which touch each line is."""
        self.time = history.time_ms[owner]
        self.items: Hashes
        self.items, self.begun, self.item = np.unique(
            history.touch_item[self.touch], return_index=True, return_inverse=True
        )
        self.first = self.time[self.begun]
        """When each item was first sold, by the line ``begun``."""
        self.categories, self.category = np.unique(history.touch_category[self.touch], return_inverse=True)
        self.of_item = self.category[self.begun]
        self._by_shopper = np.argsort(history.shopper[owner], kind="stable")
        self._start = np.searchsorted(history.shopper[owner][self._by_shopper], np.arange(len(history.shoppers) + 1))

    def of(self, shopper: int, now: int) -> Ints:
        """The lines of a shopper before a time."""
        mine = self._by_shopper[self._start[shopper] : self._start[shopper + 1]]
        return mine[self.time[mine] < now]

    def between(self, since: int, now: int) -> slice:
        """The lines from a time on, before another."""
        return slice(*np.searchsorted(self.time, (since, now)).tolist())

    def many(self, new: Ints, lately: slice) -> Floats:
        """[k] in how many of some lines items stand."""
        return np.bincount(self.item[lately], minlength=len(self.items))[new].astype(np.float64)

    def usual(self, lately: slice) -> Floats:
        """The share of each category in some lines."""
        count = np.bincount(self.category[lately], minlength=len(self.categories))
        return count / max(1, lately.stop - lately.start)

    def likelier(self, new: Ints, past: Ints, usual: Floats) -> Floats:
        """[k] how much likelier than anybody whoever bought the lines ``past`` buys of the category of items."""
        own = np.bincount(self.category[past], minlength=len(self.categories))
        found: Floats = (own + PRIOR * usual) / (own.sum() + PRIOR) / np.maximum(usual, 1e-9)
        return found[self.of_item[new]]


class OrderWithNew(NamedTuple):
    """An order with an item that is new to all."""

    shopper: int
    new: Ints
    """[k] items first sold since the cut, within 28 days before the order's day, and never bought by the shopper."""
    past: Ints
    """The shopper's lines before that day."""
    since: int
    """28 days before that day, and …"""
    now: int
    """… its begin, UTC milliseconds."""
    wanted: Bools
    """[k] which of them the order holds."""


def orders_with_new(
    history: History, lines: OrderLines, cut_ms: int, rng: np.random.Generator, known: Bools | None = None
) -> Iterator[OrderWithNew]:
    """Some orders after a cut that hold a new item, of shoppers who bought before. ``known``: which items of ``lines``
    may be asked about; None, all."""
    start, end = cut_ms + AFTER_DAYS * DAY_MS, cut_ms + SPAN_DAYS * DAY_MS
    when = history.time_ms[lines.orders]
    span = lines.orders[(when >= start) & (when < end)]
    for event in np.sort(rng.permutation(span)[:ORDERS]).tolist():
        shopper, now = int(history.shopper[event]), int(history.time_ms[event]) // DAY_MS * DAY_MS
        past, since = lines.of(shopper, now), now - NEW_DAYS * DAY_MS
        lately = (lines.first >= max(cut_ms, since)) & (lines.first < now)
        new = np.flatnonzero(lately if known is None else lately & known)
        new = new[~np.isin(new, lines.item[past])]
        came = history.touch_item[history.touch_start[event] : history.touch_start[event + 1]]
        wanted = np.isin(lines.items[new], came)
        if len(past) and wanted.any():
            yield OrderWithNew(shopper, new, past, since, now, wanted)


def intervals(
    shoppers: Sequence[int], gains: Mapping[str, Floats], rng: np.random.Generator
) -> tuple[int, dict[str, tuple[float, float]]]:
    """How many shoppers there are, and 95% of the mean of each gain [orders], whole shoppers redrawn."""
    _, who = np.unique(np.array(shoppers), return_inverse=True)
    size = np.bincount(who)
    drawn = rng.integers(0, len(size), (ROUNDS, len(size)))
    found = {}
    for name, gain in gains.items():
        found[name] = ends(np.bincount(who, weights=gain)[drawn].sum(axis=1) / size[drawn].sum(axis=1))
    return len(size), found

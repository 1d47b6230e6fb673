"""Which new item a shopper is shown first: of those that came after a model was taught, which therefore cannot name
them, by what they sell since they came, what the shopper likes of their categories, and their prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Hashes, Ints, counted
from streams.columns.layout import Kept
from streams.decisions.likeness import Alike, Embedded, NewEmbedded
from streams.decisions.listed import Catalogue, Fresh
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.favourites import SLOTS, slot_of
from streams.features.kinds.last import row_sum

#: An item is new until so many days after it was first listed or sold.
NEW_DAYS = 28
#: Of the units that it sold since is told from so many on, and again each time that they doubled: else there would be
#: news of most sales of a long tail.
TOLD_FROM = 4
#: As if an item had sold one unit more in so many days more: so what was just listed has a chance, until it sells less.
WAIT_DAYS = 14
#: Of each slot of categories only so many items that sell fastest are weighed.
OF_SLOT = 3
#: Where it counts what items are like, so many that sell fastest are weighed as well, of whatever slot.
FASTEST = 64
#: What all shoppers like counts as much as this weight of a shopper's own: 20 lines of orders.
PRIOR = 100.0


class NewItems(Kept):
    """n new items, as they are known at a place of a log, in the order in which it says of them. ``category``: 32-bit
    hashes, 0 for none; ``price``: cents, 0 for unknown; ``came_ms``: UTC milliseconds; ``units``: sold since;
    ``category_units``: units that the category of each sold in 30 days; ``embedded``: what each is like; empty: nothing
    is known of any."""

    def __init__(
        self, names: tuple[str, ...], category: Ints, price: Ints, came_ms: Ints, units: Ints, category_units: Ints,
        embedded: Sequence[Embedded] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedded = tuple(embedded) or (None,) * len(names)
        self.names, self.category, self.price, self.units = names, category, price, units
        self.slot, self.day, self._category_units = slot_of(category), came_ms // DAY_MS, category_units

    def __len__(self) -> int:
        return len(self.names)

    def catalogue(self, never: frozenset[str]) -> Catalogue:
        """They as what a model names; ``never``: what is blocked."""
        return self.once(never, lambda: Catalogue(self.names, never))

    def new_on(self, day: int) -> Bools:
        """[n] which are new on a day (since 1970); the others may be known or forgotten, and count for nothing."""
        age = day - self.day
        found: Bools = (age >= 0) & (age <= NEW_DAYS)
        return found

    def usual(self, day: int) -> Floats:
        """[SLOTS] the share of each slot in what the categories sell that have items that are new on a day."""
        return self.once(day, lambda: self._usual(self.new_on(day)))

    def _usual(self, new: Bools) -> Floats:
        known, first, which = np.unique(self.category[new], return_index=True, return_inverse=True)
        most = np.zeros(len(known))
        np.maximum.at(most, which, self._category_units[new])
        sold = np.bincount(self.slot[new][first], weights=most + 1.0, minlength=SLOTS)
        found: Floats = sold / max(sold.sum(), 1.0)
        return found

    def alike(self, model: str, alike: Alike, places: Ints) -> NewEmbedded:
        """What some of them are like, to a ``model`` (its digest)."""
        return self.once(("alike", model), lambda: alike.new(self.embedded)).at(places)

    def fastest(
        self, day: int, model: str, named: Hashes, never: frozenset[str], besides: int = 0
    ) -> tuple[Ints, Floats]:
        """[c] places of those that are new on a ``day`` (since 1970) to a ``model`` (its digest), which has the items
        ``named``, and that may be shown at all; and the units they sell a day: of each slot of categories the first
        three, and so many ``besides`` that are the fastest of all."""
        own = self.catalogue(never)
        return self.once((day, model, never, besides), lambda: self._fastest(day, named, own, besides))

    def _fastest(self, day: int, named: Hashes, own: Catalogue, besides: int) -> tuple[Ints, Floats]:
        some = np.flatnonzero(self.new_on(day) & ~own.blocked & ~np.isin(own.hashes, named))
        speed = (self.units[some] + 1.0) / (day - self.day[some] + WAIT_DAYS)
        order = np.argsort(-speed, kind="stable")
        order = order[(counted(self.slot[some[order]]) < OF_SLOT) | (np.arange(len(order)) < besides)]
        return some[order], speed[order]


class Arrivals(Protocol):
    """What is known of new items; ``streams.processing.arrivals.HeardArrivals`` is one."""

    def __len__(self) -> int:
        """How many are known."""

    def known(self, before: Ints) -> tuple[Ints, list[NewItems]]:
        """[m] which of the list is known from what stands before offsets [m] of the log."""


def likelier(taste: Floats, usual: Floats) -> Floats:
    """[m, SLOTS] how much likelier each shopper is to like what is in a slot than anybody: ``taste`` [m, SLOTS] are
    their weights, ``usual`` [SLOTS] the shares of all; of a slot that sells nothing 1.

    >>> likelier(np.array([[300.0, 0.0], [0.0, 0.0]]), np.array([0.25, 0.75])).tolist()
    [[3.25, 0.25], [1.0, 1.0]]
    """
    share = np.where(usual > 0, usual, 1.0)
    total = row_sum(taste)[:, None]
    return np.where(usual > 0, (taste + PRIOR * share) / ((total + PRIOR) * share), 1.0)


def closeness(price: Ints, usual: Floats) -> Floats:
    """[m, c] the smaller over the larger of prices [c] and what a unit cost each shopper so far [m]; 1 where either is
    not known (0).

    >>> closeness(np.array([100, 0, 800]), np.array([400.0, 0.0])).tolist()
    [[0.25, 1.0, 0.5], [1.0, 1.0, 1.0]]
    """
    one, other = np.broadcast_arrays(price[None, :].astype(np.float64), usual[:, None])
    known = (one > 0) & (other > 0)
    found: Floats = np.where(known, np.minimum(one, other) / np.where(known, np.maximum(one, other), 1.0), 1.0)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """m shoppers who are shown a list: when, what the log says before which offset, the weights of their slots of
    categories ([m, SLOTS]), money and units of all their orders, and the 32-bit hashes of items they had ([m, k], 0 for
    none; None where it does not count what items are like)."""

    now_ms: Ints
    before: Ints
    taste: npt.NDArray[np.float32]
    spend: Floats
    units: Floats
    had: Ints | None = None


def fresh(
    arrivals: Arrivals,
    asked: Asked,
    model: str,
    named: Hashes,
    never: frozenset[str],
    may: Callable[[NewItems, Ints, Ints], Bools],
    alike: Alike | None = None,
) -> Fresh:
    """The new item of each of m lists of a ``model`` (its digest), which has the items ``named``; ``never``: ids of
    items that are shown to nobody; ``may``: of new items, shoppers and a place each, whether it may be shown;
    ``alike``: tells how like they are to what shoppers had, None where that does not count."""
    which, known = arrivals.known(asked.before)
    found = Fresh([None] * len(which), np.zeros(len(which), np.int64))
    usual, days = asked.spend / np.maximum(asked.units, 1.0), asked.now_ms // DAY_MS
    for v, day in np.unique(np.stack([which, days]), axis=1).T.tolist():
        items, rows = known[v], np.flatnonzero((which == v) & (days == day))
        places, speed = items.fastest(day, model, named, never, 0 if alike is None else FASTEST)
        if not len(places):
            continue
        worth = weighed(items, day, places, speed, asked.taste[rows].astype(np.float64), usual[rows])
        if alike is not None and asked.had is not None:
            worth *= alike.factor(asked.had[rows], items.alike(model, alike, places))
        best = first_that_may(worth, partial(_of_places, may, items, rows, places))
        own = items.catalogue(never)
        for row, at in zip(rows.tolist(), best.tolist(), strict=True):
            if at >= 0:
                found.names[row], found.codes[row] = own.names[places[at]], own.codes[places[at]]
    return found


def _of_places(
    may: Callable[[NewItems, Ints, Ints], Bools], items: NewItems, rows: Ints, places: Ints, some: Ints, at: Ints
) -> Bools:
    return may(items, rows[some], places[at])


def weighed(items: NewItems, day: int, places: Ints, speed: Floats, taste: Floats, usual: Floats) -> Floats:
    """[m, c] of c ``places`` of new items what each is worth for each shopper on a ``day``: the units it sells a day
    (``speed``), times the fourth root of how much ``likelier`` its slot is (``taste`` [m, SLOTS]), times the root of
    the ``closeness`` of its price to what a unit costs them (``usual`` [m]). Roots are the same bits wherever in a
    slice a number stands; powers are not."""
    liked = np.sqrt(likelier(taste, items.usual(day))[:, items.slot[places]])
    return np.sqrt(liked * closeness(items.price[places], usual)) * speed


def first_that_may(worth: Floats, may: Callable[[Ints, Ints], Bools]) -> Ints:
    """[m] of each row of ``worth`` [m, c] the place of the largest that ``may`` be, of several alike the first; -1:
    none may. ``may``: of rows and of a place each.

    >>> first_that_may(np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 5.0]]), lambda row, at: (row == 1) | (at != 1)).tolist()
    [2, 0]
    """
    worth, found, left = worth.copy(), np.full(len(worth), -1), np.arange(len(worth))
    for _ in range(worth.shape[1]):
        best = worth[left].argmax(axis=1)
        fits = may(left, best)
        found[left[fits]] = best[fits]
        worth[left, best] = -1.0
        left = left[~fits]
        if not len(left):
            break
    return found

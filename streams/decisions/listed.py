"""What models list of items, and which of it may be shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.likeness import Alike, Likeness
from streams.features.kinds.bought import code_of


class Catalogue:
    """The items that one model names. ``likeness``: what it says that they are like; None where that does not count."""

    def __init__(self, names: tuple[str, ...], never: frozenset[str], likeness: Likeness | None = None) -> None:
        self.names = names
        self.hashes = np.array([item_code(name) for name in names], np.uint64)
        self.codes = code_of(self.hashes).astype(np.int64)
        self.blocked = np.array([name in never for name in names], np.bool_)
        self.alike = None if likeness is None else Alike(likeness, self.codes)


@dataclass(frozen=True, slots=True)
class GoingWith:
    """What goes with the carts of m shoppers, c places each, the best first."""

    place: Ints
    """[m, c] which item of the catalogue …"""
    of: Ints
    """… and the item of the cart with which it goes best."""
    usable: Bools
    """[m, c] which of them may be shown."""
    weight: Floats
    """[m, c] as the model answers."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The new item that each of m shoppers is shown: one that the model does not name."""

    names: list[str | None]
    """[m]; None: there is none."""
    codes: Ints
    """[m] their 32-bit hashes; 0: there is none."""

    def among(self, at: Ints, m: int) -> Fresh:
        """The same of m shoppers, of whom these are the ones at some places."""
        found = Fresh([None] * m, np.zeros(m, np.int64))
        found.codes[at] = self.codes
        for place, name in zip(at.tolist(), self.names, strict=True):
            found.names[place] = name
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """What one model of a task lists for m of a group, n places each, the best first."""

    task: str
    at: Ints
    """[m] whom of the group."""
    catalogue: Catalogue
    place: Ints
    """[m, n] which item of the catalogue stands at each place."""
    usable: Bools
    """[m, n] which of them may be shown …"""
    spare: Bools
    """… and which could be where one of these is not: the list is full."""
    because: Ints
    """[m, n] why each is recommended: places in ``BECAUSE``."""
    weight: Floats
    beside: Floats
    """[m, n] as the model answers."""
    cart: GoingWith | None = None
    """None where nothing goes with a cart of any."""
    fresh: Fresh | None = None
    """None where nothing is new to anybody."""

    def items(self, k: int, most: int) -> list[str]:
        """The first items that may be shown to the k-th of the m, none of them drawn."""
        return [self.catalogue.names[place] for place in self.place[k, np.flatnonzero(self.usable[k])[:most]].tolist()]


@dataclass(frozen=True, slots=True)
class Best:
    """Which list is taken of each of a group."""

    listed: list[Listed]
    count: Ints
    """[k] how many items may be shown to each."""
    of: Ints
    """[2, k] the place of the list, and of the shopper in it; -1: there is none."""

    @staticmethod
    def none(k: int) -> Best:
        """Nobody lists anything for k shoppers."""
        return Best([], np.zeros(k, np.int64), np.full((2, k), -1))

    def items(self, i: int, most: int) -> list[str]:
        """The first items that may be shown to the i-th of the group."""
        j, k = self.of[:, i].tolist()
        return self.listed[j].items(k, most) if j >= 0 else []

    def task(self, i: int) -> str | None:
        """The task that lists them; None: none does."""
        j = int(self.of[0, i])
        return self.listed[j].task if j >= 0 else None

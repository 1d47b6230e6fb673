"""Which category a catalogue puts its listings into, and how reviewers who gave stars thought of an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Ints
from streams.records.items import CatalogRecord, ItemReviewed
from training.told import Told

#: Stars from which on a review speaks well of its item, and up to which it does not; those between teach nothing.
GOOD, BAD = 4, 2


@dataclass(frozen=True)
class Labelled:
    """k records with what is known of them."""

    records: list[Any]
    at_ms: Ints
    """[k] UTC milliseconds since 1970."""
    label: npt.NDArray[Any]
    """[k] the name of a category, ``""`` where none is known; or 1.0 for a good review, 0.0 for a bad one."""
    group: Ints
    """[k] what is redrawn together: a seller's listings, or an item's."""

    def __len__(self) -> int:
        return len(self.records)

    def take(self, chosen: Bools | Ints) -> Labelled:
        """Some of them."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        kept = [self.records[i] for i in places.tolist()]
        return Labelled(kept, self.at_ms[places], self.label[places], self.group[places])

    def known(self, cut_ms: int) -> int:
        """How many before a moment are of a category that is known."""
        return int(((self.at_ms < cut_ms) & (self.label != "")).sum())

    def tested(self, cut_ms: int) -> int:
        """How many from a moment on are."""
        return int(((self.at_ms >= cut_ms) & (self.label != "")).sum())


@dataclass(frozen=True)
class Shown:
    """k listings, and the categories around theirs."""

    found: Labelled
    """``label``: the narrowest category, ``""`` where none is known; ``group``: of a seller's or an item's listings."""
    parent: npt.NDArray[Any]
    """[k] the category around it, ``""`` where there is none."""

    def __len__(self) -> int:
        return len(self.found)

    def take(self, chosen: Any) -> Shown:
        """Some of them."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Shown(self.found.take(places), self.parent[places])


def first_with(told: Told, has: Callable[[Any], bool], readable: Callable[[Any], bool] = lambda _record: True) -> Shown:
    """The first record of each item that ``has`` something, where that is ``readable``, and the categories said of the
    item then or first. Listings of one ``seller`` (an attribute, where the catalogue says any) are of one group, else
    an item's."""
    path, first = dict[str, list[str]](), dict[str, int]()
    for i, record in enumerate(told.records):
        if not isinstance(record, CatalogRecord):
            continue
        if record.category_path:
            path.setdefault(record.item_id, record.category_path)
        if has(record):
            first.setdefault(record.item_id, i)
    places = [i for i in sorted(first.values()) if readable(told.records[i])]
    kept: list[Any] = [told.records[i] for i in places]
    paths = [path.get(record.item_id, [""]) for record in kept]
    groups = [(record.attributes or {}).get("seller", record.item_id) for record in kept]
    label = np.array([each[-1] for each in paths], object)
    parent = np.array([each[-2] if len(each) > 1 else "" for each in paths], object)
    return Shown(Labelled(kept, told.time_ms[np.array(places, np.int64)], label, numbered(groups)), parent)


def listings(told: Told) -> Labelled:
    """The first record of each item with a title, and the narrowest category that was said of the item then or
    first."""
    return first_with(told, lambda record: bool(record.title)).found


def reviews(told: Told) -> Labelled:
    """Reviews with a text and stars that say good or bad; those of one item are of one group."""
    places = [
        i
        for i, record in enumerate(told.records)
        if isinstance(record, ItemReviewed) and record.text and not BAD < record.rating < GOOD
    ]
    kept: list[Any] = [told.records[i] for i in places]
    label = np.array([float(record.rating >= GOOD) for record in kept])
    return Labelled(kept, told.time_ms[np.array(places, np.int64)], label, numbered([r.item_id for r in kept]))


def numbered(names: list[str]) -> Ints:
    """[k] a number for each name, the same for the same."""
    return np.unique(np.array(names, object), return_inverse=True)[1].reshape(-1).astype(np.int64)

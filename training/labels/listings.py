"""Which category a catalogue puts its listings into, and how reviewers who gave stars thought of an item."""

from __future__ import annotations

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


def listings(told: Told) -> Labelled:
    """The first record of each item with a title, and the narrowest category that was said of the item then or
    first. Listings of one ``seller`` (an attribute, where the catalogue says any) are of one group, else an item is."""
    category, first = dict[str, str](), dict[str, int]()
    for i, record in enumerate(told.records):
        if not isinstance(record, CatalogRecord):
            continue
        if record.category_path:
            category.setdefault(record.item_id, record.category_path[-1])
        if record.title:
            first.setdefault(record.item_id, i)
    places = np.array(sorted(first.values()), np.int64)
    kept: list[Any] = [told.records[i] for i in places.tolist()]
    groups = [(record.attributes or {}).get("seller", record.item_id) for record in kept]
    label = np.array([category.get(record.item_id, "") for record in kept], object)
    return Labelled(kept, told.time_ms[places], label, _numbers(groups))


def reviews(told: Told) -> Labelled:
    """Reviews with a text and stars that say good or bad; those of one item are of one group."""
    places = [
        i
        for i, record in enumerate(told.records)
        if isinstance(record, ItemReviewed) and record.text and not BAD < record.rating < GOOD
    ]
    kept: list[Any] = [told.records[i] for i in places]
    label = np.array([float(record.rating >= GOOD) for record in kept])
    return Labelled(kept, told.time_ms[np.array(places, np.int64)], label, _numbers([r.item_id for r in kept]))


def _numbers(names: list[str]) -> Ints:
    return np.unique(np.array(names, object), return_inverse=True)[1].reshape(-1).astype(np.int64)

"""Listings with a picture, and the class that a catalogue says each shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.entities.item import ITEM
from streams.features.feature import Unreadable
from streams.records.items import CatalogRecord
from training.labels.listings import Labelled
from training.told import Told

PICTURE = ITEM.catalogue.inputs["payload.picture"].source
SIDE = PICTURE.side


@dataclass(frozen=True)
class Shown:
    """k listings with pictures that can be read (or other things that models look at)."""

    found: Labelled
    """``label``: the narrowest category, ``""`` where none is known; ``group``: of a seller's or an item's pictures."""
    parent: npt.NDArray[Any]
    """[k] the category around it, ``""`` where there is none."""

    def __len__(self) -> int:
        return len(self.found)

    def take(self, chosen: Any) -> Shown:
        """Some of them."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Shown(self.found.take(places), self.parent[places])


def pictures(told: Told) -> Shown:
    """The first record of each item with a picture, and the categories said of the item then or first. One whose
    picture cannot be read is left out. Pictures of one ``seller`` (an attribute) are of one group, else an item's."""
    return first_with(told, lambda record: bool(record.image), _readable)


def first_with(told: Told, has: Callable[[Any], bool], readable: Callable[[Any], bool]) -> Shown:
    """The first record of each item that ``has`` something, where that is ``readable``, and the categories said of the
    item then or first."""
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
    group: Ints = np.unique(np.array(groups, object), return_inverse=True)[1].reshape(-1).astype(np.int64)
    label = np.array([each[-1] for each in paths], object)
    parent = np.array([each[-2] if len(each) > 1 else "" for each in paths], object)
    return Shown(Labelled(kept, told.time_ms[np.array(places, np.int64)], label, group), parent)


def points(records: Sequence[Any]) -> npt.NDArray[np.uint8]:
    """[k, 96, 96, 3] what is made of the pictures of records that can be read, 255 times as much."""
    found = np.empty((len(records), SIDE, SIDE, 3), np.uint8)
    for i, record in enumerate(records):
        found[i] = PICTURE.of(record).reshape(SIDE, SIDE, 3)
    return found


def _readable(record: Any) -> bool:
    try:
        return PICTURE.of(record) is not None
    except Unreadable:
        return False

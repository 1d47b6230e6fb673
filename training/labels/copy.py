"""Which attributes the people who wrote a listing's title and description said in them, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.copy.slots import MOST, Slot, enough, slots
from streams.copy.tokens import said
from streams.features.payload.attributes import rows
from streams.records.items import CatalogRecord
from training.told import Told

Rows32 = npt.NDArray[np.float32]
#: A longer description is no short text, and teaches nothing of one.
LONGEST = 400


@dataclass(frozen=True)
class Written:
    """k listings with a title and enough attributes, in the order in which items were first listed so."""

    records: list[Any]
    slots: list[list[Slot]]
    at_ms: Ints
    """[k] UTC milliseconds since 1970."""
    brand: npt.NDArray[Any]
    """[k] who makes it; empty where the record does not say."""

    def __len__(self) -> int:
        return len(self.records)

    def take(self, chosen: npt.NDArray[Any]) -> Written:
        """Some of them."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        some = places.tolist()
        records, known = [self.records[i] for i in some], [self.slots[i] for i in some]
        return Written(records, known, self.at_ms[places], self.brand[places])

    @property
    def titles(self) -> list[str]:
        """What was written as a title."""
        return [record.title for record in self.records]

    @property
    def shorts(self) -> list[str]:
        """What was written as a short description; empty where there is none."""
        said = [record.description or "" for record in self.records]
        return [text if len(text) <= LONGEST else "" for text in said]

    @property
    def x(self) -> Rows32:
        """[k, 40 · 6] what a model is given of each."""
        found = np.stack([rows(known) for known in self.slots]) if len(self) else np.zeros((0, MOST, 6), np.float32)
        return found.reshape(len(found), -1)


def written(told: Told) -> Written:
    """The first record of each item that has a title and enough attributes."""
    first: dict[str, tuple[int, list[Slot]]] = {}
    for i, record in enumerate(told.records):
        if isinstance(record, CatalogRecord) and record.title and record.item_id not in first:
            known = slots(record)
            if enough(known):
                first[record.item_id] = (i, known)
    places = sorted(first.values(), key=lambda each: each[0])
    records: list[Any] = [told.records[i] for i, _ in places]
    brands = np.array([record.brand or "" for record in records], object)
    at = told.time_ms[np.array([i for i, _ in places], np.int64)]
    return Written(records, [known for _, known in places], at, brands)


def labels(known: list[Slot], text: str) -> Rows32:
    """[40, 2] of each slot whether a text says its value (of a yes: its name), and how far from its beginning, 0 to 1;
    -1 as the first where it says nothing, for there is no text."""
    found = np.zeros((MOST, 2), np.float32)
    if not text:
        found[:, 0] = -1.0
        return found
    whole = said(text)
    for k, slot in enumerate(known):
        words = said(slot.name if slot.kind == "yes" else slot.value)
        if slot.kind in ("text", "yes") and words in whole:
            found[k] = 1.0, whole.index(words) / max(len(whole), 1)
    return found

"""Listings with a picture, and the class that a catalogue says each shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.entities.item import ITEM
from streams.features.feature import Unreadable
from training.labels.listings import Shown, first_with
from training.told import Told

PICTURE = ITEM.catalogue.inputs["payload.picture"].source
SIDE = PICTURE.side


def pictures(told: Told) -> Shown:
    """The first record of each item with a picture, and the categories said of the item then or first. One whose
    picture cannot be read is left out."""
    return first_with(told, lambda record: bool(record.image), _readable)


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

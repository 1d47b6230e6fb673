"""The category that a shopper likes most: the newest among their last events that lies in the heaviest slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.features.feature import Derived, Read
from streams.features.kinds.favourites import FavouriteKind, slot_of
from streams.features.kinds.recent import RecentKind

_HALF = 1 << 16


@dataclass(frozen=True, slots=True)
class FavouriteCategory(Derived):
    """The 32-bit hash of the favourite category as two numbers, its upper and lower 16 bits: float32 holds them
    exactly. 0 and 0 while there is none. ``code`` puts them together."""

    kinds: ClassVar = (FavouriteKind, RecentKind)

    def of(self, read: Read) -> Floats:
        heaviest = read.kind(FavouriteKind).weights(read.rows, read.now_ms).argmax(axis=1)
        filled, _, fields = read.kind(RecentKind).sequence(read.rows)
        category = fields["category"].astype(np.int64)
        fits = filled & (category != 0) & (slot_of(category) == heaviest[:, None])
        chosen = np.where(fits.any(axis=1), category[np.arange(len(category)), fits.argmax(axis=1)], 0)
        return np.stack([chosen // _HALF, chosen % _HALF], axis=1).astype(np.float64)


def code(halves: np.ndarray) -> Ints:
    """[k] the hash, of the feature's [k, 2].

    >>> code(np.array([[1.0, 2.0]])).tolist()
    [65538]
    """
    whole = halves.astype(np.int64)
    return whole[:, 0] * _HALF + whole[:, 1]

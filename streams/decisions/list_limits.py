"""What a list leaves out for the sake of the whole: too much of a category, and prices far from a shopper's."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from streams.columns.arrays import Bools, Floats, Hashes, Ints

#: Facts of items that may be known.
CATEGORY, PRICE = range(2)


class ItemFacts(Protocol):
    """What is known of items; ``streams.processing.said_of_items.SaidOfItems`` is one."""

    def look(self, fact: int, items: Hashes, now_ms: Ints, before: Ints) -> Ints:
        """[m, n] what is known of items at times [m], of what stands before offsets [m] of the log; 0: nothing."""


def first_of_each(category: Ints, usable: Bools, most: int) -> Bools:
    """[m, n] the first ``most`` of each category among those that are ``usable``; 0 is no category, and has no end.

    >>> first_of_each(np.array([[7, 0, 7, 5, 7, 0]]), np.array([[False, True, True, True, True, True]]), 1).tolist()
    [[False, True, True, True, False, True]]
    """
    n = category.shape[1]
    before = np.tri(n, k=-1, dtype=np.bool_) & usable[:, None, :]
    same = ((category[:, :, None] == category[:, None, :]) & before).sum(axis=2)
    kept: Bools = usable & ((same < most) | (category == 0))
    return kept


def in_range(price: Ints, spend: Floats, units: Floats, factor: float) -> Bools:
    """[m, n] whether prices (0: unknown) lie within a factor of what a unit cost each shopper so far: ``spend`` [m]
    over ``units`` [m]. What is not known is in range.

    >>> in_range(np.array([[0, 100, 400, 401, 24]]), np.array([600.0]), np.array([6.0]), 4.0).tolist()
    [[True, True, True, False, False]]
    """
    usual = (spend / np.maximum(units, 1e-9))[:, None]
    told = (price > 0) & (spend > 0)[:, None] & (units > 0)[:, None]
    return ~told | ((price <= usual * factor) & (price * factor >= usual))

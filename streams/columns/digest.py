"""Digests of what is said, row by row: whether a row says the same as before is told by 64 bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Hashes

#: What a digest begins with, if with nothing else.
START = np.uint64(0x9E37_79B9_7F4A_7C15)
_FACTOR, _SHIFT = np.uint64(0xFF51_AFD7_ED55_8CCD), np.uint64(32)


def digest(start: Hashes, parts: Iterable[npt.NDArray[Any]]) -> Hashes:
    """[k] digests, never 0, of ``start`` [k] and of whole numbers, or bits, [k] each, in their order.

    >>> start, one, two = np.full(1, START), np.array([1]), np.array([2])
    >>> bool(digest(start, [one, two])[0] == digest(start, [two, one])[0])
    False
    """
    found = start
    for part in parts:
        found = (found ^ np.asarray(part).astype(np.uint64)) * _FACTOR
        found = found ^ (found >> _SHIFT)
    return np.maximum(found, np.uint64(1))

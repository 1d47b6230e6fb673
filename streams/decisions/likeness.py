"""How like new items are to what a shopper had, by embeddings in whole numbers: by which words, and pictures, say that
something is for them that nobody bought yet.

All sums are of whole numbers that their types hold exactly, in whatever order they are added; roots, products and
quotients are the same bits wherever in a slice a number stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.features.kinds.bought import whole

#: Numbers of an embedding, from -127 to 127, a byte each: as ``items.embedded.v1`` says them.
WIDTH, STEPS = 64, 127
#: A model that embeds is named by so many digits of its digest.
BY_DIGITS = 16
#: A version's items are found by so many last bits of their codes: of two that share them the less popular is unknown.
_SLOT_BITS = 17
#: What an item is like, and by which model: the first digits of its digest, and an embedding; None: nothing is known.
Embedded = tuple[str, bytes] | None


class Likeness(Protocol):
    """What a version says of its items; ``models.likeness.Likeness`` is one."""

    @property
    def power(self) -> int:
        """How much likeness counts: a power of two."""

    @property
    def by(self) -> str:
        """The model that embedded, by the first digits of its digest."""

    @property
    def middle(self) -> npt.NDArray[np.int8]:
        """[64] what all items have in common."""

    @property
    def embeddings(self) -> npt.NDArray[np.int8]:
        """[m, 64] of its first names, 0 of those of which nothing is known."""


class NewEmbedded(NamedTuple):
    """What new items are like, less what all have in common."""

    embeddings: Floats
    """[c, 64] whole numbers, 0 of those of which nothing is known."""
    length: Floats
    """[c]"""

    def at(self, places: Ints) -> NewEmbedded:
        """Of some of them."""
        return NewEmbedded(self.embeddings[places], self.length[places])


class Alike:
    """Tells how like new items are to what shoppers had, by what a version says of its items. ``codes``: the 32-bit
    hashes of all its names."""

    def __init__(self, known: Likeness, codes: Ints) -> None:
        self.power, self.by, self._middle = known.power, known.by, known.middle
        embeddings = less(known.embeddings, self._middle)
        self._many = many = len(embeddings)
        # Four numbers in a word, so that 64 items are summed as words; the last row is of what is not known.
        lanes = np.concatenate([embeddings, np.zeros((1, WIDTH), np.int16)]) + STEPS
        self._lanes = np.ascontiguousarray(lanes.astype(np.uint16)).view(np.int64)
        self._code = np.append(codes[:many], -1)
        self._place = np.full(1 << _SLOT_BITS, many, np.int64)
        self._place[(codes[:many] & self._mask)[::-1]] = np.arange(many)[::-1]

    _mask = (1 << _SLOT_BITS) - 1

    def new(self, embedded: Sequence[Embedded]) -> NewEmbedded:
        """Of new items; what another model embedded is not known."""
        there = [one is not None and one[0] == self.by and len(one[1]) == WIDTH for one in embedded]
        found = np.zeros((len(there), WIDTH), np.int8)
        some = b"".join(one[1] for one, fits in zip(embedded, there, strict=True) if fits and one is not None)
        found[there] = np.frombuffer(some, np.int8).reshape(-1, WIDTH)
        whole = less(found, self._middle).astype(np.float64)
        return NewEmbedded(whole, np.sqrt((whole * whole).sum(axis=1)))

    def taste(self, codes: Ints) -> Floats:
        """[m, 64] the sums of what those items are like that shoppers had: 32-bit hashes [m, k], 0 for none, k at most
        256."""
        place = self._place.take(codes & self._mask, mode="clip")
        place[self._code.take(place, mode="clip") != codes] = self._many
        # Item by item over all shoppers: summed in one pass each, it takes a third of the time.
        total = self._lanes.take(place.T, axis=0, mode="clip").sum(axis=0).view(np.uint16)
        return total.astype(np.float64) - STEPS * codes.shape[1]

    def factor(self, codes: Ints, new: NewEmbedded) -> Floats:
        """[m, c] by which new items are worth more to shoppers who had the items ``codes`` [m, k]: one and the cosine
        of what they are like, to the version's power; 1 where nothing is known of either."""
        taste = self.taste(codes)
        length = np.sqrt((taste * taste).sum(axis=1))
        found: Floats = 1.0 + (taste @ new.embeddings.T) / np.maximum(length[:, None] * new.length, 1.0)
        found = np.maximum(found, 0.0)
        for _ in range(self.power.bit_length() - 1):
            found *= found
        return found


def had_of(bought: npt.NDArray[np.float32], seen: npt.NDArray[np.float32]) -> Ints:
    """[m, k] the codes of what shoppers bought, and of who bought nothing of what they saw last, 0 for none; of either
    the halves, as features have them.

    >>> had_of(np.array([[0, 0, 7, 0], [0, 0, 0, 0]], np.float32), np.array([[1, 2], [0, 9]], np.float32)).tolist()
    [[7, 0], [9, 0]]
    """
    found, lately = whole(bought), whole(seen)
    none = ~found.any(axis=1)
    found[none, : lately.shape[1]] = lately[none]
    return found


def less(embeddings: npt.NDArray[np.int8], middle: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    """[m, 64] embeddings less what all have in common, from -127 to 127; 0 of those of which nothing is known.

    >>> less(np.array([[100, -100], [0, 0]], np.int8), np.array([-50, 3], np.int8)).tolist()
    [[127, -103], [0, 0]]
    """
    known = (embeddings != 0).any(axis=1)
    off = np.clip(embeddings.astype(np.int16) - middle, -STEPS, STEPS)
    return np.where(known[:, None], off, 0).astype(np.int16)

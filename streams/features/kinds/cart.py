"""What lies in a shopper's cart, as far as their last 32 events show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from streams.columns.arrays import TYPE_CODE, Floats
from streams.features.feature import Derived, Read
from streams.features.kinds.bought import halves
from streams.features.kinds.recent import RecentKind
from streams.records.events import CartItemAdded, CartItemRemoved, OrderPlaced

#: Items of a cart that are told.
CART_TOLD = 8
_ADDED, _REMOVED, _ORDERED = (TYPE_CODE[cls] for cls in (CartItemAdded, CartItemRemoved, OrderPlaced))


@dataclass(frozen=True, slots=True)
class InCart(Derived):
    """The items put into the cart since the last order and not taken out since, the one put in last first, at most 8; 0
    where there is none. Whoever takes one of several units out is taken to have taken out all: 32-bit hashes in two
    halves, as of ``Bought``."""

    kinds: ClassVar = (RecentKind,)

    def of(self, read: Read) -> Floats:
        filled, _, fields = read.kind(RecentKind).sequence(read.rows)
        code = np.zeros((len(filled), CART_TOLD), np.int64)
        some = np.flatnonzero((filled & (fields["type"] == _ADDED)).any(axis=1))
        if len(some):
            kind = np.where(filled[some], fields["type"][some].astype(np.int64), -1)
            item = fields["item"][some].astype(np.int64)
            since = np.cumsum(kind == _ORDERED, axis=1) == 0
            said = since & ((kind == _ADDED) | (kind == _REMOVED))
            inside = said & (kind == _ADDED) & (item != 0)
            for place in range(1, item.shape[1]):
                inside[:, place] &= ~(said[:, :place] & (item[:, :place] == item[:, place, None])).any(axis=1)
            first = np.argsort(~inside, axis=1, kind="stable")[:, :CART_TOLD]
            code[some] = np.take_along_axis(np.where(inside, item, 0), first, axis=1)
        return halves(code)

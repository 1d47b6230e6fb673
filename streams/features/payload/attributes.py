"""An item's attributes as numbers: what each is called, and what its value is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.copy.slots import MOST, Slot, bucket, enough, slots
from streams.copy.tokens import said
from streams.features.feature import FromRecord

#: What a row says of each slot, in this order.
SAYS = ("name", "value", "kind", "characters", "within", "named")
KINDS = ("text", "number", "yes", "no")


@dataclass(frozen=True, slots=True)
class Attributes(FromRecord):
    """The slots of a record (``streams.copy.slots``) in their order, [40, 6]: the hash bucket of its name, that of name
    and value, its kind (1 to 4), the characters of its value, whether what the item is called says the value as well,
    and the characters of that; 0 after the last one. None where fewer than 3 attributes can be said.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        return (MOST, len(SAYS))

    def of(self, record: Any) -> npt.NDArray[np.float32] | None:
        """[40 · 6]"""
        if not getattr(record, "attributes", None):
            return None
        known = slots(record)
        return rows(known).reshape(-1) if enough(known) else None


def rows(known: Sequence[Slot]) -> npt.NDArray[np.float32]:
    """[40, 6] of slots."""
    found = np.zeros((MOST, len(SAYS)), np.float32)
    name = next((slot for slot in known if slot.names), None)
    within = "" if name is None else said(name.value)
    for k, slot in enumerate(known):
        found[k] = (
            bucket(slot.name),
            bucket(f"{slot.name}={slot.value}"),
            1 + KINDS.index(slot.kind),
            len(slot.value),
            slot is not name and said(slot.value) in within,
            0 if name is None else len(name.value),
        )
    return found

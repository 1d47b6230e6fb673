"""Says what the pictures of items show, and what they are like."""

from __future__ import annotations

from typing import Any

from streams.columns.layout import Column
from streams.decisions.decider import Group
from streams.decisions.looks import Looks
from streams.records.outcomes import outcome_id
from streams.records.pictured import ItemPictured, Look

TASK = "image"
SAID = Column("pictured/said", "u8")
"""A digest of what was said last; 0: nothing, or that the item is not for sale."""


class Pictured(Looks):
    """Says ``ItemPictured`` at a listing or change with a picture that can be read, where it shows or is like something
    else than before, and once where an item of which something was said is delisted.

    A record without a picture changes nothing; nor does a picture that cannot be read.
    """

    task, said, columns = TASK, SAID, (SAID,)

    def record(self, group: Group, i: int, look: dict[str, Any] | None) -> ItemPictured:
        """The outcome."""
        return ItemPictured(
            outcome_id=outcome_id("item_pictured", group.key[i], group.ref(i), ""),
            event_time_ms=int(group.now_ms[i]),
            due=group.due[i],
            item_id=group.key[i],
            picture=None if look is None else Look(**look),
        )

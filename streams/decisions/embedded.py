"""Says what items are, and what they are like, by what there is of their words, pictures and sounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.columns.arrays import Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group
from streams.decisions.looks import Looks
from streams.records.embedded import MODALITIES, Embedded, ItemEmbedded
from streams.records.items import ItemListed
from streams.records.outcomes import outcome_id

TASK = "multimodal"
SAID = Column("embedded/said", "u8")
"""A digest of what was said last; 0: nothing, or that the item is not for sale."""
MADE_OF = Column("embedded/made_of", "i8")
"""The modalities that what holds is made of, a bit each."""


class Embeds(Looks):
    """Says ``ItemEmbedded`` at a listing or change with a title, a picture or a sound, where that makes it something
    else than before, and once where an item of which something was said is delisted.

    A listing says all that there is of an item, and holds. A change may say a part: it holds where it has every
    modality that what holds so far is made of. Else a corrected title would throw away what the picture showed, for
    nothing of a picture is kept to look at again.
    """

    task, said, columns, others = TASK, SAID, (SAID, MADE_OF), ("made_of",)

    def holds(self, state: Rows, group: Group, some: Ints) -> Ints:
        """Those of listings, and of changes that say no less than what holds."""
        if not len(some):
            return some
        made_of = group.answer(TASK, "made_of")[some] > 0.5
        bits = made_of @ (1 << np.arange(len(MODALITIES)))
        cells = state.cells(MADE_OF, group.row[some])
        listed = np.array([isinstance(group.record[i], ItemListed) for i in some.tolist()], np.bool_)
        kept = listed | (state.flat["i8"][cells] & ~bits == 0)
        state.flat["i8"][cells[kept]] = bits[kept]
        return some[kept]

    def forget(self, state: Rows, group: Group, gone: Ints) -> None:
        """Nothing holds of them."""
        state.flat["i8"][state.cells(MADE_OF, group.row[gone])] = 0

    def record(self, group: Group, i: int, look: dict[str, Any] | None) -> ItemEmbedded:
        """The outcome."""
        if look is not None:
            there = [name for name, given in zip(MODALITIES, look["made_of"].tolist(), strict=True) if given > 0.5]
            look = look | {"made_of": there}
        return ItemEmbedded(
            outcome_id=outcome_id("item_embedded", group.key[i], group.ref(i), ""),
            event_time_ms=int(group.now_ms[i]),
            due=group.due[i],
            item_id=group.key[i],
            embedded=None if look is None else Embedded(**look),
        )

"""Says texts about items, made of their attributes, so that a page or a message need not wait for somebody to write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import numpy as np

from streams.columns.layout import Column, Rows
from streams.copy.checking import check
from streams.copy.languages import LANGUAGES
from streams.copy.slots import slots
from streams.copy.writing import planned, write
from streams.decisions.decider import Group, Said
from streams.records.described import Description, ItemDescribed, Texts
from streams.records.outcomes import outcome_id

TASK = "copy"
LISTED = "listing.listed"
SAID = Column("described/said", "u8")
"""A digest of what was said last; 0: nothing, or that the item is not for sale."""


class Describes:
    """Says ``ItemDescribed`` at a listing or change with attributes, where that brings other texts than before, and
    once where an item of which something was said is delisted.

    A change says all attributes of an item or none. A text that has a fault is not said: a wrong number on a page is a
    wrong promise, whoever made it.
    """

    columns: tuple[Column, ...] = (SAID,)
    reads = (LISTED,)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        cells = state.cells(SAID, group.row)
        before = state.flat["u8"][cells]
        sold = group.feature(LISTED) > 0
        gone = np.flatnonzero(~sold & (before > 0))
        state.flat["u8"][cells[gone]] = 0
        for i in gone.tolist():
            yield i, _record(group, i, None)
        some = np.flatnonzero(sold & group.whole(TASK))
        if not len(some):
            return
        known = [slots(group.record[i]) for i in some.tolist()]
        answers = {name: group.answer(TASK, name)[some] for name in ("commas", "title", "offer")}
        for i, of, plan in zip(some.tolist(), known, planned(known, answers), strict=True):
            texts = []
            for language in LANGUAGES:
                found = write(of, plan, language)
                checked = check(found, of, language, closed=True)
                if found and not checked.faults:
                    texts.append(Texts(language=language.tag, coverage=round(checked.coverage, 4), **found))
            told = Description(model=group.model(TASK, i), made_of=[slot.name for slot in of], texts=texts)
            now = _digest(told)
            if now != before[i]:
                state.flat["u8"][cells[i]] = now
                yield i, _record(group, i, told)


def _record(group: Group, i: int, told: Description | None) -> ItemDescribed:
    return ItemDescribed(
        outcome_id=outcome_id("item_described", group.key[i], group.ref(i), ""),
        event_time_ms=int(group.now_ms[i]),
        due=group.due[i],
        item_id=group.key[i],
        described=told,
    )


def _digest(told: Description) -> np.uint64:
    """Of the texts, never 0: another version that writes the same says nothing new."""
    whole = hashlib.blake2b(msgspec.json.encode((told.made_of, told.texts)), digest_size=8).digest()
    return np.uint64(int.from_bytes(whole, "little") or 1)

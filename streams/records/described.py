"""Texts that were made of an item's attributes: suggestions, which replace nothing that its catalogue says."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.outcomes import ItemOutcome, ModelUsed


class Texts(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What is written of an item in one language: plain text, to be escaped like any other where it is shown."""

    language: Annotated[str, Meta(description="BCP 47: en or zh-Hans. Values are as the catalogue says them.")]
    title: Annotated[str, Meta(description="At most 150 characters.")]
    description: Annotated[str, Meta(description="At most 3,000 characters.")]
    offer: Annotated[str, Meta(description="What to say beside an offer of it, at most 160 characters.")]
    coverage: Annotated[
        float, Meta(description="The share of the attributes it is made of that it says, 0 to 1; 4 decimals.")
    ]


class Description(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What is written of an item. All of it was checked: no number, unit, code or word is in it that neither an
    attribute nor a template says, and no forbidden one."""

    model: Annotated[ModelUsed, Meta(description="Which model chose what the title and the offer say.")]
    made_of: Annotated[
        list[str],
        Meta(description="Names of the attributes that could be said (also brand, category), at most 40."),
    ]
    texts: Annotated[list[Texts], Meta(description="By language; one without any text that may be said is left out.")]


class ItemDescribed(ItemOutcome, frozen=True, kw_only=True):
    """Texts about an item. The newest one holds: said when a listing or change with attributes brings other texts, and,
    with null, when the item is delisted."""

    described: Annotated[
        Description | None, Meta(description="What is written of it; null: the item is not for sale any more.")
    ] = None


def in_words(record: ItemDescribed) -> str:
    """What it says, in one line without the item."""
    if (told := record.described) is None:
        return "is not for sale any more: no texts hold"
    texts = "; ".join(f"{each.language}: {each.title}" for each in told.texts)
    covered = min((each.coverage for each in told.texts), default=0.0)
    return f"{texts or 'no text'} (of {len(told.made_of)} attributes, {covered:.0%} said)"

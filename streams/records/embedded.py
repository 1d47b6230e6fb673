"""What a model makes of an item by what there is of its words, picture and sound: a suggestion, which replaces nothing
that its catalogue says."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from streams.records.outcomes import ItemOutcome
from streams.records.pictured import Look, shown

Modality = Literal["text", "picture", "sound"]
#: In the order in which models say them.
MODALITIES: tuple[Modality, ...] = ("text", "picture", "sound")


class Embedded(Look, kw_only=True, frozen=True, gc=False):
    """What an item is, and what it is like."""

    made_of: Annotated[
        list[Modality],
        Meta(
            description="What of the item it is made of: text (title and description), picture, sound. What is like "
            "nothing that taught the model is left out; where that is all, the embedding is 0."
        ),
    ]


class ItemEmbedded(ItemOutcome, frozen=True, kw_only=True):
    """What an item is like, whatever of it is known. The newest one holds: said when a listing, or a change that has no
    less of the item, makes it something else, when another model looks at it, and, with null, when the item is
    delisted."""

    embedded: Annotated[
        Embedded | None, Meta(description="What it is like; null: the item is not for sale any more.")
    ] = None


def in_words(record: ItemEmbedded) -> str:
    """What it says, in one line without the item."""
    if (like := record.embedded) is None:
        return "is not for sale any more: what it is like does not count"
    return f"by its {', '.join(like.made_of) or 'listing'} it is {shown(like)}"

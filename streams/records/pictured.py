"""What a model makes of an item's picture: a suggestion, which replaces nothing that its catalogue says."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.outcomes import ItemOutcome, ModelUsed


class Likely(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A class that may be shown."""

    name: Annotated[str, Meta(description="Its name, one of those that the model was taught.")]
    chance: Annotated[float, Meta(description="How likely it is shown, 0 to 1; 4 decimals.")]


class Look(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What something of an item shows, and what it is like."""

    model: Annotated[ModelUsed, Meta(description="Which model looked.")]
    shows: Annotated[
        str | None,
        Meta(
            description="The likeliest class; null: unsure, for its confidence is below that from which the model is "
            "sure."
        ),
    ]
    confidence: Annotated[float, Meta(description="How likely the first class is right, 0 to 1; 4 decimals.")]
    sure_from: Annotated[
        float | None,
        Meta(description="The confidence from which on the model is sure, as its card says; null: it never is."),
    ]
    likely: Annotated[list[Likely], Meta(description="The likeliest classes, best first, at most 3.")]
    embedding: Annotated[
        bytes,
        Meta(
            description="Whole numbers of -127 to 127, a byte each (two's complement), in base64: 127 times what it "
            "is like, a vector of length 1. The cosine of two that one model gave is how alike they are."
        ),
    ]


class ItemPictured(ItemOutcome, frozen=True, kw_only=True):
    """What an item's picture shows. The newest one holds: said when a listing or change brings another picture, when
    another model looks at it, and, with null, when the item is delisted."""

    picture: Annotated[
        Look | None, Meta(description="What its newest picture shows; null: the item is not for sale any more.")
    ] = None


def in_words(record: ItemPictured) -> str:
    """What it says, in one line without the item."""
    if (look := record.picture) is None:
        return "is not for sale any more: no picture of it counts"
    best = look.likely[0].name if look.likely else "nothing"
    return f"its picture shows {look.shows or f'something unsure (likeliest {best})'}, {look.confidence:.0%}"

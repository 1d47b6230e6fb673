"""What a model makes of an item's picture: a suggestion, which replaces nothing that its catalogue says."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from streams.records.outcomes import ItemOutcome, ModelUsed

Unsure: TypeAlias = Literal["unlike", "confidence", "never"]


def why_unsure(named: bool, confidence: float, sure_from: float | None) -> Unsure | None:
    """Why an answer does not count; None where it does. ``named``: whether it names anything.

    >>> why_unsure(False, 0.0, 0.5), why_unsure(True, 0.4, 0.5), why_unsure(True, 0.9, None), why_unsure(True, 0.5, 0.5)
    ('unlike', 'confidence', 'never', None)
    """
    if not named:
        return "unlike"
    if sure_from is None:
        return "never"
    return None if confidence >= sure_from else "confidence"


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
    unsure: Annotated[
        Unsure | None,
        Meta(
            description="Why shows is null. unlike: it is like nothing that taught the model, which names no class; "
            "confidence: that is below sure_from; never: no confidence is enough."
        ),
    ] = None
    confidence: Annotated[float, Meta(description="How likely the first class is right, 0 to 1; 4 decimals.")]
    sure_from: Annotated[
        float | None,
        Meta(description="The confidence from which on the model is sure, as its card says; null: it never is."),
    ]
    likely: Annotated[
        list[Likely],
        Meta(
            description="The likeliest classes, best first, at most 3; none where it is like nothing that was taught."
        ),
    ]
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
    return f"its picture shows {shown(look)}"


def shown(look: Look) -> str:
    """What something shows, in words."""
    if not look.likely:
        return "something unlike all that its model was taught"
    return f"{look.shows or f'something unsure (likeliest {look.likely[0].name})'}, {look.confidence:.0%}"

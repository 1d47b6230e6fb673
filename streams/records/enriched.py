"""What models make of an item's words: suggestions beside what its catalogue says, which they never replace."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from streams.records.outcomes import ItemOutcome, ModelUsed
from streams.records.pictured import Unsure

Agreement: TypeAlias = Literal["agrees", "differs", "unsure", "other_words", "not_said"]


class Candidate(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A category that may be right."""

    category: Annotated[str, Meta(description="Its name, one of those that the model was taught.")]
    chance: Annotated[float, Meta(description="How likely it is right, 0 to 1; 4 decimals.")]


class SuggestedCategory(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """The category that an item's title and description speak for."""

    model: Annotated[ModelUsed, Meta(description="Which model spoke.")]
    category: Annotated[
        str | None,
        Meta(
            description="The suggestion; null: unsure, for its confidence is below that from which the model is sure."
        ),
    ]
    unsure: Annotated[
        Unsure | None,
        Meta(
            description="Why category is null. confidence: that is below sure_from; never: no confidence is enough; "
            "unlike: it is like nothing that taught the model, which names no category."
        ),
    ] = None
    confidence: Annotated[float, Meta(description="How likely the first candidate is right, 0 to 1; 4 decimals.")]
    sure_from: Annotated[
        float | None,
        Meta(description="The confidence from which on the model is sure, as its card promises; null: it never is."),
    ]
    candidates: Annotated[list[Candidate], Meta(description="The likeliest categories, best first, at most 3.")]
    catalogue: Annotated[
        str | None, Meta(description="The narrowest category that the catalogue says of it; null: none was said.")
    ]
    agreement: Annotated[
        Agreement,
        Meta(
            description="agrees: the catalogue says the same; differs: it says another category that the model knows; "
            "other_words: it says one that the model was not taught; unsure: nothing is suggested; not_said: the "
            "catalogue says none."
        ),
    ]


class Sentiment(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What reviewers write of an item, whatever stars they give."""

    model: Annotated[ModelUsed, Meta(description="Which model spoke last.")]
    reviews: Annotated[int, Meta(description="Reviews with words that were judged, ever.")]
    newest: Annotated[float, Meta(description="How likely the newest of them is positive, 0 to 1; 4 decimals.")]
    positive: Annotated[
        float,
        Meta(
            description="Mean chance that a review is positive, 0 to 1, the newest counting most: each review before "
            "counts 0.9 of the one after it; 4 decimals."
        ),
    ]


class ItemEnriched(ItemOutcome, frozen=True, kw_only=True):
    """What models make of an item's words. The newest one holds. Said when it changes; null: no model spoke of it."""

    category: Annotated[
        SuggestedCategory | None, Meta(description="What its title and description speak for; null: not judged yet.")
    ] = None
    sentiment: Annotated[
        Sentiment | None, Meta(description="What its reviewers write; null: no review with words yet.")
    ] = None
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


def in_words(record: ItemEnriched) -> str:
    """What it says, in one line without the item."""
    parts, one = [], record.category
    if one is not None:
        best = one.candidates[0].category if one.candidates else "nothing"
        found = one.category or f"unsure (likeliest {best})"
        beside = {"agrees": ", as its catalogue says", "differs": f", where its catalogue says {one.catalogue}"}
        beside["other_words"] = f"; its catalogue says {one.catalogue}"
        parts.append(f"category {found}, {one.confidence:.0%}{beside.get(one.agreement, '')}")
    if (wrote := record.sentiment) is not None:
        reviews = "1 review" if wrote.reviews == 1 else f"{wrote.reviews:,} reviews"
        parts.append(f"{reviews}, {wrote.positive:.0%} positive by their words")
    return "; ".join(parts) or "nothing is known by its words any more"

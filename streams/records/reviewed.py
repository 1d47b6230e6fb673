"""What reviews say of an item together: what they praise and criticise, and that it is suddenly rated worse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.outcomes import ItemOutcome, ModelUsed

#: What reviews are about.
ASPECTS = ("quality", "size", "price", "delivery", "service", "look", "taste")
Chance = Annotated[
    float | None,
    Meta(description="How likely readers find it more helpful than most reviews of the item, 0 to 1; null: not asked."),
]


class Quote(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A clause of a review, at most 96 bytes, as it was written: to be escaped like any text where it is shown."""

    text: Annotated[str, Meta(description="Plain text without control characters; … where it was cut.")]
    language: Annotated[str, Meta(description="en or zh: the language of the review.")]
    praises: Annotated[bool, Meta(description="Whether it praises the aspect; else it criticises it.")]
    stars: Annotated[int, Meta(description="What the review gives, 1 to 5.")]
    day: Annotated[str, Meta(description="The day it was written, UTC.")]
    helpful: Chance = None


class AspectTold(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What is said of an aspect by reviews of about a year."""

    aspect: Annotated[str, Meta(description="quality, size, price, delivery, service, look or taste.")]
    reviews: Annotated[int, Meta(description="Reviews that praise or criticise it.")]
    praise: Annotated[int, Meta(description="Reviews that praise it.")]
    criticise: Annotated[int, Meta(description="Reviews that criticise it; one may do both.")]
    quotes: Annotated[
        list[Quote],
        Meta(description="The most helpful that praises it and the most helpful that criticises it; at most 2."),
    ]


class Appraised(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What was read in one review."""

    review_id: Annotated[str, Meta(description="Its event_id.")]
    stars: Annotated[int, Meta(description="1 to 5.")]
    language: Annotated[
        str | None, Meta(description="en or zh; null: neither, or too short, so that nothing is read in it.")
    ]
    told: Annotated[
        list[tuple[str, bool, str]],
        Meta(description="Aspect, whether it is praised, and the clause that says it first, at most 96 bytes."),
    ]
    helpful: Chance = None
    model: Annotated[ModelUsed | None, Meta(description="Which model said how helpful it is; null: none.")] = None
    unjudged: Annotated[
        dict[str, str],
        Meta(
            description="By task that serves but does not judge it, why: the condition that does not hold, such as "
            "payload.language in en, zh; or record, where it has no text."
        ),
    ] = {}


class ReviewsTold(ItemOutcome, frozen=True, kw_only=True):
    """What reviews of about a year say of an item. The newest one holds; said at each review."""

    newest: Annotated[Appraised, Meta(description="The review that moved it.")]
    since: Annotated[str, Meta(description="The day from which on reviews count, UTC: 300 to 360 days before.")]
    reviews: Annotated[int, Meta(description="Reviews since then.")]
    rating: Annotated[float, Meta(description="Mean stars of these; 2 decimals.")]
    rating_low: Annotated[float, Meta(description="95% interval of the mean, lower end; 2 decimals.")]
    rating_high: Annotated[float, Meta(description="Upper end.")]
    aspects: Annotated[list[AspectTold], Meta(description="What is spoken of, most reviews first.")]
    runs_small: Annotated[int, Meta(description="Reviews that find the size small, short or tight.")]
    runs_large: Annotated[int, Meta(description="Reviews that find it large, long or loose.")]
    summaries: Annotated[
        dict[str, str],
        Meta(description="One or two sentences by language: en, and zh where half of the reviews are Chinese."),
    ]


def in_words(record: ReviewsTold) -> str:
    """What it says, in one line without the item, with quotes of what most reviews speak of."""
    quotes = record.aspects[0].quotes if record.aspects else []
    return " ".join([record.summaries["en"], *(f"“{quote.text}”" for quote in quotes)])


class RatingDropped(ItemOutcome, frozen=True, kw_only=True, tag_field="type", tag="rating_dropped"):
    """Reviewers suddenly give an item fewer stars than before: somebody is to look at it. Said once for each drop, at
    the review that shows it."""

    stars: Annotated[float, Meta(description="By how many stars the mean fell; 2 decimals.")]
    rating_before: Annotated[float, Meta(description="Mean stars before, old reviews fading; 2 decimals.")]
    rating: Annotated[float, Meta(description="Mean stars since; 2 decimals.")]
    reviews: Annotated[int, Meta(description="Reviews since, this one included.")]
    since_ms: Annotated[
        int, Meta(description="Event time of the first of them, UTC milliseconds since 1970: about when it began.")
    ]
    reason: Annotated[str, Meta(description="The same in words.")]
    rules: Annotated[str, Meta(description="Digest of the rules that decided.")]


def rating_in_words(before: float, rating: float, reviews: int, since_ms: int) -> str:
    """Why an item is said to be rated worse.

    >>> rating_in_words(4.4, 3.1, 12, 1_700_000_000_000)
    '12 reviews since 2023-11-14 give 3.1 stars on average; before they gave 4.4'
    """
    day = datetime.fromtimestamp(since_ms / 1000, UTC).date()
    return f"{reviews} reviews since {day} give {rating:.1f} stars on average; before they gave {before:.1f}"

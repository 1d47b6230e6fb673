"""What reviews say of an item together: that it is suddenly rated worse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from streams.records.outcomes import ItemOutcome


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

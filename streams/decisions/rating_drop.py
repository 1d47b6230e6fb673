"""Which items are suddenly rated worse than they were: noticed within some reviews, and said once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.features.kinds.decay import DAY_MS
from streams.records.items import ItemReviewed
from streams.records.outcomes import outcome_id
from streams.records.reviewed import RatingDropped, rating_in_words

BEFORE = Column("rating_drop/before", "i8")
"""How many reviews what is usual stands on."""
STARS_BEFORE = Column("rating_drop/stars_before", "i8")
SQUARES_BEFORE = Column("rating_drop/squares_before", "i8")
LATELY = Column("rating_drop/lately", "i8")
"""How many reviews came since they began to be worse."""
STARS_LATELY = Column("rating_drop/stars_lately", "i8")
SQUARES_LATELY = Column("rating_drop/squares_lately", "i8")
SINCE = Column("rating_drop/since", "i8")
"""Event time of the first of these."""
TOLD = Column("rating_drop/told_ms", "i8")
"""Event time of the review at which the drop was told; 0: none was, or it is over."""
COUNTED = (BEFORE, STARS_BEFORE, SQUARES_BEFORE, LATELY, STARS_LATELY, SQUARES_LATELY)


@dataclass(frozen=True, slots=True)
class RatingPolicy:
    """When a drop is one, and for how long the item is offered to nobody. Prevents four accidents: an alert for what a
    few reviewers did not like, one for each bad review after a drop that was told, one that calls sudden what took a
    year, and an offer of what has just turned bad.

    A cumulative sum (Page 1954): each review adds by how much more than half a star it lies below what is usual, and
    one above takes off. Where nothing is left, what came counts as usual. Divided by the variance, the sum is about how
    much likelier, as a logarithm, a drop by one star makes what came than none. What is usual is itself known from some
    reviews only: the more came lately against those before, the more is asked for.
    """

    least_reviews: int = 10
    """Before so many nothing is usual."""
    log_ratio: int = 6
    """How much likelier, as a logarithm. With 6, half of the drops by one star are found within 11 reviews, and an item
    with a review a day is falsely said to be rated worse once in two years (``python -m training.checks.rating``)."""
    usual_variance: float = 1.2
    """Of stars, counted as if ``usual_reviews`` of each item had shown it."""
    usual_reviews: int = 60
    settles_reviews: int = 40
    """After so many reviews a drop is what is usual: the next one is told of again."""
    sudden_days: int = 180
    remembered_reviews: int = 256
    """At so many what is usual counts half: what an item was long ago fades."""
    held_days: int = 14
    """For so long after a drop was told, and no longer than it lasts, the item is not offered."""

    def holds_back(self, state: Rows, row: Ints, now_ms: Ints) -> Bools:
        """[k] which items were suddenly rated worse, so that they are not offered."""
        told: Ints = state.flat["i8"][state.cells(TOLD, row)]
        return (told > 0) & (now_ms - told < self.held_days * DAY_MS)


@dataclass(frozen=True, slots=True)
class Found:
    """What a review changed, of k items: [k] each."""

    dropped: Bools
    before: Ints
    stars_before: Ints
    lately: Ints
    stars_lately: Ints
    since_ms: Ints


def follow(state: Rows, row: Ints, stars: Ints, now_ms: Ints, policy: RatingPolicy) -> Found:
    """Take a review of each of some rows, none twice: ``stars`` [k] 1 to 5, ``now_ms`` [k] event times. Whole numbers
    throughout: what is found does not depend on a machine's arithmetic."""
    whole = state.flat["i8"]
    cells = [state.cells(column, row) for column in COUNTED]
    before, stars_before, squares_before, lately, stars_lately, squares_lately = (whole[cell] for cell in cells)
    told_cells, since_cells = state.cells(TOLD, row), state.cells(SINCE, row)
    told_ms, since = whole[told_cells], np.where(lately == 0, now_ms, whole[since_cells])
    lately, stars_lately, squares_lately = lately + 1, stars_lately + stars, squares_lately + stars**2
    # Times twice the reviews before, so that no fraction is lost.
    missing = 2 * (lately * stars_before - stars_lately * before) - lately * before
    enough = _enough(missing, before, stars_before, squares_before, lately, policy)
    told = told_ms > 0
    old, learning = now_ms - since > policy.sudden_days * DAY_MS, before < policy.least_reviews
    dropped = enough & ~told & ~learning & ~old
    usual_again = learning | (missing <= 0) | (old & ~told)
    settled = told & ~usual_again & (old | (lately >= policy.settles_reviews))
    goes = usual_again | settled
    kept = [
        np.where(settled, 0, part) + np.where(goes, more, 0)
        for part, more in (
            (before, lately), (stars_before, stars_lately), (squares_before, squares_lately),
        )
    ]  # fmt: skip
    fades = kept[0] >= policy.remembered_reviews
    after = [np.where(fades, part // 2, part) for part in kept]
    after += [np.where(goes, 0, part) for part in (lately, stars_lately, squares_lately)]
    for cell, values in zip(cells, after, strict=True):
        whole[cell] = values
    whole[since_cells] = np.where(goes, 0, since)
    whole[told_cells] = np.where(goes, 0, np.where(dropped, now_ms, told_ms))
    return Found(dropped, before, stars_before, lately, stars_lately, since)


def _enough(
    missing: Ints, before: Ints, stars: Ints, squares: Ints, lately: Ints, policy: RatingPolicy
) -> Bools:  # fmt: skip
    """[k] where so much is missing as the variance, and how much is known of what is usual, ask for."""
    n, usual = policy.usual_reviews, round(policy.usual_reviews * policy.usual_variance)
    variance = before * squares - stars**2 + usual * before  # times before × (before + n)
    asked = 2 * policy.log_ratio * variance * (10 * before + 3 * lately)
    found: Bools = 10 * missing * before * (before + n) >= asked
    return found


class RatingDrops:
    """Says ``RatingDropped`` of an item at the review that shows it, once for each drop; ``rules`` is said with it."""

    columns: tuple[Column, ...] = (*COUNTED, SINCE, TOLD)
    reads: tuple[str, ...] = ()

    def __init__(self, policy: RatingPolicy, rules: str) -> None:
        self._policy, self._rules = policy, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        rated = [record.rating if isinstance(record, ItemReviewed) else 0 for record in group.record]
        stars = np.array(rated, np.int64)
        some = np.flatnonzero(stars)
        if not len(some):
            return
        # Of the reviews: what else was said of an item may be newer, where topics are read one after the other.
        written_ms = np.array([group.record[i].event_time for i in some.tolist()], np.int64)
        found = follow(state, group.row[some], stars[some], written_ms, self._policy)
        for k in np.flatnonzero(found.dropped).tolist():
            i = int(some[k])
            before = round(int(found.stars_before[k]) / int(found.before[k]), 2)
            lately = round(int(found.stars_lately[k]) / int(found.lately[k]), 2)
            reviews, since_ms = int(found.lately[k]), int(found.since_ms[k])
            yield (
                i,
                RatingDropped(
                    outcome_id=outcome_id("rating_dropped", group.key[i], group.ref(i), ""),
                    item_id=group.key[i],
                    event_time_ms=int(group.now_ms[i]),
                    due=group.due[i],
                    stars=round(before - lately, 2),
                    rating_before=before,
                    rating=lately,
                    reviews=reviews,
                    since_ms=since_ms,
                    reason=rating_in_words(before, lately, reviews, since_ms),
                    rules=self._rules,
                ),
            )

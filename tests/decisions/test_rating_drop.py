"""A drop of ratings is found within some reviews and said once; what is none is hardly ever said."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Layout, Rows
from streams.decisions.rating_drop import RatingDrops, RatingPolicy, follow
from streams.entities.item import ITEM
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records import words
from streams.records.outcomes import AnyOutcome, ItemProfiled
from streams.records.reviewed import RatingDropped, ReviewsTold
from streams.topics import TOPIC_OF
from tests.items import ItemLog, item_logs, item_slices
from tests.shoppers import DAY, NOON
from tests.stubs import ItemModels
from tests.worlds import DictTier
from training.checks.rating import Items, broken, false_alarms, found_after, worse

#: How many reviews gave 1 to 5 stars to every seventh of the items of the Women's Clothing Reviews (CC0) that have 30
#: reviews or more, from the worst to the best.
COUNTS = np.array(
    [
        [10, 10, 10, 21, 21], [6, 7, 3, 10, 20], [0, 6, 7, 5, 13], [3, 6, 12, 21, 28], [4, 10, 19, 10, 49],
        [2, 2, 7, 12, 18], [8, 23, 46, 68, 143], [0, 5, 3, 11, 17], [0, 1, 8, 8, 14], [6, 9, 19, 34, 77],
        [4, 8, 6, 19, 51], [1, 2, 12, 7, 31], [1, 1, 5, 5, 18], [8, 22, 27, 56, 181], [2, 1, 4, 8, 24],
        [3, 9, 11, 29, 84], [1, 2, 4, 9, 27], [0, 1, 4, 11, 21], [6, 3, 17, 33, 127], [1, 6, 10, 27, 106],
    ]
)  # fmt: skip
CHANCES = np.repeat(COUNTS / COUNTS.sum(axis=1, keepdims=True), 50, axis=0)
POLICY = RatingPolicy()


def told(stars: Iterable[int], days: float = 1.0, policy: RatingPolicy = POLICY) -> list[int]:
    """After which of an item's reviews a drop is told."""
    state, found = Rows.zeros(Layout(RatingDrops.columns), 1), []
    for k, each in enumerate(stars):
        now = np.array([NOON + round(k * days * DAY)])
        if follow(state, np.zeros(1, np.int64), np.array([each]), now, policy).dropped[0]:
            found.append(k)
    return found


@pytest.mark.parametrize("change", [worse, broken])
@pytest.mark.parametrize("reviews", [20, 100])
def test_half_of_the_drops_by_one_star_are_found_within_12_reviews_and_three_in_four_within_20(
    change: object, reviews: int
) -> None:
    after = change(CHANCES, 1.0)  # type: ignore[operator]
    assert np.allclose((CHANCES - after) @ np.arange(1, 6), 1.0, atol=1e-6)
    first = found_after(Items(len(CHANCES), 1), CHANCES, after, reviews)
    assert np.median(first) <= 12
    assert (first <= 20).mean() >= 0.74


def test_an_item_is_falsely_said_to_be_rated_worse_less_than_once_a_year() -> None:
    a_day = false_alarms(Items(len(CHANCES), 1), CHANCES, 3 * 365) / 3
    assert a_day.mean() < 0.75
    assert a_day.reshape(len(COUNTS), -1).mean(axis=1).max() < 1.1
    a_week = false_alarms(Items(len(CHANCES), 1, days=7.0), CHANCES, 3 * 52) / 3
    assert a_week.mean() < 0.2


def test_a_larger_drop_is_found_sooner() -> None:
    some = CHANCES[COUNTS.shape[0] // 2 * 50 :]
    one, two = (np.median(found_after(Items(len(some), 1), some, worse(some, by), 100)) for by in (1.0, 2.0))
    assert two < one


USUAL = [5, 4, 5, 3, 5, 5, 4, 2, 5, 5] * 3
BAD = [3, 2, 4, 3, 1, 3, 4, 2, 3, 3]


def test_a_drop_is_told_once_and_the_next_one_when_what_came_is_usual_or_good_again() -> None:
    (first,) = told(USUAL + BAD * 6)
    assert len(USUAL) < first < len(USUAL) + 20
    assert len(told(USUAL + BAD * 6 + [1] * 20)) == 2
    assert len(told(USUAL + BAD * 2 + [5] * 60 + BAD * 2)) == 2


def test_few_reviews_say_nothing_and_a_slow_decline_is_not_sudden() -> None:
    assert told([5] * 9 + [1] * 3) == []
    assert told(USUAL + BAD * 3, days=30.0) == []
    assert told(USUAL + BAD * 3, days=7.0) != []


def oracle(stars: Sequence[int], policy: RatingPolicy) -> list[int]:
    """The same of an item with a review a day, by fractions."""
    usual: list[Fraction] = [Fraction(0)] * 3
    run: list[int] = []
    found, said, began = [], False, 0
    for k, each in enumerate(stars):
        began = began if run else k
        run.append(each)
        n, total, squares = usual
        old = k - began > policy.sudden_days
        lacks = len(run) * (total / n - Fraction(1, 2)) - sum(run) if n else Fraction(0)
        if n:
            more = policy.usual_reviews
            variance = (squares - total**2 / n + Fraction(round(more * policy.usual_variance))) / (n + more)
            asked = policy.log_ratio * variance * (1 + Fraction(3, 10) * len(run) / n)
        if n < policy.least_reviews or lacks <= 0 or (old and not said):
            usual, run, said = _with(usual, run), [], False
        elif said and (old or len(run) >= policy.settles_reviews):
            usual, run, said = _with([Fraction(0)] * 3, run), [], False
        elif lacks >= asked and not said:
            found.append(k)
            said = True
        if usual[0] >= policy.remembered_reviews:
            usual = [Fraction(part // 2) for part in usual]
    return found


def _with(usual: list[Fraction], run: list[int]) -> list[Fraction]:
    more = (len(run), sum(run), sum(each**2 for each in run))
    return [Fraction(a + b) for a, b in zip(usual, more, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 60)), max_size=8))
def test_what_is_found_is_what_fractions_find(parts: list[tuple[int, int, int]]) -> None:
    stars = [each for a, b, n in parts for each in [a, b] * n]
    policy = RatingPolicy(remembered_reviews=40)
    assert told(stars, policy=policy) == oracle(stars, policy)


def reviews_of(item: str, stars: Sequence[int]) -> list[tuple[str, i.ItemRecord]]:
    return [
        (
            "catalog.reviews.v1",
            i.ItemReviewed(event_id=f"{item}{k}", item_id=item, event_time=NOON + k * DAY, rating=each),
        )
        for k, each in enumerate(stars)
    ]


def log_of() -> ItemLog:
    rng = random.Random(3)
    said = reviews_of("a", USUAL + BAD * 2)
    said += [each for other in "bcdefg" for each in reviews_of(other, [rng.choice((4, 5)) for _ in range(50)])]
    said.sort(key=lambda each: str(each[1].event_time))
    listed = i.ItemListed(event_id="l", item_id="a", event_time=NOON, title="tea")
    logs = item_logs({}, [("catalog.items.v1", listed), *said]).values()
    return next(log for log in logs if any(key == b"a" for key, _, _ in log))


def said_of(log: ItemLog, cuts: Iterable[int] = (), *, restarts: bool = False) -> list[AnyOutcome]:
    tier, found = DictTier(), list[AnyOutcome]()
    processor = PartitionProcessor(ITEM, 0, Rules(), ItemModels())
    for slice_ in item_slices(log, 0, cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(ITEM, 0, Rules(), ItemModels(), tier=tier)
        found += processor.apply(slice_).outcomes
    return found


def run(log: ItemLog, cuts: Iterable[int] = (), *, restarts: bool = False) -> list[RatingDropped]:
    return [said for said in said_of(log, cuts, restarts=restarts) if isinstance(said, RatingDropped)]


LOG = log_of()


def test_it_is_said_of_the_item_why_by_how_much_and_since_when() -> None:
    (said,) = run(LOG)
    (after,) = told(USUAL + BAD * 2)
    assert (said.item_id, said.event_time_ms, said.due.ref) == ("a", NOON + after * DAY, f"a{after}")
    began = said.since_ms - NOON
    assert began == (after - said.reviews + 1) * DAY
    lately = (USUAL + BAD * 2)[after - said.reviews + 1 : after + 1]
    assert said.rating == round(sum(lately) / len(lately), 2)
    assert said.stars == round(said.rating_before - said.rating, 2)
    assert TOPIC_OF[RatingDropped] == "item.alerts.v1"
    profiles = [each for each in said_of(LOG) if isinstance(each, ItemProfiled) and each.rated_worse]
    worse = [each.event_time_ms for each in profiles if each.item_id == "a"]
    assert len(worse) == len(profiles)
    assert worse == [NOON + k * DAY for k in range(after, len(USUAL + BAD * 2))]
    text = words.said(said)
    assert text.startswith(f"rated worse: {said.stars:.1f} stars fewer: {said.reviews} reviews since ")


def test_reviews_stand_on_their_own_time_where_a_listing_was_read_first_that_is_newer() -> None:
    """Topics of a catalogue are read one after the other, so a listing of today may come before old reviews."""
    listed = i.ItemListed(event_id="l", item_id="a", event_time=NOON + 300 * DAY, title="tea")
    logs = item_logs({}, [("catalog.items.v1", listed)]), item_logs({}, reviews_of("a", USUAL + BAD * 2))
    log = next(log for log in logs[0].values() if log) + next(log for log in logs[1].values() if log)
    (said,), (usual,) = run(log), run(LOG)
    assert (said.since_ms, said.reviews, said.stars) == (usual.since_ms, usual.reviews, usual.stars)
    newest = NOON + len(USUAL + BAD * 2) * DAY
    since = [each.since for each in said_of(log) if isinstance(each, ReviewsTold)]
    assert max(since) < str(np.datetime64(newest, "ms"))[:10]


@pytest.mark.parametrize("cuts", [[1], [20, 33, 34], list(range(1, len(LOG)))])
def test_the_log_decides_however_it_is_cut_and_after_restarts(cuts: list[int]) -> None:
    assert run(LOG, cuts) == run(LOG)
    assert run(LOG, cuts, restarts=True) == run(LOG)

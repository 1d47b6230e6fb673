"""What reviews say of an item together moves with each review, ages, and is decided by the log alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from models.registry import task
from streams.decisions.reviews_told import LONGEST, PERIOD_DAYS, PERIODS
from streams.entities.item import ITEM
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records import words
from streams.records.reviewed import ASPECTS, AspectTold, ReviewsTold
from streams.topics import TOPIC_OF
from tests.items import ItemLog, item_logs, item_slices
from tests.shoppers import DAY, NOON
from tests.stubs import ItemModel, ItemModels
from tests.worlds import DictTier


class Helpful(ItemModel):
    """A model that finds a review the more helpful the more grams it has."""

    def __init__(self) -> None:
        super().__init__(task("review"), "one")

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"helpful": np.minimum((x > 0).sum(axis=1) / 100, 1.0)}


def reviewed(n: int, text: str | None, stars: int = 4, days: float = 0.0, **more: Any) -> i.ItemReviewed:
    at = NOON + n + round(days * DAY)
    return i.ItemReviewed(event_id=f"r{n}", item_id="a", event_time=at, rating=stars, text=text, **more)


def log_of(reviews: Sequence[i.ItemRecord]) -> ItemLog:
    return next(log for log in item_logs({}, [("catalog.reviews.v1", each) for each in reviews]).values() if log)


def run(
    reviews: Sequence[i.ItemRecord],
    models: ItemModels | None = None,
    cuts: Iterable[int] = (),
    *,
    restarts: bool = False,
) -> list[ReviewsTold]:
    """What is said, in the order of the log."""
    tier, found, models = DictTier(), [], models or ItemModels()
    processor = PartitionProcessor(ITEM, 0, Rules(), models)
    for slice_ in item_slices(log_of(reviews), 0, cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(ITEM, 0, Rules(), models, tier=tier)
        found += [o for o in processor.apply(slice_).outcomes if isinstance(o, ReviewsTold)]
    return found


def of(record: ReviewsTold, aspect: str) -> AspectTold:
    (found,) = [each for each in record.aspects if each.aspect == aspect]
    return found


MIXED = [
    reviewed(1, "The fabric is soft, but it runs small.", 4, title="Lovely color"),
    reviewed(2, "it is too small for me and the fabric feels flimsy", 2),
    reviewed(3, None, 5),
    reviewed(4, "质量很好，就是偏小", 4, language="zh-Hans"),
    reviewed(5, "true to size and the fabric is warm and soft and will keep me cozy in the winter", 5, days=70),
    reviewed(6, "<script>alert('ugly')</script> the fabric is \u202eitchy", 1, days=90),
    reviewed(7, "Der Stoff ist weich", 5, days=91),
    reviewed(8, "the fabric is so soft", 5, days=300),
    reviewed(9, "it runs large, the fabric is not soft", 1, days=700),
]  # fmt: skip


def test_each_review_moves_what_all_say() -> None:
    said = run(MIXED[:5])
    assert [each.newest.review_id for each in said] == ["r1", "r2", "r3", "r4", "r5"]
    assert said[0].newest.told == [
        ("look", True, "Lovely color"), ("quality", True, "The fabric is soft"), ("size", False, "it runs small"),
    ]  # fmt: skip
    assert said[2].newest.told == []
    last = said[-1]
    assert (last.reviews, last.rating, last.runs_small, last.runs_large) == (5, 4.0, 3, 0)
    assert [(each.aspect, each.reviews, each.praise, each.criticise) for each in last.aspects] == [
        ("quality", 4, 3, 1), ("size", 4, 1, 3), ("look", 1, 1, 0),
    ]  # fmt: skip
    assert last.summaries["en"].endswith(
        "Of 4 that judge the quality, 3 praise and 1 criticises it; of 4 that judge the size, 1 praises and 3 "
        "criticise it (3 say it runs small)."
    )
    assert last.summaries.keys() == {"en"}
    assert run(MIXED[3:4])[0].summaries.keys() == {"en", "zh"}
    assert TOPIC_OF[ReviewsTold] == "items.reviewed.v1"
    assert words.said(last).startswith(f"reviews: {last.summaries['en']} “")


def test_without_a_model_the_newest_quote_holds_and_with_one_the_most_helpful() -> None:
    texts = [
        "the fabric is soft and it will keep me warm all winter long",
        "the fabric is so soft",
        "the fabric is warm",
    ]
    records = [reviewed(n, text) for n, text in enumerate(texts)]
    newest, helpful = run(records)[-1], run(records, ItemModels(Helpful()))[-1]
    assert [quote.text for quote in of(newest, "quality").quotes] == [texts[2]]
    (quote,) = of(helpful, "quality").quotes
    assert quote.text == texts[0]
    assert quote.helpful is not None
    assert helpful.newest.helpful is not None
    assert quote.helpful > helpful.newest.helpful
    assert (newest.newest.helpful, newest.newest.model) == (None, None)
    assert helpful.newest.model is not None
    assert helpful.newest.model.task == "review"


def test_what_is_older_than_a_year_is_not_said_any_more() -> None:
    said = run(MIXED)
    assert said[-2].reviews == 8
    last = said[-1]
    assert (last.reviews, last.rating) == (1, 1.0)
    assert [(each.aspect, each.praise, each.criticise) for each in last.aspects] == [("quality", 0, 1), ("size", 0, 1)]
    assert {quote.praises for each in last.aspects for quote in each.quotes} == {False}
    span = np.datetime64(last.event_time_ms, "ms") - np.datetime64(last.since)
    assert (PERIODS - 1) * PERIOD_DAYS <= span / np.timedelta64(1, "D") <= PERIODS * PERIOD_DAYS


def test_a_quote_that_is_more_helpful_gives_way_once_it_is_old() -> None:
    long = "the fabric is soft and it will keep me warm all winter long"
    records = [reviewed(1, long), reviewed(2, "the fabric is soft", days=370)]
    first, last = run(records, ItemModels(Helpful()))
    assert [quote.text for quote in of(first, "quality").quotes] == [long]
    assert [quote.text for quote in of(last, "quality").quotes] == ["the fabric is soft"]


def test_quotes_are_bounded_and_harmless() -> None:
    long = "the fabric is soft " + "and very " * 30 + "warm"
    (said,) = run([reviewed(1, long)])
    (quote,) = of(said, "quality").quotes
    assert len(quote.text.encode()) <= LONGEST
    assert quote.text.endswith("…")
    assert said.newest.told == [("quality", True, quote.text)]
    (said,) = run(MIXED[5:6])
    assert "\u202e" not in str(said)
    assert "<script" not in str(said)
    assert [quote.text for quote in of(said, "quality").quotes] == ["the fabric is itchy"]


def test_a_review_that_is_older_than_all_that_counts_is_passed_over() -> None:
    """A row that was last moved years later: within the allowed lateness no review is so old."""
    from streams.columns.layout import Layout, Rows
    from streams.decisions.reviews_told import ItemReviews, ReviewsSaid
    from streams.reviews.aspects import read

    state = Rows.zeros(Layout(ReviewsSaid.columns), 1)
    item = ItemReviews(state, 0)
    found = read(None, "the fabric is soft")
    assert item.count(5, found, 20_000, None)
    before = state.words.copy()
    assert not item.count(5, found, 20_000 - PERIODS * PERIOD_DAYS - PERIOD_DAYS, None)
    assert (state.words == before).all()
    assert item.count(5, found, 20_000 - PERIOD_DAYS, 300)
    assert item.sums().reviews == 2
    assert item.quotes("quality")[0].helpful == 0.03


@pytest.mark.parametrize("cuts", [[1], [2, 5], list(range(1, len(MIXED)))])
def test_the_log_decides_however_it_is_cut_and_after_restarts(cuts: list[int]) -> None:
    models = ItemModels(Helpful())
    whole = run(MIXED, models)
    assert len(whole) == len(MIXED)
    assert run(MIXED, models, cuts) == whole
    assert run(MIXED, models, cuts, restarts=True) == whole


def test_a_review_that_comes_twice_counts_once_and_other_records_say_nothing() -> None:
    log: list[i.ItemRecord] = [
        MIXED[0],
        MIXED[0],
        i.StockCounted(event_id="c", item_id="a", event_time=NOON + 9, on_hand=1),
    ]
    (said,) = run(log)
    assert said.reviews == 1


def test_a_record_says_all_of_it_in_json() -> None:
    last = run(MIXED, ItemModels(Helpful()))[-2]
    value = msgspec.json.encode(last)
    assert msgspec.json.decode(value, type=ReviewsTold) == last
    assert len(value) < 6_000
    assert len(last.aspects) <= len(ASPECTS)

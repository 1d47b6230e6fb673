"""News of items: noticed once in their log, and told to every partition of shoppers; and what these know by it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Layout, Rows
from streams.columns.shopper_events import category_code
from streams.decisions.rating_drop import RatingDrops, RatingPolicy, follow
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.applied import Applied
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records import items as i
from streams.records.embedded import ItemEmbedded
from streams.records.news import (
    BADLY_REVIEWED,
    ITEM_NEWS,
    RATED_WORSE,
    SOLD_OUT,
    AnyItemNews,
    ItemArrived,
    ItemAvailable,
    ItemPriceDropped,
    ItemUnavailable,
    level_of,
)
from streams.records.news import DELISTED as GONE
from streams.state.keys import PROGRESS
from tests.budget.stream import NoModels
from tests.decisions.test_embedded import Likes
from tests.items import PARTITIONS, ItemLog, catalogue, item_logs, item_slices, shopper_logs, told
from tests.shoppers import DAY, HOUR, NOON, log_of, viewed
from tests.stubs import ItemModels
from tests.worlds import DictTier


def processor_of_items(
    tier: DictTier | None = None, partition: int = 0, rules: Rules | None = None
) -> PartitionProcessor:
    shelf: Any = NoModels()
    return PartitionProcessor(ITEM, partition, rules or Rules(), shelf, tier=tier, partitions=PARTITIONS, group="shop")


def news_of(results: Iterable[Applied]) -> list[AnyItemNews]:
    """What was told; every partition of shoppers is told the same."""
    emitted = [one for result in results for one in result.emitted]
    assert all(one.entity == SHOPPER.name for one in emitted)
    to = [[one.value for one in emitted if one.partition == p] for p in range(PARTITIONS)]
    assert all(values == to[0] for values in to)
    found = [e.decode_event(value) for value in to[0]]
    return [said for said in found if isinstance(said, ITEM_NEWS)]


def noticed(*records: i.ItemRecord) -> list[AnyItemNews]:
    log: ItemLog = [(r.item_id.encode(), i.encode_item_record(r), None) for r in records]  # type: ignore[arg-type]
    return news_of([processor_of_items().apply(slice_) for slice_ in item_slices(log)])


def counted(at: int, on_hand: int, **more: Any) -> i.StockCounted:
    return i.StockCounted(event_id=f"c{at}", item_id="tea", event_time=at, on_hand=on_hand, **more)


def priced(at: int, cents: int | None, kind: type[i.CatalogRecord] = i.ItemChanged) -> i.CatalogRecord:
    return kind(event_id=f"p{at}", item_id="tea", event_time=at, unit_price_cents=cents)


def test_an_item_that_was_sold_out_and_is_not_any_more_is_news_with_what_is_known_of_it() -> None:
    reviewed = i.ItemReviewed(event_id="r", item_id="tea", event_time=NOON, rating=4)
    gone, said = noticed(counted(NOON, 3), reviewed, counted(NOON + 1, 0), counted(NOON + 2, 7), counted(NOON + 3, 9))
    known: dict[str, Any] = {"group": "shop", "item_id": "tea", "source_partition": 0, "rating": 4.0}
    assert gone == ItemUnavailable(**known, event_time=NOON + 1, source_offset=2, on_hand=0, why="sold_out")
    assert said == ItemAvailable(**known, event_time=NOON + 2, source_offset=3, on_hand=7, restocked=True)


def reviewed(at: int, *stars: int) -> list[i.ItemRecord]:
    return [
        i.ItemReviewed(event_id=f"r{at + k}", item_id="tea", event_time=at + k, rating=n) for k, n in enumerate(stars)
    ]


#: What is usual, and what shows that it is not any more.
GOOD, BAD = (5,) * 12, (1,) * 2
LISTED, DELISTED = priced(NOON, 5, i.ItemListed), i.ItemDelisted(event_id="d", item_id="tea", event_time=NOON + 2)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # It was never sold out; another place still has some; the count is older than one that is known.
        ([counted(NOON, 5), counted(NOON + 1, 8)], []),
        ([counted(NOON, 5, location="a"), counted(NOON + 1, 0, location="b"), counted(NOON + 2, 4, location="b")], []),
        ([counted(NOON + 9, 0), counted(NOON + 1, 5)], ["0 sold_out"]),
        # Sold out and back again and again: out at once, back every six hours.
        (
            [counted(NOON + k * HOUR, k % 2) for k in range(14)],
            ["0 sold_out", "1 restocked", "2 sold_out", "7 restocked", "8 sold_out", "13 restocked"],
        ),
        # Not for sale any more, and for sale again; what is worse is told at once.
        ([LISTED, DELISTED, priced(NOON + 4, 5, i.ItemListed)], ["1 delisted", "2 available"]),
        (
            [LISTED, counted(NOON + 1, 0), DELISTED, counted(NOON + 3, 4), priced(NOON + 4, 5, i.ItemListed)],
            ["1 sold_out", "2 delisted", "4 restocked"],
        ),
        # Bad reviews of a few; of enough; not at the edge again and again; sold out as well.
        (reviewed(NOON, 1, 1, 1, 1), []),
        (reviewed(NOON, 1, 2, 1, 1, 1, 1), ["4 badly_reviewed"]),
        (reviewed(NOON, 1, 2, 2, 2, 2, 3, 3), ["4 badly_reviewed"]),
        (reviewed(NOON, 1, 2, 2, 2, 2, 5, 5), ["4 badly_reviewed", "5 available"]),
        (
            [*reviewed(NOON, 1, 1, 1, 1, 1), counted(NOON + 5, 0), counted(NOON + 6, 4)],
            ["4 badly_reviewed", "5 sold_out", "6 badly_reviewed"],
        ),
        # Suddenly rated worse: for 14 days, or until the drop is over; beside what else there is.
        (reviewed(NOON, *GOOD, *BAD[1:]), []),
        (
            [*reviewed(NOON, *GOOD, *BAD), counted(NOON + 14 * DAY, 3), counted(NOON + 14 * DAY + 13, 3)],
            ["13 rated_worse", "15 available"],
        ),
        (reviewed(NOON, *GOOD, *BAD, *(5,) * 20), ["13 rated_worse", "27 available"]),
        (
            [*reviewed(NOON, *GOOD, *BAD), *(counted(NOON + k * DAY, n) for k, n in ((1, 0), (20, 0), (21, 5)))],
            ["13 rated_worse", "15 sold_out", "16 restocked"],
        ),
        (
            [LISTED, *reviewed(NOON, *GOOD, *BAD), DELISTED, priced(NOON + DAY, 5, i.ItemListed)],
            ["14 rated_worse", "15 delisted", "16 rated_worse"],
        ),
    ],
)
def test_when_it_is_told_that_an_item_may_be_offered_or_not(
    records: Sequence[i.ItemRecord], expected: list[str]
) -> None:
    assert [shown(said) for said in noticed(*records)] == expected


def shown(said: AnyItemNews) -> str:
    """Offset, and what was told of whether it may be offered."""
    assert isinstance(said, (ItemUnavailable, ItemAvailable))
    what = said.why if isinstance(said, ItemUnavailable) else "restocked" if said.restocked else "available"
    return f"{said.source_offset} {what}"


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6))
def test_an_item_is_never_told_to_be_better_than_it_is_and_is_told_of_a_few_times_a_day(seed: int) -> None:
    """Held against what its records say, read one after the other."""
    rng, policy, at = random.Random(seed), RatingPolicy(held_days=1), NOON
    processor = processor_of_items(rules=Rules(rating=policy))
    row, rated = np.zeros(1, np.int64), Rows.zeros(Layout(RatingDrops.columns), 1)
    counts, stars, listed, ever = dict[str, int](), list[int](), False, False
    told, eased = 0, list[int]()
    mean = rng.choice((1, 2, 4))
    for k in range(160):
        at += rng.choice((1, 60_000, HOUR, 3 * HOUR))
        base: dict[str, Any] = {"event_id": f"e{k}", "item_id": "tea", "event_time": at}
        kind, record = rng.random(), i.ItemDelisted(**base)
        if kind < 0.3:
            place, on_hand = rng.choice("ab"), rng.choice((0, 0, 3))
            counts[place], record = on_hand, i.StockCounted(on_hand=on_hand, location=place, **base)  # type: ignore[assignment]
        elif kind < 0.8:
            mean = mean if k % 40 else rng.choice((1, 2, 4))
            stars.append(min(max(mean + rng.choice((-1, 0, 1)), 1), 5))
            follow(rated, row, np.array(stars[-1:]), np.array([at]), policy)
            record = i.ItemReviewed(rating=stars[-1], **base)  # type: ignore[assignment]
        else:
            listed = kind < 0.95
            ever |= listed
            record = i.ItemListed(**base) if listed else record  # type: ignore[assignment]
        value = i.encode_item_record(record)
        result = processor.apply(item_slices([(b"tea", value, None)], start=k)[0])
        rating = np.float32(sum(stars) / max(len(stars), 1))
        bad = len(stars) >= 5 and rating < (2.25 if told == BADLY_REVIEWED else 2)
        fell = policy.holds_back(rated, row, np.array([at]))[0]
        level = SOLD_OUT if counts and not any(counts.values()) else int(bad)
        level = GONE if ever and not listed else RATED_WORSE if fell else level
        for said in news_of([result]):
            before, told = told, level_of(said) or 0
            eased += [at] if told < before else []
        assert told >= level
        assert told == level or at - eased[-1] < 6 * HOUR
    assert all(later - one >= 24 * HOUR for one, later in zip(eased, eased[4:], strict=False))


def test_what_was_held_back_is_told_at_the_end_of_the_day() -> None:
    """Also where nobody says anything of the items any more: the day ends for all of them at one record."""
    said = [
        i.StockCounted(event_id=f"{item}{k}", item_id=item, event_time=NOON + k * HOUR, on_hand=on_hand)
        for k, on_hand in enumerate((0, 5, 0, 5))
        for item in ("tea", "jam")
    ]
    log: ItemLog = [(r.item_id.encode(), i.encode_item_record(r), None) for r in said]
    processor = processor_of_items()
    (whole,) = item_slices(log)
    before = news_of([processor.apply(whole)])
    assert [(one.item_id, shown(one)) for one in before[-2:]] == [("tea", "4 sold_out"), ("jam", "5 sold_out")]
    seen = {
        p: log_of(*(viewed(who, NOON + k * DAY, f"v{k}") for k in (2, 3, 4))) for p, who in enumerate(("ann", "dan"))
    }
    tallied = told(seen)
    passed: ItemLog = [(None, value, None) for by_item in tallied.values() for value in by_item[0]]
    after = news_of([processor.apply(slice_) for slice_ in item_slices(passed, start=len(log))])
    assert [(one.item_id, shown(one).split()[1]) for one in after] == [("jam", "restocked"), ("tea", "restocked")]
    assert len({one.source_offset for one in after}) == 1


@pytest.mark.parametrize(
    ("records", "told_of"),
    [
        ([priced(NOON, 1000), priced(NOON + 1, 900)], [(1, 900, 10.0)]),
        # Of whom no price was known, whose price rose, who changed otherwise, by too little, by an older word.
        ([priced(NOON, 1000), priced(NOON + 1, None), priced(NOON + 2, 1100)], []),
        ([priced(NOON, 10_000), priced(NOON + 1, 9_991)], []),
        ([priced(NOON + 5, 1000), priced(NOON + 1, 900)], []),
        # A price that flaps, once in a day, against the price before.
        ([priced(NOON + k * HOUR, 1000 - 500 * (k % 2)) for k in range(40)], [(1, 500, 50.0), (25, 500, 50.0)]),
        (
            [priced(NOON, 33_333_333), priced(NOON + 1, 33_333_331), priced(NOON + 2, 29_999_999)],
            [(2, 29_999_999, 10.0)],
        ),
    ],
)
def test_when_prices_are_news(records: Sequence[i.ItemRecord], told_of: list[tuple[int, int, float]]) -> None:
    found = noticed(*records)
    assert all(isinstance(said, ItemPriceDropped) for said in found)
    assert [(s.source_offset, s.unit_price_cents, round(s.percent, 3)) for s in found] == told_of  # type: ignore[union-attr]


SOON, LATER = NOON + 27 * DAY, NOON + 40 * DAY
BEGIN = i.ItemListed(event_id="b", item_id="jam", event_time=NOON, unit_price_cents=3)


def sold(at: int, *units: int) -> ItemLog:
    """Days that sources close, with what was sold of tea on each, and one more."""
    found = ItemLog()
    for k, n in enumerate((*units, 0)):
        tally, end = i.ItemTally(item_id="tea", minute_ms=at + k * DAY, units=n, category="hot"), at + (k + 1) * DAY
        known: dict[str, Any] = {"sequence": end // 60_000 * i.PARTS, "event_time": end}
        for p in range(PARTITIONS):
            closed = i.ItemsTallied(source_partition=p, tallies=[] if p else [tally], **known)
            found.append((None, i.encode_item_record(closed), None))
    return found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # Listed, by a catalogue that says its price and category; once, whatever else is said of it.
        (
            [
                i.ItemListed(
                    event_id="l", item_id="tea", event_time=LATER, unit_price_cents=500, category_path=["a", "hot"]
                ),
                priced(LATER + 1, 400),
                priced(LATER + 2, 500, i.ItemListed),
            ],
            [(0, 0, 500, "hot")],
        ),
        # When the shop began it was there before; delisted, and listed again, it is not new.
        ([priced(SOON, 5, i.ItemListed)], []),
        ([LISTED, DELISTED, priced(LATER, 5, i.ItemListed)], []),
        # Sold, and never listed: from four units on, and each time that they double, for 28 days.
        (sold(LATER, 1, 2, 1, 3, 2, 40), [(3, 4, 0, "hot"), (5, 8, 0, "hot"), (6, 32, 0, "hot")]),
        (sold(LATER, 1, *[0] * 28, 40), []),
    ],
)  # fmt: skip
def test_when_an_item_is_told_to_be_new(
    said: Sequence[i.ItemRecord] | ItemLog, expected: list[tuple[int, int, int, str]]
) -> None:
    log: ItemLog = [
        (one.item_id.encode(), i.encode_item_record(one), None) if isinstance(one, i.ItemRecord) else one  # type: ignore[arg-type]
        for one in (BEGIN, *said)
    ]
    processor = processor_of_items()
    found = [
        one for one in news_of(processor.apply(slice_) for slice_ in item_slices(log)) if isinstance(one, ItemArrived)
    ]
    told_of = [(s.source_offset // 2, s.units, s.unit_price_cents, s.category) for s in found]
    assert told_of == [(offset, units, cents, category_code(name)) for offset, units, cents, name in expected]
    # Ages are kept in days, as numbers of 32 bits.
    assert all(s.item_id == "tea" and abs(s.came_ms - LATER) < 500 for s in found)


def test_what_a_new_item_is_like_is_told_when_it_is_listed() -> None:
    """Also of what sold before any catalogue listed it; of what a catalogue says no words, nothing is."""
    models: Any = ItemModels(Likes())
    listings = [
        i.ItemListed(event_id=f"l{k}", item_id=item, event_time=LATER + 6 * DAY + k, title=title)
        for k, (item, title) in enumerate((("tea", "Green tea"), ("cup", None), ("mug", "Tea mug"), ("tea", "Red tea")))
    ]
    log: ItemLog = [(b"jam", i.encode_item_record(BEGIN), None), *sold(LATER, 5, 0)]
    log += [(one.item_id.encode(), i.encode_item_record(one), None) for one in listings]
    found = []
    for cuts in ([], [3, 8, 9, 10], range(1, len(log))):
        items = PartitionProcessor(ITEM, 0, Rules(), models, partitions=PARTITIONS, group="shop")
        results = [items.apply(slice_) for slice_ in item_slices(log, cuts=list(cuts))]
        found.append([one for one in news_of(results) if isinstance(one, ItemArrived)])
        said = {o.item_id: o.embedded for r in results for o in r.outcomes if isinstance(o, ItemEmbedded)}
    assert found[0] == found[1] == found[2]
    told_of = [(one.item_id, one.units, bool(one.embedding)) for one in found[0]]
    assert told_of == [("tea", 4, False), ("tea", 4, True), ("cup", 0, False), ("mug", 0, True)]
    mug, like = found[0][-1], said["mug"]
    assert like is not None
    assert (mug.embedding, mug.embedded_by) == (like.embedding, like.model.digest)


def test_a_table_that_does_not_know_when_it_began_begins_where_it_had_come_to() -> None:
    """As one of a package before this was kept."""
    tier, before = DictTier(), processor_of_items()
    log: ItemLog = [
        (name.encode(), i.encode_item_record(i.ItemListed(event_id=name, item_id=name, event_time=at)), None)
        for name, at in (("jam", NOON), ("tea", NOON + 27 * DAY), ("cup", NOON + 29 * DAY))
    ]
    slices = list(item_slices(log, cuts=[1, 2]))
    before.apply(slices[0])
    changes = before.drain_changes()
    meta = msgspec.json.decode(changes[PROGRESS] or b"")
    del meta["began_ms"]
    tier.write(changes | {PROGRESS: msgspec.json.encode(meta)})
    after = processor_of_items(tier)
    found = news_of(after.apply(slice_) for slice_ in slices[1:])
    assert [one.item_id for one in found if isinstance(one, ItemArrived)] == ["cup"]


def test_one_record_may_be_both() -> None:
    delisted = i.ItemDelisted(event_id="d", item_id="tea", event_time=NOON + 2)
    listed = [priced(at, cents, i.ItemListed) for at, cents in ((NOON, 100), (NOON + 4, 50))]
    found = noticed(listed[0], counted(NOON + 1, 0), delisted, counted(NOON + 3, 2), listed[1])
    assert [(type(said), said.source_offset) for said in found[2:]] == [(ItemAvailable, 4), (ItemPriceDropped, 4)]


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 700), max_size=40), crash=st.integers(50, 400))
def test_any_cut_of_the_items_log_gives_the_same_news_and_a_crash_only_tells_it_again(
    seed: int, cuts: list[int], crash: int
) -> None:
    records = catalogue(seed, 20, 500, items=[f"item-{k}" for k in range(8)])
    records[50:50] = [("catalog.reviews.v1", review) for review in reviewed(NOON + 2 * DAY, *GOOD, *BAD)]
    records += [
        ("catalog.items.v1", i.ItemListed(event_id=f"n{k}", item_id=f"new-{k}", event_time=LATER + k)) for k in range(9)
    ]
    log = item_logs(told(shopper_logs(seed, 300)), records, seed)[0]
    whole = news_of([processor_of_items().apply(slice_) for slice_ in item_slices(log)])
    assert len(whole) > 5
    assert "rated_worse" in {one.why for one in whole if isinstance(one, ItemUnavailable)}
    assert any(isinstance(one, ItemArrived) for one in whole)
    parts = processor_of_items()
    assert news_of([parts.apply(slice_) for slice_ in item_slices(log, cuts=cuts)]) == whole
    # Rows of the last flush are there, some of them; the progress record is not.
    tier, rng = DictTier(), random.Random(seed)
    before = processor_of_items(tier)
    said = news_of([before.apply(slice_) for slice_ in item_slices(log[:crash])])
    changes = before.drain_changes()
    tier.write(
        {key: value for key, value in changes.items() if key != PROGRESS and (key[:1] != b"s" or rng.random() < 0.5)}
    )
    after = processor_of_items(tier)
    again = news_of([after.apply(slice_) for slice_ in item_slices(log)])
    assert {msgspec.json.encode(one) for one in (*said, *again)} == {msgspec.json.encode(one) for one in whole}

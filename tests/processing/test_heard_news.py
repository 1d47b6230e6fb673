"""Which items a partition of shoppers must not offer, at every offset of its log, whoever crashed."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.shopper_events import item_code
from streams.processing import heard_news
from streams.processing.heard_news import HeardNews
from streams.records.news import LEVELS, AnyItemNews, ItemAvailable, ItemPriceDropped, ItemUnavailable, level_of
from tests.worlds import DictTier

ITEMS = [f"item-{n}" for n in range(9)]
CODES = np.array([item_code(name) for name in ITEMS], np.uint64)


def news(rng: random.Random, n: int) -> dict[int, AnyItemNews]:
    """Offset in the shoppers' log → news: of two partitions of items, now and then some of it once more."""
    found, at, told = dict[int, AnyItemNews](), 0, list[AnyItemNews]()
    for k in range(n):
        at += rng.choice((1, 1, 2, 9))
        if told and rng.random() < 0.1:
            for again in told[-4:]:
                found[at] = again
                at += 1
        said = {"group": "", "item_id": rng.choice(ITEMS), "event_time": k, "source_partition": k % 2}
        said["source_offset"] = k // 6
        kind = rng.random()
        if kind < 0.5:
            told.append(ItemUnavailable(**said, why=rng.choice(LEVELS[1:])))  # type: ignore[arg-type]
        elif kind < 0.9:
            told.append(ItemAvailable(**said))  # type: ignore[arg-type]
        else:
            told.append(ItemPriceDropped(**said, unit_price_cents=1, percent=5.0))  # type: ignore[arg-type]
        found[at] = told[-1]
    return found


def plain(said: dict[int, AnyItemNews], most: int, end: int) -> list[list[int]]:
    """At each offset before ``end`` how much there is against each item."""
    last, held, found = dict[int, tuple[int, str, str]](), dict[str, int](), []
    for at in range(end):
        one = said.get(at)
        order = (-1, "", "") if one is None else (one.source_offset, one.item_id, str(type(one).__struct_config__.tag))
        if one is not None and order > last.get(one.source_partition, (-1, "", "")):
            last[one.source_partition] = order
            level = level_of(one)
            if level is not None:
                held.pop(one.item_id, None)
                if level:
                    held[one.item_id] = level
                    if len(held) > most:
                        del held[next(iter(held))]
        found.append([held.get(name, 0) for name in ITEMS])
    return found


def hear(heard: HeardNews, said: dict[int, AnyItemNews], start: int, stop: int) -> list[list[int]]:
    """A slice of the log; how much there is against each item at each of its offsets."""
    offsets = range(start, stop)
    heard.hear([(at - start, said[at]) for at in offsets if at in said], offsets)
    return heard.levels(np.tile(CODES, (stop - start, 1)), np.array(offsets)[:, None]).tolist()


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), most=st.integers(2, 9), lost=st.floats(0, 1), lately=st.sampled_from((1, 4, 256)))
def test_what_holds_at_an_offset_is_what_was_said_before_it(seed: int, most: int, lost: float, lately: int) -> None:
    """However the log is cut, and though each flush may be cut off before its progress record."""
    rng, before, heard_news.LATELY = random.Random(seed), heard_news.LATELY, lately
    try:
        said = news(rng, 60)
        end = max(said) + 1
        wanted, found = plain(said, most, end), dict[int, list[int]]()
        tier, heard, at, flushed, meta = DictTier(), HeardNews(most), 0, 0, dict[str, object]()
        while at < end:
            stop = min(at + rng.choice((1, 2, 7, 30)), end)
            for offset, levels in zip(range(at, stop), hear(heard, said, at, stop), strict=True):
                assert found.setdefault(offset, levels) == levels
            at, chance = stop, rng.random()
            if chance < 0.4:
                tier.write(heard.drain_changes(at, 0))
                meta, flushed = {**heard.progress(), "next_offset": at}, at
            elif chance < 0.6:
                # Some of the flush reached the table, its progress record did not.
                changes = heard.drain_changes(at, 0)
                tier.write({key: value for key, value in changes.items() if rng.random() > lost})
                heard, at = HeardNews(most), flushed
                heard.restore(tier.items(), meta)
                assert len(heard) == sum(level > 0 for level in wanted[at - 1]) if at else not len(heard)
        assert [found[offset] for offset in range(end)] == wanted
        assert max(map(_out, wanted)) == min(most, max(map(_out, plain(said, 9, end))))
    finally:
        heard_news.LATELY = before


def _out(levels: Sequence[int]) -> int:
    return sum(level > 0 for level in levels)


def test_what_may_be_offered_again_is_forgotten_once_that_is_kept() -> None:
    heard, tier = HeardNews(), DictTier()
    said: dict[str, object] = {"group": "", "item_id": "tea", "event_time": 0, "source_partition": 0}
    heard.hear([(0, ItemUnavailable(**said, source_offset=1, why="sold_out"))], [5])  # type: ignore[arg-type]
    tier.write(heard.drain_changes(6, 0))
    assert len(tier.held) == len(heard) == 1
    heard.hear([(0, ItemAvailable(**said, source_offset=2))], [7])  # type: ignore[arg-type]
    tier.write(heard.drain_changes(8, 0))
    assert (len(tier.held), len(heard)) == (1, 0)
    tier.write(heard.drain_changes(9, 0))
    assert not tier.held

"""Which new item a shopper is shown, held against plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.arrays import Bools, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.new_items import OF_SLOT, Asked, NewItems, fresh
from streams.features.kinds.favourites import SLOTS
from tests.shoppers import DAY, NOON

Item = tuple[int, int, int, int, int]
"""Category, price, days since it came, units, its category's units."""
item = st.tuples(
    st.sampled_from([0, 1, 2, 1 + SLOTS]),
    st.sampled_from([0, 50, 400, 90_000]),
    st.integers(-1, 30),
    st.sampled_from([0, 4, 8, 64]),
    st.integers(0, 90),
)


class Known:
    """The first few are known before offset 5, all of them after."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.versions = [new_items(items[: len(items) // 2]), new_items(items)]

    def __len__(self) -> int:
        return len(self.versions[1])

    def known(self, before: Ints) -> tuple[Ints, list[NewItems]]:
        return (before >= 5).astype(np.int64), self.versions


def new_items(items: Sequence[Item]) -> NewItems:
    category, price, days, units, sold = np.array(items, np.int64).reshape(-1, 5).T
    return NewItems(tuple(f"new-{k}" for k in range(len(items))), category, price, NOON - days * DAY, units, sold)


def plain(items: Sequence[Item], may: set[int], taste: Sequence[float], usual: float) -> dict[int, float]:
    """What each item that may be shown is worth; what is new no more, or not yet, counts for nothing."""
    sold, new = Counter[int](), {k: one for k, one in enumerate(items) if 0 <= one[2] <= 28}
    for category in {one[0] for one in new.values()}:
        sold[category % SLOTS] += max(one[4] for one in new.values() if one[0] == category) + 1
    speed = {k: (one[3] + 1) / (one[2] + 14) for k, one in new.items() if k in may}
    taken, worth = Counter[int](), dict[int, float]()
    for k in sorted(speed, key=lambda k: (-speed[k], k)):
        slot, price = items[k][0] % SLOTS, items[k][1]
        taken[slot] += 1
        if taken[slot] <= OF_SLOT:
            share = sold[slot] / sum(sold.values())
            liked = (taste[slot] + 100 * share) / (sum(taste) + 100) / share
            close = min(price, usual) / max(price, usual) if price and usual else 1.0
            worth[k] = speed[k] * liked**0.25 * close**0.5
    return worth


@settings(max_examples=200)
@given(
    items=st.lists(item, max_size=12),
    named=st.sets(st.integers(0, 11), max_size=3),
    never=st.sets(st.integers(0, 11), max_size=3),
    refused=st.sets(st.integers(0, 11), max_size=6),
    shoppers=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from([0.0, 3.0, 200.0]), st.sampled_from([(0, 0), (900, 3)])),
        min_size=1,
    ),
)
def test_it_is_what_sells_fastest_of_what_a_shopper_likes_at_a_price_they_pay(
    items: list[Item],
    named: set[int],
    never: set[int],
    refused: set[int],
    shoppers: list[tuple[int, float, tuple[int, int]]],
) -> None:
    """Each shopper by themselves gets what they get among others."""
    before = np.array([offset for offset, *_ in shoppers])
    taste = np.zeros((len(shoppers), SLOTS), np.float32)
    taste[:, 1] = [weight for _, weight, _ in shoppers]
    spend, units = np.array([spent for *_, spent in shoppers], np.float64).T
    hashes = np.array([item_code(f"new-{k}") for k in sorted(named)], np.uint64)
    asked = Asked(np.full(len(shoppers), NOON), before, taste, spend, units)
    known, blocked = Known(items), frozenset(f"new-{k}" for k in never)

    def may(_: NewItems, rows: Ints, places: Ints) -> Bools:
        assert rows.shape == places.shape
        return ~np.isin(places, sorted(refused))

    found = fresh(known, asked, "model", hashes, blocked, may)
    for row, (offset, weight, (cents, n)) in enumerate(shoppers):
        heard = items if offset >= 5 else items[: len(items) // 2]
        shown, usual = set(range(len(heard))) - named - never, cents / n if n else 0.0
        worth = plain(heard, shown, [0.0, weight, *[0.0] * (SLOTS - 2)], usual)
        worth = {k: value for k, value in worth.items() if k not in refused}
        name = found.names[row]
        assert (name is None) == (not worth)
        if name is not None:
            assert worth[int(name[4:])] == pytest.approx(max(worth.values()), rel=1e-9)
        assert found.codes[row] == (0 if name is None else item_code(name) & 0xFFFF_FFFF)
        one = slice(row, row + 1)
        alone = Asked(asked.now_ms[one], before[one], taste[one], spend[one], units[one])
        assert fresh(known, alone, "model", hashes, blocked, may).names == [name]


def test_what_was_just_listed_has_a_chance_until_it_sells_less_than_others() -> None:
    none = np.zeros((1, SLOTS), np.float32)
    for days, first in ((0, "new-0"), (28, "new-1")):
        # Listed so long ago and never sold; eight units in eight weeks would be a fast one.
        items = Known([(1, 0, days, 0, 9), (2, 0, 28, 4 if days else 0, 9)])
        asked = Asked(np.array([NOON]), np.array([9]), none, np.zeros(1), np.zeros(1))
        found = fresh(items, asked, "m", np.zeros(0, np.uint64), frozenset(), lambda _, rows, __: rows >= 0)
        assert found.names == [first]
    assert math.isclose(new_items([(1, 0, 0, 0, 9)]).usual(NOON // DAY).sum(), 1.0)

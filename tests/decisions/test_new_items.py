"""Which new item a shopper is shown, held against plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.likeness import POWERS, Likeness
from streams.columns.arrays import Bools, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.likeness import Alike, Embedded
from streams.decisions.new_items import OF_SLOT, Asked, NewItems, fresh
from streams.features.kinds.bought import ITEMS_TOLD
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


def new_items(items: Sequence[Item], embedded: Sequence[Embedded] = ()) -> NewItems:
    category, price, days, units, sold = np.array(items, np.int64).reshape(-1, 5).T
    names = tuple(f"new-{k}" for k in range(len(items)))
    return NewItems(names, category, price, NOON - days * DAY, units, sold, embedded)


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


DIGEST = "0123456789abcdef"
OTHER = "f" * 16


@settings(max_examples=100)
@given(
    seed=st.integers(0, 10**6),
    power=st.sampled_from(POWERS),
    scale=st.sampled_from([1, 20, 127]),
    had=st.lists(st.lists(st.integers(0, 9), max_size=ITEMS_TOLD), min_size=1, max_size=5),
)
def test_it_is_worth_more_where_it_is_like_what_a_shopper_had(
    seed: int, power: int, scale: int, had: list[list[int]]
) -> None:
    """Held against plain Python; each shopper by themselves gets the same bits as among others."""
    rng = np.random.default_rng(seed)
    known, new = (rng.integers(-scale, scale + 1, (n, 64)).astype(np.int8) for n in (8, 5))
    middle = rng.integers(-scale // 2, scale // 2 + 1, 64).astype(np.int8)
    # Of some nothing is known; the last two names have no embedding in the version.
    known[0], new[0] = 0, 0
    codes = np.array([item_code(f"item-{k}") & 0xFFFF_FFFF for k in range(10)], np.int64)
    alike = Alike(Likeness(power, DIGEST, middle, known), codes)
    by = [None, (OTHER, new[1].tobytes()), (DIGEST, b"short"), (DIGEST, new[3].tobytes()), (DIGEST, new[4].tobytes())]
    asked = np.zeros((len(had), ITEMS_TOLD), np.int64)
    for row, some in enumerate(had):
        asked[row, : len(some)] = codes[some]
    embedded = alike.new(by)
    found = alike.factor(asked, embedded)

    def off(one: Sequence[int]) -> list[int]:
        return [max(-127, min(127, a - b)) for a, b in zip(one, middle.tolist(), strict=True)] if any(one) else [0] * 64

    kept = {k: off(known[k].tolist()) for k in range(8)}
    for row, some in enumerate(had):
        taste = [sum(kept[k][j] for k in some if k in kept) for j in range(64)]
        for c, one in enumerate([[0] * 64] * 3 + [off(new[k].tolist()) for k in (3, 4)]):
            length = math.sqrt(sum(a * a for a in taste)) * math.sqrt(sum(a * a for a in one))
            cosine = sum(a * b for a, b in zip(taste, one, strict=True)) / max(length, 1.0)
            assert found[row, c] == pytest.approx(max(0.0, 1 + cosine) ** power, rel=1e-9, abs=1e-12)
        assert (alike.factor(asked[row : row + 1], embedded)[0] == found[row]).all()
        assert (alike.factor(asked[row:], embedded.at(np.array([3])))[0] == found[row, 3]).all()


def test_of_two_items_whose_codes_end_alike_the_more_popular_is_known() -> None:
    table = np.array([[1] * 64, [100] * 64], np.int8)
    alike = Alike(Likeness(1, DIGEST, np.zeros(64, np.int8), table), np.array([5, 5 + (1 << 17)]))
    assert alike.taste(np.array([[5, 0], [5 + (1 << 17), 0], [5 + (1 << 18), 0]]))[:, 0].tolist() == [1, 0, 0]


def test_where_likeness_counts_more_are_weighed_and_the_likest_is_shown() -> None:
    """Of one slot, of which three are weighed else: the fifth fastest is like what the shopper had."""
    like = [bytes([100, 0] * 32), bytes([0, 100] * 32)]
    items = [(1, 0, 20, 4 * (9 - k), 9) for k in range(6)]
    versions = [new_items(items), new_items(items, [(DIGEST, like[k == 4]) for k in range(6)])]
    known = Likeness(8, DIGEST, np.zeros(64, np.int8), np.frombuffer(like[1], np.int8)[None])
    code = item_code("old") & 0xFFFF_FFFF
    alike = Alike(known, np.array([code]))
    had = np.zeros((2, ITEMS_TOLD), np.int64)
    had[1, 0] = code
    none, zero = np.zeros((2, SLOTS), np.float32), np.zeros(2)
    asked = Asked(np.full(2, NOON), np.array([9, 9]), none, zero, zero, had)
    shown = []
    for version in versions:
        both = Known(items)
        both.versions = [version, version]
        for tells in (alike, None):
            named = np.zeros(0, np.uint64)
            shown.append(fresh(both, asked, "m", named, frozenset(), lambda _, rows, __: rows >= 0, tells).names)
    first = ["new-0", "new-0"]
    assert shown == [first, first, ["new-0", "new-4"], first]


def test_what_was_just_listed_has_a_chance_until_it_sells_less_than_others() -> None:
    none = np.zeros((1, SLOTS), np.float32)
    for days, first in ((0, "new-0"), (28, "new-1")):
        # Listed so long ago and never sold; eight units in eight weeks would be a fast one.
        items = Known([(1, 0, days, 0, 9), (2, 0, 28, 4 if days else 0, 9)])
        asked = Asked(np.array([NOON]), np.array([9]), none, np.zeros(1), np.zeros(1))
        found = fresh(items, asked, "m", np.zeros(0, np.uint64), frozenset(), lambda _, rows, __: rows >= 0)
        assert found.names == [first]
    assert math.isclose(new_items([(1, 0, 0, 0, 9)]).usual(NOON // DAY).sum(), 1.0)

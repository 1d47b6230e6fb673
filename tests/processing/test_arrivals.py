"""What a partition heard of new items, held against plain Python, however its log is cut and whoever crashed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.processing.arrivals import HeardArrivals
from streams.records.news import AnyItemNews, ItemArrived, ItemAvailable
from tests.shoppers import DAY, NOON
from tests.worlds import DictTier

NEW = [f"new-{k}" for k in range(9)]


def news(rng: random.Random, n: int) -> dict[int, AnyItemNews]:
    """By offset; an item comes within five days, and is told of again as it sells more."""
    came = {name: NOON + rng.randrange(5) * DAY for name in NEW}
    units, found = dict.fromkeys(NEW, 0), dict[int, AnyItemNews]()
    for offset in sorted(rng.sample(range(3 * n), n)):
        name = rng.choice(NEW)
        said: dict[str, Any] = {
            "group": "",
            "item_id": name,
            "event_time": NOON,
            "source_partition": 0,
            "source_offset": offset,
        }
        if rng.random() < 0.2:
            found[offset] = ItemAvailable(**said)
            continue
        found[offset] = ItemArrived(
            **said, came_ms=came[name], units=units[name], category=len(name), unit_price_cents=5, category_units=offset
        )
        units[name] = max(4, units[name] * 2)
    return found


def plain(said: dict[int, AnyItemNews], before: int, most: int) -> dict[str, int]:
    """The units of each new item that is known."""
    found, of_day = dict[str, int](), dict[int, set[str]]()
    for offset, one in sorted(said.items()):
        if isinstance(one, ItemArrived) and offset < before:
            day = of_day.setdefault(one.came_ms // DAY, set())
            if one.item_id in day or len(day) < most:
                day.add(one.item_id)
                found[one.item_id] = one.units
    return found


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), most=st.integers(1, 9), lost=st.floats(0, 1))
def test_what_is_known_at_an_offset_is_what_was_told_before_it(seed: int, most: int, lost: float) -> None:
    """However the log is cut, and though each flush may be cut off before its progress record."""
    rng = random.Random(seed)
    said = news(rng, 40)
    end = max(said) + 1
    tier, heard, at, flushed, meta = DictTier(), HeardArrivals(most), 0, 0, dict[str, object]()
    while at < end:
        stop = min(at + rng.choice((1, 2, 7, 30)), end)
        offsets = range(at, stop)
        heard.hear([(offset - at, said[offset]) for offset in offsets if offset in said], offsets)
        before = np.array([*offsets, stop])
        which, known = heard.known(before)
        for asked, version in zip(before.tolist(), which.tolist(), strict=True):
            items = known[version]
            assert dict(zip(items.names, items.units.tolist(), strict=True)) == plain(said, asked, most)
            assert list(items.names) == list(plain(said, asked, most))
        at, chance = stop, rng.random()
        if chance < 0.4:
            tier.write(heard.drain_changes(at, NOON))
            meta, flushed = {"next_offset": at}, at
        elif chance < 0.6:
            # Some of the flush reached the table, its progress record did not.
            changes = heard.drain_changes(at, NOON)
            tier.write({key: value for key, value in changes.items() if rng.random() > lost})
            heard, at = HeardArrivals(most), flushed
            heard.restore(tier.items(), meta)
            assert len(heard) == len(plain(said, at, most))


def test_what_is_new_no_more_is_forgotten_and_makes_room_for_nothing_else_of_its_day() -> None:
    heard, tier = HeardArrivals(), DictTier()
    base: dict[str, Any] = {"group": "", "event_time": NOON, "source_partition": 0, "source_offset": 0}
    for k, name in enumerate(("old", "young")):
        heard.hear([(0, ItemArrived(item_id=name, came_ms=NOON + k * DAY, **base))], [k])
    tier.write(heard.drain_changes(2, NOON + 28 * DAY))
    assert (len(heard), len(tier.held)) == (2, 2)
    tier.write(heard.drain_changes(3, NOON + 29 * DAY))
    assert (len(heard), len(tier.held)) == (1, 1)
    assert heard.known(np.array([3]))[1][0].names == ("young",)
    assert heard.drain_changes(4, NOON + 29 * DAY) == {}

"""What a partition heard of new items, held against plain Python, however its log is cut and whoever crashed."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.decisions.new_items import NEW_DAYS
from streams.processing.arrivals import HeardArrivals
from streams.records.news import AnyItemNews, ItemArrived, ItemAvailable
from tests.shoppers import DAY, NOON
from tests.worlds import DictTier

NEW = [f"new-{k}" for k in range(9)]
#: Between two records.
STEP = DAY // 3
BASE: dict[str, Any] = {"group": "", "event_time": NOON, "source_partition": 0, "source_offset": 0}


def clock(offset: int) -> int:
    return NOON + offset * STEP


def news(rng: random.Random, n: int) -> dict[int, AnyItemNews]:
    """By offset, for forty days; an item comes within twelve, some at midnight as far as can be told, and is told of
    again as it sells more, whether it is new or not."""
    came = {name: NOON + rng.randrange(12) * DAY + rng.choice((0, DAY // 2)) for name in NEW}
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
        said["came_ms"] = came[name] + rng.randint(-1, 1)
        if rng.random() < 0.4:
            # Only what is said first holds.
            said |= {"embedding": bytes([offset % 200]) * 64, "embedded_by": f"{offset % 2:016x}"}
        found[offset] = ItemArrived(
            **said, units=units[name], category=1 + NEW.index(name) % 3, unit_price_cents=5, category_units=offset
        )
        units[name] = max(4, units[name] * 2)
    return found


def plain(said: dict[int, AnyItemNews], before: int, most: int) -> dict[str, tuple[int, int]]:
    """The day on which each item came that was told of, and its units."""
    found, of_day = dict[str, tuple[int, int]](), dict[int, set[str]]()
    for offset, one in sorted(said.items()):
        if isinstance(one, ItemArrived) and offset < before:
            day = of_day.setdefault(one.came_ms // DAY, set())
            if one.item_id in found:
                found[one.item_id] = found[one.item_id][0], one.units
            elif len(day) < most:
                day.add(one.item_id)
                found[one.item_id] = one.came_ms // DAY, one.units
    return found


def embedded(said: dict[int, AnyItemNews], before: int) -> dict[str, tuple[str, bytes] | None]:
    """What is known first of what each item is like."""
    found = dict[str, tuple[str, bytes] | None]()
    for offset, one in sorted(said.items()):
        if isinstance(one, ItemArrived) and offset < before:
            like = (one.embedded_by, one.embedding) if one.embedding else None
            found[one.item_id] = found.get(one.item_id) or like
    return found


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), most=st.integers(1, 9), lost=st.floats(0, 1))
def test_what_is_new_at_an_offset_is_what_was_told_before_it(seed: int, most: int, lost: float) -> None:
    """However the log is cut, wherever it is flushed, and though each flush may be cut off before its progress
    record; held against plain Python, and against one that is never flushed."""
    rng = random.Random(seed)
    said = news(rng, 40)
    end, whole = max(said) + 1, HeardArrivals(most)
    whole.hear(list(enumerate(said.values())), list(said))
    tier, heard, at, flushed, meta = DictTier(), HeardArrivals(most), 0, 0, dict[str, object]()
    while at < end:
        stop = min(at + rng.choice((1, 2, 7, 30)), end)
        offsets = range(at, stop)
        heard.hear([(offset - at, said[offset]) for offset in offsets if offset in said], offsets)
        before = np.array([*offsets, stop])
        which, known = heard.known(before)
        for asked, version in zip(before.tolist(), which.tolist(), strict=True):
            items, day = known[version], clock(asked) // DAY
            new = [
                (items.names[k], (int(items.day[k]), int(items.units[k]))) for k in np.flatnonzero(items.new_on(day))
            ]
            expected = {name: one for name, one in plain(said, asked, most).items() if 0 <= day - one[0] <= NEW_DAYS}
            assert new == list(expected.items())
            assert dict(zip(items.names, items.embedded, strict=True)).items() >= {
                (name, like) for name, like in embedded(said, asked).items() if name in expected
            }
            (never_flushed,) = whole.known(np.array([asked]))[1]
            assert (items.usual(day) == never_flushed.usual(day)).all()
        at, chance = stop, rng.random()
        if chance < 0.4:
            tier.write(heard.drain_changes(at, clock(at)))
            meta, flushed = {"next_offset": at}, at
        elif chance < 0.6:
            # Some of the flush reached the table, its progress record did not.
            changes = heard.drain_changes(at, clock(at))
            tier.write({key: value for key, value in changes.items() if rng.random() > lost})
            heard, at = HeardArrivals(most), flushed
            heard.restore(tier.items(), meta)


def test_what_is_new_no_more_is_forgotten_when_no_crash_can_ask_for_it_again() -> None:
    heard, tier = HeardArrivals(), DictTier()
    for k, name in enumerate(("old", "young")):
        heard.hear([(0, ItemArrived(item_id=name, came_ms=NOON + k * DAY, **BASE))], [k])
    tier.write(heard.drain_changes(2, NOON + 28 * DAY))
    tier.write(heard.drain_changes(3, NOON + 30 * DAY))
    # The progress record of that flush is lost: what is asked again is asked on a day on which both are new.
    again = HeardArrivals()
    again.restore(tier.items(), {"next_offset": 2})
    assert again.known(np.array([3]))[1][0].names == ("old", "young")
    tier.write(heard.drain_changes(4, NOON + 30 * DAY))
    assert (len(heard), len(tier.held)) == (1, 1)
    assert heard.known(np.array([4]))[1][0].names == ("young",)
    assert heard.drain_changes(5, NOON + 30 * DAY) == {}


def test_an_item_that_was_forgotten_is_not_new_again_where_it_seems_to_have_come_a_moment_later() -> None:
    heard, midnight = HeardArrivals(), NOON // DAY * DAY
    for k, came_ms in enumerate((midnight - 1, midnight)):
        heard.hear([(0, ItemArrived(item_id="tea", came_ms=came_ms, **BASE))], [k])
        for day in (28, 28, 29):
            heard.drain_changes(k + 1, midnight + day * DAY)
            assert k == 0 or not any(one.new_on(midnight // DAY + day).any() for one in heard.known(np.array([2]))[1])


def test_what_a_package_kept_that_knew_no_embeddings_is_known_as_it_was() -> None:
    """Its records, in the log and in the table, have none: nothing is known of what the item is like."""
    said = msgspec.json.decode(
        b'{"type":"item_arrived","group":"","item_id":"tea","event_time":1,"source_partition":0,"source_offset":0,'
        b'"came_ms":1700000000000,"units":4,"category":7,"category_units":9,"unit_price_cents":5}',
        type=ItemArrived,
    )
    heard, again = HeardArrivals(), HeardArrivals()
    heard.hear([(0, said)], [3])
    key, value = next(iter(heard.drain_changes(4, said.came_ms).items()))
    before = msgspec.msgpack.encode(("tea", 7, 5, said.came_ms, [(3, 4, 9)]))
    assert value is not None
    again.restore([(key, value[:8] + before)], {"next_offset": 4})
    one, other = (each.known(np.array([4]))[1][0] for each in (heard, again))
    assert one.names == other.names == ("tea",)
    assert one.embedded == other.embedded == (None,)
    assert (one.units == other.units).all()

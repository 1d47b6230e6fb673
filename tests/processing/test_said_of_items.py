"""What the log says of items, held against plain Python, however it is cut and whoever crashed."""

from __future__ import annotations

import random
from typing import Any, TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.shopper_events import WIRE, category_code, item_code
from streams.decisions.list_limits import CATEGORY, PRICE
from streams.processing.decode import decode
from streams.processing.rules import DecodeRules
from streams.processing.said_of_items import PERIOD_MS, SaidOfItems
from streams.records import events as e
from tests.shoppers import HOUR, NOON, Log, log_of, slice_of
from tests.worlds import DictTier

ITEMS = [f"item-{n}" for n in range(8)]
CODES = np.array([[item_code(name) for name in ITEMS]], np.uint64)
Told: TypeAlias = list[tuple[int, int, str, int]]
"""(offset, event time, item, value) of each fact, in log order."""


def history(rng: random.Random, n: int) -> tuple[Log, dict[int, Told]]:
    """A log over several quarters, and what it says."""
    at, events = NOON, list[e.ShopperEvent]()
    told: dict[int, Told] = {CATEGORY: [], PRICE: []}
    for k in range(n):
        at += rng.choice((1, HOUR, PERIOD_MS // 9))
        item, category = rng.choice(ITEMS), rng.choice([None, "tea", "cups"])
        price = rng.choice([None, 0, 5, 70])
        base: dict[str, Any] = {"event_id": f"e{k}", "shopper_id": "ann", "event_time": at, "category": category}
        if rng.random() < 0.6:
            events.append(e.ItemViewed(item_id=item, unit_price_cents=price, **base))
        elif rng.random() < 0.5:
            events.append(e.CartItemAdded(item_id=item, quantity=3, unit_price_cents=price, **base))
        else:
            price = price or 9
            del base["category"]
            line = e.OrderLine(item_id=item, quantity=2, unit_price_cents=price, discount_cents=3, category=category)
            events.append(e.OrderPlaced(order_id=f"o{k}", lines=[line], **base))
        if category:
            told[CATEGORY].append((k, at, item, category_code(category)))
        if price:
            told[PRICE].append((k, at, item, price))
    return log_of(*events), told


def plain(told: Told, most: int, now_ms: int, before: int) -> list[int]:
    """What is known of each item."""
    found = dict[tuple[int, str], tuple[int, int]]()
    for offset, at, item, value in told:
        quarter = at // PERIOD_MS
        if (quarter, item) not in found and sum(q == quarter for q, _ in found) < most:
            found[quarter, item] = offset, value
    answer = []
    for item in ITEMS:
        both = (found.get((now_ms // PERIOD_MS - back, item)) for back in (0, 1))
        answer.append(next((value for offset, value in filter(None, both) if offset < before), 0))
    return answer


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    cuts=st.sets(st.integers(1, 59), max_size=6),
    crash=st.integers(0, 59),
    lost=st.floats(0, 1),
    most=st.sampled_from([3, 100]),
)
def test_what_is_known_is_what_the_log_said_first(
    seed: int, cuts: set[int], crash: int, lost: float, most: int
) -> None:
    """After a crash some of what was learned is in the table, and the log goes on from before it."""
    rng = random.Random(seed)
    log, told = history(rng, 60)
    one, tier = SaidOfItems(most), DictTier()
    bounds = [0, *sorted(cuts | {crash} - {0}), 60]
    again = False
    k = 0
    while k < len(bounds) - 1:
        start, stop = bounds[k], bounds[k + 1]
        decoded = decode(slice_of(log[start:stop], start), DecodeRules(), wire=WIRE).batch
        one.learn(decoded, np.zeros(len(decoded), np.int64))
        for offset, now_ms in zip(decoded.offset.tolist(), decoded.time_ms.tolist(), strict=True):
            for fact in (CATEGORY, PRICE):
                for before in (offset, offset + 1):
                    found = one.look(fact, CODES, np.array([now_ms]), np.array([before]))
                    assert found.tolist() == [plain(told[fact], most, now_ms, before)]
        changes = one.drain_changes(int(decoded.time_ms[0]))
        if stop == crash and not again:
            again = True
            tier.write({key: value for key, value in changes.items() if rng.random() > lost})
            one = SaidOfItems(most)
            one.restore(tier.items())
            continue
        tier.write(changes)
        k += 1
    held = SaidOfItems(most)
    held.restore(tier.items())
    assert len(held) == len(one)


def test_what_is_late_says_nothing_and_old_quarters_are_forgotten() -> None:
    views = [
        e.ItemViewed(event_id=f"e{k}", shopper_id="ann", event_time=at, item_id="item-1", category="tea")
        for k, at in enumerate((NOON, NOON + PERIOD_MS, NOON + 4 * PERIOD_MS))
    ]
    batch = decode(slice_of(log_of(*views)), DecodeRules(), wire=WIRE).batch
    one, tier = SaidOfItems(), DictTier()
    one.learn(batch, np.array([NOON + 1, NOON, NOON]))
    assert len(one) == 2
    tier.write(one.drain_changes(NOON))
    assert len(tier.held) == 2
    tier.write(one.drain_changes(NOON + 4 * PERIOD_MS))
    assert (len(tier.held), len(one)) == (1, 1)
    assert one.drain_changes(NOON + 4 * PERIOD_MS) == {}

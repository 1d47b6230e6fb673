"""A clickstream to measure on, the same for every contestant: sessions of a shop, deterministic for its size.

The mix of events is that of Taobao's UserBehavior (90% views, 5.5% carts, 2.7% wish lists, 2.1% purchases); a
session has 12 events on average, 20 seconds apart; shoppers come back, and carry their history with them.
"""

from __future__ import annotations

import numpy as np

from streams.records import events as e

START_MS = 1_700_000_000_000
ITEMS, CATEGORIES = 5_000, 60
MIX = (0.897, 0.055, 0.027, 0.021)


def clickstream(n: int, shoppers: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
    """n records (key, value) in order of event time."""
    rng = np.random.default_rng(seed)
    sessions = n // 12 + 1
    size = rng.geometric(1 / 12, sessions)
    while size.sum() < n:
        size = np.concatenate([size, rng.geometric(1 / 12, sessions)])
    who = np.repeat(rng.integers(0, shoppers, len(size)), size)
    # About three sessions a day for each shopper.
    span = max(1, len(size) * 86_400_000 // (3 * shoppers))
    starts = np.repeat(rng.integers(0, span, len(size)), size)
    within = np.arange(len(who)) - np.repeat(np.cumsum(size) - size, size)
    at = START_MS + starts + within * 20_000
    order = np.argsort(at, kind="stable")[:n]
    kind, item = rng.choice(4, n, p=MIX), rng.integers(0, ITEMS, n)
    records = []
    for i, (shopper, time, k, j) in enumerate(
        zip(who[order].tolist(), at[order].tolist(), kind.tolist(), item.tolist(), strict=True)
    ):
        name, category, cents = f"item-{j}", f"category-{j % CATEGORIES}", 199 + j
        event_id, shopper_id = f"e{i}", f"shopper-{shopper}"
        event: e.ShopperEvent
        if k == 0:
            event = e.ItemViewed(
                event_id=event_id,
                shopper_id=shopper_id,
                event_time=time,
                item_id=name,
                category=category,
                unit_price_cents=cents,
                dwell_seconds=7.5,
            )
        elif k == 1:
            event = e.CartItemAdded(
                event_id=event_id,
                shopper_id=shopper_id,
                event_time=time,
                item_id=name,
                category=category,
                quantity=1,
                unit_price_cents=cents,
            )
        elif k == 2:
            event = e.ItemWishlisted(
                event_id=event_id, shopper_id=shopper_id, event_time=time, item_id=name, category=category
            )
        else:
            line = e.OrderLine(item_id=name, quantity=1, unit_price_cents=cents, category=category)
            event = e.OrderPlaced(
                event_id=event_id, shopper_id=shopper_id, event_time=time, order_id=event_id, lines=[line]
            )
        records.append((shopper_id.encode(), e.encode_event(event)))
    return records


def number_of(event_id: str) -> int:
    """Which of the records an event is, from 0."""
    return int(event_id[1:])

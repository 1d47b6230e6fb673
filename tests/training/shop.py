"""A small shop that is made up: shoppers with a rhythm of their own, who look before they buy and leave one day."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from streams.records.events import ConsentChanged, ItemViewed, OrderLine, OrderPlaced, ShopperEvent, encode_event
from tests.shoppers import DAY, HOUR

START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
CATEGORIES = ("tea", "coffee", "cups", "honey", "biscuits", "kettles")


def events(shoppers: int, days: int, seed: int = 1) -> list[ShopperEvent]:
    """All that happened in so many days from 2024-01-01 on, in order of time."""
    rng = random.Random(seed)
    found: list[ShopperEvent] = []
    for i in range(shoppers):
        shopper, favourite = f"shopper-{i}", rng.randrange(len(CATEGORIES))
        gap, leaving = rng.lognormvariate(2.3, 0.6), rng.choice((0.01, 0.05, 0.2))
        at, n = START + rng.randrange(days * DAY // 2), 0
        found.append(ConsentChanged(event_id=f"c{i}", event_time=at, marketing=True, shopper_id=shopper))
        while at < START + days * DAY:
            category = CATEGORIES[(favourite + (rng.random() < 0.4) * rng.randrange(1, 4)) % len(CATEGORIES)]
            item = f"{category}-{rng.randrange(5)}"
            line = OrderLine(item_id=item, quantity=rng.randint(1, 3), unit_price_cents=499, category=category)
            name, looked = f"{i}-{n}", at - HOUR // 4
            found += [
                ItemViewed(event_id=f"v{name}", shopper_id=shopper, event_time=looked, item_id=item, category=category),
                OrderPlaced(event_id=f"o{name}", shopper_id=shopper, event_time=at, order_id=name, lines=[line]),
            ]
            if rng.random() < leaving:
                break
            at, n = at + int(DAY * gap * rng.lognormvariate(0, 0.4)) + HOUR, n + 1
    return sorted(found, key=lambda event: event.event_time)


def lines(shoppers: int, days: int, seed: int = 1) -> bytes:
    """The same as JSON lines."""
    return b"".join(encode_event(event) + b"\n" for event in events(shoppers, days, seed))

"""SIMULATED requests for advertisements. The data say nothing of visits or ads: nobody ever looked at these pages.

Items and prices are those of real orders: beside every 400th order one of 40 visitors, who all allow marketing, looks
at the first five lines of it, half a minute each, and an ad is asked for: one of the items that were dearest in the
last three such orders. What a click costs, 1 to 4 cents, depends on the item's id alone, so every run tells the same.
Visitors order nothing and are no households.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from zlib import crc32

from streams.producer.replay import event_time_ms
from streams.records.events import AdOffered, AdRequested, ConsentChanged, ItemViewed, OrderPlaced, ShopperEvent

EVERY, VISITORS, SLATE, VIEWS = 400, 40, 3, 5
MOST_CENTS, DWELL_SECONDS = 4, 30.0


def with_ads(events: Iterable[ShopperEvent]) -> Iterator[ShopperEvent]:
    """The events, and what visitors do beside them, in order of time."""
    slate = deque[AdOffered](maxlen=SLATE)
    orders = visits = 0
    for event in events:
        yield event
        if not isinstance(event, OrderPlaced):
            continue
        orders += 1
        if orders % EVERY:
            continue
        line = max(event.lines, key=lambda each: each.unit_price_cents)
        cost = 1 + crc32(line.item_id.encode()) % MOST_CENTS
        slate.append(
            AdOffered(
                ad_id=f"simulated-{line.item_id}",
                cost_cents=cost,
                item_id=line.item_id,
                category=line.category,
                unit_price_cents=line.unit_price_cents,
            )
        )
        who, at = f"visitor-{visits % VISITORS}", event_time_ms(event)
        visits += 1
        if visits <= VISITORS:
            yield ConsentChanged(event_id=f"{who}-allows", shopper_id=who, event_time=at, marketing=True)
        for n, seen in enumerate(event.lines[:VIEWS]):
            yield ItemViewed(
                event_id=f"visit-{visits}-{n}",
                shopper_id=who,
                event_time=at,
                item_id=seen.item_id,
                category=seen.category,
                dwell_seconds=DWELL_SECONDS,
            )
        yield AdRequested(
            event_id=f"ad-{visits}", shopper_id=who, event_time=at, slate=list(slate), placement="simulated"
        )

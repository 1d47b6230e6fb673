"""Builders of events and of whole histories."""

from __future__ import annotations

import random
from typing import Any

from streams.records import events as e
from streams.records.slices import Slice

DAY = 86_400_000
HOUR = 3_600_000
NOON = 1_700_000_000_000
#: The broker's append time in plain histories: far later than any event, so that nothing is "in the future".
APPENDED = 2_000_000_000_000

#: Of the vocabulary of the shipped behaviour model.
KNOWN_CATEGORIES = (
    "SOFT DRINKS",
    "BAG SNACKS",
    "CHEESE",
    "FLUID MILK PRODUCTS",
    "BAKED BREAD/BUNS/ROLLS",
    "BEEF",
    "FROZEN PIZZA",
    "YOGURT",
    "TROPICAL FRUIT",
)

Log = list[tuple[bytes | None, bytes | None]]


def viewed(shopper: str = "s1", at: int = NOON, event_id: str = "e1", **more: Any) -> e.ItemViewed:
    """A view."""
    return e.ItemViewed(event_id=event_id, shopper_id=shopper, event_time=at, item_id=more.pop("item_id", "i1"), **more)


def ordered(
    shopper: str = "s1", at: int = NOON, event_id: str = "o1", cents: int = 1000, units: int = 1, **more: Any
) -> e.OrderPlaced:
    """An order of one line."""
    line = e.OrderLine(
        item_id=more.pop("item_id", "i1"),
        quantity=units,
        unit_price_cents=cents,
        category=more.pop("category", "tea"),
        discount_cents=more.pop("discount_cents", 0),
    )
    return e.OrderPlaced(event_id=event_id, shopper_id=shopper, event_time=at, order_id=event_id, lines=[line], **more)


def carted(shopper: str = "s1", at: int = NOON, event_id: str = "c1", **more: Any) -> e.CartItemAdded:
    """An item put into the cart."""
    return e.CartItemAdded(
        event_id=event_id, shopper_id=shopper, event_time=at, item_id="i1", quantity=1, unit_price_cents=500, **more
    )


def consented(shopper: str = "s1", at: int = NOON, event_id: str = "k1", marketing: bool = True) -> e.ConsentChanged:
    """A word on marketing."""
    return e.ConsentChanged(event_id=event_id, shopper_id=shopper, event_time=at, marketing=marketing)


def identified(shopper: str, who: str, at: int, event_id: str) -> e.ShopperIdentified:
    """A login: who was known by one id is another one."""
    return e.ShopperIdentified(event_id=event_id, shopper_id=shopper, event_time=at, identified_as=who)


def log_of(*events: e.ShopperEvent | e.ClockTicked) -> Log:
    """Events as keys and values."""
    return [
        (event.shopper_id.encode() if isinstance(event, e.ShopperEvent) else None, e.encode_event(event))
        for event in events
    ]


def slice_of(log: Log, start: int = 0, topic: str = "storefront.events.v1", partition: int = 0) -> Slice:
    """Records from offset ``start`` on, as one slice."""
    n = len(log)
    return Slice(topic, partition, range(start, start + n), [APPENDED] * n, [k for k, _ in log], [v for _, v in log])


def random_history(seed: int, n: int, shoppers: int, *, hostile: bool = True) -> Log:
    """A clickstream of every event type with pauses of days, and when hostile: duplicates (of events, of orders under
    new event ids), disorder, late events."""
    rng = random.Random(seed)
    at = NOON
    log: Log = []
    placed: dict[str, list[str]] = {}
    # Half of the categories are those that the shipped encoder can name.
    categories = [*(f"category-{i}" for i in range(8)), *KNOWN_CATEGORIES]
    items = [(f"item-{i}", categories[i % len(categories)], 100 + 37 * i) for i in range(120)]

    def line() -> e.OrderLine:
        item, category, cents = rng.choice(items)
        return e.OrderLine(
            item_id=item,
            quantity=rng.randint(1, 4),
            unit_price_cents=cents,
            category=category,
            discount_cents=rng.choice((0, 0, cents // 5)),
        )

    for i in range(n):
        at += rng.choice((0, 1, 500, 20_000, 300_000)) if rng.random() > 0.02 else rng.randint(DAY, 9 * DAY)
        shopper = f"shopper-{int(rng.paretovariate(1.1)) % shoppers}"
        when = at - (rng.randint(0, HOUR - 1) if hostile and rng.random() < 0.3 else 0)
        if hostile and rng.random() < 0.01:
            when = at - rng.randint(2 * HOUR, 3 * DAY)
        base: dict[str, Any] = {"event_id": f"e{i}", "shopper_id": shopper, "event_time": when}
        item, category, cents = rng.choice(items)
        kind = rng.random()
        event: e.ShopperEvent
        if kind < 0.5:
            event = e.ItemViewed(
                item_id=item, category=category, unit_price_cents=cents, dwell_seconds=rng.random() * 60, **base
            )
        elif kind < 0.6:
            event = e.Searched(query=category, result_count=rng.choice((0, 3, None)), **base)
        elif kind < 0.7:
            event = e.CartItemAdded(item_id=item, category=category, quantity=1, unit_price_cents=cents, **base)
        elif kind < 0.73:
            event = e.CartItemRemoved(item_id=item, quantity=1, **base)
        elif kind < 0.76:
            event = e.ItemWishlisted(item_id=item, category=category, **base)
        elif kind < 0.88:
            coupon = "C" if rng.random() < 0.2 else None
            lines = [line() for _ in range(rng.randint(1, 5))]
            mine = placed.setdefault(shopper, [])
            again = hostile and mine and rng.random() < 0.1
            order_id = rng.choice(mine[-15:]) if again else f"o{i}"
            mine.append(order_id)
            event = e.OrderPlaced(order_id=order_id, lines=lines, coupon_code=coupon, **base)
        elif kind < 0.91:
            order_id = rng.choice([*placed.get(shopper, [])[-15:], f"o{i}"])
            what = [line() for _ in range(rng.randint(0, 2))] or None
            event = rng.choice((e.OrderReturned, e.OrderCancelled))(order_id=order_id, lines=what, **base)
        elif kind < 0.95:
            reaction = rng.choice((e.OfferShown, e.OfferClicked, e.OfferRedeemed, e.OfferDismissed))
            event = reaction(offer_id="x", **base)
        elif kind < 0.965:
            event = rng.choice((e.AdShown, e.AdClicked))(ad_id="a", **base)
        elif kind < 0.97:
            slate = [e.AdOffered(ad_id=f"a{j}", cost_cents=rng.randint(0, 20)) for j in range(rng.randint(1, 3))]
            event = e.AdRequested(slate=slate, **base)
        else:
            event = e.ConsentChanged(marketing=rng.random() < 0.8, **base)
        log += log_of(event)
        if hostile and rng.random() < 0.02:
            log.append(log[max(0, len(log) - rng.choice((1, 5, 25, 300)))])
    return log

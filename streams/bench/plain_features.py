"""The features that the models and promotions look at, in plain per-event Python: what one would write by hand.

The peer in the bench folds with this, and the tests hold the vectorized kinds against it. A shopper's state is a
dict of JSON values, as an idiomatic Faust table holds it. Events of a shopper are taken in the order given.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from xxhash import xxh3_64_intdigest, xxh32_intdigest

from streams.columns.arrays import TYPE_CODE
from streams.features.kinds.distinct import REGISTERS
from streams.features.kinds.favourites import SLOTS
from streams.features.kinds.recent import BUCKETS, EVENTS_KEPT
from streams.features.kinds.rhythm import MAX_OVERDUE, ORDERS_KEPT, TRIP_MS
from streams.records import events as e

DAY = 86_400_000
SEQUENCE = {"sequence.types": 2, "sequence.categories": 3, "sequence.items": 4, "sequence.cents": 5}
WEIGHTS = {e.ItemViewed: 1.0, e.ItemWishlisted: 2.0, e.CartItemAdded: 3.0, e.OrderPlaced: 5.0}


def new_state() -> dict[str, Any]:
    """The state of a shopper never seen."""
    return {
        "orders": 0, "spend": 0, "discount": 0, "units": 0, "coupons": 0, "cancelled": 0,
        "returned": 0, "refunded": 0, "shown": 0, "redeemed": 0,
        "first_order": 0, "last_order": 0, "last_event": 0, "consent": [0, 0], "times": [],
        "decayed": {"count7": [0.0, 0], "count30": [0.0, 0], "spend7": [0.0, 0], "spend30": [0.0, 0]},
        "recent": [], "left": {},
        "days": {}, "items": [0] * REGISTERS, "categories": [0] * REGISTERS, "taste": [0.0] * SLOTS, "taste_at": 0,
    }  # fmt: skip


def fold(s: dict[str, Any], event: e.ShopperEvent, at: int) -> None:
    """Take one event into the state."""
    s["last_event"] = max(s["last_event"], at)
    cents = _money(s, event)
    s["recent"] = sorted([*s["recent"], _remembered(event, at, cents)])[-EVENTS_KEPT:]
    day = s["days"].setdefault(str(at // DAY), [0, 0, 0])
    day[0] += 1
    newest = s["last_event"] // DAY
    if len(s["days"]) > 40:
        s["days"] = {d: v for d, v in s["days"].items() if int(d) > newest - 30}
    if isinstance(event, e.OrderPlaced):
        _fold_order(s, event, at, day)
    elif isinstance(event, (e.OrderCancelled, e.OrderReturned)):
        s["refunded"] += cents
        s["cancelled" if isinstance(event, e.OrderCancelled) else "returned"] += 1
    elif isinstance(event, e.OfferShown):
        s["shown"] += 1
    elif isinstance(event, e.OfferRedeemed):
        s["redeemed"] += 1
    elif isinstance(event, e.ConsentChanged):
        s["consent"] = max(s["consent"], [at, 0 if event.marketing else 1])
    elif isinstance(event, (e.ItemViewed, e.ItemWishlisted, e.CartItemAdded)):
        _taste(s, event.category, WEIGHTS[type(event)], at)


def _money(s: dict[str, Any], event: e.ShopperEvent) -> int:
    """What an event is worth; of a cancellation or return what it refunds."""
    if isinstance(event, (e.OrderPlaced, e.OrderCancelled, e.OrderReturned)):
        order, left, cents = event.order_id, s["left"], sum(map(_net, event.lines or ()))
        if isinstance(event, e.OrderPlaced):
            s["left"] = dict([*left.items(), (order, cents)][-ORDERS_KEPT:])
        elif order in left:
            cents = min(cents, left[order]) if event.lines else left[order]
            left[order] -= cents
        return cents
    return (getattr(event, "unit_price_cents", None) or 0) * getattr(event, "quantity", 1)


def _remembered(event: e.ShopperEvent, at: int, cents: int) -> list[int]:
    """Time, tie, and what the sequence keeps of an event: type, category, item, money."""
    lines = getattr(event, "lines", None) or ()
    about: Any = max(lines, key=_net) if lines else event
    item, category = getattr(about, "item_id", None), getattr(about, "category", None)
    return [
        at,
        xxh3_64_intdigest(event.event_id.encode()) & 0xFFFF_FFFF,
        TYPE_CODE[type(event)],
        0 if category is None else (xxh32_intdigest(category.encode()) or 1) % BUCKETS["category"] + 1,
        0 if item is None else (xxh3_64_intdigest(item.encode()) & 0xFFFF_FFFF) % BUCKETS["item"] + 1,
        cents,
    ]


def _net(line: e.OrderLine) -> int:
    return max(0, line.unit_price_cents * line.quantity - line.discount_cents)


def sequence(s: dict[str, Any], now: int) -> dict[str, list[float]]:
    """The last 32 events as tensors, by address."""
    newest = s["recent"][::-1]
    gaps = [(later - at) / 3_600_000 for later, at in itertools.pairwise([now, *(event[0] for event in newest)])]
    columns = {name: [float(event[k]) for event in newest] for name, k in SEQUENCE.items()}
    columns["sequence.gap_hours"] = [min(max(gap, 0.0), 8760.0) for gap in gaps]
    return {name: values + [0.0] * (EVENTS_KEPT - len(values)) for name, values in columns.items()}


def _fold_order(s: dict[str, Any], event: e.OrderPlaced, at: int, day: list[int]) -> None:
    cents = 0
    for line in event.lines:
        cents += _net(line)
        s["discount"] += line.discount_cents
        s["units"] += line.quantity
        _observe(s["items"], xxh3_64_intdigest(line.item_id.encode()))
        _taste(s, line.category, WEIGHTS[e.OrderPlaced], at)
    s["orders"] += 1
    s["spend"] += cents
    s["coupons"] += event.coupon_code is not None
    s["first_order"] = min(s["first_order"] or at, at)
    s["last_order"] = max(s["last_order"], at)
    s["times"] = sorted([*s["times"], at])[-ORDERS_KEPT:]
    day[1] += 1
    day[2] += cents
    _decay(s["decayed"]["count7"], 1, at, 7)
    _decay(s["decayed"]["count30"], 1, at, 30)
    _decay(s["decayed"]["spend7"], cents, at, 7)
    _decay(s["decayed"]["spend30"], cents, at, 30)


def _decay(cell: list[float], value: float, at: int, days: int) -> None:
    total, since = cell
    if at >= since:
        cell[0] = total * 2 ** -((at - since) / (days * DAY)) + value
        cell[1] = at
    else:
        cell[0] = total + value * 2 ** -((since - at) / (days * DAY))


def _observe(registers: list[int], value: int) -> None:
    rest = (value >> 7) & ((1 << 52) - 1)
    register = value & (REGISTERS - 1)
    registers[register] = max(registers[register], 53 - rest.bit_length())


def _taste(s: dict[str, Any], category: str | None, weight: float, at: int) -> None:
    if category is None:
        return
    code = xxh32_intdigest(category.encode()) or 1
    mixed = (code * 0x9E37_79B9_7F4A_7C15) & (2**64 - 1)
    _observe(s["categories"], mixed ^ (mixed >> 29))
    if at >= s["taste_at"]:
        factor = 2 ** -((at - s["taste_at"]) / (30 * DAY))
        s["taste"] = [v * factor for v in s["taste"]]
        s["taste_at"] = at
        s["taste"][code % SLOTS] += weight
    else:
        s["taste"][code % SLOTS] += weight * 2 ** -((s["taste_at"] - at) / (30 * DAY))


def _distinct(registers: list[int]) -> float:
    estimate = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS**2 / sum(2.0**-r for r in registers)
    empty = registers.count(0)
    if estimate <= 2.5 * REGISTERS and empty:
        return REGISTERS * math.log(REGISTERS / empty)
    return estimate


def read(s: dict[str, Any], now: int) -> dict[str, float]:
    """The features at a time, by address."""
    times = s["times"]
    gaps = [(b - a) / DAY for a, b in itertools.pairwise(times) if b - a > TRIP_MS]
    mean = sum(gaps) / len(gaps) if gaps else 0.0
    spread = math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps)) if gaps else 0.0
    today = now // DAY
    days = {int(d): v for d, v in s["days"].items() if today - 30 < int(d) <= today}
    orders, spend = s["orders"], s["spend"]
    decayed = {name: cell[0] * 2 ** -((now - cell[1]) / (int(name[5:]) * DAY)) for name, cell in s["decayed"].items()}
    taste = sum(s["taste"])
    shares = [v / taste for v in s["taste"]] if taste else [0.0]
    consent = s["consent"]
    return {
        "orders.count": orders,
        "orders.gaps": len(gaps),
        "orders.gap_mean": mean,
        "orders.gap_spread": spread,
        "orders.gap_newest": gaps[-1] if gaps else 0.0,
        "orders.overdue": min((now - times[-1]) / DAY / max(mean, 1 / 24), MAX_OVERDUE) if gaps else 0.0,
        "orders.days_since_last": (now - s["last_order"]) / DAY if orders else 3650.0,
        "orders.days_since_first": (now - s["first_order"]) / DAY if orders else 0.0,
        "orders.count_decayed_7d": decayed["count7"],
        "orders.count_decayed_30d": decayed["count30"],
        "orders.spend": spend,
        "orders.refunded": s["refunded"],
        "orders.return_rate": min(s["returned"] / orders, 5.0) if orders else 0.0,
        "orders.spend_decayed_7d": decayed["spend7"],
        "orders.spend_decayed_30d": decayed["spend30"],
        "orders.count_7d": sum(v[1] for d, v in days.items() if d > today - 7),
        "orders.count_30d": sum(v[1] for v in days.values()),
        "orders.spend_30d": sum(v[2] for v in days.values()),
        "orders.average_value": spend / orders if orders else 0.0,
        "orders.average_units": s["units"] / orders if orders else 0.0,
        "orders.distinct_items": _distinct(s["items"]),
        "orders.discount_rate": min(s["discount"] / spend, 10.0) if spend else 0.0,
        "orders.coupon_share": s["coupons"] / orders if orders else 0.0,
        "orders.cancelled": s["cancelled"],
        "visits.days_since_last": (now - s["last_event"]) / DAY if s["last_event"] else 3650.0,
        "visits.events_30d": sum(v[0] for v in days.values()),
        "visits.active_days_30d": sum(v[0] > 0 for v in days.values()),
        "browsing.distinct_categories": _distinct(s["categories"]),
        "browsing.favourite_share": max(shares),
        "browsing.taste_entropy": -sum(v * math.log(v) for v in shares if v > 0),
        "offers.shown": s["shown"],
        "offers.redeemed": s["redeemed"],
        "offers.consent": 0.0 if consent[0] == 0 else -1.0 if consent[1] else 1.0,
    }

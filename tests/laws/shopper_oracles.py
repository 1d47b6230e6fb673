"""What features of kinds that only shoppers have must be, in plain Python."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from xxhash import xxh3_64_intdigest, xxh32_intdigest

from streams.columns.arrays import TYPE_CODE
from streams.features.kinds.bought import ITEMS_KEPT, ITEMS_TOLD, MOST, Bought, Seen
from streams.features.kinds.cart import CART_TOLD, InCart
from streams.features.kinds.distinct import Distinct
from streams.features.kinds.favourites import SLOTS, WEIGHTS, Favourite
from streams.features.kinds.latest import Consent
from streams.features.kinds.marks import MAX_DAYS
from streams.features.kinds.recent import BUCKETS, EVENTS_KEPT, SESSION_GAP_MS, Sequence, Session
from streams.features.kinds.rhythm import MAX_OVERDUE, ORDERS_KEPT, TRIP_MS, Rhythm
from streams.features.kinds.taste import FavouriteCategory
from streams.records import events as e
from tests.laws.oracles import Asked, Oracles, Told, cents, lines_of, net, newest_first
from tests.shoppers import DAY, HOUR


def touched_by(event: Any) -> list[Any]:
    """The lines of an order, or the event itself."""
    return lines_of(event) or [event]


def dearest(event: Any) -> Any:
    """What an event is about: itself, or the first of an order's dearest lines."""
    lines = lines_of(event)
    return max(lines, key=net) if lines else event


def refunds(told: Told) -> dict[str, int]:
    """What each cancellation or return of one shopper gives back, by its event id."""
    left: dict[str, int] = {}
    found: dict[str, int] = {}
    for _, event in told:
        if isinstance(event, e.OrderPlaced):
            left[event.order_id] = cents(event, {})
            if len(left) > 12:
                del left[next(iter(left))]
        elif isinstance(event, (e.OrderCancelled, e.OrderReturned)):
            known, lines = event.order_id in left, lines_of(event)
            refund = sum(map(net, lines)) if lines else left.get(event.order_id, 0)
            if known:
                refund = min(refund, left[event.order_id])
                left[event.order_id] -= refund
            found[event.event_id] = refund
    return found


def rhythm(s: Rhythm, a: Asked) -> float:
    times = sorted(at for at, event in a.told if isinstance(event, e.OrderPlaced))[-ORDERS_KEPT:]
    gaps = [(b - a) / DAY for a, b in itertools.pairwise(times) if b - a > TRIP_MS]
    if s.what == "gaps" or not gaps:
        return len(gaps) if s.what == "gaps" else 0.0
    mean = sum(gaps) / len(gaps)
    return {
        "mean": mean,
        "spread": math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps)),
        "newest": gaps[-1],
        "overdue": min((a.now - times[-1]) / DAY / max(mean, 1 / 24), MAX_OVERDUE),
    }[s.what]


def distinct(s: Distinct, a: Asked) -> Any:
    found = set()
    for _, event in a.told:
        if isinstance(event, s.types):
            for touched in touched_by(event):
                found.add(touched.item_id if s.of == "item" else touched.category)
    exact = len(found - {None})
    # A sketch: three standard errors, or two pairs of a few that share a register.
    return pytest.approx(exact, rel=0.3, abs=4)  # of a few items, four may share a register once in 10,000


def favourite_weights(a: Asked) -> list[float]:
    weight = [0.0] * SLOTS
    for at, event in a.told:
        if type(event) in WEIGHTS:
            for touched in touched_by(event):
                if touched.category is not None:
                    slot = xxh32_intdigest(touched.category.encode()) % SLOTS
                    weight[slot] += WEIGHTS[type(event)] * 2.0 ** (-(a.now - at) / (30 * DAY))
    return weight


def favourite(s: Favourite, a: Asked) -> float | list[float]:
    weight = favourite_weights(a)
    if s.what == "weights":
        return weight
    shares = sorted((w / sum(weight) for w in weight if w), reverse=True) if any(weight) else []
    return {
        "alive": float(sum(w >= 1.0 for w in weight)),
        "first_share": shares[0] if shares else 0.0,
        "second_share": shares[1] if len(shares) > 1 else 0.0,
        "entropy": -sum(p * math.log(p) for p in shares),
    }[s.what]


def session(s: Session, a: Asked) -> float:
    last = newest_first(a.told)[:EVENTS_KEPT]
    inside = last[:1]
    for before, after in zip(last[1:], last[:-1], strict=True):
        if after[0] - before[0] > SESSION_GAP_MS:
            break
        inside.append(before)
    return {
        "open": float(a.now - last[0][0] <= SESSION_GAP_MS),
        "minutes": (inside[0][0] - inside[-1][0]) / 60_000,
        "events": float(sum(not s.types or isinstance(event, s.types) for _, event in inside)),
    }[s.what]


def sequence(s: Sequence, a: Asked) -> list[float]:
    found, later = [], a.now
    for at, event in newest_first(a.told)[:EVENTS_KEPT]:
        about: Any = dearest(event)
        item, category = getattr(about, "item_id", None), getattr(about, "category", None)
        found.append(
            {
                "type": float(TYPE_CODE[type(event)]),
                "item": 0.0 if item is None else (xxh3_64_intdigest(item.encode()) % 2**32) % BUCKETS["item"] + 1.0,
                "category": 0.0 if category is None else xxh32_intdigest(category.encode()) % BUCKETS["category"] + 1.0,
                "cents": float(cents(event, a.refunds)),
                "gap_hours": min((later - at) / HOUR, 8760.0),
            }[s.what]
        )
        later = at
    return found + [0.0] * (EVENTS_KEPT - len(found))


def consent(s: Consent, a: Asked) -> float:
    words = [(at, not event.marketing) for at, event in a.told if isinstance(event, e.ConsentChanged)]
    return (-1.0 if max(words)[1] else 1.0) if words else 0.0


def favourite_category(s: FavouriteCategory, a: Asked) -> list[float]:
    """The newest of the last 32 events whose category shares the slot of the heaviest."""
    weights = favourite_weights(a)
    heaviest = max(range(SLOTS), key=lambda slot: weights[slot])
    for _, event in newest_first(a.told)[:EVENTS_KEPT]:
        name = getattr(dearest(event), "category", None)
        if name is not None and (code := xxh32_intdigest(name.encode())) % SLOTS == heaviest:
            return [float(code >> 16), float(code & 0xFFFF)]
    return [0.0, 0.0]


def item_code(item_id: str) -> int:
    return xxh3_64_intdigest(item_id.encode()) % 2**32


def bought_most(a: Asked) -> list[tuple[int, int, int]]:
    """(second, hash, order lines) of the items told, largest weight first."""
    kept: dict[int, tuple[int, int]] = {}

    def weight(code: int) -> tuple[int, int]:
        at, lines = kept[code]
        return at + round(60 * 86_400 * math.log(lines)), code

    for at, event in a.told:
        for line in lines_of(event) if isinstance(event, e.OrderPlaced) else ():
            last, lines = kept.get(item_code(line.item_id), (0, 0))
            kept[item_code(line.item_id)] = max(at // 1000, last), min(lines + 1, MOST)
        for code in sorted(kept, key=weight)[:-ITEMS_KEPT]:
            del kept[code]
    return [(kept[code][0], code, kept[code][1]) for code in sorted(kept, key=weight, reverse=True)[:ITEMS_TOLD]]


def in_halves(codes: list[int], n: int) -> list[float]:
    codes = codes + [0] * (n - len(codes))
    return [float(code >> 16) for code in codes] + [float(code & 0xFFFF) for code in codes]


def bought(s: Bought, a: Asked) -> list[float]:
    kept = bought_most(a)
    if s.what == "code":
        return in_halves([code for _, code, _ in kept], ITEMS_TOLD)
    if s.what == "times":
        found = [float(lines) for _, _, lines in kept]
    else:
        found = [min(max(a.now - at * 1000, 0) / DAY, MAX_DAYS) for at, _, _ in kept]
    return found + [0.0] * (ITEMS_TOLD - len(kept))


def seen(s: Seen, a: Asked) -> Any:
    owned = {code for _, code, _ in bought_most(a)}
    known, codes = len(owned), []
    for _, event in newest_first(a.told)[:EVENTS_KEPT]:
        item = getattr(dearest(event), "item_id", None)
        code = 0 if item is None else item_code(item)
        codes.append(0 if code in owned or code in codes else code)
    return float(known + sum(map(bool, codes))) if s.what == "known" else in_halves(codes, EVENTS_KEPT)


def in_cart(_: InCart, a: Asked) -> list[float]:
    codes, gone = list[int](), set[int]()
    for _at, event in newest_first(a.told)[:EVENTS_KEPT]:
        if isinstance(event, e.OrderPlaced):
            break
        if isinstance(event, e.CartItemAdded) and item_code(event.item_id) not in gone:
            codes.append(item_code(event.item_id))
        if isinstance(event, e.CartItemAdded | e.CartItemRemoved):
            gone.add(item_code(event.item_id))
    return in_halves(codes[:CART_TOLD], CART_TOLD)


SHOPPERS: Oracles = {
    Bought: bought,
    Seen: seen,
    InCart: in_cart,
    Rhythm: rhythm,
    Distinct: distinct,
    Favourite: favourite,
    Session: session,
    Sequence: sequence,
    Consent: consent,
    FavouriteCategory: favourite_category,
}

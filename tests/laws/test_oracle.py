"""Every feature of the catalogue, recomputed from the whole list of events in plain Python: one oracle per kind.

A new feature needs no line here; a new kind needs a function in ``ORACLES``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest, xxh32_intdigest

from streams.columns.arrays import TYPE_CODE
from streams.features.feature import Ratio
from streams.features.kinds.decay import HALF_LIVES, Decayed
from streams.features.kinds.distinct import Distinct
from streams.features.kinds.favourites import SLOTS, WEIGHTS, Favourite
from streams.features.kinds.latest import Consent
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.recent import BUCKETS, EVENTS_KEPT, SESSION_GAP_MS, Sequence, Session
from streams.features.kinds.rhythm import MAX_OVERDUE, ORDERS_KEPT, TRIP_MS, Rhythm
from streams.features.kinds.taste import FavouriteCategory
from streams.features.kinds.windows import BUCKETS as BUCKET_MS
from streams.features.kinds.windows import ActiveBuckets, Windowed, window
from streams.features.shopper import CATALOGUE
from streams.features.signals import Signal
from streams.records import events as e
from tests.laws.test_features import ADDRESSES, features_after, in_time_order
from tests.shoppers import DAY, HOUR, random_history

Told = list[tuple[int, e.ShopperEvent]]


def touched_by(event: Any) -> list[Any]:
    """The lines of an order, or the event itself."""
    return lines_of(event) or [event]


def lines_of(event: Any) -> list[e.OrderLine]:
    return list(getattr(event, "lines", None) or ())


def net(line: e.OrderLine) -> int:
    return max(0, line.unit_price_cents * line.quantity - line.discount_cents)


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
            left[event.order_id] = cents(event)
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


#: What came back, by event id: a property of all that a shopper did, not of the event alone.
REFUNDS: dict[str, int] = {}


def cents(event: Any) -> int:
    if event.event_id in REFUNDS:
        return REFUNDS[event.event_id]
    if lines_of(event):
        return sum(map(net, lines_of(event)))
    return int((getattr(event, "unit_price_cents", None) or 0) * getattr(event, "quantity", 1))


def amount(signal: Signal, told: e.ShopperEvent) -> int:
    if not isinstance(told, signal.types):
        return 0
    event: Any = told
    if signal.flagged:
        flag = event.coupon_code is not None if isinstance(told, e.OrderPlaced) else event.result_count == 0
        if not flag:
            return 0
    values: dict[str, Callable[[], int]] = {
        "count": lambda: 1,
        "cents": lambda: cents(event),
        "discount_cents": lambda: sum(line.discount_cents for line in lines_of(event)),
        "quantity": lambda: sum(line.quantity for line in lines_of(event)),
        "dwell_ms": lambda: int((event.dwell_seconds or 0.0) * 1000),
    }
    return values[signal.value]()


def decayed(s: Decayed, told: Told, now: int) -> float:
    half = HALF_LIVES[s.half_life]
    return math.fsum(amount(s.signal, event) * 2.0 ** (-(now - at) / half) for at, event in told)


def buckets(s: Windowed | ActiveBuckets, told: Told, now: int) -> dict[int, int]:
    ring, covered = window(s.window)
    length = BUCKET_MS[ring.bucket]
    found: dict[int, int] = {}
    for at, event in told:
        if now // length - covered < at // length <= now // length:
            found[at // length] = found.get(at // length, 0) + amount(s.signal, event)
    return found


def days_since(s: DaysSince, told: Told, now: int) -> float:
    times = [at for at, event in told if amount(s.signal, event)]
    if not times:
        return MAX_DAYS if s.which == "last" else 0.0
    return min((now - (max(times) if s.which == "last" else min(times))) / DAY, MAX_DAYS)


def rhythm(s: Rhythm, told: Told, now: int) -> float:
    times = sorted(at for at, event in told if isinstance(event, e.OrderPlaced))[-ORDERS_KEPT:]
    gaps = [(b - a) / DAY for a, b in itertools.pairwise(times) if b - a > TRIP_MS]
    if s.what == "gaps" or not gaps:
        return len(gaps) if s.what == "gaps" else 0.0
    mean = sum(gaps) / len(gaps)
    return {
        "mean": mean,
        "spread": math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps)),
        "newest": gaps[-1],
        "overdue": min((now - times[-1]) / DAY / max(mean, 1 / 24), MAX_OVERDUE),
    }[s.what]


def distinct(s: Distinct, told: Told, now: int) -> Any:
    found = set()
    for _, event in told:
        if isinstance(event, s.types):
            for touched in touched_by(event):
                found.add(touched.item_id if s.of == "item" else touched.category)
    exact = len(found - {None})
    # A sketch: three standard errors, or two pairs of a few that share a register.
    return pytest.approx(exact, rel=0.3, abs=2.5)


def favourite_weights(told: Told, now: int) -> list[float]:
    weight = [0.0] * SLOTS
    for at, event in told:
        if type(event) in WEIGHTS:
            for touched in touched_by(event):
                if touched.category is not None:
                    slot = xxh32_intdigest(touched.category.encode()) % SLOTS
                    weight[slot] += WEIGHTS[type(event)] * 2.0 ** (-(now - at) / (30 * DAY))
    return weight


def favourite(s: Favourite, told: Told, now: int) -> float:
    weight = favourite_weights(told, now)
    shares = sorted((w / sum(weight) for w in weight if w), reverse=True) if any(weight) else []
    return {
        "alive": float(sum(w >= 1.0 for w in weight)),
        "first_share": shares[0] if shares else 0.0,
        "second_share": shares[1] if len(shares) > 1 else 0.0,
        "entropy": -sum(p * math.log(p) for p in shares),
    }[s.what]


def newest_first(told: Told) -> Told:
    tie = {id(event): xxh3_64_intdigest(event.event_id.encode()) & 0xFFFF_FFFF for _, event in told}
    return sorted(told, key=lambda pair: (pair[0], tie[id(pair[1])]))[::-1][:EVENTS_KEPT]


def session(s: Session, told: Told, now: int) -> float:
    last = newest_first(told)
    inside = last[:1]
    for before, after in zip(last[1:], last[:-1], strict=True):
        if after[0] - before[0] > SESSION_GAP_MS:
            break
        inside.append(before)
    return {
        "open": float(now - last[0][0] <= SESSION_GAP_MS),
        "minutes": (inside[0][0] - inside[-1][0]) / 60_000,
        "events": float(sum(not s.types or isinstance(event, s.types) for _, event in inside)),
    }[s.what]


def sequence(s: Sequence, told: Told, now: int) -> list[float]:
    found, later = [], now
    for at, event in newest_first(told):
        about: Any = dearest(event)
        item, category = getattr(about, "item_id", None), getattr(about, "category", None)
        found.append(
            {
                "type": float(TYPE_CODE[type(event)]),
                "item": 0.0 if item is None else (xxh3_64_intdigest(item.encode()) % 2**32) % BUCKETS["item"] + 1.0,
                "category": 0.0 if category is None else xxh32_intdigest(category.encode()) % BUCKETS["category"] + 1.0,
                "cents": float(cents(event)),
                "gap_hours": min((later - at) / HOUR, 8760.0),
            }[s.what]
        )
        later = at
    return found + [0.0] * (EVENTS_KEPT - len(found))


def consent(s: Consent, told: Told, now: int) -> float:
    words = [(at, not event.marketing) for at, event in told if isinstance(event, e.ConsentChanged)]
    return (-1.0 if max(words)[1] else 1.0) if words else 0.0


def ratio(s: Ratio, told: Told, now: int) -> float:
    over, under = (value(CATALOGUE.features[a].source, told, now) for a in (s.numerator, s.denominator))
    return min(over / under, s.cap) if under > 0 else 0.0


def favourite_category(s: FavouriteCategory, told: Told, now: int) -> list[float]:
    """The newest of the last 32 events whose category shares the slot of the heaviest."""
    weights = favourite_weights(told, now)
    heaviest = max(range(SLOTS), key=lambda slot: weights[slot])
    for _, event in newest_first(told):
        name = getattr(dearest(event), "category", None)
        if name is not None and (code := xxh32_intdigest(name.encode())) % SLOTS == heaviest:
            return [float(code >> 16), float(code & 0xFFFF)]
    return [0.0, 0.0]


ORACLES: dict[type, Callable[[Any, Told, int], Any]] = {
    Decayed: decayed,
    Windowed: lambda s, told, now: float(sum(buckets(s, told, now).values())),
    ActiveBuckets: lambda s, told, now: float(sum(v != 0 for v in buckets(s, told, now).values())),
    DaysSince: days_since,
    Total: lambda s, told, now: float(sum(amount(s.signal, event) for _, event in told)),
    Rhythm: rhythm,
    Distinct: distinct,
    Favourite: favourite,
    Session: session,
    Sequence: sequence,
    Consent: consent,
    Ratio: ratio,
    FavouriteCategory: favourite_category,
}


def value(source: Any, told: Told, now: int) -> Any:
    return ORACLES[type(source)](source, told, now)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), later=st.integers(0, 50 * DAY))
def test_every_feature_equals_its_recomputation_over_all_events(seed: int, later: int) -> None:
    log = random_history(seed, 500, 12, hostile=False)
    told: dict[str, Told] = {}
    for at, event in in_time_order(log):
        told.setdefault(event.shopper_id, []).append((at, event))
    REFUNDS.clear()
    for mine in told.values():
        REFUNDS.update(refunds(mine))
    places = CATALOGUE.places(ADDRESSES)
    for shopper, row in features_after(log, later).items():
        now = max(at for at, _ in told[shopper]) + later
        for address in ADDRESSES:
            ours = row[places[address]].tolist()
            expected = value(CATALOGUE.features[address].source, told[shopper], now)
            if isinstance(expected, (int, float)):
                expected = pytest.approx(expected, rel=1e-5, abs=1e-6)
            got = ours if len(ours) > 1 else ours[0]
            if isinstance(expected, list):
                expected = pytest.approx(expected, rel=1e-5, abs=1e-6)
            assert got == expected, (shopper, address)

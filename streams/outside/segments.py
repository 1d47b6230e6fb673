"""What sets the shoppers of each segment apart from all others of the shop, by their newest profiles.

A segment is a rule, the same in every shop; what its shoppers are like is not. Each measure of a profile is compared by
ranks: how much more often a shopper of the segment is above another one than below. Of shares (who likes a category
most, who orders in the evening) that is the difference of the shares, so all can be held against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from streams.access import Access
from streams.columns.arrays import Bools, Floats
from streams.monitoring.quality import auc
from streams.outside.reading import Reader
from streams.records.profiled import SEGMENTS, Segment, ShopperProfiled
from streams.records.words import money
from streams.topics import SHOPPER_PROFILES

#: So many differences are told of a segment at most, the largest first; smaller ones than ``LEAST`` are none.
TOLD, LEAST = 3, 0.2
#: Of fewer shoppers, or fewer others, nothing is told.
FEWEST = 10
#: Categories that are asked about: those that most shoppers like most.
CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class Described:
    """A segment as it is in this shop."""

    segment: Segment
    shoppers: int
    share: float
    """Of all shoppers that have a profile."""
    apart: list[str]
    """What differs most from all other shoppers, in words, with the median or share of both."""


@dataclass(frozen=True, slots=True)
class _Measure:
    said: str
    """What it is, with a place for the value."""
    of: Callable[[ShopperProfiled], float | None]
    shown: Callable[[float, str], str]
    """A value, in a currency, in words."""


def _number(value: float, _currency: str) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def _share(value: float, _currency: str) -> str:
    return f"{value:.0%}"


def _money(value: float, currency: str) -> str:
    return money(round(value), currency)


_MEASURES = (
    _Measure("{} orders so far", lambda p: p.orders, _number),
    _Measure("{} orders in 30 days", lambda p: p.orders_30d, _number),
    _Measure("last order {} days ago", lambda p: p.days_since_last_order, _number),
    _Measure("{} days between orders", lambda p: p.rhythm_days, _number),
    _Measure("{} paid per order", lambda p: p.average_order_cents, _money),
    _Measure("{} of the price taken off", lambda p: p.discount_share, _share),
    _Measure("a coupon in {} of their orders", lambda p: p.coupon_share, _share),
    _Measure("{} expected in 90 days", lambda p: None if p.expected is None else p.expected.revenue_cents, _money),
)


def described(profiles: Sequence[ShopperProfiled]) -> list[Described]:
    """Each segment that somebody is in, in the order of their table."""
    of = np.array([profile.segment for profile in profiles])
    found = []
    for segment in SEGMENTS:
        mine = of == segment
        if n := int(mine.sum()):
            enough = FEWEST <= n <= len(profiles) - FEWEST
            found.append(Described(segment, n, n / len(profiles), _apart(profiles, mine) if enough else []))
    return found


def _apart(profiles: Sequence[ShopperProfiled], mine: Bools) -> list[str]:
    currency, told = profiles[0].currency, list[tuple[float, str]]()
    for measure in _MEASURES:
        values = np.array([np.nan if (value := measure.of(p)) is None else value for p in profiles])
        known = np.isfinite(values)
        ours, others = values[known & mine], values[known & ~mine]
        if min(len(ours), len(others)) >= FEWEST:
            here, there = (measure.shown(float(np.median(each)), currency) for each in (ours, others))
            if here != there:
                told.append((_above(values[known], mine[known]), f"{measure.said.format(here)} (others {there})"))
    for what, has in _kinds(profiles):
        inside, outside = float(has[mine].mean()), float(has[~mine].mean())
        told.append((inside - outside, f"{what}: {inside:.0%} of them (others {outside:.0%})"))
    told.sort(key=lambda one: -abs(one[0]))
    return [said for apart, said in told[:TOLD] if abs(apart) >= LEAST]


def _above(values: Floats, mine: Bools) -> float:
    """How much more often one of mine is above one of the others than below, -1 to 1."""
    return 2 * auc(mine.astype(np.float64), values) - 1


def _kinds(profiles: Sequence[ShopperProfiled]) -> Iterable[tuple[str, Bools]]:
    """What a shopper is or is not, and [n] who is."""
    liked = [profile.favourite_category for profile in profiles]
    for name, _ in Counter(name for name in liked if name is not None).most_common(CATEGORIES):
        yield f"like {name} most", np.array([one == name for one in liked])
    for part in ("night", "morning", "afternoon", "evening"):
        yield f"order in the {part}", np.array([profile.daypart == part for profile in profiles])


def profiles(kafka: Access) -> list[ShopperProfiled]:
    """The newest of each shopper, read from their whole topic. Raises ``TopicError``."""
    newest: dict[bytes | None, ShopperProfiled] = {}
    decode = msgspec.json.Decoder(ShopperProfiled).decode
    with Reader(kafka) as reader:
        for record in reader.whole(SHOPPER_PROFILES.name):
            if record.value is None:
                newest.pop(record.key, None)
            else:
                newest[record.key] = decode(record.value)
    return list(newest.values())

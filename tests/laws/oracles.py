"""Plain Python that says what a feature's value must be, from all records of one key: one function per kind.

A new feature needs no line here; a new kind needs a function in one of the three files of oracles.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from xxhash import xxh3_64_intdigest, xxh32_intdigest

from streams.features.feature import Feature, Less, Ratio, Reached, Scaled, Spread
from streams.features.kinds.cycle import Cycle
from streams.features.kinds.decay import HALF_LIVES, Decayed
from streams.features.kinds.held import Held
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import BUCKETS as BUCKET_MS
from streams.features.kinds.windows import ActiveBuckets, Weekly, Windowed, window
from streams.features.signals import Signal
from streams.records import events as e
from streams.records import items as i
from tests.shoppers import DAY

#: (when, what) of one key.
Told = list[tuple[int, Any]]
#: By kind of source.
Oracles = Mapping[type, Callable[[Any, "Asked"], Any]]


@dataclass(frozen=True)
class Asked:
    """Of what, when and where values are asked."""

    told: Told
    now: int
    features: Mapping[str, Feature]
    oracles: Oracles
    zone: str = "UTC"
    refunds: Mapping[str, int] = field(default_factory=dict)
    """What came back, by event id: a property of all that a shopper did, not of the event alone."""
    held: Mapping[str, Any] = field(default_factory=dict)
    """What was known beside the rows when the key was last due."""

    def part(self, address: str) -> Any:
        """What a feature must be: a number, numbers, or something that compares."""
        source = self.features[address].source
        return self.oracles[type(source)](source, self)

    def local(self, at: int) -> datetime:
        """A time as the shop's clocks show it."""
        return local(at, self.zone)


@cache
def local(at: int, zone: str) -> datetime:
    """A time as a zone's clocks show it."""
    return datetime.fromtimestamp(at / 1000, ZoneInfo(zone))


def lines_of(event: Any) -> list[e.OrderLine]:
    return list(getattr(event, "lines", None) or ())


def net(line: e.OrderLine) -> int:
    return max(0, line.unit_price_cents * line.quantity - line.discount_cents)


def cents(event: Any, refunds: Mapping[str, int]) -> int:
    if event.event_id in refunds:
        return refunds[event.event_id]
    if lines_of(event):
        return sum(map(net, lines_of(event)))
    return int((getattr(event, "unit_price_cents", None) or 0) * getattr(event, "quantity", 1))


def flag(event: Any) -> bool:
    """Of an order: with a coupon. Of a search: without a result."""
    return event.coupon_code is not None if isinstance(event, e.OrderPlaced) else event.result_count == 0


def amount(signal: Signal, event: Any, a: Asked) -> int:
    if type(event) not in signal.types or (signal.flagged and not flag(event)):
        return 0
    values: dict[str, Callable[[], int]] = {
        "count": lambda: 1,
        "cents": lambda: cents(event, a.refunds),
        "quantity": lambda: sum(line.quantity for line in lines_of(event)),
        "dwell_ms": lambda: int((event.dwell_seconds or 0.0) * 1000),
        "rating_squared": lambda: event.rating**2,
    }
    if isinstance(event, e.OrderPlaced):
        values["discount_cents"] = lambda: sum(line.discount_cents for line in lines_of(event))
    # What items are told has the names of the facts.
    return values.get(signal.value, lambda: int(getattr(event, signal.value)))()


def tie(event: Any) -> int:
    """What tells two records of the same moment apart: of tallies, which have no id, the category."""
    if isinstance(event, i.ItemTally):
        return 0 if event.category is None else xxh32_intdigest(event.category.encode())
    return xxh3_64_intdigest(event.event_id.encode()) & 0xFFFF_FFFF


def newest_first(told: Told) -> Told:
    return sorted(told, key=lambda pair: (pair[0], tie(pair[1])))[::-1]


def decayed(s: Decayed, a: Asked) -> float:
    half = HALF_LIVES[s.half_life]
    return math.fsum(amount(s.signal, event, a) * 2.0 ** (-(a.now - at) / half) for at, event in a.told)


def bucket(name: str, at: int, a: Asked) -> int:
    return a.local(at).date().toordinal() if name == "1d" else at // BUCKET_MS[name]


def buckets(s: Windowed | ActiveBuckets, a: Asked) -> dict[int, int]:
    ring, covered = window(s.window)
    found: dict[int, int] = {}
    newest = bucket(ring.bucket, a.now, a)
    for at, event in a.told:
        number = bucket(ring.bucket, at, a)
        if newest - covered < number <= newest:
            found[number] = found.get(number, 0) + amount(s.signal, event, a)
    return found


def weekly(s: Weekly, a: Asked) -> list[float]:
    """What each week has, Monday to Sunday, the newest first."""

    def monday(at: int) -> int:
        day = a.local(at).date()
        return day.toordinal() - day.weekday()

    found = [0.0] * s.weeks
    newest = monday(a.now)
    for at, event in a.told:
        age = (newest - monday(at)) // 7
        if 0 <= age < s.weeks:
            found[age] += amount(s.signal, event, a)
    return found


def days_since(s: DaysSince, a: Asked) -> float:
    times = [at for at, event in a.told if amount(s.signal, event, a)]
    if not times:
        return MAX_DAYS if s.which == "last" else 0.0
    return min((a.now - (max(times) if s.which == "last" else min(times))) / DAY, MAX_DAYS)


def ratio(s: Ratio, a: Asked) -> float:
    over, under = (a.part(address) for address in (s.numerator, s.denominator))
    return min(over / under, s.cap) if under > 0 else 0.0


def less(s: Less, a: Asked) -> float:
    return float(a.part(s.whole) - a.part(s.part))


def scaled(s: Scaled, a: Asked) -> float:
    return float(a.part(s.address)) * s.factor


def reached(s: Reached, a: Asked) -> float:
    """Whether another feature is at least so much."""
    return float(a.part(s.address) >= s.least)


def spread(s: Spread, a: Asked) -> float:
    signal = a.features[s.total].source.signal
    return statistics.pstdev([amount(signal, event, a) for _, event in a.told if amount(signal, event, a)] or [0])


def cycle(s: Cycle, a: Asked) -> list[float]:
    weight = [0.0] * {"weekday": 7, "hour": 24}[s.of]
    for at, event in a.told:
        shown = a.local(at)
        weight[shown.weekday() if s.of == "weekday" else shown.hour] += amount(s.signal, event, a) * 2.0 ** (
            -(a.now - at) / (90 * DAY)
        )
    return [w / sum(weight) if any(weight) else 0.0 for w in weight]


def held(s: Held, a: Asked) -> Any:
    known = a.held.get(s.name, 0)
    return float(known) if s.width == 1 else [float(v) for v in known or [0] * s.width]


COMMON: Oracles = {
    Decayed: decayed,
    Windowed: lambda s, a: float(sum(buckets(s, a).values())),
    ActiveBuckets: lambda s, a: float(sum(v != 0 for v in buckets(s, a).values())),
    Weekly: weekly,
    DaysSince: days_since,
    Total: lambda s, a: float(sum(amount(s.signal, event, a) for _, event in a.told)),
    Ratio: ratio,
    Less: less,
    Scaled: scaled,
    Reached: reached,
    Spread: spread,
    Cycle: cycle,
    Held: held,
}

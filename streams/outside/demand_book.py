"""What items will sell, what runs out, what to order and which price to try: as the topics have it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from streams.access import Access
from streams.outside.reading import Reader
from streams.records.demand import InventoryPlanned, PriceForecast, SalesForecast
from streams.records.outcomes import ItemProfiled
from streams.records.prices import PriceSuggested
from streams.records.words import about, shown_day
from streams.topics import DAY_MS, INVENTORY, ITEM_PROFILES, PRICE_FORECASTS, PRICES_SUGGESTED, SALES_FORECASTS

#: Forecasts and plans are said each week: one that is so many days older than the newest of any item is of the past.
CURRENT_DAYS = 8
#: A suggestion that stays the same is said each four weeks.
SUGGESTED_DAYS = 29
#: What an item must have sold in 30 days to be asked about (``models/tasks/sales/task.py``).
LEAST_UNITS = 20
#: What was profiled so long ago, and is in no catalogue, is of the past.
PROFILED_DAYS = 30
Foretold = SalesForecast | PriceForecast | InventoryPlanned | PriceSuggested | ItemProfiled
_T = TypeVar("_T", SalesForecast, PriceForecast, InventoryPlanned, PriceSuggested, ItemProfiled)


class NothingForetold(RuntimeError):
    """Of the items that are asked about nothing is foretold."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Demand:
    """What holds of an item; None where nothing was said, or nothing that still holds."""

    sales: SalesForecast
    price: PriceForecast | None
    plan: InventoryPlanned | None
    suggestion: PriceSuggested | None

    @property
    def item_id(self) -> str:
        """The item."""
        return self.sales.item_id

    @property
    def week_cents(self) -> float:
        """What it is expected to bring in the next 7 days, cents; 0 where no price is foretold."""
        return 0.0 if self.price is None else self.sales.next_7_days.mean * self.price.next_week.p50

    @property
    def order(self) -> int:
        """Units to order now."""
        return 0 if self.plan is None else self.plan.order_quantity

    def lines(self) -> list[tuple[str, str]]:
        """All of it for a person: (what, in words)."""
        told = (
            ("will sell", self.sales), ("price paid", self.price), ("stock", self.plan),
            ("price to test", self.suggestion),
        )  # fmt: skip
        as_of = ("as of", shown_day(self.sales.event_time_ms))
        return [as_of, *((what, about(record)) for what, record in told if record is not None)]


@dataclass(frozen=True, slots=True)
class Left:
    """Items of which nothing holds, those first that sell most."""

    waiting: list[ItemProfiled]
    """They sell enough, and the day of what was done to them last has not ended for them."""
    few: list[ItemProfiled]
    """They sell too few."""


@dataclass(slots=True)
class DemandBook:
    """The newest record of each kind about every item."""

    sales: dict[str, SalesForecast] = field(default_factory=dict)
    prices: dict[str, PriceForecast] = field(default_factory=dict)
    plans: dict[str, InventoryPlanned] = field(default_factory=dict)
    suggestions: dict[str, PriceSuggested] = field(default_factory=dict)
    profiles: dict[str, ItemProfiled] = field(default_factory=dict)

    def apply(self, record: Foretold) -> None:
        """Take a record; one of an earlier time replaces none."""
        if isinstance(record, SalesForecast):
            keep_newest(self.sales, record)
        elif isinstance(record, PriceForecast):
            keep_newest(self.prices, record)
        elif isinstance(record, InventoryPlanned):
            keep_newest(self.plans, record)
        elif isinstance(record, ItemProfiled):
            keep_newest(self.profiles, record)
        else:
            keep_newest(self.suggestions, record)

    @property
    def newest_ms(self) -> int:
        """The newest time that a forecast or a profile stands on."""
        return max((record.event_time_ms for record in (*self.sales.values(), *self.profiles.values())), default=0)

    def current(self) -> list[Demand]:
        """Items of which a forecast holds: first those of which something is to be ordered, in either part those first
        that are expected to bring most in the next 7 days."""
        newest = self.newest_ms
        since, long_since = newest - CURRENT_DAYS * DAY_MS, newest - SUGGESTED_DAYS * DAY_MS
        found = [
            Demand(
                sales,
                _holding(self.prices, item, since),
                _holding(self.plans, item, since),
                _holding(self.suggestions, item, long_since),
            )
            for item, sales in self.sales.items()
            if sales.event_time_ms >= since
        ]
        return sorted(found, key=lambda d: (d.order == 0, -d.week_cents, d.item_id))

    def left(self, foretold: list[Demand]) -> Left:
        """Items for sale of which nothing is foretold. An item waits for the end of a day where its profile knows of a
        later day than the one that it was forecast at last, or where it was profiled within a day, not at its end, and
        had sold enough. As long as nothing is foretold of any item, all that were profiled within a day wait: what
        they sold may not be counted yet. The others sell too few."""
        known, newest = {each.item_id for each in foretold}, self.newest_ms
        left = [
            profile
            for item, profile in self.profiles.items()
            if item not in known
            and (profile.listed or (profile.units_30d and profile.event_time_ms >= newest - PROFILED_DAYS * DAY_MS))
        ]
        left.sort(key=lambda profile: (-profile.units_30d, profile.item_id))
        waits = [_behind(p) or (not _asked(p) and (p.units_30d >= LEAST_UNITS or not foretold)) for p in left]
        return Left(
            [profile for profile, so in zip(left, waits, strict=True) if so],
            [profile for profile, so in zip(left, waits, strict=True) if not so],
        )


def _asked(profile: ItemProfiled) -> bool:
    """Whether an item was last looked at as one of its days ended, when what it will sell is asked."""
    return profile.due.kind == "day"


def _behind(profile: ItemProfiled) -> bool:
    """Whether that was the end of an earlier day than the one before its newest record."""
    return _asked(profile) and profile.event_time_ms >= int(profile.due.ref) + DAY_MS


def keep_newest(held: dict[str, _T], record: _T) -> None:
    """Take a record of an item, unless a later one is held."""
    before = held.get(record.item_id)
    if before is None or record.event_time_ms >= before.event_time_ms:
        held[record.item_id] = record


def _holding(held: Mapping[str, _T], item: str, since_ms: int) -> _T | None:
    found = held.get(item)
    return found if found is not None and found.event_time_ms >= since_ms else None


def read(kafka: Access) -> DemandBook:
    """The topics as they stand. Raises ``TopicError`` and ``Unreachable``."""
    found = DemandBook()
    kinds: dict[str, type[Foretold]] = {
        SALES_FORECASTS.name: SalesForecast,
        PRICE_FORECASTS.name: PriceForecast,
        INVENTORY.name: InventoryPlanned,
        PRICES_SUGGESTED.name: PriceSuggested,
        ITEM_PROFILES.name: ItemProfiled,
    }
    with Reader(kafka) as reader:
        for topic, kind in kinds.items():
            decode = msgspec.json.Decoder(kind).decode
            for record in reader.whole(topic):
                if record.value is not None:
                    found.apply(decode(record.value))
    return found

"""Items afterwards: which sell best, which fall, which run out of (simulated) stock, from their newest profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.demo.following import ITEM_FATES, Followed
from streams.demo.lately import lately
from streams.demo.scrape import by
from streams.demo.stock import COVER_DAYS, LATE_DAYS, ORDER_EVERY_DAYS
from streams.entities.item import ITEM
from streams.outside.reading import Place, Reader
from streams.records.outcomes import ItemProfiled
from streams.records.tags import tag_of
from streams.records.words import money, shown_day
from streams.topics import DAY_MS, ITEM_PROFILES
from training.datasets.complete_journey_items import Items, Product

SHOWN = 5
#: A profile says what was sold in the 30 days before it: an older one says nothing of now.
CURRENT_DAYS = 30
#: Of an item that sells less than this in 30 days, a week without a sale means nothing.
ENOUGH_UNITS = 40
#: Stock that lasts for fewer days is about to run out.
COVER_LEAST_DAYS = 7
#: Weeks of sales that are drawn.
WEEKS = 13


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list of items: what it is called, what it means, and the number that it goes by, with that number's name."""

    title: str
    meaning: str
    head: str
    number: str
    """Field of a row."""
    shown: Callable[[dict[str, Any]], str]
    """That number, of a row, in words."""
    full: float | None = None
    """What a full bar stands for; None: the largest one."""


RANKINGS = {
    "best_sellers": Ranking(
        "Best sellers",
        "By revenue of the last 30 days.",
        "revenue",
        "revenue_30d_cents",
        lambda row: money(row["revenue_30d_cents"], row["currency"]),
    ),
    "falling": Ranking(
        "Falling",
        "The pace of the last 7 days over that of the last 30, where 100% is steady. Of items that sold in the last 7 "
        f"days, and at least {ENOUGH_UNITS} units in 30.",
        "pace",
        "momentum",
        lambda row: f"{row['momentum']:.0%}",
        full=1.0,
    ),
    "running_out": Ranking(
        "About to run out of simulated stock",
        f"Simulated stock that lasts fewer than {COVER_LEAST_DAYS} days at the pace of the last 30. The data "
        f"say nothing of stock: it is made up from the orders, as if every {ORDER_EVERY_DAYS} days so much were "
        f"ordered as {COVER_DAYS} days sell, and some deliveries came {LATE_DAYS} days late.",
        "stock lasts",
        "cover_days",
        lambda row: f"{row['cover_days']:.1f} days",
        full=float(COVER_LEAST_DAYS),
    ),
}


def newest_profiles(reader: Reader, starts: Mapping[Place, int], since_ms: int) -> dict[str, ItemProfiled]:
    """The newest profile of each item, of those that stand on a time from ``since_ms`` on. ``starts``: what was in the
    partitions before is not of this run. Reads from the end, so far as it must. Raises ``TopicError``."""
    found: dict[str, tuple[int, int, ItemProfiled]] = {}
    for offset, profile in lately(reader, starts, ITEM_PROFILES, ItemProfiled, since_ms):
        told = (profile.event_time_ms, offset, profile)
        if told[:2] >= found.get(profile.item_id, told)[:2]:
            found[profile.item_id] = told
    return {item: profile for item, (_, _, profile) in found.items()}


def best_sellers(profiles: Iterable[ItemProfiled]) -> list[ItemProfiled]:
    """Those with the largest revenue of 30 days."""
    return sorted(profiles, key=lambda p: (-p.revenue_30d_cents, p.item_id))[:SHOWN]


def falling(profiles: Iterable[ItemProfiled]) -> list[ItemProfiled]:
    """Those that still sell, and whose last week is the furthest behind their last 30 days."""
    enough = (p for p in profiles if p.units_30d >= ENOUGH_UNITS and p.units_7d and p.momentum < 1)
    return sorted(enough, key=lambda p: (p.momentum, -p.units_30d, p.item_id))[:SHOWN]


def running_out(profiles: Iterable[ItemProfiled]) -> list[ItemProfiled]:
    """Those that sell and are not out yet, and whose stock lasts the least."""
    left = (p for p in profiles if p.cover_days is not None and p.units_30d and p.on_hand)
    short = (p for p in left if (p.cover_days or 0.0) < COVER_LEAST_DAYS)
    return sorted(short, key=lambda p: (p.cover_days or 0.0, -p.units_30d, p.item_id))[:SHOWN]


def lists(profiles: Mapping[str, ItemProfiled], items: Items) -> dict[str, Any]:
    """What is shown: per list, what it means and its items, each with its sales by week."""
    chosen = {
        "best_sellers": best_sellers(profiles.values()),
        "falling": falling(profiles.values()),
        "running_out": running_out(profiles.values()),
    }
    wanted = dict.fromkeys(p.item_id for some in chosen.values() for p in some)
    products = {product.item_id: product for product in items.products(wanted)}
    weeks = dict(zip(wanted, weekly(items.sales.daily_units(wanted).tolist()), strict=True)) if wanted else {}
    return {name: [row(p, products.get(p.item_id), weeks[p.item_id]) for p in some] for name, some in chosen.items()}


def weekly(daily: Sequence[Sequence[int]]) -> list[list[int]]:
    """Units of each of the last weeks, the newest last; a week that began before the data is left out.

    >>> weekly([[1] * 15])
    [[7, 7]]
    """
    weeks = min(WEEKS, len(daily[0]) // 7) if daily else 0
    ends = [-7 * k for k in range(weeks, 0, -1)]
    return [[sum(units[end : end + 7 or None]) for end in ends] for units in daily]


def row(profile: ItemProfiled, product: Product | None, weeks: list[int]) -> dict[str, Any]:
    """What is shown of an item; ``weeks``: units that it sold in each."""
    title = None if product is None else product.title
    return {
        "item_id": profile.item_id,
        "title": title or profile.category or f"item {profile.item_id}",
        "brand": None if product is None else product.brand,
        "as_of": shown_day(profile.event_time_ms),
        "revenue_30d_cents": profile.revenue_30d_cents,
        "units_30d": profile.units_30d,
        "units_7d": profile.units_7d,
        "momentum": profile.momentum,
        "price_cents": profile.price_cents,
        "cover_days": profile.cover_days,
        "simulated_on_hand": profile.on_hand,
        "simulated_on_order": profile.on_order,
        "currency": profile.currency,
        "weeks": weeks,
    }


def since(end_ms: int) -> int:
    """From when on a profile is of now, where the newest event is of ``end_ms``."""
    return end_ms - CURRENT_DAYS * DAY_MS


def summary(followed: Followed, sent: Mapping[type, int], listed: Mapping[str, Any]) -> dict[str, Any]:
    """What became of the items' log, and the lists. ``sent``: how many of each record a catalogue told."""
    fates = followed.fates[ITEM.name]
    return {
        "catalogue": {tag_of(record): n for record, n in sent.items()},
        "records_in": followed.items_in,
        **{fate: fates[fate] for fate in ITEM_FATES},
        "due_by": dict(by(followed.samples, "offerstream_due_points_total", "kind", entity="item")),
        "seconds": round(followed.items_seconds, 2),
        "stock": "simulated",
        **listed,
    }

"""What features of kinds that only items have must be, in plain Python."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from xxhash import xxh32_intdigest

from streams.features.kinds.newest import Newest
from streams.features.kinds.prices import CHANGES_KEPT, Price
from streams.features.kinds.stock import LOCATIONS, Stock
from streams.records import events as e
from streams.records import items as i
from streams.records.events import decode_event
from tests.items import PARTITIONS, ItemLog
from tests.laws.oracles import Asked, Oracles, Told, lines_of, net, newest_first, tie
from tests.laws.subjects import ItemHistory, time_of
from tests.shoppers import DAY, HOUR


def fact(name: str, record: Any) -> int | None:
    """What a record about an item says of something; None when nothing."""
    if name == "category":
        named = category(record)
        return None if named is None else xxh32_intdigest(named.encode())
    if name == "listed+1":
        return int(isinstance(record, i.ItemListed)) if isinstance(record, (i.ItemListed, i.ItemDelisted)) else None
    field_of = {
        "price+1": "unit_price_cents",
        "cost+1": "unit_cost_cents",
        "minimum+1": "minimum_price_cents",
        "lead_days+1": "lead_time_days",
    }
    found: int | None = getattr(record, field_of[name], None)
    return found


def category(record: Any) -> str | None:
    path = getattr(record, "category_path", None)
    named: str | None = path[-1] if path else getattr(record, "category", None)
    return named


def newest(s: Newest, a: Asked) -> Any:
    said = [found for _, record in newest_first(a.told) if (found := fact(s.fact, record)) is not None]
    last = said[0] if said else 0
    return [float(last >> 16), float(last & 0xFFFF)] if s.halves else float(last)


def price(s: Price, a: Asked) -> float:
    """Second by second would be too slow; so each price with the stretches in which it held, within the last days."""
    set_at = [(at, found) for at, record in newest_first(a.told) if (found := fact("price+1", record)) is not None]
    set_at = set_at[:CHANGES_KEPT][::-1]
    if not set_at:
        return 0.0
    ends = [at for at, _ in set_at[1:]] + [a.now]

    def held(days: int) -> dict[int, int]:
        """price → for how many milliseconds it held."""
        found: dict[int, int] = {}
        for (begin, cents_), end in zip(set_at, ends, strict=True):
            found[cents_] = found.pop(cents_, 0) + max(0, end - max(begin, a.now - days * DAY))  # the newest comes last
        return found

    now, long = set_at[-1][1], held(90)
    other = [n for n, (_, cents_) in enumerate(set_at) if cents_ != now]
    usual = max(reversed(long), key=lambda cents_: long[cents_])
    return {
        "now": float(now),
        "usual": float(usual),
        "lowest": float(min([now, *(cents_ for cents_, ms in held(30).items() if ms)])),
        "changes": float(sum(at > a.now - 30 * DAY for at, _ in set_at)),
        "depth": 1 - now / usual if now < usual else 0.0,
        "held": max(0, a.now - set_at[other[-1] + 1 if other else 0][0]) / DAY,
        "days": sum(ms for cents_, ms in held(30).items() if cents_ < usual) / DAY,
    }[s.what]


def stock(s: Stock, a: Asked) -> float:
    counts: dict[int, list[tuple[int, i.StockCounted]]] = {}
    for at, record in reversed(newest_first(a.told)):
        if isinstance(record, i.StockCounted):
            counts.setdefault(xxh32_intdigest(record.location.encode()), []).append((at, record))
    kept = [counts[location] for location in sorted(counts)[:LOCATIONS]]
    if s.what == "locations":
        return float(len(kept))
    if s.what == "days_out":
        return float(days_out(kept, min((some[0][0] for some in counts.values()), default=None), a))
    return float(sum(getattr(counted[-1][1], s.what) for counted in kept))


def days_out(kept: list[list[tuple[int, i.StockCounted]]], first: int | None, a: Asked) -> int:
    """Day by day: whether a location began it with some, or counted some in it."""
    today, found = a.local(a.now).date(), 0
    for day in [today - timedelta(days=n) for n in range(30)]:
        had = False
        for counted in kept:
            before = [record.on_hand for at, record in counted if a.local(at).date() < day]
            had |= any(before[-1:]) or any(record.on_hand for at, record in counted if a.local(at).date() == day)
        found += first is not None and day >= a.local(first).date() and not had
    return found


ITEMS: Oracles = {Newest: newest, Price: price, Stock: stock}


def told_of(history: ItemHistory) -> dict[str, Told]:
    """What is told of each item: all that shoppers did to it, by the minute, and what catalogues say."""
    found: dict[str, Told] = {}
    for log in history.logs.values():
        for _, value in log:
            event: Any = decode_event(value or b"")
            at = time_of(value) // 60_000 * 60_000
            for about in lines_of(event) or [event]:
                did = done(event, about)
                if did is not None:
                    tally = i.ItemTally(about.item_id, at, category=about.category, **did)
                    found.setdefault(about.item_id, []).append((at, tally))
    for _, record in history.said:
        found.setdefault(record.item_id, []).append((record.event_time, record))  # type: ignore[arg-type]
    return found


def done(event: Any, about: Any) -> dict[str, int] | None:
    """What an event did to an item that it is about, by the names of a tally; None for what nobody counts."""
    if isinstance(event, e.OrderPlaced):
        money = {"revenue_cents": net(about), "discount_cents": about.discount_cents}
        return {"orders": 1, "units": about.quantity, **money}
    if isinstance(event, (e.OrderReturned, e.OrderCancelled)):
        return None if about is event else {"returned_units": about.quantity, "refunded_cents": net(about)}
    names: dict[type, str] = {e.ItemViewed: "views", e.ItemWishlisted: "wishes", e.CartItemAdded: "cart_adds"}
    counted = names.get(type(event))
    return None if counted is None else {counted: getattr(event, "quantity", 1)}


class CategoryOracle:
    """What a category sold in the whole shop in 30 days and by week up to an item's last due day: the log of a
    partition of items, record by record."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._sold: list[tuple[str, int, date, date]] = []
        """Category, units, the day of the sale, and that of the watermark when it was said."""
        self._last: dict[str, int] = {}
        self._due: dict[str, list[int]] = {}
        self._category: dict[str, tuple[int, int, str]] = {}
        self.held: dict[str, dict[str, Any]] = {}
        """By item: units of 30 days, and of each week."""
        self._weeks: dict[str, dict[date, int]] = {}

    def apply(self, log: ItemLog) -> None:
        """Take the whole log."""
        marks: dict[int, int] = {}
        watermark = -(10**15)
        for _, value, _ in log:
            record: Any = i.item_decoder.decode(value)
            self._fire(watermark)
            tallied = isinstance(record, i.ItemsTallied)
            for about in record.tallies if tallied else [record]:
                self._touch(about, about.minute_ms if tallied else record.event_time, watermark)
            if tallied:
                for name, units in (record.categories or {}).items():
                    sold = self._day(record.sequence // 64 * 60_000)
                    self._sold.append((name, units, sold, self._day(watermark)))
                marks[record.source_partition] = max(marks.get(record.source_partition, 0), record.event_time)
                if len(marks) == PARTITIONS:
                    watermark = max(watermark, min(marks.values()) - HOUR)

    def _day(self, at: int) -> date:
        return datetime.fromtimestamp(max(at, 0) / 1000, self._zone).date()

    def _touch(self, about: Any, at: int, watermark: int) -> None:
        last = self._last[about.item_id] = max(self._last.get(about.item_id, 0), at, watermark)
        days = [self._day(last) + timedelta(days=n) for n in (1, 7, 30)]
        starts = [datetime(d.year, d.month, d.day, tzinfo=self._zone).timestamp() for d in days]
        due, before = [int(start * 1000) for start in starts], self._due.get(about.item_id, [])
        self._due[about.item_id] = [*(at for at in before[:1] if at < due[0]), *due]
        if (name := category(about)) is not None:
            newest = (at, tie(about), name)
            self._category[about.item_id] = max(self._category.get(about.item_id, newest), newest)

    def _fire(self, watermark: int) -> None:
        for item, due in self._due.items():
            while due and due[0] <= watermark:
                today = self._day(due.pop(0))
                mine = self._category.get(item, (0, 0, None))[2]
                within = [n for name, n, day, said in self._sold if name == mine and said < today
                          and timedelta() < today - day < timedelta(days=30)]  # fmt: skip
                self.held[item] = {
                    "category.units_30d": sum(within),
                    "category.week_units": self._week(item, mine, today),
                }

    def _week(self, item: str, mine: str | None, today: date) -> list[int]:
        """By week, the newest first: of four weeks it is known each day what was said so far, of others it stays."""
        monday, weeks = today - timedelta(days=today.weekday()), self._weeks.setdefault(item, {})
        mondays = [monday - timedelta(weeks=n) for n in range(26)]
        for begin in mondays[:4]:
            weeks[begin] = sum(
                n for name, n, day, said in self._sold
                if name == mine and said < today and begin <= day < min(today, begin + timedelta(weeks=1))
            )  # fmt: skip
        return [weeks.get(begin, 0) for begin in mondays]

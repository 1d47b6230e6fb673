"""Demand afterwards: what five items sold, what was foretold of them, and what came; what to order of all items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from streams.columns.arrays import Ints
from streams.demo.items import WEEKS
from streams.demo.lately import lately
from streams.outside.demand_book import CURRENT_DAYS, Demand, DemandBook
from streams.outside.reading import Place, Reader
from streams.outside.versions import Versions
from streams.records.demand import InventoryPlanned, PriceForecast, SalesForecast, StockAlerted, Units5
from streams.records.words import shown_day
from streams.settings import Settings
from streams.topics import DAY_MS, INVENTORY, ITEM_ALERTS, PRICE_FORECASTS, SALES_FORECASTS
from training.datasets.complete_journey_items import Items

WEEK_MS = 7 * DAY_MS
#: Items that are drawn, and lines of what to order.
DRAWN, ORDERS = 5, 10
TASK, DATASET = "sales", "complete_journey"


def learned_until(settings: Settings) -> int:
    """Up to when the package's own model learned from this very shop, UTC milliseconds since 1970."""
    card = Versions(settings).shelf.artifact(TASK, None).card
    cut = datetime.fromisoformat(card["split"]["windows"][DATASET]["cut"])
    return round(cut.timestamp() * 1000)


def summary(
    reader: Reader, starts: Mapping[Place, int], end_ms: int, items: Items, settings: Settings
) -> dict[str, Any]:
    """What the topics of this run say, where the newest event is of ``end_ms``. Raises ``TopicError``."""
    since, said = end_ms - CURRENT_DAYS * DAY_MS, list[SalesForecast]()
    book, at_stake = DemandBook(), dict[str, StockAlerted]()
    for _, forecast in lately(reader, starts, SALES_FORECASTS, SalesForecast, end_ms - WEEKS * WEEK_MS):
        said.append(forecast)
        book.apply(forecast)
    for _, price in lately(reader, starts, PRICE_FORECASTS, PriceForecast, since):
        book.apply(price)
    for _, plan in lately(reader, starts, INVENTORY, InventoryPlanned, since):
        book.apply(plan)
    for _, alert in lately(reader, starts, ITEM_ALERTS, StockAlerted, since):
        held = at_stake.get(alert.item_id)
        if held is None or alert.event_time_ms >= held.event_time_ms:
            at_stake[alert.item_id] = alert
    return of_records(book.current(), said, at_stake, end_ms, items, learned_until(settings))


def of_records(
    current: Sequence[Demand],
    said: Iterable[SalesForecast],
    at_stake: Mapping[str, StockAlerted],
    end_ms: int,
    items: Items,
    learned_ms: int,
) -> dict[str, Any]:
    """The same of records: what holds of items, those first that matter most; forecasts ``said``; stock alerts."""
    by_item = defaultdict[str, list[SalesForecast]](list)
    for forecast in said:
        by_item[forecast.item_id].append(forecast)
    sold = Sold(items, by_item, end_ms)
    ordered = [each for each in current if each.order]
    worst = sorted(ordered, key=lambda each: (-_stake(at_stake, each), -each.week_cents, each.item_id))[:ORDERS]
    drawn = current[:DRAWN]
    names = [each.item_id for each in (*drawn, *worst)]
    titles = {product.item_id: product.title for product in items.products(dict.fromkeys(names))}

    def row(of: Demand) -> dict[str, Any]:
        alert = at_stake.get(of.item_id)
        return {
            "item_id": of.item_id,
            "title": titles.get(of.item_id) or f"item {of.item_id}",
            "as_of": shown_day(of.sales.event_time_ms),
            "next_7_days": msgspec.to_builtins(of.sales.next_7_days),
            "next_14_days": msgspec.to_builtins(of.sales.next_14_days),
            "price": None if of.price is None else msgspec.to_builtins(of.price.next_week),
            "currency": None if of.price is None else of.price.currency,
            "plan": None if of.plan is None else _plan(of.plan, alert),
        }

    return {
        "items": len(current),
        "to_order": len(ordered),
        "alerts": len(at_stake),
        "held": held(by_item, sold, learned_ms),
        "drawn": [row(each) | {"weeks": weeks(by_item[each.item_id], sold)} for each in drawn],
        "orders": [row(each) for each in worst],
    }


def _stake(at_stake: Mapping[str, StockAlerted], of: Demand) -> int:
    return at_stake[of.item_id].at_stake_cents if of.item_id in at_stake else 0


def _plan(plan: InventoryPlanned, alert: StockAlerted | None) -> dict[str, Any]:
    """What is shown of a plan; its stock is simulated."""
    return {
        "as_of": shown_day(plan.event_time_ms),
        "simulated_on_hand": plan.on_hand,
        "simulated_on_order": plan.on_order,
        "lead_days": plan.lead_days,
        "runs_out": msgspec.to_builtins(plan.runs_out),
        "order_quantity": plan.order_quantity,
        "at_stake_cents": None if alert is None else alert.at_stake_cents,
        "currency": plan.currency,
    }


class Sold:
    """What items really sold in the 7 days from any day on; days are UTC's, as are the demo's shop's."""

    def __init__(self, items: Items, wanted: Iterable[str], end_ms: int) -> None:
        found = [item for item in wanted if item in items.sales.place]
        daily: Ints = items.sales.daily_units(found) if found else np.zeros((0, 0), np.int64)
        self._place = {item: i for i, item in enumerate(found)}
        self._until = np.c_[np.zeros((len(found), 1), np.int64), daily.cumsum(axis=1)]
        self.first = int(items.sales.day.min()) if found else 0
        """Days since 1970 of the first sale of all."""
        self.over = end_ms // DAY_MS
        """The day that is not over yet."""

    def week(self, item: str, day: int) -> int | None:
        """Units of 7 days; None where they are not over, or began before the data."""
        if item not in self._place or day < self.first or day + 7 > self.over:
            return None
        until, at = self._until[self._place[item]], day - self.first
        return int(until[min(at + 7, len(until) - 1)] - until[min(at, len(until) - 1)])


def weeks(said: Iterable[SalesForecast], sold: Sold) -> list[dict[str, Any]]:
    """The last stretches of 7 days of an item, oldest first: what was foretold of each and what came. The last one is
    that of the newest forecast. Each one before ends when the next one begins, or up to 6 days earlier where something
    was foretold of it then."""
    days = {forecast.event_time_ms // DAY_MS: forecast for forecast in said}
    found = list[dict[str, Any]]()
    if not days:
        return found
    item, day = next(iter(days.values())).item_id, max(days)
    while len(found) < WEEKS and day >= sold.first:
        forecast = days.get(day)
        found.append(_week(day, sold.week(item, day), None if forecast is None else forecast.next_7_days))
        day = next((d for d in range(day - 7, day - 14, -1) if d in days), day - 7)
    return found[::-1]


def _week(day: int, units: int | None, told: Units5 | None) -> dict[str, Any]:
    return {
        "from": shown_day(day * DAY_MS),
        "units": units,
        "foretold": None if told is None else msgspec.to_builtins(told),
    }


def held(by_item: Mapping[str, Sequence[SalesForecast]], sold: Sold, learned_ms: int) -> dict[str, Any] | None:
    """How often what came lay within the ranges that were foretold, of all items and all weeks that are over: of those
    that the model never saw, where there are any."""
    judged = [
        (forecast, came)
        for item, said in by_item.items()
        for forecast in said
        if (came := sold.week(item, forecast.event_time_ms // DAY_MS)) is not None
    ]
    unseen = [each for each in judged if each[0].event_time_ms >= learned_ms]
    chosen = unseen or judged
    if not chosen:
        return None
    told = np.array([(t.p05, t.p25, t.p50, t.p75, t.p95, t.mean) for t in (f.next_7_days for f, _ in chosen)])
    sums = np.array([units for _, units in chosen], float)
    return {
        "forecasts": len(chosen),
        "seen_in_training": not unseen,
        "within_90": round(float(((told[:, 0] <= sums) & (sums <= told[:, 4])).mean()), 4),
        "within_50": round(float(((told[:, 1] <= sums) & (sums <= told[:, 3])).mean()), 4),
        "wape": round(float(np.abs(told[:, 2] - sums).sum() / max(sums.sum(), 1.0)), 4),
    }

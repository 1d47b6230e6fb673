"""What is foretold of items, as tests say it: records about an item at the beginning of a day."""

from __future__ import annotations

from typing import Any

from streams.records.demand import Cents5, InventoryPlanned, PriceForecast, RunsOut, SalesForecast, StockAlerted, Units5
from streams.records.outcomes import Due, ItemProfiled, ModelUsed
from streams.records.prices import Between, PriceSuggested

DAY = 86_400_000


def _about(kind: str, item: str, day: int) -> dict[str, Any]:
    return {
        "outcome_id": f"{kind}-{item}-{day}", "item_id": item, "event_time_ms": day * DAY,
        "due": Due(kind="day", ref=str(day)), "model": ModelUsed(task=kind, version="v", digest="d"), "rules": "r",
    }  # fmt: skip


def units(mean: float) -> Units5:
    """A range around a mean: half of it to twice it."""
    return Units5(mean=mean, p05=mean / 2, p25=0.8 * mean, p50=mean, p75=1.2 * mean, p95=2 * mean)


def forecast(item: str, day: int, mean: float = 10) -> SalesForecast:
    """So many units in the 7 days from a day (since 1970) on."""
    told: dict[str, Any] = {"next_7_days": units(mean), "next_14_days": units(2 * mean), "units_7d": 9, "units_30d": 40}
    return SalesForecast(**_about("sales", item, day), said="weekly", weeks=(0, 1, 2, 3, 4, 5, 6, 7), **told)


def price(item: str, day: int, cents: int = 200) -> PriceForecast:
    """So many cents in either week."""
    told = Cents5(p05=cents - 20, p25=cents - 5, p50=cents, p75=cents, p95=cents + 10)
    return PriceForecast(
        **_about("price_forecast", item, day), said="weekly", next_week=told, week_after=told, paid_7d_cents=cents,
        paid_28d_cents=cents, currency="USD",
    )  # fmt: skip


def plan(item: str, day: int, order: int = 0, likely: str | None = "2023-12-01") -> InventoryPlanned:
    """So many units to order."""
    return InventoryPlanned(
        **_about("sales", item, day), on_hand=12, counted_days_ago=1, on_order=0, lead_days=7, service_level=0.9,
        reorder_point=15, order_up_to=30, order_quantity=order, order_cents=None, cover_days=5,
        runs_out=RunsOut(soonest="2023-11-28", likely=likely, latest=None), currency="USD",
    )  # fmt: skip


def alerted(item: str, day: int, cents: int = 5_000) -> StockAlerted:
    """So much at stake."""
    runs_out = RunsOut(soonest="2023-11-28", likely="2023-12-01", latest=None)
    return StockAlerted(
        **_about("sales", item, day), on_hand=12, on_order=0, lead_days=7, short_units=4.0, at_stake_cents=cents,
        runs_out=runs_out, currency="USD",
    )  # fmt: skip


def suggestion(item: str, day: int, to_cents: int | None = 229) -> PriceSuggested:
    """A price to test, or none."""
    gain = Between(middle=300.0, low=100.0, high=500.0)
    return PriceSuggested(
        **_about("price_optimize", item, day), from_cents=209, to_cents=to_cents,
        why="more_profit" if to_cents else "unsure", elasticity=Between(middle=-2.0, low=-3.0, high=-1.0),
        profit_change_cents=gain if to_cents else None, units_28d=40, cost_cents=150, cost_assumed=False,
        bounded_by=[], currency="USD",
    )  # fmt: skip


def profile(
    item: str, day: int, units_30d: int = 5, on_hand: int | None = None, asked: int | None = None
) -> ItemProfiled:
    """What is known of an item an hour into a day; ``asked``: it was last looked at as that day began, else when the
    catalogue or the warehouse told something."""
    about = _about("item", item, day)
    about["event_time_ms"] += 3_600_000
    about["due"] = Due(kind="event", ref="e") if asked is None else Due(kind="day", ref=str(asked * DAY))
    del about["model"]
    return ItemProfiled(
        **about, listed=True, category="tea", units_24h=0, units_7d=0, units_30d=units_30d, revenue_30d_cents=0,
        momentum=1.0, category_share=0.0, views_30d=0, conversion_30d=0.0, price_cents=0, usual_price_cents=0,
        lowest_price_30d_cents=0, discount_depth=0.0, on_hand=on_hand, on_order=None, cover_days=None, reviews=0,
        rating=0.0, rating_recent=0.0, currency="USD",
    )  # fmt: skip

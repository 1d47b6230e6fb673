"""``python -m training.checks.inventory``: what plans cost and which alerts come true, in a simulated warehouse.

Demand is what real shops sold after the cut of the shipped ``sales``, day by day; nobody there was told of any plan.
Each item begins with what its plan orders up to; an order arrives ``--lead`` days later; what is wanted and not there
is lost. The plan is that of ``streams.decisions.inventory``, on four forecasts: the shipped model's; LightGBM's
quantiles on the same features (fitted to the shop, before the cut); what the item sold in every stretch of as many days
of the last twelve weeks (sample average approximation); and simple exponential smoothing with the spread of those sums.
Each is run at several service levels, and charged for what it left and what it lacked as that level weighs them.

Alerts are held against warehouses that nobody fills up: stock for some weeks at the item's pace, sold off day by day.

A JSON object per line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from models.tasks.sales.task import HORIZONS
from streams.columns.arrays import Ints
from streams.decisions.inventory import ALERTED_AT, LEVELS, InventoryPolicy, at_level, demand
from streams.features.kinds.decay import DAY_MS
from training.baselines import smoothing
from training.checks.shops import job_of, parser_of
from training.command import check_installed
from training.fit import Tell
from training.item_rows import Shop
from training.job import Job
from training.progress import progress
from training.redraws import ends, how_often
from training.tasks import sales

Floats = npt.NDArray[np.float64]

SERVICE = (0.7, 0.8, 0.9, 0.95)
#: Days that are simulated before they count.
WARM_UP_DAYS = 14
#: A plan is made on a forecast that is so old at most.
OLDEST_DAYS = 14
#: What the past says: demand of the days that begin on each of so many days.
PAST_DAYS = 84
#: Steady is what was sold on so many of the last 28 days.
STEADY_DAYS = 20
#: Weeks' stock that is sold off.
STOCK_DAYS = (10, 14, 21)
#: … each so many times, from days drawn anew: from which day on moves the shares of a small shop by several points.
STARTS = 5
AHEAD_DAYS = 3
SAMPLES = 1_000


@dataclass(frozen=True)
class Warehouse:
    """The items of a shop that are planned from the first days after the cut on: [items, days]."""

    name: str
    wanted: Floats
    """[items, days] units sold from the first day after the cut on."""
    row: Ints
    """[items, days] the newest forecast as the day begins; -1 where none is new enough."""
    fresh: npt.NDArray[np.bool_]
    """[items, days] whether one was made as the day began."""
    price: Floats
    """[items] cents."""
    steady: npt.NDArray[np.bool_]
    pace: Floats
    """[items] units a day in the last four weeks before."""


def warehouse(s: Shop, rows: Ints) -> Warehouse:
    """``rows``: of the shop's table, those after the cut."""
    at, history = s.table.rows.at_ms[rows], s.table.history
    first = -(-s.given.cut_ms // DAY_MS)
    days = int(history.end_ms // DAY_MS - first)
    day, who = at // DAY_MS - first, s.table.rows.shopper[rows]
    items = np.unique(who[(day >= 0) & (day < 7)])
    place = np.full(len(history.item_ids), -1)
    place[items] = np.arange(len(items))
    newest = np.full((len(items), days), -1)
    fresh = np.zeros((len(items), days), np.bool_)
    some = np.flatnonzero((place[who] >= 0) & (day >= 0) & (day < days))
    newest[place[who[some]], day[some]] = some
    fresh[place[who[some]], day[some]] = True
    made = np.maximum.accumulate(np.where(newest >= 0, np.arange(days), -OLDEST_DAYS - 1), axis=1)
    newest = np.take_along_axis(newest, np.maximum(made, 0), axis=1)
    newest[np.arange(days) - made > OLDEST_DAYS] = -1

    def sold(day: Ints) -> Floats:
        which, when = np.repeat(items, len(day)), np.tile((first + day) * DAY_MS, len(items))
        return s.sales.between(which, when, when + DAY_MS).reshape(len(items), -1).astype(np.float64)

    before = sold(np.arange(-28, 0))
    return Warehouse(
        s.name, sold(np.arange(days)), newest, fresh, s.sales.price_cents[items],
        (before > 0).sum(axis=1) >= STEADY_DAYS, before.mean(axis=1),
    )  # fmt: skip


def forecasts(job: Job, s: Shop, rows: Ints, tell: Tell) -> Iterator[tuple[str, Floats]]:
    """[rows, 12] what each says of the next 7 and 14 days, as the task's answers stand beside each other."""
    x = s.x[rows]
    answers = Predictor(load_artifact(task("sales"))).score(x)
    names = [f"units_{days}d{kind}" for days in HORIZONS for kind in ("", "_quantiles")]
    yield "ours", np.concatenate([answers[name].reshape(len(x), -1) for name in names], axis=1).astype(np.float64)
    given, first = (s.sales, s.table.rows.shopper[rows], s.table.rows.at_ms[rows]), int(s.table.history.time_ms[0])
    means, past, smooth = [], [], []
    for days in HORIZONS:
        tell(f"what {s.name} sold in {days} days", 0, None)
        begins = [given[2] - ago * DAY_MS for ago in range(days, PAST_DAYS + 1)]
        sums = np.stack([s.sales.between(given[1], begin, begin + days * DAY_MS) for begin in begins])
        past.append(np.quantile(sums, LEVELS, axis=0).T)
        means.append(sums.mean(axis=0)[:, None])
        level = smoothing.smoothed(*given, days, first)
        spread = sums.std(axis=0)
        normal = np.array((-1.6449, -0.6745, 0.0, 0.6745, 1.6449))
        smooth.append(np.maximum(level[:, None] + spread[:, None] * normal, 0.0))
    yield "past", np.c_[means[0], past[0], means[1], past[1]]
    yield "ets", np.c_[smooth[0][:, 2:3], smooth[0], smooth[1][:, 2:3], smooth[1]]
    boost = sales.boosting_of(job, s)
    if boost is None:
        return
    told = []
    for h, days in enumerate(HORIZONS):
        tell(f"LightGBM of {s.name}, {days} days", 0, None)
        quantiles = sales.quantiles_of(boost, h, x)
        told += [quantiles[:, 2:3], quantiles]
    yield "lightgbm", np.concatenate(told, axis=1)


def run(w: Warehouse, told: Floats, service: float, lead_days: int, policy: InventoryPolicy) -> tuple[Floats, ...]:
    """[items] units served, units that were left as orders arrived, and the mean units in stock, of the days that
    count."""
    items, days = w.wanted.shape
    lead, level = np.full(items, float(lead_days)), np.full(items, service)
    arriving = np.zeros((items, days + lead_days + 1))
    begin = told[np.maximum(w.row[:, :7].max(axis=1), 0)]
    hand = policy.order(begin, lead, level, np.zeros(items))[1]
    served, spare, stock = np.zeros((3, items))
    for day in range(days):
        if day >= WARM_UP_DAYS:
            spare += np.where(arriving[:, day] > 0, hand, 0.0)
        hand = hand + arriving[:, day]
        some = np.flatnonzero(w.fresh[:, day])
        if len(some):
            position = hand[some] + arriving[some, day + 1 :].sum(axis=1)
            *_, order = policy.order(told[w.row[some, day]], lead[some], level[some], position)
            arriving[some, day + lead_days] += order
        sold = np.minimum(hand, w.wanted[:, day])
        hand = hand - sold
        if day >= WARM_UP_DAYS:
            served += sold
            stock += hand
    return served, spare, stock / max(1, days - WARM_UP_DAYS)


def costs(w: Warehouse, told: Floats, lead_days: int) -> tuple[Floats, ...]:
    """[levels, items] cents that each service level cost, cents of what was wanted that were served, and cents of stock
    on average.

    A level of *q* says that a unit short costs *q* where one that is left as the next order arrives costs *1 − q* (the
    newsvendor's ratio): both are charged at the item's price.
    """
    policy, cost, served, held = InventoryPolicy(), list[Floats](), list[Floats](), list[Floats]()
    wanted = w.wanted[:, WARM_UP_DAYS:].sum(axis=1)
    for level in SERVICE:
        sold, spare, stock = run(w, told, level, lead_days, policy)
        cost.append((level * (wanted - sold) + (1 - level) * spare) * w.price)
        held.append(stock * w.price)
        served.append(sold * w.price)
    return np.stack(cost), np.stack(served), np.stack(held)


def compared(w: Warehouse, found: dict[str, tuple[Floats, ...]], seed: int) -> Iterator[dict[str, Any]]:
    """By service level, what each cost and served, and ours less others' cost in percent with its interval over
    items."""
    wanted = (w.wanted[:, WARM_UP_DAYS:].sum(axis=1) * w.price).sum()
    n = len(w.price)
    draws = how_often(n, seed, SAMPLES)
    for k, level in enumerate(SERVICE):
        less = {}
        for name, (cost, *_) in found.items():
            if name != "ours":
                ratio = (draws @ found["ours"][0][k] / (draws @ cost[k]) - 1) * 100
                middle = (found["ours"][0][k].sum() / cost[k].sum() - 1) * 100
                low, high = ends(ratio, 1)
                less[name] = [low, round(float(middle), 1), high]
        yield {
            "shop": w.name, "items": n, "service_level": level,
            "cost_cents": {name: round(float(cost[k].sum())) for name, (cost, *_) in found.items()},
            "served": {name: round(float(served[k].sum() / wanted), 3) for name, (_, served, _) in found.items()},
            "stock_cents": {name: round(float(stock[k].sum())) for name, (*_, stock) in found.items()},
            "ours_less_percent_95": less,
        }  # fmt: skip


def alerts(w: Warehouse, told: Floats, lead_days: int, seed: int) -> dict[str, Any]:
    """Of steady items whose stock is sold off: how many sold out, of how many of those it was said ``AHEAD_DAYS`` days
    before, and how many of the first alerts came true within the lead time."""
    out = ahead = said = right = 0
    for stock_days, draw in product(STOCK_DAYS, range(STARTS)):
        rng = np.random.default_rng([seed, stock_days, draw])
        items = np.flatnonzero(w.steady)
        days = w.wanted.shape[1]
        start = rng.integers(0, max(1, days - stock_days - 2 * lead_days), len(items))
        for item, first in zip(items.tolist(), start.tolist(), strict=True):
            hand = np.ceil(w.pace[item] * stock_days)
            left = hand - np.cumsum(w.wanted[item, first:])
            empty = np.flatnonzero(left < 0)
            gone = int(empty[0]) if len(empty) else None
            begin = np.r_[hand, left[:-1]]
            fresh = np.flatnonzero(w.fresh[item, first:] & (begin > 0))
            if not len(fresh):
                continue
            _, until_there = demand(told[w.row[item, first + fresh]], np.full(len(fresh), float(lead_days)))
            told_on = fresh[at_level(until_there, np.full(len(fresh), ALERTED_AT)) > begin[fresh]]
            alerted = int(told_on[0]) if len(told_on) else None
            if gone is not None and gone >= AHEAD_DAYS:
                out += 1
                ahead += alerted is not None and alerted <= gone - AHEAD_DAYS
            if alerted is not None and alerted + lead_days <= len(left):
                said += 1
                right += gone is not None and gone < alerted + lead_days
    return {
        "shop": w.name, "steady_items": int(w.steady.sum()), "sold_out": out, "foretold_3_days_before": ahead,
        "share_foretold": round(ahead / max(out, 1), 3), "alerts": said, "came_true": right,
        "precision": round(right / max(said, 1), 3),
    }  # fmt: skip


def main() -> None:
    """Measure, and print."""
    asked = parser_of("inventory", __doc__, sales.SHIPPED)
    asked.add_argument("--lead", type=int, default=7, help="days until an order is in stock")
    options = asked.parse_args()
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        job = job_of("sales", sales.SHIPPED, options, tell)
        for given in job.histories:
            s = sales.shop_of(job, given)
            rows = np.flatnonzero(s.table.rows.at_ms >= given.cut_ms)
            w, found = warehouse(s, rows), {}
            for name, told in forecasts(job, s, rows, tell):
                tell(f"{name} in the warehouse of {s.name}", 0, None)
                found[name] = costs(w, told, options.lead)
                print(json.dumps({"forecast": name, **alerts(w, told, options.lead, job.seed)}), flush=True)
            for line in compared(w, found, job.seed):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

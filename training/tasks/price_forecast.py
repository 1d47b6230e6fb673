"""Trains ``price_forecast``: what a unit of an item costs on average in the next week and in the week after, as
quantiles.

A rule without a network, chosen before the cut; each shop weighs the same, everything is reported per shop. Tested at
the ends of days a week apart after the cut, on all items that had sold enough by then and were sold in the week that is
foretold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.price_forecast.task import WEEKS
from models.tasks.sales.task import LEVELS
from streams.features.kinds.decay import DAY_MS
from training import demand, item_rows, needs
from training.baselines import smoothing
from training.corrections import weighted_quantile
from training.item_rows import Shop
from training.items import price_within
from training.job import CutHistory, Job
from training.needs import Need
from training.networks.prices import BANDS, Rule, foretold, prices, weekly_prices
from training.shops import proven, split_of

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: What ships is trained on these data sets up to these cuts: those of ``sales``.
SHIPPED = {"complete_journey": "2017-10-01", "online_retail": "2011-09-10"}
SHORTER = "Rows teach whose two weeks are over before the cut; four weeks more, and ranges are corrected by them."
NEEDS = (
    Need("shoppers who ordered before the cut", needs.buyers, 100, 1_000, "Few shoppers buy few items often."),
    Need("days before the cut", needs.days_before, 75, 180, SHORTER),
    Need("days after the cut", needs.days_after, 15, 60, "What two weeks cost is known after two weeks."),
)
#: The rule is chosen by the rows of so many days before the cut.
JUDGED_DAYS = 56
FADES = (0.8, 0.85, 0.9, 0.93)
SHARES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)
#: Ranges are made of so many rows of a shop at most, and of so many in a band at least.
RANGE_ROWS, LEAST_ROWS = 60_000, 200
WEEK_MS = 7 * DAY_MS
#: Features of one number come first; the others are weeks.
NUMBERS = 8
#: A price that is off by less than this share has not moved.
STAYS = 0.01


def shop_of(job: Job, given: CutHistory) -> Shop:
    """Rows at the ends of days, labels, and which of them are tested. Raises ``Leak``."""
    return item_rows.shop_of(job, given, lambda history, rows: price_within(history, rows, WEEKS), 7 * WEEKS[-1])


def rule_of(job: Job, shops: Sequence[Shop]) -> Rule:
    """What is free in the rule, chosen by what became known in the weeks before the cut: of middles the one whose
    absolute errors where prices move are the least in shares of those of ETS, in that shop and week where it does
    worst; ranges are what rows before the cut held."""
    tried = {(fades, share): Rule(fades, share) for fades in FADES for share in SHARES}
    errors: dict[tuple[float, float], list[float]] = {key: [] for key in tried}
    for s in shops:
        since = s.given.cut_ms - JUDGED_DAYS * DAY_MS
        rows = np.flatnonzero(s.known(0) & (s.table.rows.at_ms >= since))
        if not len(rows):
            continue
        some, label = s.table.rows.select(rows), s.came.value[rows].astype(np.float64)
        ets = smoothing.smoothed_price(s.sales, some.shopper, some.at_ms, int(s.table.history.time_ms[0]))
        price, known = weekly_prices(s.x[rows].astype(np.float64), job.task.features, np)
        moves = price[:, -4:].max(axis=1) > np.where(known[:, -4:] > 0, price[:, -4:], np.inf).min(axis=1) * (1 + STAYS)
        for key, rule in tried.items():
            told, _ = foretold(price, known, rule, np)
            for w in range(len(WEEKS)):
                there = moves & np.isfinite(label[:, w])
                if there.any():
                    off, beside = (np.abs(said - label[:, w])[there].mean() for said in (told, ets))
                    errors[key].append(float(off / max(beside, 1e-9)))
    best = min(tried, key=lambda key: max(errors[key], default=0.0))
    return replace(tried[best], factors=factors_of(job, shops, tried[best]))


def factors_of(job: Job, shops: Sequence[Shop], rule: Rule) -> tuple[tuple[float, ...], ...]:
    """[bands][weeks · levels] what was paid in shares of the middle: quantiles of the rows that were known at the cut;
    each shop weighs the same. The middle one stays. Few rows in a band: those of all."""
    ratio, which, weight = [], [], []
    for s in shops:
        rows = np.flatnonzero(s.known(0))[:: max(1, int(s.known(0).sum()) // RANGE_ROWS)]
        x = s.x[rows].astype(np.float64)
        price, known = weekly_prices(x, job.task.features, np)
        middle, band = foretold(price, known, rule, np)
        ratio.append(s.came.value[rows] / middle[:, None])
        which.append(band.argmax(axis=1))
        weight.append(np.full(len(rows), 1 / max(len(rows), 1)))
    ratios, bands, weights = np.concatenate(ratio), np.concatenate(which), np.concatenate(weight)
    found = []
    for b in range(BANDS):
        of_band: list[float] = []
        for w in range(len(WEEKS)):
            there = np.isfinite(ratios[:, w])
            some = there & (bands == b)
            some = some if some.sum() >= LEAST_ROWS else there
            quantiles = [weighted_quantile(ratios[some, w], weights[some], level) for level in LEVELS]
            of_band += [1.0 if k == len(LEVELS) // 2 else round(float(q), 4) for k, q in enumerate(_around(quantiles))]
        found.append(tuple(of_band))
    return tuple(found)


def _around(quantiles: Sequence[float]) -> Floats:
    """Those below the middle at most 1, those above at least 1."""
    below = np.arange(len(quantiles)) <= len(quantiles) // 2
    return np.where(below, np.minimum(quantiles, 1.0), np.maximum(quantiles, 1.0))


def segments_of(s: Shop, week: int, last: Floats) -> dict[str, Mask]:
    """Which of the tested rows count: all with a sale in the week; those whose ``prices_move``, for in the four weeks
    before prices of weeks lay more than 1% apart; and those of which the price ``moved`` by more than 1% since the
    newest week with a sale, which nobody knows before."""
    rows = s.table.rows.select(s.test)
    label = s.came.value[s.test, WEEKS.index(week)].astype(np.float64)
    before = np.stack(
        [s.sales.price(rows.shopper, rows.at_ms - (k + 1) * WEEK_MS, rows.at_ms - k * WEEK_MS) for k in range(4)],
        axis=1,
    )
    there = np.isfinite(label) & np.isfinite(last)
    least, most = np.fmin.reduce(before, axis=1), np.fmax.reduce(before, axis=1)
    return {
        "all": there,
        "prices_move": there & (most > least * (1 + STAYS)),
        "moved": there & (np.abs(label - last) > STAYS * last),
    }


def measured(job: Job, s: Shop, answers: dict[str, Rows32], champion: dict[str, Any] | None) -> dict[str, Any]:
    """By output, ours beside others on the tested rows with a sale in that week: all, where prices move, and where the
    price moved; how often those are (``share``)."""
    rows, found = s.table.rows.select(s.test), {}
    given, first = (s.sales, rows.shopper, rows.at_ms), int(s.table.history.time_ms[0])
    theirs = {
        "last_value": smoothing.last_price(*given, first),
        "ets": smoothing.smoothed_price(*given, first),
    }
    for w, week in enumerate(WEEKS):
        label, kinds = s.came.value[s.test, w].astype(np.float64), segments_of(s, week, theirs["last_value"])
        for output in (f"price_week_{week}", f"price_week_{week}_quantiles"):
            beside = {"ours": answers[output].astype(np.float64)}
            if champion is not None:
                beside["champion"] = np.asarray(champion[output], np.float64)
            beside |= theirs
            told: dict[str, Any] = {"segments": {}}
            for name, some in kinds.items():
                if not some.any():
                    continue
                there = {model: a[some] for model, a in beside.items()}
                one = demand.compare(label[some], there, rows.shopper[some], rows.at_ms[some], job.seed, LEVELS)
                share = round(float(some.sum() / kinds["all"].sum()), 4)
                told["segments"][name] = {**one["segments"]["all"], "share": share}
                if name == "all":
                    told["curves"], told["over_time"] = one["curves"], one["over_time"]
            found[output] = told
    return found


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export and prove; returns the artifact."""
    shops = [shop_of(job, given) for given in job.histories]
    rule = rule_of(job, shops)
    network = prices(shops[0].x.shape[1], job.task.features, rule)
    points = [f"price_week_{week}" for week in WEEKS]
    metrics = item_rows.metrics_of(job, shops, network, measured, points, job.task.features[:NUMBERS])
    card = {
        "data": job.data,
        "split": split_of(
            shops,
            "trained on rows whose two weeks were over at the cut; tested at the ends of days a week apart "
            "after it, on all items that had sold enough by then and were sold in the week that is foretold",
        ),
        "seed": job.seed,
        "metrics": metrics,
        "rule": asdict(rule),
        **_said(job),
    }
    return proven(job, shops, network, card)


def _said(job: Job) -> dict[str, str]:
    """What a card says in words."""
    beside = f" Beside them {job.champion_called}." if job.champion else ""
    return {
        "baselines": "The price of the newest week with a sale; simple exponential smoothing of weeks, ETS(A,N,N), its "
        f"weight (up to 1) chosen per item.{beside}",
        "intended_use": "Planning with what a unit will be paid with, by ranges; of items that sold at least 20 units "
        "in 30 days.",
        "limits": "No network: smoothing of weekly prices and their median, mixed as it served best in the eight weeks "
        "before the cut; ranges are what rows before the cut held. Prices are what shoppers paid on average, discounts "
        "taken off: also the mix of who bought with which discount and how many at once. It knows no plan, no price "
        "that the catalogue says, no season, and says what is paid if any is sold.",
    }

"""Trains ``price_optimize``: how units answer to prices, by category, and in which categories that may be believed.

Nothing is fitted by gradient: priors of categories are moments of what the weeks before the cut say of their items
(``training/elasticities.py``), and the exported graph weighs them with an item's own weeks. Tested on the weeks after
the cut: whether prices explain units then, and what suggested prices would have brought.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.price_optimize.task import PRICE_OPTIMIZE
from streams.columns.arrays import TYPE_CODE
from streams.decisions.price_optimize import Asked, PricePolicy
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.windows import week
from streams.records.events import OrderPlaced
from training import amounts, export, needs, profit, redraws
from training.elasticities import Found, known_of, priors_of
from training.errors import TrainingError
from training.history import History
from training.items import places_of
from training.job import CutHistory, Job
from training.needs import Need
from training.networks.elasticity import (
    OF_CATEGORY,
    REVENUE,
    UNITS,
    WEEKS,
    WIDTH,
    Weeks,
    elasticity,
    own_slope,
    posterior,
    weeks_of,
)
from training.networks.tabular import answers_of
from training.split import Leak, window

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: What ships is trained on this data set up to this cut.
SHIPPED = {"complete_journey": "2017-10-01"}
NEEDS = (
    Need("shoppers who ordered before the cut", needs.buyers, 100, 1_000, "Few shoppers buy few items often."),
    Need("days before the cut", needs.days_before, 70, 180, "An elasticity is told by weeks with several prices."),
    Need("days after the cut", needs.days_after, 28, 90, "Weeks after the cut tell whether it held."),
)
#: No data set says what an item costs its shop: so much of the price is assumed to be left over.
MARGIN = 0.30
#: Whoever suggests in the test: the guards as they are, with that margin.
POLICY = PricePolicy(assumed_margin=MARGIN)
#: Items are tested that sold in so many of the weeks after the cut.
LEAST_WEEKS = 4
ROUNDS = 500


def rows_at(history: History, at_ms: int) -> tuple[Floats, Ints]:
    """[items, WIDTH] the features of the task of every item as of a moment, and [items] units of the four full weeks
    before it. What happens later is not in them."""
    event = np.repeat(np.arange(len(history)), np.diff(history.touch_start))
    lines = np.flatnonzero((history.type[event] == TYPE_CODE[OrderPlaced]) & (history.time_ms[event] < at_ms))
    item, at = places_of(history)(history.touch_item[lines]), history.time_ms[event[lines]]
    age = week(at_ms // DAY_MS) - week(at // DAY_MS)
    n, recent = len(history.item_ids), age < WEEKS
    code = np.zeros(n, np.int64)
    named = history.touch_category[lines] != 0
    code[item[named]] = history.touch_category[lines][named]
    sums = []
    for values in (history.touch_quantity, history.touch_cents):
        found = np.zeros((n, WEEKS))
        np.add.at(found, (item[recent], age[recent]), values[lines][recent])
        sums.append(found)
    codes, which = np.unique(code, return_inverse=True)
    of_category = np.zeros((len(codes), WEEKS))
    # By what each line says, as the stream does.
    told = np.minimum(np.searchsorted(codes, history.touch_category[lines]), len(codes) - 1)
    counts = recent & named
    np.add.at(of_category, (told[counts], age[counts]), history.touch_quantity[lines][counts])
    x = np.concatenate([np.stack([code >> 16, code & 0xFFFF], axis=1), *sums, of_category[which]], axis=1)
    return x, sums[0][:, 1:5].sum(axis=1).astype(np.int64)


def monday_after(at_ms: int) -> int:
    """The first begin of a week at or after a moment."""
    day = -(-at_ms // DAY_MS)
    return (day + -(day + 3) % 7) * DAY_MS


def asked_of(x: Floats, units: Ints, found: Found) -> tuple[Asked, Asked]:
    """What policies are asked about rows as of the cut: with the answer of the model, and with that of each item's own
    weeks alone, without any test (log-log least squares)."""
    weeks = weeks_of(x, np)
    slope, precision = own_slope(weeks, np)
    mean, variance, placebo = known_of(found.priors, x)
    middle, sd = posterior(slope, precision, mean, variance)
    price = np.where(x[:, UNITS][:, 1] > 0, x[:, REVENUE][:, 1] / np.maximum(x[:, UNITS][:, 1], 1), 0.0).round()
    n = np.ones(len(x))
    common: dict[str, Any] = {
        "price": price, "cost": np.round(price * (1 - MARGIN)), "minimum": 0 * n, "held_days": 999 * n,
        "units": units / 4.0, "for_sale": n > 0,
    }  # fmt: skip
    alone = {"mean": np.where(precision > 0, slope, 0.0), "sd": np.where(precision > 0, precision, 1e-4) ** -0.5}
    return Asked(mean=middle, sd=sd, placebo=placebo, **common), Asked(placebo=n, **alone, **common)


def held_out(given: CutHistory, found: Found, seed: int) -> dict[str, Any]:
    """Whether prices explain the units of the weeks after the cut, and what suggested prices would have brought."""
    history, start = given.history, monday_after(given.cut_ms)
    end = monday_after(history.end_ms) - 7 * DAY_MS
    weeks = min((end - start) // (7 * DAY_MS), WEEKS - 1)
    x, units = rows_at(history, start)
    later, _ = rows_at(history, start + weeks * 7 * DAY_MS)
    some = (units >= 20) & (x[:, UNITS][:, 1] > 0)
    x, units, later = x[some], units[some], later[some]
    inside = np.zeros(WEEKS)
    inside[1 : weeks + 1] = 1.0
    told = weeks_of(profit.fold(later, inside), np)
    ours, alone = asked_of(x, units, found)
    mean, _, placebo = known_of(found.priors, x)
    answers = {"ours": ours.mean, "ols": alone.mean, "category": mean, "no_answer": 0 * mean}
    good = (told.weight > 0).sum(axis=1) >= LEAST_WEEKS
    if not good.any():
        raise TrainingError(
            f"No item sold in {LEAST_WEEKS} of the {weeks} full weeks (Monday to Sunday) after the cut, which test "
            f"{PRICE_OPTIMIZE.name}: choose an earlier --cut."
        )
    answers, held = {k: v[good] for k, v in answers.items()}, _some(told, good)
    explained = unexplained(answers, held, seed)
    slope, precision = own_slope(held, np)
    moved = precision > 0
    explained["curves"] = {"ours": amounts.curves(-slope[moved], -answers["ours"][moved])}
    explained["importance"] = importance(x[good], found, held, seed)
    nobody, now = np.zeros(len(x)), np.zeros(len(x), np.int64)
    beside = {"ours": ours, "ols": alone, "ols_where_ours_may": replace(alone, placebo=placebo)}
    said = {name: POLICY.suggest(asked, [""] * len(x), now, nobody).to for name, asked in beside.items()}
    gains = {name: profit.brought(later, ours.price, ours.cost, to, weeks) for name, to in said.items()}
    base = (ours.price - ours.cost) * ours.units
    return {
        "weeks": int(weeks), "items": len(x), "explained": explained,
        "suggested": {k: int((to > 0).sum()) for k, to in said.items()},
        "raised": {k: int((to > ours.price).sum()) for k, to in said.items()},
        "abstained": {"failed": int((placebo == 0).sum()), "untested": int((placebo < 0).sum())},
        "profit_percent_95": profit.compared(gains, base, seed), "margin_assumed": MARGIN,
    }  # fmt: skip


def metrics_of(explained: dict[str, Any]) -> dict[str, Any]:
    """As a card has them: with curves of elasticities with their sign turned, that 10% dearer sells so much less."""
    curves, worth = explained.pop("curves"), explained.pop("importance")
    return {
        "segments": {"all": explained}, "curves": curves, "importance": worth, "importance_of": "unexplained share"
    }  # fmt: skip


def importance(x: Floats, found: Found, held: Weeks, seed: int) -> list[list[Any]]:
    """By feature, by how much more of the units after the cut is unexplained with another item's values of it."""
    rng = np.random.default_rng(seed)

    def left(rows: Floats) -> float:
        mean, variance, _ = known_of(found.priors, rows)
        told, _ = posterior(*own_slope(weeks_of(rows, np), np), mean, variance)
        answers = {"ours": told, "no_answer": np.zeros(len(rows))}
        return float(unexplained(answers, held, seed)["models"]["ours"]["unexplained"])

    whole, worth = left(x), []
    parts = (slice(0, 2), UNITS, REVENUE, OF_CATEGORY)
    for address, part in zip(PRICE_OPTIMIZE.features, parts, strict=True):
        shuffled = x.copy()
        shuffled[:, part] = x[rng.permutation(len(x))][:, part]
        worth.append([address, round(left(shuffled) - whole, 4)])
    return sorted(worth, key=lambda pair: -pair[1])


def _some(weeks: Weeks, good: npt.NDArray[np.bool_]) -> Weeks:
    return Weeks(*(getattr(weeks, name)[good] for name in ("units", "price", "weight")))


def unexplained(answers: dict[str, Floats], weeks: Weeks, seed: int) -> dict[str, Any]:
    """Weighted squared errors of log units around each item's mean that elasticities leave, each as a share of what is
    there; 95% intervals of that share, and of ours less others, redraw items."""
    w = weeks.weight
    x, y = (
        v - (w * v).sum(axis=1, keepdims=True) / w.sum(axis=1, keepdims=True) for v in (weeks.price, weeks.units)
    )  # fmt: skip
    left = {name: (w * (y - e[:, None] * x) ** 2).sum(axis=1) for name, e in answers.items()}
    draws = redraws.how_often(len(y), seed, ROUNDS)
    whole = left["no_answer"]
    share = {name: (lost.sum() / whole.sum(), draws @ lost / (draws @ whole)) for name, lost in left.items()}
    intervals = redraws.intervals({name: drawn for name, (_, drawn) in share.items()})
    models = {name: {"rows": int((w > 0).sum()), "unexplained": round(float(v), 4)} for name, (v, _) in share.items()}
    return {"models": models, "unexplained_95": intervals}


def train(job: Job) -> Artifact:
    """Estimate, test on the weeks after the cut, export and prove; returns the artifact."""
    (given,) = job.histories
    table = job.rows(given, job.task.features)
    x, rows = table.matrix(job.task.features), table.rows
    if x.shape[1] != WIDTH:
        raise ValueError(f"Rows are {x.shape[1]} wide, not {WIDTH}.")
    at, _ = rows_at(given.history, monday_after(given.cut_ms - 6 * DAY_MS))
    if monday_after(given.cut_ms - 6 * DAY_MS) > given.cut_ms:
        raise Leak("Weeks after the cut would teach.")
    found = priors_of(at)
    network, priors = elasticity(found.priors), found.priors
    before = np.flatnonzero(rows.at_ms <= given.cut_ms)
    told = held_out(given, found, job.seed)
    card = {
        "data": job.data,
        "split": {
            "rule": "categories from the 25 full weeks before the cut; tested on the full weeks after it",
            "windows": {given.name: window(given.history, given.cut_ms)},
            "rows": {
                given.name: {"items before": int((at[:, UNITS].sum(axis=1) > 0).sum()), "tested on": told["items"]}
            },
        },
        "seed": job.seed,
        "metrics": {given.name: {"elasticity": metrics_of(told.pop("explained"))}},
        "profit": {given.name: told},
        "elasticity": {
            "mean": round(found.whole.mean, 3),
            "error": round(found.whole.error**0.5, 3),
            "between_items_sd": round(found.whole.between**0.5, 3),
        },
        "placebo": {
            "tested": int((priors.placebo >= 0).sum()),
            "passed": int((priors.placebo == 1).sum()),
            "failed": [f"{code:08x}" for code in priors.codes[priors.placebo == 0].tolist()],
        },
        "policy": asdict(POLICY),
        "baselines": "Log-log least squares of each item's own weeks; its category's mean; no answer to prices at all. "
        "Profit: beside those least squares under the same guards, and beside the prices that held.",
        "intended_use": "Suggestions of prices that a person decides about, of items that sold at least 20 units in 30 "
        "days.",
        "limits": "Observed prices, not experiments: mostly promotions, so it says how demand answers to a price for a "
        "week or two; who stocks up at a low price buys less later, and a lasting change brings less than that. Prices "
        "are what was paid on average. Units are held against the rest of the category, so what an item takes from its "
        "neighbours counts as its own. Categories that failed the placebo, or have fewer than three items whose "
        f"prices moved, are told apart, and nothing is suggested in them. Costs are assumed: {MARGIN:.0%} of the price "
        "is left over.",
    }
    rng = np.random.default_rng(job.seed)
    golden = x[rng.permutation(len(x))[:700]]
    answers_of(network, golden[:8])  # Keras exports no model that was never called.
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, lambda r: answers_of(network, r), golden, x[before[::7]], card, job.upstream)

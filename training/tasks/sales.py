"""Trains ``sales``: how many units of an item are ordered in the next 7 and 14 days, on average and as quantiles.

One network for all shops; each weighs the same in training, and everything is reported per shop. Tested at the ends of
days a week apart after the cut, on all items that had sold enough by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.sales.task import HORIZONS, LEVELS
from streams.features.kinds.decay import DAY_MS
from training import demand, item_rows, needs
from training.baselines import smoothing
from training.baselines.spending import boosted
from training.fit import Schedule, fit, seed_everything
from training.item_rows import Shop
from training.items import sold_within
from training.job import CutHistory, Job
from training.needs import Need
from training.networks.demand import MEAN, PACE_DAYS, QUANTILES
from training.networks.demand import demand as network_for
from training.networks.tabular import answers_of
from training.ranges import NONE, Judged, Ranges, ranges
from training.shops import proven, split_of

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
#: What boosted trees say of rows: the horizon's place, their objective, the rows.
Boost = Callable[[int, dict[str, Any], Rows32], Floats]

#: What ships is trained on these data sets up to these cuts: those of ``churn``.
SHIPPED = {"complete_journey": "2017-10-01", "online_retail": "2011-09-10"}
SHORTER = "Rows teach whose 14 days are over before the cut; four weeks more, and ranges are corrected by them."
NEEDS = (
    Need("shoppers who ordered before the cut", needs.buyers, 100, 1_000, "Few shoppers sell few items often."),
    Need("days before the cut", needs.days_before, 75, 180, SHORTER),
    Need("days after the cut", needs.days_after, 15, 60, "What 14 days bring is known after 14 days."),
)
#: Of each shop so many rows teach in an epoch, drawn anew.
ROWS_PER_EPOCH = 40_000
BOOSTING_ROWS = 30_000
SCHEDULE = Schedule(epochs=10, batch=512, rate=2e-3, weight_decay=5e-2, average=0.995)
#: Ranges are corrected by what became known in so many days before the cut.
JUDGED_DAYS = 56
#: After so many days a row counts half.
FADES_DAYS = 90.0
UNITS_30D = "sales.units_30d"


def shop_of(job: Job, given: CutHistory) -> Shop:
    """Rows at the ends of days, labels, and which of them are tested. Raises ``Leak``."""
    return item_rows.shop_of(job, given, lambda history, rows: sold_within(history, rows, HORIZONS), HORIZONS[-1])


def network_of(job: Job, shops: list[Shop]) -> tuple[Any, Ranges]:
    """Our network, trained on all rows known at the cut, its ranges corrected by what one trained earlier got wrong;
    nothing is corrected where a shop had taught nothing by then."""
    if not all(s.known(JUDGED_DAYS).any() for s in shops):
        return _trained(job, shops, 0, NONE), NONE
    earlier = _trained(job, shops, JUDGED_DAYS, NONE)
    judged = []
    for s in shops:
        cut = s.given.cut_ms - JUDGED_DAYS * DAY_MS
        rows = s.known(0) & (s.table.rows.at_ms >= cut)
        said = answers_of(earlier, s.x[rows])
        told = np.stack([said[f"units_{days}d_quantiles"] for days in HORIZONS], axis=1).astype(np.float64)
        judged.append(Judged(_pace(job, s.x[rows]), told, s.came.value[rows].astype(np.float64)))
    found = ranges(judged, LEVELS)
    return _trained(job, shops, 0, found), found


def _pace(job: Job, x: Rows32) -> Floats:
    return np.maximum(x[:, job.task.features.index(UNITS_30D)], 1.0).astype(np.float64) * (7.0 / PACE_DAYS)


def _trained(job: Job, shops: list[Shop], known_days: int, by: Ranges) -> Any:
    import tensorflow as tf

    used = [(s, np.flatnonzero(s.known(known_days))) for s in shops]
    used = [(s, rows) for s, rows in used if len(rows)]

    def drawn(rng: np.random.Generator) -> tuple[Rows32, Rows32, Rows32]:
        x, y, weight = [], [], []
        for s, rows in used:
            some = np.sort(rng.permutation(rows)[:ROWS_PER_EPOCH])
            age = (s.given.cut_ms - s.came.known_ms[some, -1]) / DAY_MS
            fresh = 0.5 ** (age / FADES_DAYS)
            # An item that sells a hundred times as much counts ten times as much: as in a sum, but not the sum alone.
            pace, usual = _pace(job, s.x[some]), float(_pace(job, s.x[rows]).mean())
            x.append(s.x[some])
            y.append(s.came.value[some])
            weight.append(np.c_[fresh / fresh.mean() / len(used), np.sqrt(pace * usual)])
        return np.concatenate(x), np.concatenate(y), np.concatenate(weight).astype(np.float32)

    def loss(said: Any, _x: Any, sold: Any, weight: Any) -> Any:
        count, unit = weight[:, :1], weight[:, 1:2]
        came = sold / unit
        # Tweedie's deviance of power 1.5.
        mean = said[:, :, :, MEAN] / unit[:, :, None]
        root = tf.sqrt(tf.maximum(mean, 1e-6))
        surprise = 2 * tf.reduce_sum(root + came[:, None] / root, axis=2)
        off = came[:, None, :, None] - said[:, :, :, QUANTILES] / unit[:, :, None, None]
        level = tf.constant(LEVELS, tf.float32)
        surprise += 2 * tf.reduce_sum(tf.maximum(level * off, (level - 1) * off), axis=(2, 3))
        return tf.reduce_mean(surprise * count)

    x = np.concatenate([s.x[rows] for s, rows in used])
    seed_everything(job.seed)
    trained, answering = network_for(x, job.task.features.index(UNITS_30D), ranges=by)
    stage = f"training as of {known_days} days before the cut" if known_days else "training"
    fit(trained, drawn, loss, SCHEDULE, seed=job.seed, kept_in=job.kept_in, tell=job.tell, stage=stage)
    return answering


def baselines_of(job: Job, s: Shop) -> dict[str, dict[str, Floats]]:
    """By output, what others say of the tested rows; LightGBM is fitted to the shop alone, on what was known then."""
    rows = s.table.rows.select(s.test)
    given, first = (s.sales, rows.shopper, rows.at_ms), int(s.table.history.time_ms[0])
    boost, found = boosting_of(job, s), dict[str, dict[str, Floats]]()
    for h, days in enumerate(HORIZONS):
        job.tell(f"baselines of {days} days on {s.name}", 0, None)
        answers = {
            "same_again": smoothing.same_again(*given, days),
            "mean_4_weeks": smoothing.mean_of_weeks(*given, days),
            "ets": smoothing.smoothed(*given, days, first),
        }
        found[f"units_{days}d"], found[f"units_{days}d_quantiles"] = answers, {}
        if boost is None:
            continue
        answers["lightgbm"] = boost(h, {"objective": "tweedie", "tweedie_variance_power": 1.5}, s.x[s.test])
        if days == HORIZONS[-1]:
            found[f"units_{days}d_quantiles"]["lightgbm"] = quantiles_of(boost, h, s.x[s.test])
    return found


def boosting_of(job: Job, s: Shop) -> Boost | None:
    """LightGBM on what was known of a shop at its cut, rounds chosen on the last four weeks of it; None where too
    little was."""
    known, early = s.known(0), s.known(28)
    rng = np.random.default_rng(job.seed)
    fitted, held = (
        np.sort(rng.permutation(np.flatnonzero(m))[:n])
        for m, n in ((early, BOOSTING_ROWS), (known & ~early, BOOSTING_ROWS // 3))
    )
    if not len(fitted) or not len(held):
        return None
    weights = (np.full(len(fitted), 1 / len(fitted)), np.full(len(held), 1 / len(held)))

    def boost(h: int, objective: dict[str, Any], asked: Rows32) -> Floats:
        y, held_y = (s.came.value[m, h].astype(np.float64) for m in (fitted, held))
        parts = (s.x[fitted], y, s.x[held], held_y, asked)
        return boosted(*parts, weights, {"learning_rate": 0.1, **objective}, job.seed)

    return boost


def quantiles_of(boost: Boost, h: int, asked: Rows32) -> Floats:
    """[n, levels] what it says of rows, ascending; ``h``: which horizon."""
    told = [boost(h, {"objective": "quantile", "alpha": level}, asked) for level in LEVELS]
    return np.sort(np.stack(told, axis=1), axis=1)


def measured(job: Job, s: Shop, answers: dict[str, Rows32], champion: dict[str, Any] | None) -> dict[str, Any]:
    """By output, ours beside others on the tested rows; points are also held against the middle quantile."""
    theirs, found, rows = baselines_of(job, s), {}, s.table.rows.select(s.test)
    for h, days in enumerate(HORIZONS):
        label = s.came.value[s.test, h].astype(np.float64)
        for output in (f"units_{days}d", f"units_{days}d_quantiles"):
            beside = {"ours": answers[output].astype(np.float64)}
            if champion is not None:
                beside["champion"] = np.asarray(champion[output], np.float64)
            beside |= theirs[output]
            if output.endswith("_quantiles"):
                points = theirs[f"units_{days}d"]
                beside |= {f"{name}_mean" if name in beside else name: a for name, a in points.items()}
            found[output] = demand.compare(label, beside, rows.shopper, rows.at_ms, job.seed, LEVELS)
    return found


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export and prove; returns the artifact."""
    shops = [shop_of(job, given) for given in job.histories]
    network, by = network_of(job, shops)
    points = [f"units_{days}d" for days in HORIZONS]
    metrics = item_rows.metrics_of(job, shops, network, measured, points, job.task.features)
    card = {
        "data": job.data,
        "split": split_of(
            shops,
            "trained on rows whose 14 days were over at the cut; tested at the ends of days a week apart after "
            "it, on all items that had sold enough by then",
        ),
        "seed": job.seed,
        "metrics": metrics,
        "correction": by.table,
        **_said(job, by),
    }
    return proven(job, shops, network, card)


def _said(job: Job, by: Ranges) -> dict[str, str]:
    """What a card says in words."""
    corrected = (
        "Ranges were widened or narrowed by what an earlier network got wrong in the eight weeks before the cut. "
        if by != NONE
        else "Ranges were not corrected by an earlier network: for that the history is too short. "
    )
    beside = f" Beside them {job.champion_called}." if job.champion else ""
    return {
        "baselines": "The same again (whole weeks: the seasonal naive forecast); the mean of four weeks; simple "
        "exponential smoothing of weeks, ETS(A,N,N), its weight chosen per item; LightGBM on our features (Tweedie and "
        f"quantile loss, rounds chosen before the cut). Each is fitted to its shop alone.{beside}",
        "intended_use": "Planning how much of an item to order, by ranges; of items that sold at least 20 units in 30 "
        "days.",
        "limits": f"{corrected}It knows what was sold, for how much and with which discounts, and no plan: neither "
        "promotions to come nor a season that it has not seen. What was sold out sold less than was wanted, and is "
        "foretold so. Units ordered; what comes back is not taken off.",
    }

"""The network of the task ``sales`` on days of fresh goods, and what others would say of the same days.

It answers in units a week at the day's pace, as it does in a shop; a seventh of that is the day's. It learns of days in
stock, for what was sold out was not all that was wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.baselines import boosting
from training.checks.freshretail.data import Floats, Series
from training.checks.freshretail.rows import CODES, WARM_UP, History, Rows, Rows32
from training.fit import Schedule, Tell, fit, seed_everything
from training.networks.demand import MEAN, QUANTILES, demand
from training.networks.tabular import answers_of

#: Quantiles that are asked for: the middle, and the ends of 80% and of 95%.
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
WEEK = 7
SCHEDULE = Schedule(epochs=12, batch=512, rate=2e-3, weight_decay=5e-2, average=0.995)
ROWS_PER_EPOCH = 40_000
#: After so many days a row counts half.
FADES_DAYS = 60.0
TREES = 150
_TREES = boosting.SETTINGS | {
    "objective": "tweedie",
    "tweedie_variance_power": 1.3,
    "learning_rate": 0.1,
    "num_leaves": 15,
}


@dataclass(frozen=True)
class Taught:
    """Rows that teach: days that are over at the cut."""

    rows: Rows
    sold: Floats
    weight: Floats
    """[m] how much each counts, 1 on average."""


def taught(s: Series, history: History, cut: int, seed: int, recovered: bool = False) -> Taught:
    """A row of every series and morning up to a cut, a day ahead drawn; of days in stock. ``recovered``: of all days,
    what they would have sold, each as much as of it is known."""
    known = history if cut == history.cut else History(s, cut)
    rows = known.rows(range(WARM_UP, cut), None, seed)
    there = known.there[rows.series, rows.day]
    if recovered:
        sold = known.told[rows.series, rows.day]
    else:
        some = s.in_stock[rows.series, rows.day]
        rows, there = Rows(rows.x[some], rows.series[some], rows.day[some], rows.names), np.ones(int(some.sum()))
        sold = s.daily[rows.series, rows.day]
    weight = there * 0.5 ** ((cut - rows.day) / FADES_DAYS)
    return Taught(rows, sold, weight / weight.mean())


def network_of(
    of: Taught,
    seed: int,
    kept_in: Path,
    tell: Tell,
    stage: str,
    levels: Sequence[float] = LEVELS,
    schedule: Schedule = SCHEDULE,
) -> Any:
    """Trained; asks for rows without ``CODES``."""
    import tensorflow as tf

    used = seen(of.rows)
    x, pace = of.rows.x[:, used], of.rows.names.index("units_30d")
    own = np.maximum(x[:, pace], 1.0) * (WEEK / 29.0)
    unit = np.sqrt(own * own.mean())
    y = (WEEK * of.sold)[:, None].astype(np.float32)
    weights = np.c_[of.weight, unit].astype(np.float32)
    seed_everything(seed)
    trained, answering = demand(x, pace, horizons=(WEEK,))

    def drawn(rng: np.random.Generator) -> tuple[Rows32, Rows32, Rows32]:
        some = np.sort(rng.permutation(len(x))[:ROWS_PER_EPOCH])
        return x[some], y[some], weights[some]

    def loss(said: Any, _x: Any, sold: Any, weight: Any) -> Any:
        count, size = weight[:, :1], weight[:, 1:2]
        came = sold / size
        root = tf.sqrt(tf.maximum(said[:, :, :, MEAN] / size[:, :, None], 1e-6))
        surprise = 2 * tf.reduce_sum(root + came[:, None] / root, axis=2)
        off = came[:, None, :, None] - said[:, :, :, QUANTILES] / size[:, :, None, None]
        level = tf.constant(levels, tf.float32)
        surprise += 2 * tf.reduce_sum(tf.maximum(level * off, (level - 1) * off), axis=(2, 3))
        return tf.reduce_mean(surprise * count)

    fit(trained, drawn, loss, schedule, seed=seed, kept_in=kept_in, tell=tell, stage=stage)
    return answering


def seen(rows: Rows) -> Any:
    """The places of features that the network takes."""
    return rows.columns(name for name in rows.names if name not in CODES)


def said_by(network: Any, rows: Rows) -> tuple[Floats, Floats]:
    """[m] the mean and [m, levels] the quantiles of the day's units."""
    told = answers_of(network, rows.x[:, seen(rows)])
    mean, quantiles = (told[name].astype(np.float64) / WEEK for name in ("units_7d", "units_7d_quantiles"))
    return mean, quantiles


def trees(of: Taught, asked: Rows, without: Iterable[str], seed: int) -> Floats:
    """[m] what LightGBM says of rows, that learned of the same days without some features."""
    import lightgbm

    left = set(without)
    used = of.rows.columns(name for name in of.rows.names if name not in left)
    rows = lightgbm.Dataset(of.rows.x[:, used], of.sold, weight=of.weight)
    booster = lightgbm.train(_TREES | {"seed": seed}, rows, TREES)
    return np.asarray(booster.predict(asked.x[:, used]), np.float64)


def of_lost(rows: Rows) -> list[str]:
    """Features in which lost sales are reckoned: a shop that takes its sales for its demand has none of them."""
    begins = ("units_", "pace", "share_", "like", "same_", "there_", "spread_")
    return [name for name in rows.names if name.startswith(begins)]

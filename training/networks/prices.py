"""What a unit of an item costs in the next two weeks: quantiles over a feature row, without a weight that is trained.

The middle lies between two things that need no training: exponential smoothing of the item's weekly prices, and their
median, in which old weeks count less. Ranges are shares of it, by how far the last weeks' prices lay apart and by how
much the item sells. What is free (``Rule``) was chosen and measured before the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.tasks.price_forecast.task import WEEKS
from models.tasks.sales.task import LEVELS

Floats = npt.NDArray[np.float64]

#: How much the newest week may weigh.
ALPHAS = np.array((0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0), np.float32)
#: Weights of an item's own past are averaged, each by so high a power of how little it erred: nearly the best one, but
#: no step where two are as good.
SHARPNESS = 3
#: Weeks of the calendar that lie before the four that end now.
OLD = slice(5, 26)
FULL_DAYS = (8, 15, 22, 29)
#: Ends of bands: how far the prices of four weeks lay apart, in shares of the lowest; how far weeks lay from what
#: smoothing said of them before, in shares of the level.
APART = (0.01, 0.1)
ERRED = (0.005, 0.03, 0.08)
BANDS = (len(APART) + 1) * (len(ERRED) + 1)
#: Prices are whole cents: ranges reach half a cent further, so that they hold a price that stays as it is.
ROUNDED = (-0.5, -0.5, 0.0, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is chosen before the cut."""

    fades: float = 0.9
    """How much a week counts in the median, of the one after it."""
    median: float = 0.5
    """The share of the median in the middle; the rest is smoothing's."""
    factors: tuple[tuple[float, ...], ...] = ((1.0,) * len(WEEKS) * len(LEVELS),) * BANDS
    """[bands][weeks · levels] quantiles as shares of the middle."""


def weekly_prices(x: Any, features: Sequence[str], ops: Any) -> tuple[Any, Any]:
    """[n, 25] what a unit cost in each week, the oldest first, and whether any was sold (1 or 0): four weeks up to now,
    and those of the calendar before them. ``ops`` is ``numpy`` or ``keras.ops``."""
    place = {"sales.week_units": 26, "sales.week_revenue": 26}
    at, start = {}, 0
    for address in features:
        at[address] = slice(start, start + place.get(address, 1))
        start = at[address].stop
    series = []
    for what in ("units", "revenue"):
        sums = [x[:, at[f"sales.{what}_{d}d"]] for d in FULL_DAYS]
        recent = [sums[0], *(b - a for a, b in pairwise(sums))]
        older = x[:, at[f"sales.week_{what}"]][:, OLD]
        series.append(ops.flip(ops.concatenate([*recent, older], axis=1), axis=1))
    units, revenue = series
    known = ops.where(units > 0.5, ops.ones_like(units), ops.zeros_like(units))
    return ops.maximum(revenue / ops.maximum(units, 1.0), 1.0) * known, known


def smoothed(price: Any, known: Any, ops: Any) -> tuple[Any, Any]:
    """[n] the level at which simple exponential smoothing ends, its weight chosen for each row by absolute errors; and
    how much it erred by a week, in shares of the level."""
    level: Any = price[:, :1] + ops.zeros_like(price[:, :8])
    started, error = known[:, :1], ops.zeros_like(price[:, :8])
    for k in range(1, price.shape[1]):
        here, new = known[:, k : k + 1], price[:, k : k + 1]
        error = error + ops.absolute(new - level) * here * started
        step = ops.where(started > 0, level + (new - level) * ALPHAS, new + ops.zeros_like(level))
        level = ops.where(here > 0, step, level)
        started = ops.maximum(started, here)
    weeks = ops.maximum(ops.sum(known, axis=1, keepdims=True) - 1.0, 1.0)
    erred = ops.min(error / (weeks * ops.maximum(level, 1.0)), axis=1)
    error = error + 1e-3 * level + 1e-3
    weight = ops.min(error, axis=1, keepdims=True) / error
    for _ in range(SHARPNESS):
        weight = weight * weight
    return ops.sum(weight * level, axis=1) / ops.sum(weight, axis=1), erred


def median(price: Any, known: Any, fades: float, ops: Any) -> Any:
    """[n] the price that weeks of at least half the weight lie at or below; a week weighs ``fades`` of the next."""
    weight = known * (fades ** np.arange(price.shape[1] - 1, -1, -1)).astype(np.float32)
    below = ops.where(price[:, None, :] <= price[:, :, None], weight[:, None, :] + 0.0 * price[:, :, None], 0.0)
    # A hair less than half, so that the order in which weights are added up decides nothing.
    enough = (ops.sum(below, axis=2) >= 0.4999 * ops.sum(weight, axis=1, keepdims=True)) & (known > 0)
    return ops.min(ops.where(enough, price, ops.full_like(price, 1e30)), axis=1)


def foretold(price: Any, known: Any, rule: Rule, ops: Any) -> tuple[Any, Any]:
    """[n] the middle, a cent where no week is known; and [n, bands] 1 at the band of each row, else 0."""
    level, erred = smoothed(price, known, ops)
    told = (1 - rule.median) * level + rule.median * median(price, known, rule.fades, ops)
    recent, there = price[:, -4:], known[:, -4:] > 0
    most = ops.max(recent, axis=1)
    least = ops.minimum(ops.min(ops.where(there, recent, ops.full_like(recent, 1e30)), axis=1), most)

    def within(value: Any, ends: Sequence[float]) -> list[Any]:
        reached = [ops.ones_like(value), *(ops.where(value >= end, 1.0, 0.0 * value) for end in ends)]
        return [a - b for a, b in pairwise([*reached, ops.zeros_like(value)])]

    apart = within(most / ops.maximum(least, 1.0) - 1.0, APART)
    band = ops.stack([a * b for a in apart for b in within(erred, ERRED)], axis=1)
    return ops.where(ops.sum(known, axis=1) > 0, told, ops.ones_like(told)), band


def prices(width: int, features: Sequence[str], rule: Rule) -> Any:
    """What is exported: rows [n, width] → the outputs of the task."""
    import keras

    ops, layers = keras.ops, keras.layers
    inputs = keras.Input((width,), name="features", dtype="float32")
    table = np.array(rule.factors, np.float32)

    def whole(x: Any) -> Any:
        price, known = weekly_prices(x, features, ops)
        middle, band = foretold(price, known, rule, ops)
        told = middle[:, None] * ops.matmul(band, table)
        return ops.relu(told + np.tile(np.array(ROUNDED, np.float32), len(WEEKS)))

    said, n, found = layers.Lambda(whole, name="quantiles")(inputs), len(LEVELS), []
    for w, week in enumerate(WEEKS):
        centre = w * n + n // 2
        found.append(layers.Lambda(lambda v, k=centre: v[:, k], name=f"price_week_{week}")(said))
        found.append(layers.Lambda(lambda v, k=w * n: v[:, k : k + n], name=f"price_week_{week}_quantiles")(said))
    return keras.Model(inputs, found)

"""How units answer to the price: an item's own weeks, and what is known of its category, weighed by how sure each is.

    log(units / units of the rest of the category) = item + elasticity · log(price paid) + noise

over the full weeks in which there was a sale: what moves the whole category in a week (season, holidays) is taken out,
and what makes the item sell more at any price. The slope has a variance that its own weeks give; a category's items
have slopes around a mean with a spread (empirical Bayes), and the answer is the mean of both, by their precisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.decisions.price_optimize import WIDE

Floats = npt.NDArray[np.float64]

WEEKS = 26
#: Places in a row: halves of the category, then units, revenue and the category's units, by week, the newest first.
UNITS, REVENUE, OF_CATEGORY = (slice(2 + k * WEEKS, 2 + (k + 1) * WEEKS) for k in range(3))
WIDTH = 2 + 3 * WEEKS
#: Variance of the logarithm of a week's units besides that of counting them.
NOISE = 0.1
#: Residual variance of one, in units of what counting makes expect, is worth so many weeks.
PRIOR_WEEKS = 10.0
#: A slope is looked at where prices moved at all, and in so many weeks.
LEAST_WEEKS, LEAST_MOVED = 6.0, 0.02


@dataclass(frozen=True)
class Priors:
    """What is known of categories: a table, and what holds of all others."""

    codes: npt.NDArray[np.int64]
    """[k] hashes of categories."""
    mean: Floats
    """[k] of the elasticities of its items."""
    variance: Floats
    """[k] of them, and of the mean itself."""
    placebo: Floats
    """[k] 1 passed, 0 failed, -1 not tested."""
    other: tuple[float, float]
    """Mean and variance where the category is unknown."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """What a row tells of its full weeks, [n, 32] each, the newest first; 0 beyond them."""

    units: Any
    """Logarithm of units less that of the rest of the category."""
    price: Any
    """Logarithm of the price."""
    weight: Any
    """Inverse of the variance; 0 where nothing was sold."""


def weeks_of(x: Any, ops: Any) -> Weeks:
    """The full weeks of rows [n, WIDTH]. ``ops`` is ``numpy`` or ``keras.ops``. Rows are a whole number of eights wide:
    ONNX Runtime takes logarithms eight at a time, and what remains with other last bits."""
    units, revenue, whole = (_eights(x[:, place][:, 1:], ops) for place in (UNITS, REVENUE, OF_CATEGORY))
    rest = whole - units
    there = ops.where((units > 0.5) & (revenue > 0.5) & (rest > 0.5), ops.ones_like(units), ops.zeros_like(units))
    sold = ops.maximum(units, 1.0)
    return Weeks(
        units=(ops.log(sold) - ops.log(ops.maximum(rest, 1.0))) * there,
        price=(ops.log(ops.maximum(revenue, 1.0)) - ops.log(sold)) * there,
        weight=there / (1.0 / sold + NOISE),
    )


def _eights(values: Any, ops: Any) -> Any:
    return ops.concatenate([values, ops.zeros_like(values[:, : -values.shape[1] % 8])], axis=1)


def own_slope(weeks: Weeks, ops: Any) -> tuple[Any, Any]:
    """[n] the slope of an item's own weeks, and its precision (1 over the variance; 0: they say nothing)."""
    w = weeks.weight
    total = ops.maximum(ops.sum(w, axis=1, keepdims=True), 1e-9)
    x = weeks.price - ops.sum(w * weeks.price, axis=1, keepdims=True) / total
    y = weeks.units - ops.sum(w * weeks.units, axis=1, keepdims=True) / total
    moved = ops.sum(w * x * x, axis=1)
    slope = ops.sum(w * x * y, axis=1) / ops.maximum(moved, 1e-6)
    left = y - x * slope[:, None]
    n = ops.sum(ops.where(w > 0, ops.ones_like(w), ops.zeros_like(w)), axis=1)
    spread = (ops.sum(w * left * left, axis=1) + PRIOR_WEEKS) / (ops.maximum(n - 2.0, 0.0) + PRIOR_WEEKS)
    enough = (n >= LEAST_WEEKS) & (moved >= LEAST_MOVED)
    return slope, ops.where(enough, moved / spread, ops.zeros_like(moved))


def posterior(slope: Any, precision: Any, mean: Any, variance: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of an elasticity, of what its own weeks say and what is known of its category."""
    whole = precision + 1.0 / variance
    return (precision * slope + mean / variance) / whole, whole**-0.5


def elasticity(priors: Priors) -> Any:
    """What is exported: rows [n, WIDTH] → the outputs of the task."""
    import keras

    ops, layers = keras.ops, keras.layers
    upper, lower = ((priors.codes >> 16).astype(np.float32), (priors.codes & 0xFFFF).astype(np.float32))
    table = np.stack([priors.mean, priors.variance, priors.placebo], axis=1)
    others = np.array([*priors.other, -1.0])
    # What is known of a category, less what holds of any.
    beyond = (table - others).astype(np.float32)

    def whole(x: Any) -> Any:
        same = ops.where((x[:, :1] == upper) & (x[:, 1:2] == lower), 1.0, 0.0)
        known = ops.matmul(same, beyond) + others.astype(np.float32)
        slope, precision = own_slope(weeks_of(x, ops), ops)
        both = precision + 1.0 / known[:, 1]
        mean = (precision * slope + known[:, 0] / known[:, 1]) / both
        far = WIDE / ops.sqrt(both)
        return ops.stack([mean - far, mean, mean + far, known[:, 0], known[:, 2]], axis=1)

    inputs = keras.Input((WIDTH,), name="features", dtype="float32")
    told = layers.Lambda(whole, name="posterior")(inputs)
    parts = {"elasticity": (..., 1), "elasticity_quantiles": (..., slice(0, 3)), "category": (..., slice(3, 5))}
    return keras.Model(inputs, [layers.Lambda(lambda v, p=p: v[p], name=name)(told) for name, p in parts.items()])

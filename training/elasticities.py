"""What is known of the elasticities of categories, and whether it may be believed: empirical Bayes, and a placebo.

A price to come cannot have moved what was sold before it. Where the price of the week after explains a week's units
beside the week's own price, what looks like an elasticity is something else (a promotion that others saw coming,
stock, a season of the item's own): such a category failed, and nothing is suggested in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.networks.elasticity import (
    LEAST_MOVED,
    LEAST_WEEKS,
    OF_CATEGORY,
    PRIOR_WEEKS,
    UNITS,
    Priors,
    Weeks,
    own_slope,
    weeks_of,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Items that sell fewer units a week say nothing of their category: weeks in which they sold none are missing, and the
#: others look as if the price hardly mattered.
LEAST_UNITS = 3.0
#: A category of fewer items whose prices moved is not tested.
LEAST_ITEMS = 3
#: The spread among all items counts as so many items of a category.
BORROWED = 10.0
#: Beyond so many standard errors from 0 the placebo fails.
FAILS_AT = 1.96


@dataclass(frozen=True, slots=True)
class Mean:
    """Of a group of items: the mean of what each has, the variance of that mean, and the variance between items."""

    mean: float
    error: float
    between: float


def mean_of(slope: Floats, variance: Floats, between: float | None = None) -> Mean:
    """Random effects (DerSimonian and Laird, 1986). ``between``: taken instead of what these items say.

    >>> mean_of(np.array([-1.0, -3.0]), np.array([0.01, 0.01])).between
    1.99
    """
    weight = 1.0 / variance
    if between is None:
        middle = float((weight * slope).sum() / weight.sum())
        free = float(weight.sum() - (weight**2).sum() / weight.sum())
        excess = float((weight * (slope - middle) ** 2).sum()) - (len(slope) - 1)
        between = round(max(excess / free, 0.0), 9) if free > 1e-9 else 0.0
    weight = 1.0 / (variance + between)
    return Mean(float((weight * slope).sum() / weight.sum()), float(1.0 / weight.sum()), between)


def lead_slope(weeks: Weeks) -> tuple[Floats, Floats]:
    """[n] how the price of the week after goes with a week's units, beside that of the week itself; and its precision
    (0: nothing can be said)."""
    later, now = slice(None, -1), slice(1, None)  # the newest first
    w = np.where(weeks.weight[:, later] > 0, weeks.weight[:, now], 0.0)
    total = np.maximum(w.sum(axis=1, keepdims=True), 1e-9)

    def around(values: Floats) -> Floats:
        return values - (w * values).sum(axis=1, keepdims=True) / total

    y, x, lead = (around(v) for v in (weeks.units[:, now], weeks.price[:, now], weeks.price[:, later]))
    xx, xl, xy = ((w * x * v).sum(axis=1) for v in (x, lead, y))
    beside = lead - x * (xl / np.maximum(xx, 1e-6))[:, None]
    left = y - x * (xy / np.maximum(xx, 1e-6))[:, None]
    moved = (w * beside * beside).sum(axis=1)
    slope = (w * beside * left).sum(axis=1) / np.maximum(moved, 1e-6)
    rest = left - beside * slope[:, None]
    n = (w > 0).sum(axis=1)
    spread = ((w * rest * rest).sum(axis=1) + PRIOR_WEEKS) / (np.maximum(n - 3.0, 0.0) + PRIOR_WEEKS)
    enough = (n >= LEAST_WEEKS) & (moved >= LEAST_MOVED) & (xx >= LEAST_MOVED)
    return slope, np.where(enough, moved / spread, 0.0)


@dataclass(frozen=True)
class Found:
    """Priors, and what they stand on."""

    priors: Priors
    whole: Mean
    """Of all items."""
    items: Ints
    """[k] items of each category whose prices moved."""
    lead: Floats
    """[k, 2] the placebo's mean and its standard error; NaN where it was not tested."""


def priors_of(x: Floats) -> Found:
    """Of rows [n, WIDTH], one of each item."""
    weeks = weeks_of(x, np)
    slope, precision = own_slope(weeks, np)
    ahead, ahead_precision = lead_slope(weeks)
    code = (x[:, 0].astype(np.int64) << 16) + x[:, 1].astype(np.int64)
    counted = np.maximum((x[:, OF_CATEGORY][:, 1:] > 0).sum(axis=1), 1)
    sells = x[:, UNITS][:, 1:].sum(axis=1) >= LEAST_UNITS * counted
    moved, tested = (precision > 0) & sells, (ahead_precision > 0) & sells
    if not moved.any():
        return Found(_nothing(), Mean(0.0, 0.0, 0.0), np.zeros(0, np.int64), np.zeros((0, 2)))
    whole = mean_of(slope[moved], 1.0 / precision[moved])
    codes = np.unique(code[moved & (code > 0)])
    own, count, lead, placebo = [], [], [], []
    for one in codes.tolist():
        of = moved & (code == one)
        n = int(of.sum())
        alone = mean_of(slope[of], 1.0 / precision[of])
        between = (n * alone.between + BORROWED * whole.between) / (n + BORROWED)
        own.append(mean_of(slope[of], 1.0 / precision[of], between))
        count.append(n)
        told = tested & (code == one)
        if told.sum() < LEAST_ITEMS:
            lead.append((np.nan, np.nan))
            placebo.append(-1.0)
            continue
        later = mean_of(ahead[told], 1.0 / ahead_precision[told])
        lead.append((later.mean, later.error**0.5))
        placebo.append(float(abs(later.mean) <= FAILS_AT * later.error**0.5))
    middles, errors = (np.array([getattr(m, name) for m in own]) for name in ("mean", "error"))
    among = mean_of(middles, errors) if len(own) > 1 else whole
    # A category's mean is drawn to that of all categories, the more the less is known of it.
    share = among.between / (among.between + errors) if len(own) > 1 else np.ones(len(own))
    mean = among.mean + share * (middles - among.mean)
    variance = np.array([m.between for m in own]) + share * errors
    priors = Priors(codes, mean, variance, np.array(placebo), (among.mean, whole.between + among.between + among.error))
    return Found(priors, whole, np.array(count, np.int64), np.array(lead).reshape(-1, 2))


def _nothing() -> Priors:
    empty = np.zeros(0)
    return Priors(np.zeros(0, np.int64), empty, empty, empty, (0.0, 4.0))


def known_of(priors: Priors, x: Floats) -> tuple[Floats, Floats, Floats]:
    """[n] prior mean, variance and placebo of the category of each row."""
    code = (x[:, 0].astype(np.int64) << 16) + x[:, 1].astype(np.int64)
    if not len(priors.codes):
        n = np.ones(len(x))
        return priors.other[0] * n, priors.other[1] * n, -n
    place = np.minimum(np.searchsorted(priors.codes, code), len(priors.codes) - 1)
    there = priors.codes[place] == code
    columns = ((priors.mean, priors.other[0]), (priors.variance, priors.other[1]), (priors.placebo, -1.0))
    mean, variance, placebo = (np.where(there, values[place], other) for values, other in columns)
    return mean, variance, placebo

"""What the prices of an item's neighbours do to it: cross effects within a category.

    log(units / units of the other categories) = item + own · log(price) + cross · (price of the others) + noise

over full weeks with a sale, by category. The others' price is the mean of how far their prices lay from their own
usual ones, by what they sell; units are held against the rest of the shop, not against the rest of the category (in a
category where one price moves, that of the others is all that is left of a week's own level). Two effects are fitted at
once, within items; variances hold whatever moves all items of a category in a week. Categories are drawn to the mean of
all (``training.elasticities.mean_of``). The placebo is the others' price of the week after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.elasticities import FAILS_AT, LEAST_ITEMS, LEAST_UNITS, Mean, mean_of
from training.networks.elasticity import NOISE, REVENUE, UNITS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A category is looked at where so many weeks have a price of an item and of its neighbours, and both moved.
LEAST_WEEKS, LEAST_MOVED = 10, 0.05


@dataclass(frozen=True)
class Category:
    """Rows [n, 25] of one category: logarithms of units (held against the rest of the shop), of prices and of the
    others' price, all around each item's mean; and what a week weighs."""

    units: Floats
    price: Floats
    others: Floats
    weight: Floats
    share: Floats
    """[n] of each item in the units of the category."""


def categories_of(x: Floats) -> dict[int, tuple[Ints, Category]]:
    """By the code of a category its rows among ``x`` [n, WIDTH], and what is known of their weeks."""
    units, revenue = x[:, UNITS][:, 1:], x[:, REVENUE][:, 1:]
    code = (x[:, 0].astype(np.int64) << 16) + x[:, 1].astype(np.int64)
    sold = (units > 0.5) & (revenue > 0.5)
    often = units.sum(axis=1) >= LEAST_UNITS * np.maximum(sold.sum(axis=1), 1)
    whole, found = units.sum(axis=0), {}
    for one in np.unique(code[often & (code > 0)]).tolist():
        rows = np.flatnonzero(often & (code == one))
        there, own = sold[rows], units[rows]
        outside = np.log(np.maximum(whole - units[code == one].sum(axis=0), 1.0))
        weight = there / (1.0 / np.maximum(own, 1.0) + NOISE)
        price = _around(np.log(np.maximum(revenue[rows], 1.0)) - np.log(np.maximum(own, 1.0)), weight)
        counts = there * own.mean(axis=1, keepdims=True)
        beside = np.maximum(counts.sum(axis=0) - counts, 0.0)
        others = ((counts * price).sum(axis=0) - counts * price) / np.maximum(beside, 1e-9)
        weight = weight * (beside > 1e-9)
        told = _around(np.log(np.maximum(own, 1.0)) - outside, weight)
        share = own.sum(axis=1) / own.sum()
        found[one] = rows, Category(told, _around(price, weight), _around(others, weight), weight, share)
    return found


def _around(values: Floats, weight: Floats) -> Floats:
    middle = (weight * values).sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    found: Floats = np.where(weight > 0, values - middle, 0.0)
    return found


def fitted(one: Category, ahead: bool = False) -> tuple[Floats, Floats] | None:
    """[2] own and cross effect of a category and [2] their variances, or None where too little is known. ``ahead``: of
    the others' price of the week after instead, which can have moved nothing."""
    y, own, others, weight = one.units, one.price, one.others, one.weight
    if ahead:  # the newest week comes first
        y, own, others = y[:, 1:], own[:, 1:], others[:, :-1]
        weight = weight[:, 1:] * (weight[:, :-1] > 0)
        y, own, others = (_around(v, weight) for v in (y, own, others))
    if (weight > 0).any(axis=1).sum() < LEAST_ITEMS or (weight > 0).any(axis=0).sum() < LEAST_WEEKS:
        return None
    x = np.stack([own, others], axis=2)
    gram = np.einsum("nt,nta,ntb->ab", weight, x, x)
    alone = gram[1, 1] - gram[0, 1] ** 2 / max(gram[0, 0], 1e-9)
    if min(gram[0, 0], alone) < LEAST_MOVED:
        return None
    inverse = np.linalg.inv(gram)
    slope = inverse @ np.einsum("nt,nta,nt->a", weight, x, y)
    # A week moves all items of a category together: its errors are added up before they are squared.
    score = np.einsum("nt,nta,nt->ta", weight, x, y - x @ slope)
    weeks = int((weight > 0).any(axis=0).sum())
    variance = np.diag(inverse @ (score.T @ score) @ inverse) * weeks / (weeks - 2)
    return slope, np.maximum(variance, 1e-6)


@dataclass(frozen=True)
class Cross:
    """Cross effects of a shop: percent of units per percent of the others' price."""

    whole: Mean
    """Of all categories."""
    ahead: Mean
    """The placebo, of all categories."""
    by_category: dict[int, tuple[float, float]]
    """Mean and variance of each, drawn to the whole's."""
    beyond: int
    """Categories whose own 95% interval excludes 0 …"""
    failed: int
    """… and for which the placebo's does."""


def cross_of(x: Floats) -> Cross:
    """Of rows [n, WIDTH], one of each item. Raises ``ValueError`` where no category tells."""
    told = {code: fit for code, (_, one) in categories_of(x).items() if (fit := fitted(one)) is not None}
    later = [fit for _, one in categories_of(x).values() if (fit := fitted(one, ahead=True)) is not None]
    if not told or not later:
        raise ValueError("No category has prices of neighbours that moved.")
    slope, variance = (np.array([fit[k][1] for fit in told.values()]) for k in (0, 1))
    lead, lead_variance = (np.array([fit[k][1] for fit in later]) for k in (0, 1))
    whole = mean_of(slope, variance)
    share = whole.between / (whole.between + variance)
    mean = whole.mean + share * (slope - whole.mean)
    spread = share * variance + (1 - share) ** 2 * whole.error
    return Cross(
        whole,
        mean_of(lead, lead_variance),
        dict(zip(told, zip(mean.tolist(), spread.tolist(), strict=True), strict=True)),
        int((np.abs(slope) > FAILS_AT * variance**0.5).sum()),
        int((np.abs(lead) > FAILS_AT * lead_variance**0.5).sum()),
    )


def explained(x: Floats, cross: Cross, own: Floats) -> dict[str, float]:
    """What of the weekly units in rows [n, WIDTH] of later weeks is left unexplained, as a share: by ``own`` [n]
    elasticities; with cross effects of their categories; with the mean of all categories."""
    left = np.zeros(4)
    for code, (rows, one) in categories_of(x).items():
        if code not in cross.by_category:
            continue
        said = own[rows][:, None] * one.price
        answers = (0.0, said, said + cross.by_category[code][0] * one.others, said + cross.whole.mean * one.others)
        left += [float((one.weight * (one.units - answer) ** 2).sum()) for answer in answers]
    names = ("own", "own_and_cross", "own_and_mean_cross")
    return dict(zip(names, (left[1:] / left[0]).round(4).tolist(), strict=True))


def neighbours(x: Floats, cross: Cross, profit: Floats, price: Floats, to: Floats) -> tuple[Floats, Floats]:
    """[n] cents a week that the others of its category bring more where an item costs ``to`` [n] (0: no change)
    instead of ``price``, and the standard error of that; ``profit``: of each item a week."""
    gain, error = np.zeros(len(x)), np.zeros(len(x))
    for code, (rows, one) in categories_of(x).items():
        if code not in cross.by_category:
            continue
        mean, variance = cross.by_category[code]
        moved = np.where(to[rows] > 0, np.log(np.maximum(to[rows], 1.0) / np.maximum(price[rows], 1.0)), 0.0)
        # Of what an item's price is in that of each other one, and what that one brings.
        weighs = one.share[:, None] / np.maximum(1.0 - one.share[None, :], 1e-9)
        np.fill_diagonal(weighs, 0.0)
        worth = moved * (weighs @ profit[rows])
        gain[rows], error[rows] = mean * worth, variance**0.5 * np.abs(worth)
    return gain, error


def said(cross: Cross) -> dict[str, Any]:
    """As a check prints it."""
    return {
        "categories": len(cross.by_category), "mean": round(cross.whole.mean, 3),
        "error": round(cross.whole.error**0.5, 3), "between_categories_sd": round(cross.whole.between**0.5, 3),
        "beyond_95": cross.beyond, "placebo_mean": round(cross.ahead.mean, 3),
        "placebo_error": round(cross.ahead.error**0.5, 3), "placebo_failed": cross.failed,
    }  # fmt: skip

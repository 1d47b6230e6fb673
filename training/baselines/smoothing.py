"""What others would say of an item's next weeks: the same again, four weeks' mean, exponential smoothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.features.kinds.decay import DAY_MS
from training.items import Sales

Floats = npt.NDArray[np.float64]
WEEK_MS = 7 * DAY_MS
#: How much the newest week weighs; the best of these is taken for each item.
ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def same_again(sales: Sales, item: Ints, at_ms: Ints, days: int) -> Floats:
    """[n] what each sold in as many days before: with whole weeks this is the seasonal naive forecast."""
    return sales.between(item, at_ms - days * DAY_MS, at_ms).astype(np.float64)


def mean_of_weeks(sales: Sales, item: Ints, at_ms: Ints, days: int, weeks: int = 4) -> Floats:
    """[n] the mean of the last weeks."""
    return same_again(sales, item, at_ms, 7 * weeks) * (days / (7 * weeks))


def smoothed(sales: Sales, item: Ints, at_ms: Ints, days: int, first_ms: int) -> Floats:
    """[n] simple exponential smoothing, ETS(A,N,N), of the weeks that end at each moment, from the item's first week
    with a sale on; the weight is chosen for each row by its own one-step errors. A year of weeks is too short for a
    season of its own, and weekdays cancel out."""
    weeks = max(1, int((at_ms.max() - first_ms) // WEEK_MS))
    series = np.stack(
        [sales.between(item, at_ms - (k + 1) * WEEK_MS, at_ms - k * WEEK_MS) for k in range(weeks)][::-1], axis=1
    ).astype(np.float64)
    known = (at_ms[:, None] - np.arange(weeks, 0, -1) * WEEK_MS) >= first_ms
    known &= np.maximum.accumulate(series > 0, axis=1)
    best, found = np.full(len(item), np.inf), np.zeros(len(item))
    for alpha in ALPHAS:
        level, started, error = np.zeros(len(item)), np.zeros(len(item), np.bool_), np.zeros(len(item))
        for k in range(weeks):
            here = known[:, k]
            error += np.where(here & started, (series[:, k] - level) ** 2, 0.0)
            step = np.where(started, level + alpha * (series[:, k] - level), series[:, k])
            level, started = np.where(here, step, level), started | here
        better = error < best
        best, found = np.where(better, error, best), np.where(better, level, found)
    return found * (days / 7)

"""What others would say of an item's next weeks, of units and of prices: the same again, a mean, smoothing."""

from __future__ import annotations

from collections.abc import Sequence

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
    with a sale on. A year of weeks is too short for a season of its own, and weekdays cancel out."""
    ends = weeks_before(at_ms, first_ms)
    series = np.stack([sales.between(item, end - WEEK_MS, end) for end in ends], axis=1).astype(np.float64)
    known = np.stack(ends, axis=1) - WEEK_MS >= first_ms
    known &= np.maximum.accumulate(series > 0, axis=1)
    return level_of(series, known) * (days / 7)


def last_price(sales: Sales, item: Ints, at_ms: Ints, first_ms: int) -> Floats:
    """[n] the average price of the newest of the weeks that end at each moment in which the item was sold."""
    found = np.full(len(item), np.nan)
    for end in weeks_before(at_ms, first_ms):
        price = sales.price(item, end - WEEK_MS, end)
        found = np.where(np.isfinite(price), price, found)
    return found


def smoothed_price(sales: Sales, item: Ints, at_ms: Ints, first_ms: int) -> Floats:
    """[n] ETS(A,N,N) of the average prices of these weeks; weeks without a sale are passed over. The newest week may
    weigh all, for prices often stay."""
    ends = weeks_before(at_ms, first_ms)
    series = np.stack([sales.price(item, end - WEEK_MS, end) for end in ends], axis=1)
    return level_of(np.nan_to_num(series), np.isfinite(series), (*ALPHAS, 1.0))


def weeks_before(at_ms: Ints, first_ms: int) -> list[Ints]:
    """The ends [n] of the whole weeks before each moment, the oldest first; as many as the latest moment has."""
    weeks = max(1, int((at_ms.max() - first_ms) // WEEK_MS)) if len(at_ms) else 1
    return [at_ms - k * WEEK_MS for k in range(weeks - 1, -1, -1)]


def level_of(series: Floats, known: npt.NDArray[np.bool_], alphas: Sequence[float] = ALPHAS) -> Floats:
    """[n] the level that simple exponential smoothing of what is known of each row [n, weeks] ends at; the weight is
    chosen for each row by its own one-step errors."""
    n = len(series)
    best, found = np.full(n, np.inf), np.zeros(n)
    for alpha in alphas:
        level, started, error = np.zeros(n), np.zeros(n, np.bool_), np.zeros(n)
        for k in range(series.shape[1]):
            here = known[:, k]
            error += np.where(here & started, (series[:, k] - level) ** 2, 0.0)
            step = np.where(started, level + alpha * (series[:, k] - level), series[:, k])
            level, started = np.where(here, step, level), started | here
        better = error < best
        best, found = np.where(better, error, best), np.where(better, level, found)
    return found

"""Means and covariances of sums; of one cell exactly, or of many looks at once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.effects.sums import COLUMNS, UPPER, Sums


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one side: ``n`` shoppers (…), ``buyers`` (…), ``mean`` (…, 7) and ``cov`` (…, 7, 7), float64, as ``COLUMNS``.

    Leading axes are looks, or campaigns: all that follows works on them at once. Money in cents. Covariances have n -
    1 in the denominator; NaN below two shoppers.
    """

    n: Floats
    buyers: Floats
    mean: Floats
    cov: Floats

    @staticmethod
    def of(sums: Sums) -> Moments:
        """Of one cell's sums, rounded once: differences of large numbers are taken while they are whole.

        >>> table = np.array([[1, 1, 10**12 + k, 0, 0, 0, 0] for k in range(3)])
        >>> Moments.of(Sums.of(table, np.zeros((3, 4), int))).cov[2, 2]
        np.float64(1.0)
        """
        n, width = sums.shoppers, len(COLUMNS)
        cov = np.full((width, width), np.nan)
        mean = np.array([total / n if n else np.nan for total in sums.totals])
        if n > 1:
            for (i, j), product in zip(UPPER, sums.products, strict=True):
                cov[i, j] = cov[j, i] = Fraction(n * product - sums.totals[i] * sums.totals[j], n * (n - 1))
        return Moments(np.array(float(n)), np.array(float(sums.buyers)), mean, cov)

    @staticmethod
    def running(rows: Floats, looks: Ints) -> Moments:
        """Of the first ``looks[k]`` rows for every k: a campaign as it was seen after each of them.

        ``rows``: (n, 7), in the order in which windows closed. For simulations: float64 sums of products, exact below
        2^53 for whole numbers.
        """
        n = looks.astype(np.float64)
        at = looks.astype(np.int64) - 1
        totals = np.cumsum(rows, 0)[at]
        products = np.cumsum(rows[:, :, None] * rows[:, None, :], 0)[at]
        buyers = np.cumsum(rows[:, 0] > 0)[at].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = totals / n[:, None]
            centred = products - totals[:, :, None] * mean[:, None, :]
            cov = np.where((n > 1)[:, None, None], centred / (n - 1)[:, None, None], np.nan)
        return Moments(n, buyers, mean, cov)

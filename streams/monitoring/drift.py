"""Population stability index: how far what a model sees and says has moved from its training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: A share of nothing counts as this, so that the index stays finite.
LEAST_SHARE = 1e-4
#: Rows looked at per slice: enough to see drift, little enough to cost nothing. Evenly from all of them: silences come
#: first, then shoppers with few due points, so the first rows are not like the rest.
ROWS_PER_SLICE = 64
#: Older counts weigh half after so many rows.
HALF_LIFE_ROWS = 20_000


def psi(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> float:
    """Population stability index of two counts over the same bins; 0 while either is empty.

    Below 0.1 nothing moved, above 0.25 it is another population (the usual rule of thumb).

    >>> psi(np.array([50, 50]), np.array([50, 50]))
    0.0
    >>> round(psi(np.array([50, 50]), np.array([90, 10])), 2)
    0.88
    """
    if not expected.sum() or not found.sum():
        return 0.0
    e = np.maximum(expected / expected.sum(), LEAST_SHARE)
    f = np.maximum(found / found.sum(), LEAST_SHARE)
    return float(((f - e) * np.log(f / e)).sum())


class Drift:
    """Counts of one model's features and scores over the bins of its card.

    ``distributions``: address or output → ``edges`` (ascending) and ``shares`` (one more than edges) of training.
    """

    def __init__(self, distributions: Mapping[str, Mapping[str, list[float]]]) -> None:
        self._edges = {name: np.array(d["edges"]) for name, d in distributions.items()}
        self._expected = {name: np.array(d["shares"]) for name, d in distributions.items()}
        self._counts = {name: np.zeros(len(shares)) for name, shares in self._expected.items()}

    def take(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take a column of values per address or output, of the same rows; names that the card does not have are
        passed over."""
        n = min((len(column) for column in values.values()), default=0)
        rows = np.linspace(0, max(0, n - 1), min(n, ROWS_PER_SLICE)).astype(np.int64)
        for name, column in values.items():
            edges = self._edges.get(name)
            if edges is not None:
                some = column[rows]
                some = some[np.isfinite(some)]
                counts = self._counts[name]
                counts *= 0.5 ** (len(some) / HALF_LIFE_ROWS)
                counts += np.bincount(np.searchsorted(edges, some, side="left"), minlength=len(counts))

    def psi(self) -> dict[str, float]:
        """The index of every feature and output."""
        return {name: psi(self._expected[name], counts) for name, counts in self._counts.items()}


def distribution(values: npt.NDArray[Any], bins: int = 10) -> dict[str, list[float]]:
    """Edges at the quantiles of a training column, ties taken together, and the share between them.

    >>> distribution(np.array([0.0] * 8 + [1.0, 2.0]), 5)
    {'edges': [0.0], 'shares': [0.8, 0.2]}
    """
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="lower"))
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return {"edges": edges.astype(float).tolist(), "shares": (counts / len(values)).round(6).tolist()}

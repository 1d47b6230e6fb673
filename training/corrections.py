"""What a network of amounts got wrong of late, by how likely an order is, for the next one to correct.

Conformalised quantile regression: an earlier network, which has learned nothing of the last 90 days before the cut, is
asked about shoppers at moments within them, and what they then brought says by how much its ranges are too narrow, and
its mean too high or too low. All of that was known at the cut. Shoppers who surely come again and those who hardly do
err in other ways, so it is said by bands of the foretold chance of an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Ends of the bands of the chance of an order.
BANDS = (0.0, 0.5, 0.75, 0.9, 1.0)
#: A band in which fewer rows were judged is left as it is.
LEAST_ROWS = 200
#: No factor of a mean is further from 1 than this, nor a range wider by more.
MOST = 3.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What was foretold of n rows of one shop, and what came."""

    chance: Floats
    """[n] of an order."""
    mean: Floats
    """[n]"""
    quantiles: Floats
    """[n, 3] low, middle, high."""
    came: Floats
    """[n]"""


@dataclass(frozen=True, slots=True)
class Correction:
    """Factors by chance of an order: of the mean, of the way from the middle quantile down to the low one, and up to
    the high one. The middle itself stays."""

    chance: tuple[float, ...]
    """[b] ascending, where the factors hold; straight lines between them, and outside as at the ends."""
    factors: tuple[tuple[float, float, float], ...]
    """[b] mean, low, high."""

    @property
    def table(self) -> dict[str, list[float]]:
        """As a card says it."""
        columns = zip(("chance", "mean", "low", "high"), zip(*self._rows, strict=True), strict=True)
        return {name: [round(v, 4) for v in values] for name, values in columns}

    @property
    def _rows(self) -> list[tuple[float, ...]]:
        return [(at, *some) for at, some in zip(self.chance, self.factors, strict=True)]


#: Corrects nothing.
NONE = Correction((0.0, 1.0), ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)))


def correction(shops: Sequence[Judged], levels: Sequence[float]) -> Correction:
    """The factors with which the ranges of ``levels`` (low, middle, high) would have held what they promise, and sums
    would have been right; each shop weighs the same, in rows and in money.

    Ranges are never made narrower: that the last windows were calm does not promise that the next will be.
    """
    shops = [s for s in shops if len(s.came)]
    found = []
    for least, most in pairwise(BANDS):
        inside = [(s.chance >= least) & (s.chance <= most) for s in shops]
        if sum(int(some.sum()) for some in inside) < LEAST_ROWS:
            found.append((1.0, 1.0, 1.0))
            continue
        weight = np.concatenate([np.full(int(some.sum()), 1 / len(some)) for some in inside])
        low = np.concatenate([_way(s, some, 0) for s, some in zip(shops, inside, strict=True)])
        high = np.concatenate([_way(s, some, 2) for s, some in zip(shops, inside, strict=True)])
        scale = [max(float(np.abs(s.came).sum()), 1e-9) for s in shops]
        told, came = (
            sum(float(v[some].sum()) / unit for v, some, unit in zip(values, inside, scale, strict=True))
            for values in ([s.mean for s in shops], [s.came for s in shops])
        )
        mean = float(np.clip(came / max(told, 1e-9), 1 / MOST, MOST))
        down, up = weighted_quantile(low, weight, 1 - levels[0]), weighted_quantile(high, weight, levels[-1])
        found.append((mean, _wider(down), _wider(up)))
    middles = [(least + most) / 2 for least, most in pairwise(BANDS)]
    return Correction(tuple(middles), tuple(found))


def _way(s: Judged, some: npt.NDArray[np.bool_], end: int) -> Floats:
    """[m] how far from the middle quantile towards the low (0) or high (2) one what came lies: 1 is on it."""
    middle, sign = s.quantiles[some, 1], -1.0 if end == 0 else 1.0
    far, reach = sign * (s.came[some] - middle), np.abs(s.quantiles[some, end] - middle)
    found: Floats = np.where(reach > 0, far / np.where(reach > 0, reach, 1.0), np.where(far > 0, np.inf, 0.0))
    return found


def weighted_quantile(values: Floats, weight: Floats, level: float) -> float:
    """The smallest value below or at which a share ``level`` of the weight lies.

    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), 0.5)
    2.0
    """
    order = np.argsort(values, kind="stable")
    place = int(np.searchsorted(np.cumsum(weight[order]), level * weight.sum()))
    return float(values[order][min(place, len(values) - 1)])


def _wider(factor: float) -> float:
    return min(max(factor, 1.0), MOST)

"""By how much the ranges of a network of units were too narrow or too wide of late, for the next one to correct.

Conformalised quantile regression, as in ``training.corrections``: an earlier network, which has learned nothing of the
last weeks before the cut, is asked about items within them, and what they then sold says how far from the middle each
quantile should have lain. Items that sell much and little err in other ways, so it is said by bands of their pace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from training.corrections import weighted_quantile

Floats = npt.NDArray[np.float64]

#: Ends of the bands of the pace, in units per 7 days.
BANDS = (0.0, 8.0, 20.0, np.inf)
#: The paces at which the factors of a band hold; straight lines of their logarithm between them.
MIDDLES = (5.0, 12.0, 40.0)
#: A band in which fewer rows were judged is left as it is.
LEAST_ROWS = 200
#: No factor lies outside.
LEAST, MOST = 0.7, 2.5


@dataclass(frozen=True, slots=True)
class Ranges:
    """[bands][horizons][levels] factors of the way from the middle quantile to each other one, by pace."""

    pace: tuple[float, ...]
    factors: tuple[tuple[tuple[float, ...], ...], ...]

    @property
    def table(self) -> dict[str, object]:
        """As a card says it."""
        return {"pace": list(self.pace), "factors": [[[round(v, 4) for v in h] for h in b] for b in self.factors]}


@dataclass(frozen=True, slots=True)
class Judged:
    """What was foretold of n rows of one shop, and what came."""

    pace: Floats
    """[n] units per 7 days."""
    quantiles: Floats
    """[n, horizons, levels]"""
    came: Floats
    """[n, horizons]"""


#: Corrects nothing.
NONE = Ranges(MIDDLES, tuple(((1.0,) * 5,) * 2 for _ in MIDDLES))


def ranges(shops: Sequence[Judged], levels: Sequence[float]) -> Ranges:
    """The factors with which each quantile would have had its share of outcomes below it; each shop weighs the same.
    A quantile never ends up further in than the one inside of it."""
    middle = len(levels) // 2
    found = []
    for least, most in pairwise(BANDS):
        inside = [(s.pace >= least) & (s.pace < most) for s in shops]
        horizons = []
        for h in range(shops[0].came.shape[1]):
            factors = [1.0] * len(levels)
            for k, level in enumerate(levels):
                if k == middle or sum(int(some.sum()) for some in inside) < LEAST_ROWS:
                    continue
                sign = -1.0 if k < middle else 1.0
                ways, weight = [], []
                for s, some in zip(shops, inside, strict=True):
                    centre = s.quantiles[some, h, middle]
                    reach = np.abs(s.quantiles[some, h, k] - centre)
                    ways.append(sign * (s.came[some, h] - centre) / np.maximum(reach, 1e-6))
                    weight.append(np.full(int(some.sum()), 1 / max(int(some.sum()), 1)))
                factors[k] = weighted_quantile(np.concatenate(ways), np.concatenate(weight), max(level, 1 - level))
            # Those outside reach at least as far as those inside: factors grow outwards where needed.
            horizons.append(tuple(float(np.clip(f, LEAST, MOST)) for f in factors))
        found.append(tuple(_ascending(h, middle) for h in horizons))
    return Ranges(MIDDLES, tuple(found))


def _ascending(factors: Sequence[float], middle: int) -> tuple[float, ...]:
    """The factors, none smaller than that of the quantile next to it on the way to the middle one."""
    found = list(factors)
    for k in range(middle - 2, -1, -1):
        found[k] = max(found[k], found[k + 1])
    for k in range(middle + 2, len(found)):
        found[k] = max(found[k], found[k - 1])
    return tuple(found)

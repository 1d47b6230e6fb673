"""How soon a holdout two points off is noticed, beside what any test could do."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
import numpy.typing as npt

from streams.effects.sample_ratio import ALPHA, least_shoppers, running


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Of one share asked for and one that is real."""

    share: float
    real: float
    false_alarms: float
    """Share of campaigns as asked for that are ever called wrong, looked at after every shopper."""
    within_1000: float
    """Share of campaigns noticed within 1,000 shoppers."""
    best_1000: float
    """The same of the most powerful test there is (Neyman and Pearson), which knows the real share and looks once."""
    mean: float
    """Shoppers until it is noticed, on average."""
    least: float
    """What any test that holds at all times needs on average (Wald)."""


def measure(rng: np.random.Generator, share: float, off: float, campaigns: int) -> Mismatch:
    """Of ``campaigns`` as asked for, and as many that are ``off``, up to six times as long as any test needs."""
    real = share + off
    least = least_shoppers(share, real)
    n = int(6 * least) + 1_000
    alarms, noticed, batch = 0, [], 100
    for _ in range(0, campaigns, batch):
        for held, which in ((share, 0), (real, 1)):
            sides = (rng.random((batch, n)) < held).astype(np.int64)
            over = running(sides, (1 - share, share)) >= -log(ALPHA)
            if which:
                noticed.append(np.where(over.any(1), over.argmax(1) + 1, n))
            else:
                alarms += int(over.any(1).sum())
    after = np.concatenate(noticed)
    return Mismatch(
        share,
        real,
        alarms / len(after),
        float((after <= 1_000).mean()),
        best(share, real, 1_000),
        float(after.mean()),
        least,
    )


def best(share: float, real: float, n: int) -> float:
    """Power of the most powerful test of level ``ALPHA`` at ``n``, drawn by lot where counts are tied.

    >>> round(best(0.1, 0.12, 1_000), 3), round(best(0.5, 0.52, 1_000), 3)
    (0.155, 0.034)
    """
    if real < share:
        share, real = 1 - share, 1 - real
    under, over = _binomial(share, n), _binomial(real, n)
    # More in the holdout speaks for the larger share: reject from the top as long as the level allows.
    tail = np.cumsum(under[::-1])[::-1]
    first = int(np.searchsorted(-tail, -ALPHA))
    spare = (ALPHA - tail[first]) / under[first - 1]
    return float(over[first:].sum() + spare * over[first - 1])


def _binomial(p: float, n: int) -> npt.NDArray[np.float64]:
    k = range(n + 1)
    return np.exp([lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(p) + (n - i) * log(1 - p) for i in k])

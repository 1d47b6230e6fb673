"""The effect per shopper: the mean of those who entered less the mean of the holdout, adjusted for the time before.

*Adjusted* (CUPED: Deng, Xu, Kohavi and Walker 2013; the same as analysis of covariance): shoppers who bought much
before buy much after, on either side. The part of the difference that the time before explains is noise and is taken
off; since who is held back was drawn, this moves no expectation and narrows the interval. One slope for both sides,
from what varies within them: a slope of the holdout's own would be noise where the holdout is small.

*Spread of the small side.* Revenue is mostly zero and seldom large. In a small holdout mean and variance of such
values go up and down together: the interval is narrow just when the mean is too low, and textbook intervals of 95%
miss in up to 12% (docs/effect.md has the numbers). So the variance of each side is drawn towards that
of both together, with the weight of ``BORROWED`` buyers: a side with 1,000 buyers of its own counts half, one with
10,000 nine tenths. Under "no effect" both variances are the same, so the tests for an effect lose nothing; in the
limit each side's own is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, Floats
from streams.effects.moments import Moments
from streams.effects.sums import MEASURES

BORROWED = 1_000.0
"""Weight of the common variance, in buyers."""
LEAST_BUYERS = 20
"""No interval is said before so many have ordered on each side."""
PROFIT = np.array([0.0, 0.0, 0.0, 1.0, -1.0])
"""Profit as a combination of ``MEASURES``: margin less cost."""
_COST = MEASURES.index("cost")


@dataclass(frozen=True, slots=True)
class Difference:
    """Per shopper, beyond the holdout: ``mean`` (…, 5) as ``MEASURES`` and the covariance of its error (…, 5, 5).

    ``n``: shoppers of both sides (…). ``enough`` (…): whether both sides have the buyers for an interval.
    ``unadjusted`` (…, 5, 5): the error's covariance without adjustment.
    """

    n: Floats
    enough: Bools
    mean: Floats
    error: Floats
    unadjusted: Floats

    def of(self, weights: Floats) -> tuple[Floats, Floats]:
        """Mean and standard error (…) of a combination of the measures, such as ``PROFIT``."""
        mean: Floats = self.mean @ weights
        return mean, np.sqrt(np.maximum(np.einsum("...ij,i,j->...", self.error, weights, weights), 0))


def difference(treated: Moments, held: Moments, adjust: bool = True) -> Difference:
    """Of two sides whose leading axes broadcast."""
    own = len(MEASURES)
    inner = _common(treated, held)
    slope = _slope(inner) if adjust else np.zeros((*inner.shape[:-2], inner.shape[-1] - own, own))
    # Columns of the residual: y - slope'x, as a linear map of all seven columns.
    left = np.concatenate(
        [np.broadcast_to(np.eye(own), (*slope.shape[:-2], own, own)), -np.swapaxes(slope, -1, -2)], -1
    )
    mean = np.einsum("...ij,...j->...i", left, treated.mean - held.mean)
    error = _error(left, treated, held, inner)
    plain = np.concatenate([np.eye(own), np.zeros((own, slope.shape[-2]))], -1)
    enough = (treated.buyers >= LEAST_BUYERS) & (held.buyers >= LEAST_BUYERS)
    return Difference(treated.n + held.n, enough, mean, error, _error(plain, treated, held, inner))


def _common(treated: Moments, held: Moments) -> Floats:
    """Covariance within the sides, both together; a side of fewer than two shoppers adds nothing."""
    freedom = [np.maximum(side.n - 1, 0)[..., None, None] for side in (treated, held)]
    total = sum(f * np.where(f > 0, side.cov, 0.0) for f, side in zip(freedom, (treated, held), strict=True))
    return total / np.maximum(freedom[0] + freedom[1], 1)


def _slope(inner: Floats) -> Floats:
    """(…, 2, 5): what a unit more of each covariate goes along with. A covariate that does not vary gets 0."""
    own = len(MEASURES)
    xx, xy = inner[..., own:, own:], inner[..., own:, :own]
    scale = np.sqrt(np.einsum("...ii->...i", xx))
    scale = np.where(scale > 0, scale, 1.0)
    unit = xx / (scale[..., :, None] * scale[..., None, :])
    # Two covariates that say the same would leave the slope undetermined: the pseudo-inverse splits it.
    solved = np.linalg.pinv(unit, rcond=1e-9, hermitian=True) @ (xy / scale[..., :, None])
    return solved / scale[..., :, None]


def _error(left: Floats, treated: Moments, held: Moments, inner: Floats) -> Floats:
    """Covariance of the error of the difference of two means of ``left`` times the columns."""
    turned = np.swapaxes(left, -1, -2)
    common = left @ inner @ turned
    own = [left @ side.cov @ turned for side in (treated, held)]
    # Only those who got an offer cost: their own variance is all there is of it, the holdout's is 0.
    shared = [common.copy(), common.copy()]
    for mine, ours in zip(own, shared, strict=True):
        ours[..., _COST, :], ours[..., :, _COST] = mine[..., _COST, :], mine[..., :, _COST]
    error: Floats = np.zeros_like(common)
    for side, mine, ours in zip((treated, held), own, shared, strict=True):
        weight = (BORROWED / (BORROWED + side.buyers))[..., None, None]
        # Two covariates take two degrees of freedom.
        inflate = ((side.n - 1) / np.maximum(side.n - 3, 1))[..., None, None]
        error = error + (weight * ours + (1 - weight) * mine) * inflate / side.n[..., None, None]
    return error

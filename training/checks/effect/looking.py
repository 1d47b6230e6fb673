"""Campaigns without an effect, looked at all the time; and coverage at a size that was fixed before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.effects import boundaries
from streams.effects.difference import LEAST_BUYERS, PROFIT, difference
from streams.effects.moments import Moments
from training.checks.effect.shops import Draw

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looked:
    """One campaign after each look: how many shoppers (looks,), and whether each way of looking says "effect"."""

    shoppers: npt.NDArray[np.int64]
    ours: Bools
    ours_unadjusted: Bools
    naive: Bools
    """Welch's t-test of 95%, as textbooks have it for one look."""
    sooner: int
    """Looks at which ours could be said."""


def campaign(
    rng: np.random.Generator, draw: Draw, n: int, holdout: float, lift: float, every: int, truth: float = 0.0
) -> Looked:
    """A campaign of ``n`` shoppers, looked at after every ``every``-th: when does the interval miss ``truth``, in
    cents of margin per shopper? With 0 that is to say "effect"."""
    alpha = 0.05
    held = rng.random(n) < holdout
    rows = draw(rng, n, 1.0)
    if lift != 1:
        rows = np.where(held[:, None], rows, draw(rng, n, lift))
    looks = np.arange(every, n + 1, every)
    sizes = [np.cumsum(side, dtype=np.int64)[looks - 1] for side in (~held, held)]
    fit = (sizes[0] > 3) & (sizes[1] > 3)
    treated, kept = (Moments.running(rows[side], size[fit]) for side, size in zip((~held, held), sizes, strict=True))
    gap = difference(treated, kept)
    reach = boundaries.always(gap.n, n, alpha)
    says = np.zeros((3, len(looks)), bool)
    for i, error in enumerate((gap.error, gap.unadjusted)):
        mean = gap.mean[:, 3] if i == 0 else treated.mean[:, 3] - kept.mean[:, 3]
        says[i, fit] = gap.enough & (abs(mean - truth) > reach * np.sqrt(np.maximum(error[:, 3, 3], 0)))
    welch = np.sqrt(treated.cov[:, 3, 3] / treated.n + kept.cov[:, 3, 3] / kept.n)
    # Whoever looks naively waits for some orders, too.
    says[2, fit] = gap.enough & (abs(treated.mean[:, 3] - kept.mean[:, 3] - truth) > boundaries.once(alpha) * welch)
    return Looked(looks, says[0], says[1], says[2], int(gap.enough.sum()))


def ever(runs: list[Looked], which: str) -> Floats:
    """(looks,) share of campaigns in which "effect" was said at this look or before."""
    said = np.stack([getattr(run, which) for run in runs])
    found: Floats = np.maximum.accumulate(said, 1).mean(0)
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of intervals that hold the truth, of 95%, at one look: ours and the textbook's; how wide ours is beside
    it."""

    n: int
    buyers: float
    """Mean buyers of the holdout."""
    ours: float
    unadjusted: float
    textbook: float
    width: float
    said: float
    """Share of campaigns with the buyers for an interval."""


def coverage(
    rng: np.random.Generator, draw: Draw, n: int, holdout: float, lift: float, truth: float, runs: int
) -> Coverage:
    """Of ``runs`` campaigns whose margin per shopper rises by ``truth`` cents."""
    found = np.zeros((runs, 5))
    z = boundaries.once(0.05)
    for run in range(runs):
        kept = rng.binomial(n, holdout)
        sides = [_moments(draw(rng, size, times)) for size, times in ((n - kept, lift), (kept, 1.0))]
        gap = difference(sides[0], sides[1])
        plain = float(sides[0].mean[3] - sides[1].mean[3])
        welch = float(np.sqrt(sum(side.cov[3, 3] / side.n for side in sides)))
        mean, error = gap.of(PROFIT)
        found[run] = (
            abs(mean - truth) <= z * error,
            abs(plain - truth) <= z * np.sqrt(gap.unadjusted[3, 3]),
            abs(plain - truth) <= z * welch,
            error / welch if welch else np.nan,
            sides[1].buyers if sides[1].buyers >= LEAST_BUYERS else np.nan,
        )
    said = np.isfinite(found[:, 4])
    ours, unadjusted, textbook, width, buyers = found[said].mean(0) if said.any() else np.full(5, np.nan)
    return Coverage(n, buyers, ours, unadjusted, textbook, width, float(said.mean()))


def _moments(rows: Floats) -> Moments:
    n = np.array(float(len(rows)))
    return Moments(n, np.array(float((rows[:, 0] > 0).sum())), rows.mean(0), np.cov(rows.T))

"""Has the holdout the share that was asked for? If not, something sorts shoppers, and no effect can be believed.

Counted at entry, not at the end of windows. A mixture of likelihood ratios of other shares against the one asked for:
under the right share it exceeds 1 / alpha ever with probability alpha at most (Ville), so it may be looked at after
every shopper. Half of its weight lies on all shares, most on near ones (Dirichlet prior: Lindon and Malek,
"Anytime-valid inference for multinomial count data", NeurIPS 2022), half on those of exactly two points off, which are
to be noticed soonest.

How soon can it be raised? Any test that is right at all times needs, on average, at least about log(1 / alpha) / KL
shoppers, where KL is the divergence of the real share from the one asked for (Wald): ``least_shoppers``. Two points
off a holdout of 10% take 3,300 at a false alarm of 0.1%; off a half 8,600; off 2% 870.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np

from streams.columns.arrays import Floats, Ints

ALPHA = 0.001
POINTS_OFF = 0.02
"""The mismatch that is to be noticed soonest: two percentage points."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How the sides stand against the shares asked for."""

    counts: tuple[int, ...]
    shares: tuple[float, ...]
    evidence: float
    """Against the shares: how many times likelier the counts are under others; capped at 10^300."""
    mismatch: bool
    words: str


def check(counts: tuple[int, ...], shares: tuple[float, ...], alpha: float = ALPHA) -> Ratio:
    """Of shoppers who entered, by side or arm, against the share asked for of each.

    >>> check((9_000, 1_000), (0.9, 0.1)).words
    'As asked for: 10,000 shoppers, 90.0% and 10.0%.'
    >>> check((8_700, 1_300), (0.9, 0.1)).mismatch
    True

    Raises ``ValueError`` for shares that are not above 0 or do not add up to 1.
    """
    if len(counts) != len(shares) or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9 or min(counts) < 0:
        raise ValueError(f"Counts {counts} against shares {shares}: one share above 0 per count, together 1.")
    n = sum(counts)
    prior = [strength(shares) * share for share in shares]
    wide = lgamma(sum(prior)) - lgamma(sum(prior) + n)
    for a, count, share in zip(prior, counts, shares, strict=True):
        wide += lgamma(a + count) - lgamma(a) - count * log(share)
    near = (np.log(others(shares)) - np.log(shares)) @ np.array(counts, np.float64)
    value = float(_mixed(np.array(wide), near))
    found, mismatch = exp(min(value, 690.0)), value >= -log(alpha)
    seen = _shares(counts, n)
    if not mismatch:
        return Ratio(counts, shares, found, False, f"As asked for: {n:,} shoppers, {seen}.")
    return Ratio(
        counts,
        shares,
        found,
        True,
        f"Sides have other shares than asked for: {seen} instead of {_shares(shares, 1)} of {n:,} shoppers. Something "
        "sorts shoppers after the draw or counts one side otherwise: find it before you believe any effect.",
    )


def strength(shares: tuple[float, ...]) -> float:
    """Of the prior: a share drawn from it lies about ``POINTS_OFF`` from the one asked for."""
    return max(1.0, min(share * (1 - share) for share in shares) / POINTS_OFF**2)


def others(shares: tuple[float, ...]) -> Floats:
    """(m, k) shares in which one side is exactly ``POINTS_OFF`` off, up or down, at the cost of all the others alike.

    >>> others((0.9, 0.1)).round(2).tolist()
    [[0.92, 0.08], [0.88, 0.12]]
    """
    asked, found = np.array(shares), []
    # Of two sides one is up where the other is down: the first one's are all.
    for side in range(len(shares) if len(shares) > 2 else 1):
        for share in (shares[side] + POINTS_OFF, shares[side] - POINTS_OFF):
            if 1e-9 < share < 1 - 1e-9:
                each = asked * (1 - share) / (1 - shares[side])
                each[side] = share
                found.append(each)
    return np.array(found)


def running(sides: Ints, shares: tuple[float, ...]) -> Floats:
    """Log evidence after every shopper. ``sides``: which one each of (…, n) shoppers is on, in order of entry; (…,
    n)."""
    prior, ratios = strength(shares) * np.array(shares), np.log(others(shares)) - np.log(shares)
    wide, near = np.zeros(sides.shape), np.zeros((*sides.shape, len(ratios)))
    before = np.arange(sides.shape[-1])
    for side, (a, share) in enumerate(zip(prior, shares, strict=True)):
        here = sides == side
        seen = np.cumsum(here, -1) - here
        wide += np.where(here, np.log((a + seen) / (prior.sum() + before) / share), 0.0)
        near += here[..., None] * ratios[:, side]
    return _mixed(np.cumsum(wide, -1), np.cumsum(near, -2))


def _mixed(wide: Floats, near: Floats) -> Floats:
    """Log of the mean of likelihood ratios: half of the weight on the prior's, half on those of ``others`` (…, m)."""
    every = np.concatenate([wide[..., None], near - log(near.shape[-1])], -1) - log(2)
    found: Floats = np.logaddexp.reduce(every, -1)
    return found


def least_shoppers(share: float, real: float, alpha: float = ALPHA) -> float:
    """How many shoppers any test that holds at all times needs on average to notice ``real`` instead of ``share``.

    >>> [round(least_shoppers(share, share + 0.02), -1) for share in (0.5, 0.1, 0.05, 0.02, 0.01)]
    [8630.0, 3290.0, 1830.0, 870.0, 520.0]
    """
    divergence = real * log(real / share) + (1 - real) * log((1 - real) / (1 - share))
    return -log(alpha) / divergence


def _shares(counts: tuple[float, ...], n: float) -> str:
    return " and ".join(f"{count / n if n else 0:.1%}" for count in counts)

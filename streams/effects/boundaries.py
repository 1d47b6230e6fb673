"""How many standard errors an interval reaches: for one look that was fixed before, or for any number of looks.

An interval that may be looked at all the time must be wider: 95% intervals of textbooks, looked at after every
shopper, are wrong sooner or later with certainty (law of the iterated logarithm). *Confidence sequences* hold for all
sizes at once: with probability 1 - alpha none of them ever misses. These are the asymptotic ones of Waudby-Smith,
Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of
Statistics 52, 2024), the two-sided normal mixture of Robbins: valid for means of i.i.d. values with finite variance,
whatever their distribution, from a size on at which the mean is close to normal.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log, sqrt
from statistics import NormalDist

import numpy as np

from streams.columns.arrays import Floats


def once(alpha: float) -> float:
    """Standard errors of a two-sided interval for one look at a size fixed before.

    >>> round(once(0.05), 2)
    1.96
    """
    return NormalDist().inv_cdf(1 - alpha / 2)


def always(n: Floats | float, planned: float, alpha: float) -> Floats:
    """Standard errors of a two-sided interval that holds for all ``n`` at once, float64 of n's shape.

    ``planned``: the size, fixed before the start, at which it is to be narrowest. Far from it intervals stay valid and
    get wider slowly, by 7% at ten times as many as planned, by 27% at a tenth.

    >>> always(np.array([100.0, 10_000.0, 1_000_000.0]), 10_000, 0.05).round(2)
    array([9.08, 3.04, 3.56])
    """
    spread = np.asarray(n, np.float64) * _tuned(alpha) / planned
    return np.sqrt((1 + 1 / spread) * (np.log1p(spread) - 2 * log(alpha)))


def _tuned(alpha: float) -> float:
    """n times the mixture's variance at the planned n: the closed form that the paper gives for the narrowest one."""
    return -2 * log(alpha) + log(-2 * log(alpha) + 1)


def to_show(effect: float, error: float, n: float, planned: float, alpha: float) -> int | None:
    """How many shoppers in all until the interval around ``effect`` leaves 0, when effect and spread stay as they are.

    ``error``: standard error at ``n``. None: beyond 10^12, or the effect is 0.

    >>> to_show(10.0, 5.0, 1_000, 10_000, 0.05)
    2632
    """
    return _first(lambda size: abs(effect) > float(always(size, planned, alpha)) * error * sqrt(n / size))


def to_find(effect: float, deviation: float, planned: float | None, alpha: float, power: float) -> int | None:
    """How many shoppers in all until an effect is found with probability ``power``. ``deviation``: the standard error
    times the root of the size. ``planned`` None: with one look."""
    reach = NormalDist().inv_cdf(power)

    def found(size: float) -> bool:
        width = once(alpha) if planned is None else float(always(size, planned, alpha))
        return abs(effect) >= (width + reach) * deviation / sqrt(size)

    return _first(found)


def _first(holds: Callable[[float], bool]) -> int | None:
    """The smallest size from 2 on for which a condition holds that stays true once it is."""
    high = 2.0
    while not holds(high):
        high *= 2
        if high > 1e12:
            return None
    low = high / 2
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return ceil(high)

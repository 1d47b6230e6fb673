"""BG/NBD: the standard model of how often customers buy and when they die (Fader, Hardie, Lee 2005)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln

from training.quiet import trial

Floats = npt.NDArray[np.float64]


def summary(shopper: npt.NDArray[np.int64], time_ms: npt.NDArray[np.int64], at_ms: int, shoppers: int) -> Floats:
    """[shoppers, 3] from orders up to ``at_ms``, in days: repeat purchase days, age at the last of them, age now.

    Orders of one day count once, as is usual for the model. NaN for who had not ordered.
    """
    day_ms = 86_400_000
    before = time_ms <= at_ms
    day = time_ms[before] // day_ms
    pairs = np.unique((shopper[before] << 32) + day)
    who, days = pairs >> 32, pairs & 0xFFFF_FFFF
    count = np.bincount(who, minlength=shoppers)
    first, last = np.full(shoppers, np.inf), np.full(shoppers, -np.inf)
    np.minimum.at(first, who, days)
    np.maximum.at(last, who, days)
    known = count > 0
    out = np.full((shoppers, 3), np.nan)
    out[known] = np.stack([count - 1, last - first, at_ms // day_ms - first], axis=1)[known]
    return out


@dataclass(frozen=True, slots=True)
class BetaGeometric:
    """Parameters of a fitted model."""

    r: float
    alpha: float
    a: float
    b: float

    def lapse(self, x: Floats, days: float) -> Floats:
        """[n] chance of no purchase in the next ``days``, from frequency, recency and age (``summary``)."""
        frequency, recency, age = x.T
        alive = betaln(self.a, self.b + frequency) - (self.r + frequency) * np.log(self.alpha + age)
        dead = np.where(
            frequency > 0,
            betaln(self.a + 1, self.b + np.maximum(frequency, 1) - 1)
            - (self.r + frequency) * np.log(self.alpha + recency),
            -np.inf,
        )
        odds = np.exp(dead - alive)
        silent = ((self.alpha + age) / (self.alpha + age + days)) ** (self.r + frequency)
        return (silent + odds) / (1 + odds)


class NotConverged(RuntimeError):
    """The customers are not such as the model supposes."""


def fit(x: Floats) -> BetaGeometric:
    """Fit by maximum likelihood with ``lifetimes``; the penalizer is the smallest under which the fit converges. Raises
    ``NotConverged``."""
    with trial():
        from lifetimes import BetaGeoFitter
        from lifetimes.utils import ConvergenceError

    for penalizer in (0.0, 0.001, 0.01, 0.1):
        fitter = BetaGeoFitter(penalizer_coef=penalizer)
        try:
            with trial():
                fitter.fit(*x.T)
        except ConvergenceError:
            continue
        p = fitter.params_
        return BetaGeometric(float(p["r"]), float(p["alpha"]), float(p["a"]), float(p["b"]))
    raise NotConverged("BG/NBD did not converge under any penalizer.")

"""How models of uplift are measured: one code for every learner, so that their figures can be compared.

``uplift`` [n] is what a model says of each person; ``treated`` [n] who got the offer, by chance; ``outcome`` [n] 0 or
1. Nobody's own uplift is ever seen, so all of it is of groups: people are put in order of what the model says, and in
each group the treated are compared with the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
#: 97.5% quantile of Student's t by degrees of freedom; beyond the last one the normal's is near enough.
_T = {4: 2.776, 9: 2.262, 14: 2.145, 19: 2.093, 24: 2.064, 49: 2.010, 99: 1.984}


def effect(treated: Bools, outcome: Floats) -> float:
    """The average effect: mean outcome of the treated less that of the others; NaN where one side is empty."""
    if treated.all() or not treated.any():
        return float("nan")
    return float(outcome[treated].mean() - outcome[~treated].mean())


def qini_curve(uplift: Floats, treated: Bools, outcome: Floats) -> tuple[Floats, Floats]:
    """(people so far, incremental outcomes among them), the highest uplift first; people of equal uplift come together.
    Incremental: outcomes of the treated, less those of the others times how many treated there are for one of them."""
    order = np.argsort(-uplift, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(uplift[order])), len(order) - 1]
    yes, y = treated[order], outcome[order]
    n_treated, n_other = np.cumsum(yes)[last], np.cumsum(~yes)[last]
    y_treated, y_other = np.cumsum(y * yes)[last], np.cumsum(y * ~yes)[last]
    ratio = np.divide(n_treated, n_other, out=np.zeros(len(last)), where=n_other > 0)
    return np.r_[0.0, last + 1.0], np.r_[0.0, y_treated - y_other * ratio]


def qini(uplift: Floats, treated: Bools, outcome: Floats) -> float:
    """The normalised Qini coefficient: the area between the Qini curve and the line of a random order, over that of the
    order in which the treated with an outcome come first and the others with one last (as scikit-uplift has it). 0 is
    chance; 1 cannot be reached, for nobody can know who would have bought anyway.

    >>> qini(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]), np.array([1.0, 0.0, 0.0, 1.0]))
    1.0
    """
    x, y = qini_curve(uplift, treated, outcome)
    best_x, best_y = qini_curve(np.where(treated, outcome, -outcome), treated, outcome)
    chance = x[-1] * y[-1] / 2
    most = float(np.trapezoid(best_y, best_x)) - chance
    return float((np.trapezoid(y, x) - chance) / most) if most else 0.0


def best_share(uplift: Floats, share: float, rng: np.random.Generator) -> Bools:
    """[n] whether someone is in the best share by uplift; ties are broken by chance."""
    order = rng.permutation(len(uplift))
    order = order[np.argsort(-uplift[order], kind="stable")]
    found = np.zeros(len(uplift), np.bool_)
    found[order[: round(share * len(order))]] = True
    return found


def in_best(uplift: Floats, treated: Bools, outcome: Floats, share: float, rng: np.random.Generator) -> float:
    """How many times the average effect the effect is in the best share; 1 is chance."""
    best = best_share(uplift, share, rng)
    return effect(treated[best], outcome[best]) / effect(treated, outcome)


def value(choice: Ints, arm: Ints, outcome: Floats, cost: Floats) -> float:
    """What a policy brings per person, from people who got arms by chance, each arm with the same chance for everybody.

    ``choice`` [n] is the arm that the policy gives each, ``arm`` [n] the one that they got; 0 is no contact. ``cost``
    [arms] of a contact, in units of the outcome. Of those whom the policy gives an arm, those who got it tell.
    """
    found = 0.0
    for a in np.unique(choice):
        mine = choice == a
        got = mine & (arm == a)
        if got.any():
            found += mine.mean() * (float(outcome[got].mean()) - float(cost[a]))
    return found


def choose(uplift: Floats, cost: Floats) -> Ints:
    """[n] the arm with the most uplift beyond its cost, if that is more than nothing, else 0. ``uplift`` [n, arms]
    without that of no contact; ``cost`` [1 + arms].

    >>> choose(np.array([[0.1, 0.3], [0.0, 0.01]]), np.array([0.0, 0.05, 0.05])).tolist()
    [2, 0]
    """
    worth = uplift - cost[1:]
    best = worth.argmax(axis=1)
    return np.where(worth[np.arange(len(worth)), best] > 0, best + 1, 0)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over repeated splits of the same people."""

    mean: float
    deviation: float
    over_splits: tuple[float, float]
    """95% interval of the mean over more such splits of *these* people: how much luck in splitting there is."""
    over_people: tuple[float, float]
    """95% interval for *other* people of the kind (Nadeau and Bengio 2003): splits share people, so that their figures
    vary together, and averaging more of them does not help."""


def spread(figures: Floats, test_share: float) -> Spread:
    """Of one figure for each split, or of one learner's less another's; NaN are left out."""
    figures = figures[np.isfinite(figures)]
    n, mean, deviation = len(figures), float(figures.mean()), float(figures.std(ddof=1))
    t = next((q for freedom, q in sorted(_T.items()) if n - 1 <= freedom), 1.96)
    narrow = t * deviation / sqrt(n)
    wide = t * deviation * sqrt(1 / n + test_share / (1 - test_share))
    return Spread(mean, deviation, (mean - narrow, mean + narrow), (mean - wide, mean + wide))


def splits(strata: npt.NDArray[Any], test_share: float, times: int, seed: int) -> list[tuple[Ints, Ints]]:
    """(training, test) places, so many times; each stratum is split alike."""
    found = []
    _, stratum = np.unique(strata, return_inverse=True)
    for k in range(times):
        rng = np.random.default_rng([seed, k])
        test = np.zeros(len(strata), np.bool_)
        for each in range(int(stratum.max()) + 1):
            mine = rng.permutation(np.flatnonzero(stratum == each))
            test[mine[: round(test_share * len(mine))]] = True
        found.append((np.flatnonzero(~test), np.flatnonzero(test)))
    return found

"""What suggested prices would have brought in weeks that were held out: a doubly robust estimate.

A model says what would have been sold at a price: an item's level and elasticity, by empirical Bayes of every other
week after the cut (so it has seen neither the weeks that it is judged in nor those that the suggestions stand on).
Where a price near the one in question was really there in the weeks that judge, what the model got wrong then is added.
The estimate holds if one of the two does. Intervals redraw items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from training import redraws
from training.elasticities import known_of, priors_of
from training.networks.elasticity import OF_CATEGORY, REVENUE, UNITS, own_slope, posterior, weeks_of

Floats = npt.NDArray[np.float64]

ROUNDS = 1000
#: A price was there when it lay so near, as the difference of logarithms.
NEAR = 0.03


def fold(x: Floats, weeks: Floats) -> Floats:
    """Rows in which only some weeks [26] are known."""
    found = x.copy()
    for place in (UNITS, REVENUE, OF_CATEGORY):
        found[:, place] *= weeks
    return found


def brought(x: Floats, price: Floats, cost: Floats, to: Floats, weeks: int) -> Floats:
    """[n] cents a week that prices ``to`` [n] (0: none) bring more than ``price`` [n]; ``x``: rows as of the end of the
    held-out weeks, of which there are ``weeks``."""
    target, found = np.where(to > 0, to, price), np.zeros(len(x))
    for parity in (0, 1):
        age = np.arange(26)
        inside = (age >= 1) & (age <= weeks)
        learn, judge = (fold(x, (inside & (age % 2 == p)).astype(float)) for p in (parity, 1 - parity))
        known = priors_of(learn)
        learned, judged = weeks_of(learn, np), weeks_of(judge, np)
        slope, precision = own_slope(learned, np)
        mean, variance, _ = known_of(known.priors, learn)
        elasticity, _ = posterior(slope, precision, mean, variance)
        weight = learned.weight
        level = (weight * (learned.units - elasticity[:, None] * learned.price)).sum(axis=1)
        level /= np.maximum(weight.sum(axis=1), 1e-9)
        # Half a variance more: a mean of units, not of their logarithms.
        left = learned.units - elasticity[:, None] * learned.price - level[:, None]
        level += 0.5 * (weight * left**2).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
        there = judged.weight > 0
        rest = np.log(np.maximum(judge[:, UNITS], 1.0))[:, 1:]
        rest = np.pad(rest, ((0, 0), (0, there.shape[1] - rest.shape[1]))) - judged.units
        sold = np.exp(judged.units + rest)
        whole = np.zeros((2, len(x)))
        for k, at in enumerate((target, price)):
            log = np.log(np.maximum(at, 1.0))[:, None]
            says = np.exp(np.clip(level[:, None] + elasticity[:, None] * log + rest, -5, 15)) * there
            near = there & (np.abs(judged.price - log) <= NEAR)
            moved = sold * np.exp(np.clip(elasticity[:, None] * (log - judged.price), -5, 5))
            off = ((moved - says) * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
            units = says.sum(axis=1) / np.maximum(there.sum(axis=1), 1) + off
            whole[k] = (at - cost) * np.maximum(units, 0.0)
        found += (whole[0] - whole[1]) / 2
    return np.where(to > 0, found, 0.0)


def compared(gains: Mapping[str, Floats], base: Floats, seed: int) -> dict[str, Any]:
    """Percent of the profit of all items that each policy brings more than the prices that held, and ours more than
    each other one, with 95% intervals; ``base``: profit a week of each item at the price that held."""
    draws = redraws.how_often(len(base), seed, ROUNDS)
    beside = {f"ours - {name}": gains["ours"] - gain for name, gain in gains.items() if name != "ours"}
    found = {}
    for name, gain in {**gains, **beside}.items():
        drawn = draws @ gain / (draws @ base) * 100
        found[name] = [round(float(gain.sum() / base.sum() * 100), 2), *redraws.ends(drawn, 2)]
    return found

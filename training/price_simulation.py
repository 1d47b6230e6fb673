"""A shop whose demand is known: how much of the best profit suggested prices come to, and whether a guard ever breaks.

Units of a week are Poisson around ``pace · season · (price / first price) ** elasticity``. Of each item half a year at
one price is known, and of its category little. For some weeks experiments run, and whatever is suggested is
approved at once; then the prices that are suggested by what was learned hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.decisions.price_optimize import Asked, PricePolicy, Suggested
from streams.features.kinds.decay import DAY_MS
from training.elasticities import Mean, mean_of
from training.networks.elasticity import WEEKS, own_slope, posterior, weeks_of

Floats = npt.NDArray[np.float64]

#: What is believed of elasticities before anything is known, and how far items differ at least.
BELIEVED, LEAST_BETWEEN = Mean(-2.0, 0.0, 2.0), 0.1
#: How far first prices are off the best ones, as logarithms.
OFF = 0.4
EXPERIMENT = PricePolicy(experiment="switchback", period_days=7.0, change_days=7.0)
SPLIT = replace(EXPERIMENT, experiment="split")


@dataclass(frozen=True)
class Demand:
    """What nobody in the shop knows, [n] each."""

    elasticity: Floats
    pace: Floats
    first: Floats
    """Cents: the price that held so far."""
    cost: Floats
    minimum: Floats

    def units(self, price: Floats, season: float) -> Floats:
        """[n] expected in a week."""
        found: Floats = self.pace * season * (price / self.first) ** self.elasticity
        return found

    def profit(self, price: Floats) -> Floats:
        """[n] expected cents in a week of no season."""
        found: Floats = (price - self.cost) * self.units(price, 1.0)
        return found

    def best(self) -> Floats:
        """[n] the most that any price brings that may be advertised."""
        ideal = np.maximum(self.cost * self.elasticity / (1 + self.elasticity), self.minimum)
        return self.profit(ideal)


def drawn(items: int, rng: np.random.Generator) -> Demand:
    """Items whose price is up to a third off the best one."""
    elasticity = np.clip(rng.normal(-2.6, 0.6, items), -4.5, -1.6)
    first = np.floor(rng.uniform(20, 120, items)) * 10 + 9
    best = first * np.exp(rng.uniform(-OFF, OFF, items))
    cost = np.round(best * (1 + elasticity) / elasticity)
    minimum = np.where(rng.random(items) < 0.2, np.round(first * 0.95), 0.0)
    return Demand(elasticity, rng.uniform(20, 120, items), first, cost, minimum)


def run(items: int = 300, weeks: int = 8, seed: int = 7, policy: PricePolicy = EXPERIMENT) -> dict[str, Any]:
    """What came of it: shares of the best profit at first, while it was tried, and at the end; guards that broke."""
    rng = np.random.default_rng(seed)
    demand, names = drawn(items, rng), [f"item-{k}" for k in range(items)]
    price, held = demand.first.copy(), np.full(items, 999.0)
    x = np.zeros((items, 2 + 3 * WEEKS))
    tables = x[:, 2:].reshape(items, 3, WEEKS)
    broken, tried, past = 0, [], [demand.first] * 13
    now = np.full(items, 17_504 * DAY_MS)

    def sell() -> None:
        season = float(np.exp(rng.normal(0, 0.15)))
        units = rng.poisson(demand.units(price, season)).astype(float)
        tables[:, :, 2:] = tables[:, :, 1:-1]
        tables[:, 0, 1], tables[:, 1, 1] = units, units * price
        tables[:, 2, 1] = units + np.round(5_000 * season * rng.uniform(0.97, 1.03))

    def suggested(by: PricePolicy, placebo: float) -> Suggested:
        slope, precision = own_slope(weeks_of(x, np), np)
        # What all items of the category say, as a training of that week would have it.
        known = mean_of(slope[precision > 0], 1 / precision[precision > 0]) if (precision > 0).sum() > 2 else BELIEVED
        between = known.between + known.error + LEAST_BETWEEN
        mean, sd = posterior(slope, precision, np.full(items, known.mean), np.full(items, between))
        units = tables[:, 0, 1:5].mean(axis=1)
        every = np.ones(items)
        asked = Asked(price, demand.cost, demand.minimum, held, units, mean, sd, placebo * every, every > 0)
        # As the feature has it: the price that held longest within 90 days.
        same = (np.array(past[-13:])[:, None] == np.array(past[-13:])[None]).sum(axis=1)
        usual = np.array(past[-13:])[::-1][same[::-1].argmax(axis=0), np.arange(items)]
        return by.suggest(asked, names, now, usual)

    def move(told: Suggested, by: PricePolicy) -> None:
        nonlocal broken, price, held
        moves = told.to > 0
        to = np.where(moves, told.to, price)
        too_far = np.abs(to / price - 1) > by.largest_change + 1e-9
        too_low = (to < demand.minimum) | (to * (1 - by.margin_floor) < demand.cost - 1e-6)
        off_point, too_soon = to % 10 != by.price_point, held < by.change_days
        broken += int((moves & (too_far | too_low | off_point | too_soon)).sum())
        price, held = to, np.where(moves, 0.0, held)

    for _ in range(WEEKS):
        sell()
    for _ in range(weeks):
        move(suggested(policy, 1.0), policy)
        sell()
        past.append(price)
        tried.append(float(demand.profit(price).sum()))
        now, held = now + 7 * DAY_MS, held + 7
    last = replace(policy, experiment="off")
    move(suggested(last, 1.0), last)
    best = float(demand.best().sum())
    return {
        "items": items, "weeks": weeks, "first": round(float(demand.profit(demand.first).sum()) / best, 4),
        "while_tried": round(float(np.mean(tried)) / best, 4),
        "after": round(float(demand.profit(price).sum()) / best, 4), "changed": int((price != demand.first).sum()),
        "guards_broken": broken,
    }  # fmt: skip

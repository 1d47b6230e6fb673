"""Days of offers to pace a budget over, and what could have been reached in hindsight.

Values are lognormal with a spread of 1, costs uniform from half to one and a half. With a budget for 15% of all,
buying until it is empty brings 0.30 of the hindsight optimum, yesterday's best threshold 0.99 on days that are alike,
about 0.73 where the value doubles at noon, 0.90 where it is 2.75 times as high for a tenth of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.budget.candidates import DAY_MS
from streams.columns.arrays import Bools, Floats, Ints

Shape = Literal["iid", "drift", "spike"]
SHAPES: tuple[Shape, ...] = ("iid", "drift", "spike")
BUDGET_SHARE = 0.15
MEAN_CENTS = 300


@dataclass(frozen=True, slots=True)
class Load:
    """n offers of one day that are considered, in order of time."""

    time_ms: Ints
    """[n] since the day began."""
    cost_cents: Ints
    value: Floats
    """[n] in cents."""
    budget_cents: int

    def optimum(self) -> float:
        """The most that the budget could have brought, where offers may be made in part."""
        order = np.argsort(-self.value / self.cost_cents, kind="stable")
        cost, value = self.cost_cents[order], self.value[order]
        part = np.clip((self.budget_cents - (np.cumsum(cost) - cost)) / cost, 0, 1)
        return float((part * value).sum())

    def greedy(self) -> float:
        """What buying until the budget is empty brings."""
        return float(self.value[np.cumsum(self.cost_cents) <= self.budget_cents].sum())

    def at_threshold(self, price: float) -> float:
        """What a fixed price brings."""
        taken = self.value > price * self.cost_cents
        taken &= np.cumsum(np.where(taken, self.cost_cents, 0)) <= self.budget_cents
        return float(self.value[taken].sum())

    def hindsight_price(self) -> float:
        """The one price under which the budget would have lasted for just the day."""
        ratio = self.value / self.cost_cents
        order = np.argsort(-ratio, kind="stable")
        spent = np.cumsum(self.cost_cents[order])
        return float(ratio[order][min(int(np.searchsorted(spent, self.budget_cents)), len(order) - 1)])


def synthetic(shape: Shape, n: int, seed: int) -> Load:
    """A day of n offers."""
    random = np.random.default_rng(seed)
    at = np.arange(n) / n
    value = random.lognormal(0, 1, n)
    if shape == "drift":
        value = np.where(at < 0.5, value, 2 * value)
    elif shape == "spike":
        value = np.where((at >= 0.75) & (at < 0.85), 2.75 * value, value)
    cost = np.rint(random.uniform(0.5, 1.5, n) * MEAN_CENTS).astype(np.int64)
    return Load((at * DAY_MS).astype(np.int64), cost, value * MEAN_CENTS, int(BUDGET_SHARE * cost.sum()))


def subgradient(load: Load) -> float:
    """What plain dual subgradient descent brings, offer by offer, with nothing in between: the reference."""
    n, price, left, brought = len(load.time_ms), load.hindsight_price(), float(load.budget_cents), 0.0
    step = 3 / n**0.5 / MEAN_CENTS
    for i, (cost, value) in enumerate(zip(load.cost_cents.tolist(), load.value.tolist(), strict=True)):
        pace, taken = left / (n - i), 0
        if value > price * cost and cost <= left:
            taken, brought = cost, brought + value
        left -= taken
        price = max(0.0, price - step * (pace - taken))
    return brought


def split_subgradient(load: Load, partitions: int) -> float:
    """The same where each partition has an equal part of the budget and a price of its own, with nothing in between."""
    home = np.random.default_rng(partitions).integers(0, partitions, len(load.time_ms))
    part = load.budget_cents // partitions
    return sum(
        subgradient(Load(load.time_ms[some], load.cost_cents[some], load.value[some], part))
        for some in (home == p for p in range(partitions))
    )


def accepted_value(load: Load, accepted: Bools) -> float:
    """What accepted offers bring, as a share of the optimum in hindsight."""
    return float(load.value[accepted].sum()) / load.optimum()

"""``python -m training.checks.rating --data DIR``: how soon a drop of ratings is found, how often none is one,
and for how many days a year that keeps an item from being offered.

Items rated as women's clothes are (DIR/womens_clothing_reviews), each with the stars that one of those with at least 30
reviews got, drawn anew. After some reviews an item becomes worse by one star on average: ``worse``: the same
reviewers give less (their stars' chances tilted), ``broken``: some of them give one star, the others as before. A JSON
object each; half a minute on one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streams.columns.layout import Layout, Rows
from streams.decisions.rating_drop import TOLD, RatingDrops, RatingPolicy, follow
from streams.features.kinds.decay import DAY_MS
from training.datasets.reviews import stars_by_item

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
STARS = np.arange(1, 6)
#: Reviews until which a drop is looked for.
LOOKED = 200


def worse(chance: Floats, stars: float) -> Floats:
    """[n, 5] the chances of stars, tilted so that their mean is ``stars`` less."""
    low, high, wanted = np.full(len(chance), -6.0), np.zeros(len(chance)), chance @ STARS - stars
    for _ in range(60):
        middle = (low + high) / 2
        found = chance * np.exp(middle[:, None] * STARS)
        found /= found.sum(axis=1, keepdims=True)
        above = found @ STARS > wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return found


def broken(chance: Floats, stars: float) -> Floats:
    """[n, 5] the chances where a share of reviewers gives one star, so that their mean is ``stars`` less."""
    share = (stars / (chance @ STARS - 1.0))[:, None]
    return chance * (1 - share) + share * (STARS == 1)


class Items:
    """Items whose reviews are drawn and followed, one of each at a time, ``days`` apart."""

    def __init__(self, n: int, seed: int, policy: RatingPolicy | None = None, days: float = 1.0) -> None:
        self._policy, self._n = policy or RatingPolicy(), n
        self._rng, self._ms, self._step = np.random.default_rng(seed), 0, round(days * DAY_MS)
        self.state = Rows.zeros(Layout(RatingDrops.columns), n)

    def review(self, chance: Floats) -> npt.NDArray[np.bool_]:
        """[n] of which items a drop is told, after a review of each by chances [n, 5]."""
        self._ms += self._step
        below = np.cumsum(chance, axis=1)[:, :4]
        stars = (self._rng.random(self._n)[:, None] > below).sum(axis=1) + 1
        now = np.full(self._n, self._ms)
        return follow(self.state, np.arange(self._n), stars, now, self._policy).dropped

    def held_days(self) -> Floats:
        """[n] for how many days each is not offered until its next review."""
        told = self.state.data[TOLD.name]
        left = np.clip(told + self._policy.held_days * DAY_MS - self._ms, 0, self._step)
        return np.where(told > 0, left, 0) / DAY_MS


def found_after(items: Items, before: Floats, after: Floats, reviews: int) -> Ints:
    """[n] after how many reviews a drop is told that begins after so many; ``LOOKED``: not within these."""
    for _ in range(reviews):
        items.review(before)
    first = np.full(len(before), LOOKED)
    for k in range(LOOKED):
        first = np.where(items.review(after) & (first == LOOKED), k + 1, first)
    return first


def false_alarms(items: Items, chance: Floats, reviews: int) -> Ints:
    """[n] how often a drop is told where there is none."""
    return np.sum([items.review(chance) for _ in range(reviews)], axis=0, dtype=np.int64)


def held_falsely(items: Items, chance: Floats, reviews: int) -> Floats:
    """[n] for how many days an item is not offered where there is no drop."""
    found = np.zeros(len(chance))
    for _ in range(reviews):
        items.review(chance)
        found += items.held_days()
    return found


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.rating", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder that holds womens_clothing_reviews/")
    asked.add_argument("--ratio", type=int, default=RatingPolicy().log_ratio, help="log_ratio of the policy")
    asked.add_argument("--seed", type=int, default=7)
    options = asked.parse_args()
    counts = stars_by_item(options.data)
    counts = counts[counts.sum(axis=1) >= 30]
    chances = np.repeat(counts / counts.sum(axis=1, keepdims=True), 40, axis=0)
    policy = RatingPolicy(log_ratio=options.ratio)
    for name, change in (("worse", worse), ("broken", broken)):
        for reviews in (20, 50, 100, 200):
            first = found_after(Items(len(chances), options.seed, policy), chances, change(chances, 1.0), reviews)
            told = {"mean": round(float(first.mean()), 1), "median": int(np.median(first))}
            told["within_20"] = round(float((first <= 20).mean()), 3)
            print(json.dumps({"drop": name, "reviews_before": reviews, **told}), flush=True)
    for a_year in (52, 365, 1000):
        found = false_alarms(Items(len(chances), options.seed, policy, 365 / a_year), chances, 3 * a_year)
        by_item = found.reshape(len(counts), -1).mean(axis=1) / 3
        told = {"mean": round(float(by_item.mean()), 2), "worst_item": round(float(by_item.max()), 2)}
        held = held_falsely(Items(len(chances), options.seed, policy, 365 / a_year), chances, 3 * a_year).mean() / 3
        row = {"reviews_a_year": a_year, "false_alarms_a_year": told, "days_held_a_year": round(float(held), 1)}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

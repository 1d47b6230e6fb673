"""The next category from the last one: a Markov chain that falls back on staying, and on what is popular."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]
STRENGTHS, STAYING = (1.0, 3.0, 10.0, 30.0, 100.0), (0.0, 0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, slots=True)
class Markov:
    """p(c | last) = (N(last, c) + strength · back(c)) / (N(last) + strength), where back(c) = staying · [c = last] +
    (1 - staying) · popular(c)."""

    counts: Floats32
    popular: Floats32
    strength: float
    staying: float

    def scores(self, last: Ints) -> Floats32:
        """[n, buckets + 1] for the newest known category of each row (0: none)."""
        back = np.repeat((1 - self.staying) * self.popular[None], len(last), axis=0)
        known = np.flatnonzero(last)
        back[known, last[known]] += self.staying
        back[last == 0] = self.popular
        out = (self.counts[last] + self.strength * back) / (self.counts[last].sum(axis=1) + self.strength)[:, None]
        out[:, 0] = 0
        return out.astype(np.float32)


def last_known(categories: Floats32) -> Ints:
    """[n] the newest known category of windows (newest first), 0 when none is."""
    window = categories.astype(np.int64)
    return window[np.arange(len(window)), (window > 0).argmax(axis=1)]


def count(last: Ints, following: Ints, buckets: int, strength: float = 10.0, staying: float = 0.4) -> Markov:
    """A chain that counted some rows."""
    counts = np.zeros((buckets + 1, buckets + 1), np.float32)
    np.add.at(counts, (last, following), 1)
    popular = np.bincount(following, minlength=buckets + 1).astype(np.float32)
    return Markov(counts, popular / popular.sum(), strength, staying)


def choose(counted: Markov, held: tuple[Ints, Ints]) -> tuple[float, float]:
    """Strength and staying that name most of the held rows' categories (last, following) first."""
    tried = [replace(counted, strength=a, staying=s) for a, s in itertools.product(STRENGTHS, STAYING)]

    def right(chain: Markov) -> float:
        blocks = range(0, len(held[0]), 2048)
        best = [chain.scores(held[0][b : b + 2048]).argmax(axis=1) for b in blocks]
        return float((np.concatenate(best) == held[1]).mean())

    best = max(tried, key=right)
    return best.strength, best.staying

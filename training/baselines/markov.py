"""The next category from the last one: a Markov chain that falls back on staying, and on what is popular."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

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


def fit(last: Ints, following: Ints, held: tuple[Ints, Ints], buckets: int) -> Markov:
    """Count on some rows; strength and staying are those that name most of the held rows' categories first."""
    counts = np.zeros((buckets + 1, buckets + 1), np.float32)
    np.add.at(counts, (last, following), 1)
    popular = np.bincount(following, minlength=buckets + 1).astype(np.float32)
    popular /= popular.sum()
    tried = [Markov(counts, popular, a, s) for a, s in itertools.product(STRENGTHS, STAYING)]

    def right(chain: Markov) -> float:
        blocks = range(0, len(held[0]), 2048)
        best = [chain.scores(held[0][b : b + 2048]).argmax(axis=1) for b in blocks]
        return float((np.concatenate(best) == held[1]).mean())

    return max(tried, key=right)

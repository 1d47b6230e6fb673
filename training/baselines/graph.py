"""LightGCN (He et al. 2020): shoppers and items as the two sides of a graph, each told by who is near them.

The vectors that are trained are those before anything is passed on; what ranks is the mean of them and of what
``layers`` of neighbours pass on. Passing on is linear and symmetric, so a gradient goes back by the same product, and
nothing but sparse products is needed. Trained by BPR: an item of a shopper's comes before one that is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
#: Pairs of a shopper and an item of a step, the rate of Adam, and how much vectors are held small.
PAIRS, RATE, DECAY = 100_000, 0.01, 1e-4
_MEAN, _SQUARE, _LEAST = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Factors:
    """What a shopper gets of an item is the inner product of their vectors."""

    shopper: Floats32
    """[shoppers, width]"""
    item: Floats32
    """[items, width]"""


def light_gcn(held: Any, *, seed: int, width: int = 64, layers: int = 2, steps: int = 200) -> Factors:
    """Of who has what (``held`` [shoppers, items] sparse, more than 0)."""
    import scipy.sparse as sparse

    once = held.tocsr().sign().astype(np.float32)
    n, m = once.shape
    mine, theirs = (np.maximum(np.asarray(once.sum(axis=axis)).ravel(), 1.0) for axis in (1, 0))
    passed = (sparse.diags(mine**-0.5) @ once @ sparse.diags(theirs**-0.5)).tocsr().astype(np.float32)
    back = passed.T.tocsr()
    shopper, item = once.nonzero()
    keys = np.sort(shopper.astype(np.int64) * m + item)
    rng = np.random.default_rng(seed)
    start = rng.normal(0.0, 0.1, (n + m, width)).astype(np.float32)
    mean, square = np.zeros_like(start), np.zeros_like(start)

    def passed_on(vectors: Floats32) -> Floats32:
        total, last = vectors.copy(), vectors
        for _ in range(layers):
            last = np.concatenate([passed @ last[n:], back @ last[:n]])
            total += last
        return total / np.float32(layers + 1)

    for step in range(1, steps + 1):
        some = rng.integers(0, len(shopper), min(PAIRS, len(shopper)))
        who, yes, no = shopper[some], item[some], rng.integers(0, m, len(some))
        at = np.minimum(np.searchsorted(keys, who.astype(np.int64) * m + no), len(keys) - 1)
        fair = keys[at] != who.astype(np.int64) * m + no
        who, yes, no = who[fair], yes[fair], no[fair]
        vectors = passed_on(start)
        u, v, w = vectors[who], vectors[n + yes], vectors[n + no]
        ahead = ((v - w) * u).sum(axis=1)
        slope = (-1.0 / (1.0 + np.exp(np.clip(ahead, -30, 30))) / len(who)).astype(np.float32)
        pair = np.arange(len(who))
        gradient = np.zeros_like(start)
        for rows, of, by in ((who, v - w, slope), (n + yes, u, slope), (n + no, u, -slope)):
            gradient += sparse.csr_matrix((by, (rows, pair)), (n + m, len(pair))) @ of
        gradient = passed_on(gradient) + np.float32(DECAY / (n + m)) * start
        mean = _MEAN * mean + (1 - _MEAN) * gradient
        square = _SQUARE * square + (1 - _SQUARE) * gradient**2
        size = RATE * np.sqrt(1 - _SQUARE**step) / (1 - _MEAN**step)
        start -= (size * mean / (np.sqrt(square) + _LEAST)).astype(np.float32)
    vectors = passed_on(start)
    return Factors(vectors[:n], vectors[n:])

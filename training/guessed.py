"""Categories of listings of which nobody has said any, told from the few of which somebody has.

Self-training (Scudder 1965; Yarowsky 1995), by two that see a text in different ways and must agree: a support vector
machine on its grams, and a regression on a hundred directions that all texts together have in common (latent semantic
analysis, Deerwester et al. 1990). In each round both learn the guesses that were surest, of every category the same
share and each time more, and guess anew. What is guessed teaches as what is known does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.networks.bag import machine_of, rarity, texts_of

Rows = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Where so many are known, nothing is guessed: of 200 guesses gain most, of 1,000 nothing.
FEW = 500
ROUNDS, DIRECTIONS, SIZE = 12, 100, 1 << 15
#: What is known counts so many times what is guessed; margins of the machine so many times a logit.
KNOWN, SHARPNESS = 5.0, 5.0


def guessed(known: Rows, label: Ints, unknown: Rows, seed: int) -> Ints:
    """[u] the place of the category of each of ``unknown`` [u, width], by the places of those of ``known`` [k, width];
    [0] where ``FEW`` or more are known, or all of them are of one category."""
    if not len(unknown) or len(known) >= FEW or len(np.unique(label)) < 2:
        return label[:0]
    from sklearn.decomposition import TruncatedSVD
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([known, unknown])
    texts = texts_of(rows, rarity(rows, SIZE)).tocsr()
    directions = min(DIRECTIONS, len(rows) - 1)
    seen = TruncatedSVD(directions, random_state=seed, n_iter=3).fit_transform(texts)
    seen /= np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-9)
    n, guess, taken = len(known), np.zeros(len(unknown), np.int64), np.zeros(0, np.int64)
    for turn in range(ROUNDS + 1):
        teach, said = np.concatenate([np.arange(n), n + taken]), np.concatenate([label, guess[taken]])
        counts = np.where(teach < n, KNOWN, 1.0)
        by_grams = machine_of(texts[teach], said, counts)
        margin = by_grams.decision_function(texts[n:])
        if margin.ndim == 1:
            margin = np.stack([-margin, margin], axis=1)
        regression: Any = LogisticRegression(C=30.0, max_iter=150).fit(seen[teach], said, counts)
        chance = _softmax(SHARPNESS * margin) + regression.predict_proba(seen[n:])
        guess, sure = regression.classes_[chance.argmax(axis=1)], chance.max(axis=1)
        taken = _surest(guess, sure, (turn + 1) / ROUNDS)
    return np.asarray(guess, np.int64)


def _softmax(logits: Floats) -> Floats:
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True), np.float64)


def _surest(guess: Ints, sure: Floats, share: float) -> Ints:
    """The places of the surest guesses: this share of each category's."""
    order = np.lexsort((-sure, guess))
    start = np.searchsorted(guess[order], guess[order])
    many = np.bincount(guess)[guess[order]]
    return np.sort(order[np.arange(len(order)) - start < np.minimum(share, 1.0) * many])

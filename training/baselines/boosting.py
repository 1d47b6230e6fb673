"""Gradient boosted trees (LightGBM) on the same rows as our network: what most shops would use; and tuned, with names
as categories: the strongest that we know of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]
SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 7,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
ROUNDS, PATIENCE = 400, 30


def _data(x: Rows, y: Rows) -> Any:
    import lightgbm

    return lightgbm.Dataset(x, y, free_raw_data=False)


def rounds(x: Rows, y: Rows, held_x: Rows, held_y: Rows, seed: int) -> int:
    """How many trees answer best on rows held back."""
    import lightgbm

    rows = _data(x, y)
    held = lightgbm.Dataset(held_x, held_y, reference=rows)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    best: int = lightgbm.train(
        {**SETTINGS, "seed": seed}, rows, ROUNDS, valid_sets=[held], callbacks=[stop]
    ).best_iteration
    return max(20, best)


def fit(x: Rows, y: Rows, trees: int, seed: int) -> Any:
    """A booster of so many trees; ``predict(x)`` gives [n] probabilities."""
    import lightgbm

    return lightgbm.train({**SETTINGS, "seed": seed}, _data(x, y), trees)


#: Of trees that know which columns are names; which number of leaves is chosen on rows held back.
TUNED = SETTINGS | {"min_data_in_leaf": 20, "feature_fraction": 0.8, "lambda_l2": 0.0}
LEAVES, SEEDS = (7, 15, 31), 3


class Tuned:
    """The mean of a few boosters; leaves and the number of trees are chosen on the last ``held`` of the rows.

    ``names``: columns whose numbers are names.
    """

    def __init__(self, x: Rows, y: Rows, held: int, names: Sequence[int], seed: int) -> None:
        import lightgbm

        def data(a: Rows, b: Rows, of: Any = None) -> Any:
            return lightgbm.Dataset(a, b, categorical_feature=list(names), reference=of, free_raw_data=False)

        rest = data(x[:-held], y[:-held])
        tried = []
        for leaves in LEAVES:
            stop, how = lightgbm.early_stopping(PATIENCE, verbose=False), {**TUNED, "num_leaves": leaves, "seed": seed}
            found = lightgbm.train(
                how, rest, 2 * ROUNDS, valid_sets=[data(x[-held:], y[-held:], rest)], callbacks=[stop]
            )
            tried.append((found.best_score["valid_0"]["binary_logloss"], leaves, max(20, found.best_iteration)))
        _, leaves, trees = min(tried)
        how = {**TUNED, "num_leaves": leaves}
        self._boosters = [
            lightgbm.train({**how, "seed": seed + k}, data(x, y), round(trees * len(x) / (len(x) - held)))
            for k in range(SEEDS)
        ]

    def logits(self, x: Rows) -> npt.NDArray[np.float64]:
        """[n] of rows."""
        found: npt.NDArray[np.float64] = np.mean([b.predict(x, raw_score=True) for b in self._boosters], axis=0)
        return found

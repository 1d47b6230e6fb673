"""Gradient boosted trees (LightGBM) on the same rows as our network: what most shops would use."""

from __future__ import annotations

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

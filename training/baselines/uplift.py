"""Learners of uplift that most would use, beside which ours is measured: [n, arms] each, of rows, arms and outcomes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: Gentle trees: differences between people are small against noise, and LightGBM's own settings learn the noise.
TREES = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
ROUNDS = 120


def _booster(x: Floats, y: Floats, seed: int, rounds: int = ROUNDS) -> Any:
    import lightgbm

    return lightgbm.train({**TREES, "seed": seed}, lightgbm.Dataset(x, y), rounds)


def s_lightgbm(x: Floats, arm: Ints, y: Floats, test: Floats, seed: int) -> Floats:
    """One model of rows with their arm as a feature for each; uplift is what another arm changes."""
    arms = int(arm.max())

    def with_arm(rows: Floats, which: Ints) -> Floats:
        return np.c_[rows, which[:, None] == np.arange(1, arms + 1)]

    model = _booster(with_arm(x, arm), y, seed)
    said = [model.predict(with_arm(test, np.full(len(test), a))) for a in range(arms + 1)]
    return np.stack(said[1:], 1) - said[0][:, None]


def t_lightgbm(x: Floats, arm: Ints, y: Floats, test: Floats, seed: int) -> Floats:
    """A model of each arm's people."""
    said = [_booster(x[arm == a], y[arm == a], seed).predict(test) for a in range(int(arm.max()) + 1)]
    return np.stack(said[1:], 1) - said[0][:, None]


def interactions(x: Floats, arm: Ints, y: Floats, test: Floats, seed: int, ridge: float = 10.0) -> Floats:
    """Logistic regression on features, arms, and each feature times each arm (Newton's method)."""
    arms = int(arm.max())
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)

    def design(rows: Floats, which: Ints) -> Floats:
        z = np.c_[np.ones(len(rows)), (rows - mean) / scale]
        return np.concatenate([z, *(z * (which == a)[:, None] for a in range(1, arms + 1))], axis=1)

    d, w = design(x, arm), np.zeros((arms + 1) * (x.shape[1] + 1))
    for _ in range(30):
        p = 1 / (1 + np.exp(-d @ w))
        step = np.linalg.solve((d * (p * (1 - p))[:, None]).T @ d + ridge * np.eye(len(w)), d.T @ (p - y) + ridge * w)
        w -= step
        if np.abs(step).max() < 1e-9:
            break
    said = [1 / (1 + np.exp(-design(test, np.full(len(test), a)) @ w)) for a in range(arms + 1)]
    return np.stack(said[1:], 1) - said[0][:, None]


def has_forest() -> bool:
    """Whether econml is installed: it is no part of ``offerstream[train]``."""
    return find_spec("econml") is not None


def causal_forest(x: Floats, arm: Ints, y: Floats, test: Floats, seed: int) -> Floats:
    """econml's causal forest (double machine learning with gentle trees for the outcome)."""
    from econml.dml import CausalForestDML
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingRegressor

    forest = CausalForestDML(
        model_y=HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=7, random_state=seed),
        model_t=DummyClassifier(strategy="prior"),  # arms are given by chance
        discrete_treatment=True,
        n_estimators=200,
        min_samples_leaf=100,
        max_depth=8,
        cv=2,
        n_jobs=2,
        random_state=seed,
    )
    forest.fit(y, arm, X=x)
    found: Floats = np.asarray(forest.const_marginal_effect(test), np.float64).reshape(len(test), -1)
    return found


LEARNERS = {
    "S-LightGBM": s_lightgbm,
    "T-LightGBM": t_lightgbm,
    "interaction regression": interactions,
    "causal forest": causal_forest,
}

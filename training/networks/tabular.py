"""A small network over a feature row: log scale, standardize, two hidden layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def log_scale(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """sign(x) · log(1 + |x|), as the network computes it."""
    return (np.sign(x) * np.log1p(np.abs(x))).astype(np.float32)


def tabular(x: npt.NDArray[np.float32], output: str, hidden: tuple[int, ...], dropout: float) -> Any:
    """An untrained model for rows like ``x`` (from which it takes means and spreads): [n, f] → [n, 1] in (0, 1)."""
    import keras

    scaled = log_scale(x)
    mean, spread = scaled.mean(axis=0), np.maximum(scaled.std(axis=0), 1e-3)
    inputs = keras.Input((x.shape[1],), name="features", dtype="float32")
    signed_log = keras.layers.Lambda(
        lambda v: keras.ops.sign(v) * keras.ops.log(1.0 + keras.ops.absolute(v)), name="log_scale"
    )(inputs)
    v = keras.layers.Rescaling(1.0 / spread, -mean / spread, name="standardize")(signed_log)
    v = keras.layers.Lambda(lambda u: keras.ops.clip(u, -5.0, 5.0), name="clip")(v)
    for i, width in enumerate(hidden):
        v = keras.layers.Dense(width, activation="relu", name=f"hidden_{i}")(v)
        v = keras.layers.Dropout(dropout, name=f"dropout_{i}")(v)
    logit = keras.layers.Dense(1, name="logit")(v)
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name=output)(logit))

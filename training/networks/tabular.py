"""Networks over a feature row: how a row goes in, and a small one for one probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Beyond so many spreads from the mean a feature says no more.
FARTHEST = 5.0
#: A network is asked about so many rows at a time.
ROWS_AT_ONCE = 8192


def scaled_row(x: npt.NDArray[np.float32]) -> tuple[Any, Any]:
    """(input [n, f], scaled row [n, f rounded up to a whole number of eights]) of a network for rows like ``x``, from
    which it takes means and spreads: sign · log(1 + |x|), standardized, clipped.

    ONNX Runtime takes logarithms eight at a time and what remains one by one, with other last bits: with rows of a
    whole number of eights nothing remains, and a row's answer does not depend on how many rows there are.
    """
    import keras

    ops, layers = keras.ops, keras.layers
    unused = -x.shape[1] % 8
    scaled = np.pad(np.sign(x) * np.log1p(np.abs(x)), ((0, 0), (0, unused))).astype(np.float32)
    mean, spread = scaled.mean(axis=0), np.maximum(scaled.std(axis=0), 1e-2)
    inputs = keras.Input((x.shape[1],), name="features", dtype="float32")
    v = layers.Lambda(lambda u: ops.pad(u, ((0, 0), (0, unused))), name="whole_eights")(inputs)
    v = layers.Lambda(lambda u: ops.sign(u) * ops.log(1.0 + ops.absolute(u)), name="log_scale")(v)
    v = layers.Rescaling(1.0 / spread, -mean / spread, name="standardize")(v)
    return inputs, layers.Lambda(lambda u: ops.clip(u, -FARTHEST, FARTHEST), name="clip")(v)


def member(row: Any, m: int, hidden: tuple[int, ...], dropout: float) -> Any:
    """The hidden layers of the m-th of several networks over a scaled row, whose answers are averaged."""
    import keras

    v = keras.layers.Dropout(dropout / 2, name=f"row_dropout_{m}")(row)
    for i, width in enumerate(hidden):
        name = f"{m}_{i}"
        v = keras.layers.Dense(width, activation="silu", kernel_initializer="he_normal", name=f"hidden_{name}")(v)
        v = keras.layers.Dropout(dropout, name=f"dropout_{name}")(v)
    return v


def answers_of(network: Any, x: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
    """By output, what a network says of rows."""
    # ``predict`` would make a data set of the rows first, which takes longer than the answers to a few thousand.
    told = [
        network.predict_on_batch(x[start : start + ROWS_AT_ONCE]) for start in range(0, max(1, len(x)), ROWS_AT_ONCE)
    ]
    parts = zip(*told, strict=True)
    return {name: np.concatenate(a).astype(np.float32) for name, a in zip(network.output_names, parts, strict=True)}


def tabular(x: npt.NDArray[np.float32], output: str, hidden: tuple[int, ...], dropout: float) -> Any:
    """An untrained model for rows like ``x``: [n, f] → [n, 1] in (0, 1)."""
    import keras

    inputs, v = scaled_row(x)
    for i, width in enumerate(hidden):
        v = keras.layers.Dense(width, activation="relu", name=f"hidden_{i}")(v)
        v = keras.layers.Dropout(dropout, name=f"dropout_{i}")(v)
    logit = keras.layers.Dense(1, name="logit")(v)
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name=output)(logit))

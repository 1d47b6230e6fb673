"""The next category from the sequence of categories and items: a recurrent network, after GRU4Rec (Hidasi 2016)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.fit import Schedule, Tell, fit, seed_everything

Floats32 = npt.NDArray[np.float32]
UNITS, DROPOUT = 64, 0.3


def train(
    categories: Floats32,
    items: Floats32,
    following: npt.NDArray[np.int64],
    buckets: dict[str, int],
    epochs: int,
    seed: int,
    kept_in: Path,
    tell: Tell,
    stage: str,
) -> Callable[[Floats32, Floats32], Floats32]:
    """Train on windows (newest first); the result gives scores [n, category buckets + 1] for other windows."""
    import keras
    import tensorflow as tf

    vocabulary = np.unique(np.r_[following, categories.astype(np.int64).ravel()])
    vocabulary = vocabulary[vocabulary > 0]
    place = np.zeros(buckets["category"] + 1, np.int32)
    place[vocabulary] = np.arange(1, len(vocabulary) + 1)

    def prepared(categories: Floats32, items: Floats32) -> npt.NDArray[np.int32]:
        # Oldest first: the padding stands at the old end.
        parts = [place[categories.astype(np.int64)][:, ::-1], items.astype(np.int32)[:, ::-1]]
        return np.concatenate(parts, axis=1)

    seed_everything(seed)
    n = categories.shape[1]
    inputs = keras.Input((2 * n,), dtype="int32")
    v = keras.layers.Concatenate()(
        [
            keras.layers.Embedding(len(vocabulary) + 1, UNITS)(inputs[:, :n]),
            keras.layers.Embedding(buckets["item"] + 1, UNITS)(inputs[:, n:]),
        ]
    )
    v = keras.layers.GRU(UNITS)(keras.layers.Dropout(DROPOUT)(v))
    network = keras.Model(inputs, keras.layers.Dense(len(vocabulary) + 1)(keras.layers.Dropout(DROPOUT)(v)))

    def loss(logits: Any, _x: Any, wanted: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits))

    schedule = Schedule(epochs=epochs, batch=256, rate=2e-3, weight_decay=1e-3)
    arrays = (prepared(categories, items), place[following])
    fit(network, lambda _rng: arrays, loss, schedule, seed=seed, kept_in=kept_in, tell=tell, stage=stage)

    def scores(categories: Floats32, items: Floats32) -> Floats32:
        logits = network.predict(prepared(categories, items), batch_size=1024, verbose=0)
        out = np.full((len(logits), buckets["category"] + 1), -np.inf, np.float32)
        out[:, vocabulary] = logits[:, 1:]
        return out

    return scores

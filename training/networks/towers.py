"""Two towers (Covington et al. 2016; Yi et al. 2019): a shopper's row and an item become vectors of one space.

The tower of items is a vector of length 1 each; that of shoppers is the mean of the known items' vectors, weighed by
how often and how long ago each was touched, through two dense layers. Trained by what came next: each row of a batch
has to find its own next item among those of all, each item's logit less the log of how often it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from training.fit import Schedule, fit, seed_everything
from training.networks.recommender import AGES, FACTS, KNOWN, parts_of

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
RATE, SCALE = 4e-3, 10.0
#: Of what ``Recommender`` knows of a known item the towers read these: ages, counts, and whether it was only seen.
READ = (1, 2, 9)
_GATE, _NEVER = 16, -1e4


class Towers(keras.layers.Layer):  # type: ignore[misc]
    """[n, 4 · 96] of known items their places + 1, then what is read of each → [n, width] of length 1."""

    def __init__(self, items: int, width: int, **more: Any) -> None:
        super().__init__(**more)
        self.items = keras.layers.Embedding(items + 1, width, embeddings_initializer="glorot_normal")
        self.gate = keras.Sequential([keras.layers.Dense(_GATE, "relu"), keras.layers.Dense(1)])
        self.top = keras.Sequential([keras.layers.Dense(2 * width, "relu"), keras.layers.Dense(width)])

    def call(self, x: Any, training: bool = False) -> Any:
        place = ops.cast(x[:, :KNOWN], "int32")
        facts = ops.transpose(ops.reshape(x[:, KNOWN:], (-1, len(READ), KNOWN)), (0, 2, 1))
        gate = ops.where(place > 0, self.gate(facts)[:, :, 0], _NEVER)
        mean = ops.matmul(ops.expand_dims(ops.softmax(gate, axis=1), 1), self.vectors(place))[:, 0]
        return ops.normalize(mean + self.top(mean), axis=1)

    def vectors(self, place: Any) -> Any:
        """Of items, by places + 1."""
        return ops.normalize(self.items(place), axis=-1)


@dataclass(frozen=True)
class Taste:
    """What two towers say of known items, in the graph of ``Recommender``, with vectors in whole numbers."""

    items: npt.NDArray[np.int8]
    """[1 + m, width], in 127ths; nobody's first."""
    weights: tuple[Floats32, ...]
    """Of the gate and of the layers on top: matrix and offset of each layer."""
    share: float
    """How much their logits count."""

    @staticmethod
    def of(towers: Towers, share: float) -> Taste:
        """Of trained towers."""
        vectors = np.asarray(towers.vectors(np.arange(towers.items.input_dim)))
        items = np.round(127 * vectors).astype(np.int8)
        items[0] = 0
        first, *rest = (np.asarray(w, np.float32) for part in (towers.gate, towers.top) for w in part.weights)
        every = np.zeros((FACTS, _GATE), np.float32)
        every[list(READ)] = first
        return Taste(items, (every, *rest), share)

    def logits(self, facts: Any, place: Any) -> Any:
        """[n, 96] to be added to those of known items."""
        gate, gate_0, last, last_0, inner, inner_0, outer, outer_0 = self.weights
        v = ops.relu(ops.matmul(facts, gate) + gate_0)
        said = ops.where(place > 0, ops.matmul(v, last)[:, :, 0] + last_0, _NEVER)
        held = ops.cast(ops.take(ops.convert_to_tensor(self.items), place, axis=0), "float32")
        mean = ops.matmul(ops.expand_dims(ops.softmax(said, axis=1), 1), held)[:, 0] / 127.0
        query = mean + ops.matmul(ops.relu(ops.matmul(mean, inner) + inner_0), outer) + outer_0
        query *= self.share * SCALE / 127.0 / ops.sqrt(ops.sum(ops.square(query), axis=1, keepdims=True) + 1e-9)
        return ops.matmul(held, ops.expand_dims(query, 2))[:, :, 0]


def towers_of(
    x: Floats32, places: Ints, wanted: npt.NDArray[np.int32], items: int, *, seed: int, kept_in: Path, width: int,
    steps: int = 1_000, batch: int = 512, stage: str = "two towers",
) -> Towers:  # fmt: skip
    """Trained on rows ``x`` [n, 404] of ``recommend`` with the ``places`` + 1 [n, 96] of their known items, and those
    of what came next (``wanted`` [n, 64], 0: none)."""
    some = (wanted > 0).any(axis=1)
    given, wanted = inputs(x[some], places[some]), wanted[some]
    count = np.bincount(wanted[wanted > 0], minlength=items + 1)
    often = np.log(np.maximum(count, 1) / count.sum()).astype(np.float32)
    seed_everything(seed)
    network = Towers(items, width)
    network(given[:2])

    def drawn(rng: np.random.Generator) -> tuple[Floats32, npt.NDArray[np.int32]]:
        """Of each row one of its next items."""
        which = (rng.random(len(wanted)) * (wanted > 0).sum(axis=1)).astype(np.int64)
        return given, wanted[np.arange(len(wanted)), which]

    def loss(query: Any, _x: Any, came: Any) -> Any:
        logits = SCALE * ops.matmul(query, ops.transpose(network.vectors(came))) - ops.take(often, came)
        same = ops.expand_dims(came, 0) == ops.expand_dims(came, 1)
        right = ops.cast(ops.eye(ops.shape(came)[0]), "bool")
        logits = ops.where(ops.logical_and(same, ops.logical_not(right)), _NEVER, logits)
        return ops.mean(ops.logsumexp(logits, axis=1) - ops.diagonal(logits))

    epochs = max(1, round(steps * batch / len(given)))
    fit(network, drawn, loss, Schedule(epochs, batch, rate=RATE), seed=seed, kept_in=kept_in, stage=stage)
    return network


def asked(towers: Towers, x: Floats32, places: Ints) -> Floats32:
    """[n, width] the vectors of the shoppers of rows."""
    given = inputs(x, places)
    return np.concatenate([np.asarray(towers(given[i : i + 1024])) for i in range(0, len(given), 1024)])


def inputs(x: Floats32, places: Ints) -> Floats32:
    """[n, 384] what towers are given of rows."""
    given = parts_of(x)
    days = np.concatenate([given["bought_days"], given["gap_hours"] @ AGES / 24.0], axis=1)
    seen = np.zeros_like(days)
    seen[:, given["bought_days"].shape[1] :] = 1.0
    times = np.concatenate([given["bought_times"], np.zeros_like(given["gap_hours"])], axis=1)
    facts = [np.log1p(24.0 * np.maximum(days, 0)) * 0.25, np.log1p(times) * 0.5, seen]
    return np.concatenate([places, *facts], axis=1).astype(np.float32)

"""A factorization machine beside a deep part, for one probability: each number of a row is placed between the values
that it had in training, and has an embedding there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


def knots(x: npt.NDArray[np.float32], bins: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """[f, bins] where each bin of a column begins, and one over its length (0: there is no such bin).

    Bins lie between quantiles; a column with few values has a bin between each two, so each value is told apart.

    >>> knots(np.array([[0], [1], [3]], np.float32), 4)[1].round(2).tolist()
    [[1.0, 0.5, 0.0, 0.0]]
    """
    begins, steep = np.zeros((2, x.shape[1], bins), np.float32)
    for f, column in enumerate(x.T):
        edges = np.unique(column)
        if len(edges) > bins + 1:
            edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)).astype(np.float32))
        lengths = np.diff(edges)
        begins[f, : len(lengths)], steep[f, : len(lengths)] = edges[:-1], 1 / lengths
    return begins, steep


@dataclass(frozen=True, slots=True)
class Shape:
    """How large: ``members`` networks whose logits are averaged, each with ``bins`` places of a number, embeddings of
    ``width`` and a layer of ``hidden``. ``dropout``: share of the embeddings that a step of the training leaves out."""

    bins: int
    width: int
    hidden: int
    members: int
    dropout: float


def factors(x: npt.NDArray[np.float32], shape: Shape) -> Any:
    """An untrained model for rows like ``x``: [n, f] → logits [n, members].

    A member: the embeddings [n, f, width] of all numbers, each two of them multiplied (the factorization machine),
    a linear part, and a layer of ``hidden`` over all of them.
    """
    import keras

    ops, layers = keras.ops, keras.layers
    begins, steep = knots(x, shape.bins)
    fields, members = x.shape[1], shape.members
    inputs = keras.Input((fields,), name="features", dtype="float32")
    v = layers.Reshape((fields, 1))(inputs)
    v = layers.Lambda(lambda u: ops.clip((u - begins) * steep, 0.0, 1.0))(v)
    embedded = layers.EinsumDense("nft,ftc->nfc", output_shape=(fields, members * shape.width), name="embedding")(v)
    pairs = layers.Lambda(lambda u: 0.5 * (ops.sum(u, axis=1) ** 2 - ops.sum(u * u, axis=1)))(embedded)
    pairs = layers.Reshape((members, shape.width))(pairs)
    deep = layers.Permute((2, 1, 3))(layers.Reshape((fields, members, shape.width))(embedded))
    deep = layers.Dropout(shape.dropout)(layers.Reshape((members, fields * shape.width))(deep))
    deep = layers.EinsumDense(
        "nmi,mih->nmh", output_shape=(members, shape.hidden), bias_axes="mh", activation="relu", name="hidden"
    )(deep)
    deep = layers.Concatenate()([pairs, deep])
    deep = layers.EinsumDense("nmi,mi->nm", output_shape=(members,), name="logit")(deep)
    linear = layers.Dense(members, name="linear")(layers.Reshape((fields * shape.bins,))(v))
    return keras.Model(inputs, layers.Add()([linear, deep]))


def mean_logit(trained: Any, x: npt.NDArray[np.float32], shape: Shape) -> Callable[[Any], Any]:
    """What ``factors`` made and a training taught, for rows of which ``x`` are: [n, f] → [n, 8] the mean of the
    members' logits, eight times. All members in a few products of whole matrices, whose rows do not depend on how many
    there are; of one number eight are made, for ONNX Runtime takes functions eight at a time (see ``tabular``)."""
    import keras

    ops = keras.ops
    begins, steep = knots(x, shape.bins)
    f, t, m, k, h = x.shape[1], shape.bins, shape.members, shape.width, shape.hidden
    table = trained.get_layer("embedding").kernel.numpy().reshape(f, t, m, k)
    spread = np.zeros((f, t, m, f, k), np.float32)
    spread[np.arange(f), :, :, np.arange(f)] = table
    hidden, bias = (weights.numpy() for weights in trained.get_layer("hidden").weights)
    blocks = np.zeros((m, f * k, m, h), np.float32)
    blocks[np.arange(m), :, np.arange(m)] = hidden
    last = trained.get_layer("logit").kernel.numpy() / m
    linear, start = (weights.numpy() for weights in trained.get_layer("linear").weights)
    one_of_each = np.tile(np.eye(k, dtype=np.float32), (f, 1))
    sums = np.kron(np.eye(m, dtype=np.float32), one_of_each)
    constants = {
        "embed": spread.reshape(f * t, m * f * k),
        "sums": sums,
        "hidden": blocks.reshape(m * f * k, m * h),
        "straight": _eight(linear.mean(axis=1)),
        "of_pairs": _eight(last[:, :k].reshape(-1)),
        "of_hidden": _eight(last[:, k:].reshape(-1)),
    }

    def logit(row: Any) -> Any:
        v = ops.clip((ops.reshape(row, (-1, f, 1)) - begins) * steep, 0.0, 1.0)
        v = ops.reshape(v, (-1, f * t))
        embedded = ops.matmul(v, constants["embed"])
        total = ops.matmul(embedded, constants["sums"])
        pairs = 0.5 * (total * total - ops.matmul(embedded * embedded, constants["sums"]))
        deep = ops.relu(ops.matmul(embedded, constants["hidden"]) + bias.reshape(-1))
        found = ops.matmul(v, constants["straight"]) + ops.matmul(pairs, constants["of_pairs"])
        return found + ops.matmul(deep, constants["of_hidden"]) + start.mean()

    return logit


def _eight(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[n, 8] the same weights for each of eight numbers that are all the same."""
    return np.repeat(weights[:, None], 8, axis=1)

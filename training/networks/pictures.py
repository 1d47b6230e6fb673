"""A small residual network that looks at pictures, and how pictures are varied while it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.task import Task
from training.labels.pictures import SIDE
from training.networks.familiar import Familiar, likeliest
from training.networks.inputs import tensors

Pictures = npt.NDArray[np.float32]
#: Logits are so many times the cosine of a picture and a class, times a length that is learned.
SHARPNESS = 12.0


@dataclass(frozen=True, slots=True)
class Shape:
    """``side``: points of a side that it looks at, a divisor of 96. ``widths``: channels of the stem and of the stages,
    each half as many points a side as the one before. ``residual``: how many convolutions follow in each that add to
    what they see. ``embedding``: numbers that say what a picture is like."""

    side: int = 96
    widths: tuple[int, ...] = (32, 64, 96)
    residual: tuple[int, ...] = (0, 1, 1)
    embedding: int = 64
    dropout: float = 0.3


@dataclass(frozen=True, slots=True)
class Variation:
    """How a picture is varied each time that it teaches: cut out of the picture, at least ``least`` of its side and at
    most ``1 / least`` as wide as high of that, up to ``beyond`` of its side beyond its edges, where all is black;
    mirrored; its colours times 1 ± ``colour`` and its light times 1 ± ``light``; a square of up to ``hole`` of its side
    painted grey."""

    least: float = 0.7
    beyond: float = 0.0
    colour: float = 0.1
    light: float = 0.2
    hole: float = 0.4


def trunk(shape: Shape, *, normalized: bool = True) -> tuple[Any, Any, Any]:
    """(input [n, side, side, 3] in 0 … 1, of any side; what is seen of it, [n, twice the last width]; what is made of
    that, [n, ``shape.embedding``])."""
    import keras

    layers = keras.layers

    def convolved(v: Any, width: int, size: int, stride: int) -> Any:
        v = layers.Conv2D(width, size, stride, padding="same", use_bias=not normalized)(v)
        return layers.BatchNormalization(momentum=0.9)(v) if normalized else v

    given = keras.Input((None, None, 3))
    v = layers.Rescaling(4.0, -2.0)(given)
    for i, (width, residual) in enumerate(zip(shape.widths, shape.residual, strict=True)):
        v = layers.ReLU()(convolved(v, width, 3 if i else 5, 2))
        for _ in range(residual):
            v = layers.ReLU()(layers.Add()([v, convolved(v, width, 3, 1)]))
    seen = layers.Concatenate()([layers.GlobalAveragePooling2D()(v), layers.GlobalMaxPooling2D()(v)])
    return given, seen, layers.Dense(shape.embedding)(layers.Dropout(shape.dropout)(seen))


def body(shape: Shape, classes: int, *, normalized: bool = True) -> Any:
    """[n, side, side, 3] in 0 … 1, of any side → (logits [n, classes], embedding [n, k] of length 1, what is seen)."""
    import keras

    layers = keras.layers
    given, seen, made = trunk(shape, normalized=normalized)
    embedding = layers.UnitNormalization()(made)
    logits = layers.Dense(classes, use_bias=False)(layers.Rescaling(SHARPNESS)(embedding))
    return keras.Model(given, [logits, embedding, seen])


def folded(taught: Any, shape: Shape, classes: int) -> Any:
    """The same network without batch normalization, which its convolutions do as well, and with weights that half
    precision holds exactly."""
    return unnormalized(taught, body(shape, classes, normalized=False))


def unnormalized(taught: Any, plain: Any) -> Any:
    """``plain``, the same network but without batch normalization, with the weights that make it answer as ``taught``
    does, as half precision holds them. The first convolutions are those that are normalized."""
    import keras

    kinds = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Dense)
    having = [layer for layer in taught.layers if isinstance(layer, kinds)]
    norms = [layer for layer in taught.layers if isinstance(layer, keras.layers.BatchNormalization)]
    weights: list[npt.NDArray[np.float32]] = []
    for k, layer in enumerate(having):
        kernel, *bias = (np.asarray(w) for w in layer.get_weights())
        if k < len(norms):
            gamma, beta, mean, variance = norms[k].get_weights()
            scale = gamma / np.sqrt(variance + norms[k].epsilon)
            kernel, bias = kernel * scale, [beta - mean * scale]
        weights += [kernel, *bias]
    plain.set_weights([w.astype(np.float16).astype(np.float32) for w in weights])
    return plain


def answering(
    plain: Any, task: Task, shape: Shape, listed: int, temperature: float, familiar: Familiar | None = None
) -> Any:
    """The network that is exported: rows of a task that looks at ``payload.picture`` → confidence, the places and the
    chances of the ``listed`` likeliest classes, embedding. It looks at a picture and at its mirror image; of one that
    is not ``familiar`` it names no class."""
    import keras
    from keras import ops

    class Both(keras.layers.Layer):  # type: ignore[misc]
        """What is said of a picture and its mirror image, as the task's outputs."""

        def call(self, picture: Any) -> list[Any]:
            mirrored = ops.take(picture, np.arange(shape.side)[::-1].copy(), axis=2)
            (one, like, seen), (other, also, again) = plain(picture), plain(mirrored)
            known = None if familiar is None else familiar.known(seen + again)
            named = likeliest(ops.softmax((one + other) / (2 * temperature), axis=1), listed, known)
            both = like + also
            length = ops.sqrt(ops.sum(both * both, axis=1, keepdims=True))
            return [*named, both / ops.maximum(length, 1e-6)]

    row, parts = tensors(task)
    small = parts["payload.picture"]
    if shape.side < SIDE:
        small = keras.layers.AveragePooling2D(SIDE // shape.side)(small)
    return keras.Model(row, Both()(small))


def pooled(pictures: npt.NDArray[np.uint8], side: int) -> Pictures:
    """[n, side, side, c] of [n, 96, 96, c] points: the mean of the points that each covers, in 0 … 1."""
    n, large, _, channels = pictures.shape
    k = large // side
    found = np.empty((n, side, side, channels), np.float32)
    for at in range(0, n, 1000):
        part = pictures[at : at + 1000].reshape(-1, side, k, side, k, channels)
        found[at : at + 1000] = part.sum(axis=(2, 4), dtype=np.uint32) / np.float32(255 * k * k)
    return found


def varied(pictures: Any, how: Variation, rng: np.random.Generator) -> Pictures:
    """[n, side, side, c] in 0 … 1, each varied."""
    import tensorflow as tf

    n, side = len(pictures), pictures.shape[1]
    size = rng.uniform(how.least, 1, (n, 1)) * rng.uniform(how.least**0.5, 1, (n, 2))
    corner = rng.uniform(size=(n, 2)) * (1 + 2 * how.beyond - size) - how.beyond
    boxes = np.concatenate([corner, corner + size], axis=1)
    mirrored = rng.random(n) < 0.5
    boxes[mirrored] = boxes[mirrored][:, [0, 3, 2, 1]]
    found = np.empty_like(pictures)
    for at in range(0, n, 4096):
        part = slice(at, min(at + 4096, n))
        cut = tf.image.crop_and_resize(
            pictures[part], boxes[part].astype(np.float32), np.arange(part.stop - at), (side, side)
        )
        found[part] = cut.numpy()
    tint = rng.uniform(1 - how.colour, 1 + how.colour, (n, 1, 1, found.shape[3]))
    tint *= rng.uniform(1 - how.light, 1 + how.light, (n, 1, 1, 1))
    found *= tint.astype(np.float32)
    np.clip(found, 0, 1, out=found)
    hole = (rng.uniform(0, how.hole, n) * side).astype(int)
    top, left = (rng.uniform(size=(2, n)) * (side - hole)).astype(int)
    for i in np.flatnonzero(hole).tolist():
        found[i, top[i] : top[i] + hole[i], left[i] : left[i] + hole[i]] = 0.5
    return found

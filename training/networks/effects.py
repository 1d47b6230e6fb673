"""How much likelier each offer makes an outcome: what people do without one, and an offset for every arm.

A shared representation feeds two kinds of heads (TARNet: Shalit, Johansson and Sontag 2017): ``base``, the logit of the
outcome without an offer, and ``offset``, what each arm adds to it: a weighted sum of the features and, as far as the
data insist, something deeper. Offsets are small against what people do anyway, and few can be told from noise; so it is
they that training shrinks, not the outcomes of two arms, whose difference would keep the noise of both.

There are several such networks side by side. The first ones are each trained without a part (fold) of the people: what
they say of that part they say of people whom they have not seen, and so tell how far such networks can be believed
(``calibrate``). The others are trained on everybody, and answer: their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from training.networks.tabular import scaled_row

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
#: How far beyond what training rows hold a feature may lie, on the logarithmic scale: a quarter more.
BEYOND = 0.25


def network(x: Rows32, base_rate: float, arms: int, *, members: int, hidden: int = 32) -> Any:
    """An untrained network for rows like ``x``: [n, f] → [n, members, 1 + 2 · arms], first the logit of the outcome
    without an offer, then what each arm adds, and of that what is more than a weighted sum of the features."""
    import keras

    layers = keras.layers
    inputs, row = scaled_row(x)
    start = keras.initializers.Constant(np.float32(np.log(base_rate / (1 - base_rate))))
    found = []
    for m in range(members):
        v = layers.Dense(hidden, activation="silu", kernel_initializer="he_normal", name=f"shared_{m}")(row)
        both = layers.Concatenate(name=f"both_{m}")([v, row])
        base = layers.Dense(1, kernel_initializer="zeros", bias_initializer=start, name=f"base_{m}")(both)
        straight = layers.Dense(arms, kernel_initializer="zeros", name=f"straight_{m}")(row)
        deep = layers.Dense(arms, kernel_initializer="zeros", use_bias=False, name=f"deep_{m}")(v)
        offset = layers.Add(name=f"offset_{m}")([straight, deep])
        found.append(layers.Concatenate(name=f"logits_{m}")([base, offset, deep]))
    stacked = layers.Lambda(lambda values: keras.ops.stack(values, axis=1), name="members")(found)
    return keras.Model(inputs, stacked)


def loss_of(shrink: float) -> Any:
    """``loss(logits, x, y, arm, weight)`` of a batch: ``arm`` [n, arms] 1 for the one that each got, ``weight`` [n,
    members] how much a row counts with each. ``shrink``: what it costs that offsets are no weighted sums."""
    import tensorflow as tf

    def loss(logits: Any, _x: Any, y: Any, arm: Any, weight: Any) -> Any:
        arms = arm.shape[1]
        logit = logits[:, :, 0] + tf.reduce_sum(logits[:, :, 1 : 1 + arms] * arm[:, None, :], axis=2)
        off = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(y[:, None], tf.shape(logit)), logit)
        deep = logits[:, :, 1 + arms :]
        apart = deep - tf.reduce_mean(deep, axis=0, keepdims=True)
        counted = tf.reduce_sum(off * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
        return counted + shrink * tf.reduce_mean(tf.square(apart))

    return loss


def chances(logits: Floats) -> Floats:
    """[..., 1 + arms] the chance of the outcome without an offer and with each arm."""
    base, offsets = logits[..., :1], logits[..., 1 : 1 + logits.shape[-1] // 2]
    found: Floats = 1 / (1 + np.exp(-np.concatenate([base, base + offsets], axis=-1)))
    return found


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one arm: what is believed is ``mean + slope · (what the network says - center)``."""

    mean: float
    """The arm's average effect …"""
    error: float
    """… and its standard error."""
    slope: float
    """How much of the differences between people is believed; 0: none, for none was found."""
    center: float
    found: float
    """The slope that people showed whom the networks had not seen; 1: what the networks say is right …"""
    found_error: float
    """… and its standard error."""

    @property
    def heterogeneous(self) -> bool:
        """Whether people differ in what the arm does with them, as far as can be told."""
        return self.slope > 0


#: Below so many standard errors people are taken to be alike: where they are, that is seen in 99 of 100 trials.
LEAST_ERRORS = 2.326


def calibrate(chance: Floats, arm: Ints, y: Floats, propensity: Floats) -> list[Calibration]:
    """Hold what networks say of people whom they have not seen against what these did.

    ``chance`` [n, 1 + arms]; ``arm`` [n] what each got, 0 is no offer; ``propensity`` [n, 1 + arms] how likely each.
    Each person's doubly robust effect (Robins and Rotnitzky 1995), which is right on average whatever the networks say,
    is regressed on what they say (Chernozhukov, Demirer, Duflo and Fernandez-Val 2018).
    """
    n = len(y)
    missed = np.where(arm[:, None] == np.arange(chance.shape[1]), (y[:, None] - chance) / propensity, 0.0)
    found = []
    for a in range(1, chance.shape[1]):
        said = chance[:, a] - chance[:, 0]
        effect = said + missed[:, a] - missed[:, 0]
        center, mean = float(said.mean()), float(effect.mean())
        x = said - center
        square = float((x**2).sum())
        slope = float((x * effect).sum()) / square if square > 1e-12 else 0.0
        left = effect - mean - slope * x
        error = float(np.sqrt(((x * left) ** 2).sum())) / square if square > 1e-12 else float("inf")
        believed = min(slope, 1.5) if slope > LEAST_ERRORS * error else 0.0
        found.append(Calibration(mean, float(effect.std(ddof=1)) / n**0.5, believed, center, slope, error))
    return found


@dataclass(frozen=True)
class Part:
    """Trained networks, how far their answers are believed, and the rows that they learned of."""

    trained: Any
    folds: int
    """The first so many do not answer: they only told how far the others can be believed."""
    calibrations: list[Calibration]
    x: Rows32


def answering(parts: list[Part], width: int, output: str) -> Any:
    """The network that is exported: [n, f] → [n, width] how much likelier each arm of each part makes the outcome, one
    part's after the other's, as calibrated; 0 at places that no arm has. NaN for rows far from all that a part learned
    of: of such people it knows nothing."""
    import keras

    ops, layers = keras.ops, keras.layers
    inputs = keras.Input((parts[0].x.shape[1],), name="features", dtype="float32")
    logarithm = layers.Lambda(lambda u: ops.sign(u) * ops.log(1.0 + ops.absolute(u)), name="logarithm")(inputs)
    found = []
    for k, part in enumerate(parts):
        said = layers.Lambda(partial(_effect, part.calibrations, part.folds), name=f"effect_{k}")(part.trained(inputs))
        far = layers.Lambda(partial(_beyond, part.x), name=f"beyond_{k}")(logarithm)
        found.append(layers.Lambda(lambda v: ops.where(v[1] > 0.0, float("nan"), v[0]), name=f"known_{k}")([said, far]))
    arms = sum(len(part.calibrations) for part in parts)
    whole = layers.Lambda(lambda v: ops.pad(ops.concatenate(v, axis=1), ((0, 0), (0, width - arms))), name=output)(
        found
    )
    return keras.Model(inputs, whole)


def _effect(calibrations: list[Calibration], folds: int, logits: Any) -> Any:
    from keras import ops

    arms = len(calibrations)
    slope = np.array([c.slope for c in calibrations], np.float32)
    start = np.array([c.mean - c.slope * c.center for c in calibrations], np.float32)
    base = logits[:, folds:, :1]
    said = ops.sigmoid(base + logits[:, folds:, 1 : 1 + arms]) - ops.sigmoid(base)
    members = said.shape[1]
    total = said[:, 0]
    for m in range(1, members):
        total = total + said[:, m]
    return ops.clip(total * (slope / members) + start, -1.0, 1.0)


def _beyond(x: Rows32, logarithm: Any) -> Any:
    """[n, 1] how far a row lies beyond what ``x`` holds, on the logarithmic scale."""
    from keras import ops

    scaled = np.sign(x) * np.log1p(np.abs(x))
    low, high = (scaled.min(axis=0) - BEYOND).astype(np.float32), (scaled.max(axis=0) + BEYOND).astype(np.float32)
    far = ops.maximum(ops.max(logarithm - high, axis=1), ops.max(low - logarithm, axis=1))
    return ops.expand_dims(far, 1)

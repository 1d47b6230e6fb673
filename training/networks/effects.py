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
class Slope:
    """How much of what networks say of differences between people is believed."""

    found: float
    """What people showed whom the networks had not seen; 1: what the networks say is right …"""
    error: float
    """… and its standard error."""

    @property
    def believed(self) -> float:
        """0: none, for none was found."""
        return min(self.found, 1.5) if self.found > LEAST_ERRORS * self.error else 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of A arms. What is believed of an arm is its average effect, plus what people differ in whatever the arm
    (``every``: the mean over arms), plus what they differ in between this arm and the others (``own``).

    So one arm is preferred to another for some people only where *that* difference shows; to believe each arm's own
    differences would prefer, for each, the arm whose error is largest.
    """

    mean: Floats
    """[A] average effects …"""
    error: Floats
    """[A] … and their standard errors."""
    center: Floats
    """[A] the mean of what networks say."""
    every: Slope
    own: tuple[Slope, ...]
    alone: tuple[Slope, ...]
    """[A] what an arm's own trial shows, nothing said of the others: whether people differ in what *it* does."""

    @property
    def matrix(self) -> Floats:
        """[A, A] what is believed of each arm, less its mean, of what is said of each, less its center."""
        arms = len(self.mean)
        own = np.array([each.believed for each in self.own])
        found: Floats = self.every.believed / arms + own[:, None] * (np.eye(arms) - 1 / arms)
        return found

    def apply(self, said: Floats) -> Floats:
        """[n, A] what is believed."""
        found: Floats = np.clip(self.mean + (said - self.center) @ self.matrix.T, -1.0, 1.0)
        return found

    def heterogeneous(self, arm: int) -> bool:
        """Whether people differ in what an arm does with them, as far as its own trial can tell."""
        return self.alone[arm].believed > 0


#: Below so many standard errors people are taken to be alike: where they are, that is seen in 99 of 100 trials.
LEAST_ERRORS = 2.326


def calibrate(chance: Floats, arm: Ints, y: Floats, propensity: Floats) -> Calibration:
    """Hold what networks say of people whom they have not seen against what these did.

    ``chance`` [n, 1 + A]; ``arm`` [n] what each got, 0 is no offer; ``propensity`` [n, 1 + A] how likely each.
    Each person's doubly robust effect (Robins and Rotnitzky 1995), which is right on average whatever the networks say,
    is regressed on what they say (Chernozhukov, Demirer, Duflo and Fernandez-Val 2018).
    """
    n = len(y)
    got = arm[:, None] == np.arange(chance.shape[1])
    missed = np.where(got, (y[:, None] - chance) / np.where(got, propensity, 1.0), 0.0)
    said = chance[:, 1:] - chance[:, :1]
    effect = said + missed[:, 1:] - missed[:, :1]
    every, all_said = effect.mean(axis=1), said.mean(axis=1)
    own = tuple(_slope(said[:, a] - all_said, effect[:, a] - every) for a in range(said.shape[1]))
    alone = tuple(_slope(said[:, a], effect[:, a]) for a in range(said.shape[1]))
    error = effect.std(axis=0, ddof=1) / n**0.5
    return Calibration(effect.mean(axis=0), error, said.mean(axis=0), _slope(all_said, every), own, alone)


def _slope(said: Floats, effect: Floats) -> Slope:
    x = said - said.mean()
    square = float((x**2).sum())
    if square <= 1e-12 * len(x):  # nothing is said to differ: of a single arm from itself
        return Slope(0.0, float("inf"))
    slope = float((x * effect).sum()) / square
    left = effect - effect.mean() - slope * x
    return Slope(slope, float(np.sqrt(((x * left) ** 2).sum())) / square)


@dataclass(frozen=True)
class Part:
    """Trained networks, how far their answers are believed, and the rows that they learned of."""

    trained: Any
    folds: int
    """The first so many do not answer: they only told how far the others can be believed."""
    calibration: Calibration
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
        said = layers.Lambda(partial(_effect, part.calibration, part.folds), name=f"effect_{k}")(part.trained(inputs))
        far = layers.Lambda(partial(_beyond, part.x), name=f"beyond_{k}")(logarithm)
        found.append(layers.Lambda(lambda v: ops.where(v[1] > 0.0, float("nan"), v[0]), name=f"known_{k}")([said, far]))
    arms = sum(len(part.calibration.mean) for part in parts)
    whole = layers.Lambda(lambda v: ops.pad(ops.concatenate(v, axis=1), ((0, 0), (0, width - arms))), name=output)(
        found
    )
    return keras.Model(inputs, whole)


def _effect(calibration: Calibration, folds: int, logits: Any) -> Any:
    from keras import ops

    arms = len(calibration.mean)
    matrix = calibration.matrix
    start = (calibration.mean - matrix @ calibration.center).astype(np.float32)
    base = logits[:, folds:, :1]
    said = ops.sigmoid(base + logits[:, folds:, 1 : 1 + arms]) - ops.sigmoid(base)
    members = said.shape[1]
    total = said[:, 0]
    for m in range(1, members):
        total = total + said[:, m]
    # Arm by arm: a product of matrices may add in another order for other numbers of rows.
    believed = start + total[:, :1] * (matrix[:, 0] / members).astype(np.float32)
    for a in range(1, arms):
        believed = believed + total[:, a : a + 1] * (matrix[:, a] / members).astype(np.float32)
    return ops.clip(believed, -1.0, 1.0)


def _beyond(x: Rows32, logarithm: Any) -> Any:
    """[n, 1] how far a row lies beyond what ``x`` holds, on the logarithmic scale."""
    from keras import ops

    scaled = np.sign(x) * np.log1p(np.abs(x))
    low, high = (scaled.min(axis=0) - BEYOND).astype(np.float32), (scaled.max(axis=0) + BEYOND).astype(np.float32)
    far = ops.maximum(ops.max(logarithm - high, axis=1), ops.max(low - logarithm, axis=1))
    return ops.expand_dims(far, 1)

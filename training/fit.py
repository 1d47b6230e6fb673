"""Trains a Keras network: same seed, same weights, also when the run was cut off and goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = tuple[npt.NDArray[Any], ...]
Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: AdamW with a learning rate that falls along a cosine, gradients clipped to norm 1.

    The weights that are kept are an average that forgets with ``average`` per step; with ``patience`` they are those
    of the best epoch, and training ends so many epochs after it.
    """

    epochs: int
    batch: int
    rate: float = 2e-3
    weight_decay: float = 1e-2
    average: float = 0.999
    patience: int | None = None


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and TensorFlow, before a network is built."""
    import keras

    keras.utils.set_random_seed(seed)


def fit(
    network: Any,
    examples: Callable[[np.random.Generator], Arrays],
    loss: Callable[..., Any],
    schedule: Schedule,
    *,
    seed: int,
    kept_in: Path,
    validate: Callable[[], float] | None = None,
    tell: Tell = lambda _stage, _done, _total: None,
    stage: str = "training",
) -> None:
    """Train ``network`` in place. ``examples(rng)`` gives an epoch's arrays (the first is the input), ``loss(answers,
    *arrays)`` of a batch a scalar, ``validate()`` a number that is better when smaller.

    After each epoch, all that the next one depends on is written to ``kept_in``; a run that was cut off goes on there
    and ends in the same weights.
    """
    import keras
    import tensorflow as tf

    first = examples(np.random.default_rng([seed, 0]))
    steps = max(1, len(first[0]) // schedule.batch)
    rate = keras.optimizers.schedules.CosineDecay(schedule.rate, steps * schedule.epochs, alpha=0.02)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay, clipnorm=1.0)
    weights = network.trainable_variables
    optimizer.exclude_from_weight_decay(var_list=[w for w in weights if len(w.shape) < 2])
    optimizer.build(weights)
    average = [tf.Variable(w.value, trainable=False) for w in weights]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(batch: Sequence[Any], decay: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(network(batch[0], training=True), *batch)
        gradients = tape.gradient(value, [w.value for w in weights], unconnected_gradients="zero")
        optimizer.apply(gradients, weights)
        for held, w in zip(average, weights, strict=True):
            held.assign(decay * held + (1 - decay) * w.value)
        return value

    state = _State(network, optimizer, average, kept_in / f"{stage.replace(' ', '-')}.npz")
    print_of = hashlib.blake2b(repr((schedule, seed, [tuple(w.shape) for w in weights])).encode(), digest_size=8)
    for array in first:
        print_of.update(np.ascontiguousarray(array).data)
    state.resume(print_of.hexdigest())
    for epoch in range(state.epoch, schedule.epochs):
        rng = np.random.default_rng([seed, epoch])
        arrays = examples(rng)
        order = rng.permutation(len(arrays[0]))
        for i in range(steps):
            some = order[i * schedule.batch : (i + 1) * schedule.batch]
            done = epoch * steps + i
            decay = min(schedule.average, (1 + done) / (10 + done))
            step([tf.constant(a[some]) for a in arrays], tf.constant(decay, tf.float32))
            if i % 50 == 0:
                tell(stage, done, steps * schedule.epochs)
        with _Averaged(weights, average):
            state.judge(epoch, validate() if validate is not None else -float(epoch))
        state.keep(epoch + 1)
        if schedule.patience is not None and epoch - state.best_epoch >= schedule.patience:
            break
    tell(stage, steps * schedule.epochs, steps * schedule.epochs)
    for w, best in zip(weights, state.best, strict=True):
        w.assign(best)
    state.forget()


class _Averaged:
    """Within it the network has the averaged weights."""

    def __init__(self, weights: Sequence[Any], average: Sequence[Any]) -> None:
        self._weights, self._average = weights, average

    def __enter__(self) -> None:
        self._held = [w.numpy() for w in self._weights]
        for w, a in zip(self._weights, self._average, strict=True):
            w.assign(a.numpy())

    def __exit__(self, *_: object) -> None:
        for w, held in zip(self._weights, self._held, strict=True):
            w.assign(held)


class _State:
    """All that the next epoch depends on."""

    def __init__(self, network: Any, optimizer: Any, average: Sequence[Any], path: Path) -> None:
        # Variables of the network: weights and the states of its random layers.
        self._variables = [*network.variables, *optimizer.variables, *average]
        self._network, self._path, self._of = network, path, ""
        self.epoch, self.best_epoch, self.best_value = 0, 0, float("inf")
        self.best = [np.array(w.numpy()) for w in network.trainable_variables]

    def judge(self, epoch: int, value: float) -> None:
        """Remember the weights when they are the best so far."""
        if value < self.best_value:
            self.best_value, self.best_epoch = value, epoch
            self.best = [np.array(w.numpy()) for w in self._network.trainable_variables]

    def keep(self, epoch: int) -> None:
        """Write everything; a file that is there is whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as out:
            arrays = {f"v{i}": v.numpy() for i, v in enumerate(self._variables)}
            arrays |= {f"b{i}": b for i, b in enumerate(self.best)}
            arrays |= {"of": np.array(self._of), "judged": np.array([epoch, self.best_epoch, self.best_value])}
            np.savez(out, allow_pickle=False, **arrays)
        unfinished.replace(self._path)

    def resume(self, of: str) -> None:
        """Go on where the same training (data, seed, schedule, shapes) was cut off, if it was."""
        self._of = of
        if not self._path.exists():
            return
        with np.load(self._path) as kept:
            if str(kept["of"]) != of:
                return
            epoch, best_epoch, self.best_value = kept["judged"].tolist()
            self.epoch, self.best_epoch = int(epoch), int(best_epoch)
            for i, v in enumerate(self._variables):
                v.assign(kept[f"v{i}"])
            self.best = [kept[f"b{i}"] for i in range(len(self.best))]

    def forget(self) -> None:
        """The training is over."""
        self._path.unlink(missing_ok=True)

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

#: Writing down where a training is takes as long as a dozen steps of a small network: it comes after so many, at least.
KEPT_STEPS = 50
Arrays = tuple[npt.NDArray[Any], ...]
Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: AdamW with a learning rate that falls along a cosine, gradients clipped to norm 1.

    The weights that are kept are an average that forgets with ``average`` per step.
    """

    epochs: int
    batch: int
    rate: float = 2e-3
    weight_decay: float = 1e-2
    average: float = 0.999


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and TensorFlow before a network is built, and have the same sums done at each run."""
    import keras

    keras.utils.set_random_seed(seed)
    same_sums()


def same_sums() -> None:
    """Have TensorFlow do the same sums, in the same order, at each run on one machine."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    # It rewrites graphs in an order that changes from run to run, and with it the last bits of the sums. Without it
    # a step takes as long.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def fit(
    network: Any,
    examples: Callable[[np.random.Generator], Arrays],
    loss: Callable[..., Any],
    schedule: Schedule,
    *,
    seed: int,
    kept_in: Path,
    tell: Tell = lambda _stage, _done, _total: None,
    stage: str = "training",
    after: Callable[[int], None] = lambda _epochs: None,
) -> None:
    """Train ``network`` in place. ``examples(rng)`` gives an epoch's arrays (the first is the input), ``loss(answers,
    *arrays)`` of a batch a scalar.

    ``after(epochs)`` is called after each epoch, when ``network`` has the weights that it goes on with, not their
    average.

    After an epoch, all that the next one depends on is written to ``kept_in``; a run that was cut off goes on there
    and ends in the same weights, unless the data or the code changed. What is finished stays there for the rest of the
    run: whoever starts it empties the folder at its end.
    """
    import keras
    import tensorflow as tf

    def drawn(epoch: int) -> tuple[Arrays, np.random.Generator]:
        rng = np.random.default_rng([seed, epoch])
        return examples(rng), rng

    same_sums()
    first = drawn(0)
    steps = max(1, len(first[0][0]) // schedule.batch)
    rate = keras.optimizers.schedules.CosineDecay(schedule.rate, steps * schedule.epochs, alpha=0.02)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay, clipnorm=1.0)
    weights = network.trainable_variables
    optimizer.exclude_from_weight_decay(var_list=[w for w in weights if len(w.shape) < 2])
    optimizer.build(weights)
    average = [tf.Variable(w.value, trainable=False) for w in weights]

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
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
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        print_of.update(source.read_bytes())
    for array in first[0]:
        print_of.update(np.ascontiguousarray(array).data)
    state.resume(print_of.hexdigest())
    kept_after = -(-KEPT_STEPS // steps)
    for epoch in range(state.epoch, schedule.epochs):
        arrays, rng = first if epoch == 0 else drawn(epoch)
        order = rng.permutation(len(arrays[0]))
        for i in range(steps):
            some = order[i * schedule.batch : (i + 1) * schedule.batch]
            done = epoch * steps + i
            decay = min(schedule.average, (1 + done) / (10 + done))
            step([tf.constant(a[some]) for a in arrays], tf.constant(decay, tf.float32))
            if i % 50 == 0:
                tell(stage, done, steps * schedule.epochs)
        if (epoch + 1) % kept_after == 0 or epoch + 1 == schedule.epochs:
            state.keep(epoch + 1)
        after(epoch + 1)
    tell(stage, steps * schedule.epochs, steps * schedule.epochs)
    for w, held in zip(weights, average, strict=True):
        w.assign(held.numpy())


class _State:
    """All that the next epoch depends on."""

    def __init__(self, network: Any, optimizer: Any, average: Sequence[Any], path: Path) -> None:
        # Variables of the network: weights and the states of its random layers.
        self._variables = [*network.variables, *optimizer.variables, *average]
        self._path, self._of, self.epoch = path, "", 0

    def keep(self, epoch: int) -> None:
        """Write everything; a file that is there is whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as out:
            arrays = {f"v{i}": v.numpy() for i, v in enumerate(self._variables)}
            arrays |= {"of": np.array(self._of), "epoch": np.array(epoch)}
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
            self.epoch = int(kept["epoch"])
            for i, v in enumerate(self._variables):
                v.assign(kept[f"v{i}"])

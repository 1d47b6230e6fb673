"""Which slots of an item a text says, in which order: each slot is looked at beside a summary of all of them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from models.task import Task
from streams.copy.slots import MOST
from streams.features.payload.attributes import KINDS
from training.networks.bag import places
from training.networks.inputs import tensors

#: Buckets that have numbers of their own, and how many.
NAMES, NAME_NUMBERS = 1 << 12, 16
VALUES, VALUE_NUMBERS = 1 << 13, 8
HIDDEN = 48
#: Of each slot: whether a title says it and where, whether a short text says it and where.
ANSWERS = 4


class Chooser(keras.layers.Layer):  # type: ignore[misc]
    """[n, 40, 6] rows of ``payload.attributes`` → [n, 161] logits: four of each slot, and whether a short text has
    commas. ``dropout``: the share of names and values that is left out in training, so that what is rare or new is
    judged by the rest."""

    def __init__(self, dropout: float, **more: Any) -> None:
        super().__init__(**more)
        self.dropout = dropout
        self._seed = keras.random.SeedGenerator(1)
        self._first = keras.layers.Dense(HIDDEN, activation="relu")
        self._second = keras.layers.Dense(HIDDEN, activation="relu")
        self._last = keras.layers.Dense(ANSWERS)
        self._commas = keras.layers.Dense(1)

    def build(self, shape: Any) -> None:
        near = keras.initializers.RandomNormal(0.0, 0.1, seed=2)
        self.names = self.add_weight(name="names", shape=(NAMES + 1, NAME_NUMBERS), initializer=near)
        self.values = self.add_weight(name="values", shape=(VALUES + 1, VALUE_NUMBERS), initializer=near)
        width = NAME_NUMBERS + VALUE_NUMBERS + len(KINDS) + 3
        self._first.build((None, MOST, width))
        self._second.build((None, MOST, width + 2 * HIDDEN))
        self._last.build((None, MOST, HIDDEN))
        self._commas.build((None, 2 * HIDDEN))
        self.built = True

    def call(self, slots: Any, training: bool = False) -> Any:
        there = ops.cast(slots[:, :, :1] > 0, "float32")
        name = ops.take(self.names, places(slots[:, :, 0], NAMES), axis=0)
        value = ops.take(self.values, places(slots[:, :, 1], VALUES), axis=0)
        if training and self.dropout:
            kept = keras.random.uniform((*ops.shape(slots)[:2], 2), seed=self._seed) >= self.dropout
            kept = ops.cast(kept, "float32")
            name, value = name * kept[:, :, :1], value * kept[:, :, 1:]
        kind = ops.one_hot(ops.cast(slots[:, :, 2], "int32") - 1, len(KINDS))
        sizes = slots[:, :, 3:4] / 50.0, slots[:, :, 4:5], slots[:, :, 5:6] / 50.0
        each = ops.concatenate([name, value, kind, *sizes], axis=2) * there
        hidden = self._first(each) * there
        count = ops.maximum(ops.sum(there, axis=1), 1.0)
        whole = ops.concatenate([ops.sum(hidden, axis=1) / count, ops.max(hidden, axis=1)], axis=1)
        beside = ops.repeat(ops.expand_dims(whole, 1), MOST, axis=1)
        found = self._last(self._second(ops.concatenate([each, beside], axis=2)))
        return ops.concatenate([ops.reshape(found, (-1, MOST * ANSWERS)), self._commas(whole)], axis=1)


class Lists(keras.layers.Layer):  # type: ignore[misc]
    """Slots and their logits as the task's outputs: the names' buckets of those whose chance reaches ``least`` (of a
    title, of an offer text), in order of where they are said; those that are likeliest where there are too many."""

    def __init__(self, listed: int, least: tuple[float, float], **more: Any) -> None:
        super().__init__(**more)
        self._listed, self._least = listed, least

    def call(self, slots: Any, logits: Any) -> list[Any]:
        found = ops.reshape(logits[:, : MOST * ANSWERS], (-1, MOST, ANSWERS))
        name, kind, within = slots[:, :, 0], slots[:, :, 2], slots[:, :, 4]
        # Numbers alone and what an item has not are said with their names, in the description.
        can = (name > 0) & (within < 0.5) & ((kind == 1.0) | (kind == 3.0))
        lists = []
        for k, least in enumerate(self._least):
            # In whole hundredths: the last bits of a sum decide nothing.
            logit = ops.where(can, ops.floor(found[:, :, 2 * k] * 100.0 + 0.5), -1e6)
            best, place = ops.top_k(logit, self._listed)
            chosen = best >= float(np.floor(np.log(least / (1.0 - least)) * 100.0 + 0.5))
            at = ops.floor(ops.take_along_axis(found[:, :, 2 * k + 1], place, axis=1) * 1000.0 + 0.5)
            _, order = ops.top_k(ops.where(chosen, -at, -1e6), self._listed)
            bucket = ops.where(chosen, ops.take_along_axis(name, place, axis=1), 0.0)
            lists.append(ops.take_along_axis(bucket, order, axis=1))
        commas = ops.floor(ops.sigmoid(logits[:, -1:]) * 10_000.0 + 0.5) / 10_000.0
        return [commas, *lists]


def network(task: Task, chooser: Chooser, listed: int, least: tuple[float, float]) -> Any:
    """The one that is proven and exported."""
    row, parts = tensors(task)
    slots = parts["payload.attributes"]
    return keras.Model(row, Lists(listed, least)(slots, chooser(slots)))

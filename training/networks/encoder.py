"""The behaviour encoder: a Transformer step over a shopper's last 32 events, seen from the newest.

Every event of a history is the target of one window, so only the newest position has to ask: one query attends to 32
events, and keys and values need not be made (``q·Wk`` meets the events themselves, ``(a·events)·Wv`` says the same).

The next category is a softmax over a vocabulary *and* the categories of the window. What the network generates for a
category gets a personal bonus from sums over the shopper's events of that category, each gated by its context: so
habits count, fade, and name categories that no training saw (compare RepeatNet, Ren et al. 2019, and pointer networks).

ONNX Runtime computes some functions eight numbers at a time and the rest one by one, with other last bits. Logarithms
are taken of rows of 32 only, so a row's answer does not depend on how many rows there are.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from streams.columns.arrays import TYPE_CODE
from streams.features.kinds.recent import BUCKETS, EVENTS_KEPT, SESSION_GAP_MS
from streams.records.events import OrderPlaced
from training.networks.tabular import FARTHEST

N = EVENTS_KEPT
TYPES = 16
TOP = 8
WIDTH, HEADS, INNER, ITEM_ROWS, CHANNELS, BONUS = 32, 4, 64, 2048, 8, 16
STATE, FACTS, HABITS = 6, 8, 8
NEVER = -1e4
ORDER = TYPE_CODE[OrderPlaced]
SESSION_HOURS = SESSION_GAP_MS / 3_600_000
#: v @ OLDER: what stood one place older. gaps @ AGES: how old each event is, seen from the newest.
OLDER = np.ascontiguousarray(np.eye(N, k=1, dtype=np.float32).T)
AGES = np.triu(np.ones((N, N), np.float32))
#: In sums of these the newest of several outweighs all older ones.
NEWEST = (4.0 ** -np.arange(N)).astype(np.float32)


def along(values: Any, index: Any) -> Any:
    """``values[i, index[i, j]]`` as one flat Gather; the general form exports as a GatherND with indices made anew."""
    row = ops.cast(ops.cumsum(ops.ones_like(values[:, :1]), axis=0) - 1.0, "int32")
    return ops.take(ops.reshape(values, (-1,)), row * values.shape[1] + ops.cast(index, "int32"), axis=0)


def normal(v: Any) -> Any:
    """Root mean square 1 along the last axis (Zhang and Sennrich, 2019)."""
    return v * ops.rsqrt(ops.mean(v * v, axis=-1, keepdims=True) + 1e-6)


class Encoder(keras.layers.Layer):  # type: ignore[misc]
    """[n, 168] (``sequence.types | categories | items | cents | gap_hours``, eight habits) → what comes next, and who
    this is. Habits help to tell purchases only.

    ``vocabulary``: the category buckets that are generated. ``habits`` [2, 8]: means and spreads of their logarithms.
    Answers, all [n, …]: ``generated`` [vocabulary] and ``window`` [32] (at the newest event of each category, else 0)
    are one distribution; ``next_type`` [16]; ``purchase`` [2] (next session, 7 days); ``embedding`` [32].
    """

    def __init__(
        self, vocabulary: npt.NDArray[np.int64], habits: npt.NDArray[np.float32], dropout: float = 0.3, **more: Any
    ) -> None:
        super().__init__(**more)
        self.vocabulary, self._habits = vocabulary, habits
        # bucket → 0 none, 1 not in the vocabulary, else 2 + its place
        place = np.ones(BUCKETS["category"] + 1, np.int32)
        place[0] = 0
        place[vocabulary] = np.arange(len(vocabulary)) + 2
        self._place = place
        self._drop = keras.layers.Dropout(dropout)

    def build(self, shape: Any) -> None:
        small = keras.initializers.RandomNormal(stddev=0.05)
        size = len(self.vocabulary)

        def table(name: str, *shape: int) -> Any:
            return self.add_weight(name=name, shape=shape, initializer=small)

        def matrix(name: str, *shape: int) -> Any:
            return self.add_weight(name=name, shape=shape, initializer="glorot_uniform")

        def vector(name: str, *shape: int, start: str = "zeros") -> Any:
            return self.add_weight(name=name, shape=shape, initializer=start)

        self.category = table("category", size + 2, WIDTH)
        self.item = table("item", ITEM_ROWS + 1, WIDTH)
        self.kind, self.position = table("type", TYPES, WIDTH), table("position", N, WIDTH)
        self.fact = matrix("fact", FACTS, WIDTH)
        self.query, self.query_0 = matrix("query", 2 * WIDTH + STATE, WIDTH), vector("query_0", WIDTH)
        self.key = matrix("key", HEADS, WIDTH // HEADS, WIDTH)
        self.value = matrix("value", HEADS, WIDTH, WIDTH // HEADS)
        self.near = vector("near", HEADS, N)
        self.out = matrix("out", WIDTH, WIDTH)
        self.inner, self.inner_0 = matrix("inner", 2 * WIDTH + STATE, INNER), vector("inner_0", INNER)
        self.outer, self.outer_0 = matrix("outer", INNER, WIDTH), vector("outer_0", WIDTH)
        self.scale_1, self.scale_2 = vector("scale_1", WIDTH, start="ones"), vector("scale_2", WIDTH, start="ones")
        # The last column stands for all categories outside the vocabulary.
        self.generate, self.generate_0 = matrix("generate", WIDTH, size + 1), vector("generate_0", size + 1)
        self.gate, self.gate_self = matrix("gate", WIDTH, CHANNELS), matrix("gate_self", WIDTH, CHANNELS)
        self.gate_0, self.gate_near = vector("gate_0", CHANNELS), vector("gate_near", N, CHANNELS)
        self.sums, self.sums_0 = matrix("sums", CHANNELS, BONUS), vector("sums_0", BONUS)
        self.sums_event, self.sums_self = matrix("sums_event", WIDTH, BONUS), matrix("sums_self", WIDTH, BONUS)
        self.bonus, self.bonus_0 = matrix("bonus", BONUS, 1), vector("bonus_0", 1)
        self.next, self.next_0 = matrix("next", WIDTH, TYPES), vector("next_0", TYPES)
        self.buy_1, self.buy_1_0 = matrix("buy_1", 2 * WIDTH + STATE + HABITS, WIDTH), vector("buy_1_0", WIDTH)
        self.buy_2, self.buy_2_0 = matrix("buy_2", WIDTH, 2), vector("buy_2_0", 2)
        self._drop.build(shape)
        self.built = True

    def call(self, x: Any, training: bool = False) -> dict[str, Any]:
        kind, category, item = (x[:, k * N : (k + 1) * N] for k in range(3))
        cents, gap = x[:, 3 * N : 4 * N], x[:, 4 * N : 5 * N]
        habits = (ops.log(1.0 + ops.maximum(x[:, 5 * N :], 0.0)) - self._habits[0]) / self._habits[1]
        habits = ops.clip(habits, -FARTHEST, FARTHEST)
        filled = ops.cast(kind > 0, "float32")
        named = ops.cast(category > 0, "float32")
        # [n, j, k]: events j and k have the same, known category.
        other = ops.where(category > 0, category, -1.0)
        same = ops.cast(ops.expand_dims(category, 2) == ops.expand_dims(other, 1), "float32")
        place = ops.take(ops.convert_to_tensor(self._place), ops.cast(category, "int32"), axis=0)
        e = self._events(kind, item, cents, gap, filled, same, place)
        if training:
            e = self._drop(e, training=True)
        u = normal(e)
        count = ops.sum(filled, axis=1, keepdims=True)
        state = self._state(kind, gap, filled, count)
        mean = ops.matmul(ops.expand_dims(filled / (1.0 + count), 1), u)[:, 0]
        h = e[:, 0] + self._attend(u, mean, state, filled)
        g = ops.matmul(ops.concatenate([normal(h) * self.scale_1, mean, state], axis=1), self.inner) + self.inner_0
        h = normal(h + ops.matmul(ops.relu(g), self.outer) + self.outer_0) * self.scale_2
        said = self._drop(h, training=True) if training else h
        generated, window = self._categories(said, h, u, same, named, place)
        known = ops.matmul(said, self.next) + self.next_0
        nobody = np.r_[NEVER, np.zeros(TYPES - 1)].astype(np.float32)  # code 0 is no event
        b = ops.relu(ops.matmul(ops.concatenate([said, mean, state, habits], axis=1), self.buy_1) + self.buy_1_0)
        return {
            "generated": generated,
            "window": window,
            "next_type": ops.softmax(known + nobody, axis=-1),
            "purchase": ops.sigmoid(ops.matmul(b, self.buy_2) + self.buy_2_0),
            "embedding": h,
        }

    def _events(self, kind: Any, item: Any, cents: Any, gap: Any, filled: Any, same: Any, place: Any) -> Any:
        """[n, 32, width] each event."""
        first = np.r_[0.0, np.ones(N - 1)].astype(np.float32)
        later = gap * first  # between an event and the next one; the newest has no next one yet
        before, age = ops.matmul(gap, OLDER) * filled, ops.matmul(later, AGES) * filled
        pauses = ops.matmul(ops.cast(later > SESSION_HOURS, "float32"), AGES)
        # An event that follows one like the newest tells what may follow the newest.
        as_newest = same[:, 0, :]
        item_as_newest = ops.cast(item == item[:, :1], "float32") * ops.cast(item > 0, "float32")
        facts = ops.stack(
            [
                ops.log(1.0 + 60.0 * before) * 0.2,
                ops.log(1.0 + 60.0 * age) * 0.2,
                ops.log(1.0 + ops.maximum(cents, 0.0)) * 0.1,
                ops.cast(pauses < 0.5, "float32"),
                as_newest,
                ops.matmul(as_newest, OLDER),
                item_as_newest,
                ops.matmul(item_as_newest, OLDER),
            ],
            axis=2,
        )
        # Type and place in the window together: one table, made when the model is exported.
        of_place = ops.reshape(ops.expand_dims(self.kind, 1) + self.position, (TYPES * N, WIDTH))
        where = ops.cast(kind, "int32") * N + np.arange(N, dtype=np.int32)
        number = ops.cast(item, "int32")
        number = ops.where(number > 0, (number - 1) % ITEM_ROWS + 1, 0)
        e = ops.take(self.category, place, axis=0) + ops.take(of_place, where, axis=0) + ops.matmul(facts, self.fact)
        return e + ops.take(self.item, number, axis=0)

    @staticmethod
    def _state(kind: Any, gap: Any, filled: Any, count: Any) -> Any:
        """[n, 6] where the shopper stands now: time since the newest event, the oldest kept and the last order (logs),
        events kept, orders in 7 and in 30 days."""
        elapsed = ops.matmul(gap, AGES)  # from each event to now
        logs = ops.log(1.0 + 60.0 * elapsed) * 0.2
        order = ops.cast(kind == ORDER, "float32")
        never = 1.0 - order
        of_orders = order * ops.cast(elapsed <= 24.0 * 7, "float32"), order * ops.cast(elapsed <= 24.0 * 30, "float32")
        return ops.concatenate(
            [
                logs[:, :1],
                ops.max(logs * filled, axis=1, keepdims=True),
                ops.min(logs + 3.0 * never, axis=1, keepdims=True),
                count * (1.0 / N),
                ops.sum(of_orders[0], axis=1, keepdims=True) * (1.0 / 8),
                ops.sum(of_orders[1], axis=1, keepdims=True) * (1.0 / 16),
            ],
            axis=1,
        )

    def _attend(self, u: Any, mean: Any, state: Any, filled: Any) -> Any:
        """[n, width] what the newest event finds among the 32."""
        size = WIDTH // HEADS
        q = ops.matmul(ops.concatenate([u[:, 0], mean, state], axis=1), self.query) + self.query_0
        asked = [ops.matmul(q[:, h * size : (h + 1) * size], self.key[h]) for h in range(HEADS)]
        scores = ops.matmul(ops.stack(asked, axis=1) * size**-0.5, ops.transpose(u, (0, 2, 1)))
        nothing = ops.expand_dims((1.0 - filled) * NEVER, 1)
        found = ops.matmul(ops.softmax(scores + self.near + nothing, axis=-1), u)
        heads = [ops.matmul(found[:, h], self.value[h]) for h in range(HEADS)]
        return ops.matmul(ops.concatenate(heads, axis=1), self.out)

    def _categories(self, said: Any, h: Any, u: Any, same: Any, named: Any, place: Any) -> tuple[Any, Any]:
        logit = ops.matmul(said, self.generate) + self.generate_0
        both = ops.matmul(u, ops.concatenate([self.gate, self.sums_event], axis=1))
        gates = both[:, :, :CHANNELS] + ops.expand_dims(ops.matmul(h, self.gate_self) + self.gate_0, 1) + self.gate_near
        sums = ops.log(1.0 + ops.matmul(same, ops.relu(gates)))  # over the events of each one's category
        context = both[:, :, CHANNELS:] + ops.expand_dims(ops.matmul(h, self.sums_self) + self.sums_0, 1)
        bonus = (ops.matmul(ops.relu(ops.matmul(sums, self.sums) + context), self.bonus) + self.bonus_0)[:, :, 0]
        size = len(self.vocabulary)
        held = along(logit, ops.where(place > 1, place - 2, size))
        window = held + bonus
        newest = named * ops.cast(ops.matmul(same, NEWEST[:, None])[:, :, 0] < 2.0 * NEWEST, "float32")
        # One softmax over both; a category of the vocabulary that is in the window counts there.
        most = ops.max(window * newest + NEVER * (1.0 - newest), axis=1, keepdims=True)
        most = ops.stop_gradient(ops.maximum(ops.max(logit, axis=1, keepdims=True), most))
        weight, here = ops.exp(logit[:, :-1] - most), ops.exp(window - most) * newest
        twice = ops.exp(held - most) * newest * ops.cast(place > 1, "float32")
        total = ops.sum(weight, axis=1, keepdims=True) + ops.sum(here - twice, axis=1, keepdims=True)
        total = ops.maximum(total, 1e-9)
        return weight / total, here / total


class Answers(keras.layers.Layer):  # type: ignore[misc]
    """The encoder's answers as the task names them: the eight likeliest categories, best first, of those in the window
    and the eight that are generated most."""

    def __init__(self, encoder: Encoder, **more: Any) -> None:
        super().__init__(**more)
        self.encoder = encoder

    def build(self, shape: Any) -> None:
        self.built = True

    def call(self, x: Any) -> list[Any]:
        said = self.encoder(x, training=False)
        window = x[:, N : 2 * N]
        probability, which = ops.top_k(said["generated"], min(TOP, len(self.encoder.vocabulary)))
        bucket = ops.take(ops.convert_to_tensor(self.encoder.vocabulary.astype(np.float32)), which, axis=0)
        there = ops.max(ops.cast(ops.expand_dims(bucket, 2) == ops.expand_dims(window, 1), "float32"), axis=2)
        every = ops.concatenate([said["window"], probability * (1.0 - there)], axis=1)
        best, at = ops.top_k(every, TOP)
        named = along(ops.concatenate([window, bucket], axis=1), at)
        purchase = said["purchase"]
        return [purchase[:, 1], purchase[:, 0], said["next_type"], named, best, said["embedding"]]


def answering(encoder: Encoder) -> Any:
    """The network that is exported, [n, 168] → ``purchase_7d``, ``purchase_session``, ``next_type``, ``next_category``,
    ``next_category_probability``, ``embedding``; it shares the encoder's weights."""
    inputs = keras.Input((5 * N + HABITS,), name="features", dtype="float32")
    return keras.Model(inputs, Answers(encoder)(inputs))

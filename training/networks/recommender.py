"""Which items come next: those that a shopper knows are weighed one by one, all others by an embedding.

What repeats and what is explored are apart (compare RepeatNet, Ren et al. 2019; TIFU-kNN, Hu et al. 2020). Of each item
that the shopper bought or saw last a small network weighs how often, how long ago, and how often it is bought again by
anybody. Of all others, the popular part of the catalogue, the weight is an inner product of the item's vector with one
that is made of the known items' (a mean, weighed by the same network), and a term of popularity. All weights are of
one softmax. Items are found by their hashes in the graph (``training.networks.places``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from streams.columns.arrays import TYPE_CODE
from streams.features.kinds.bought import ITEMS_TOLD
from streams.features.kinds.cart import CART_TOLD
from streams.features.kinds.recent import EVENTS_KEPT
from streams.records.events import CartItemAdded, ItemWishlisted
from training.networks.encoder import along
from training.networks.places import Places

#: Known items: bought, then seen.
KNOWN = ITEMS_TOLD + EVENTS_KEPT
WIDTH, HIDDEN = 16, 16
NEVER = -1e4
#: A shopper is told of items where so many of the catalogue are known to them.
LEAST_KNOWN = 3
#: Vectors of length 1 whose inner product is less than this do not go with each other.
NEAR = 0.5
#: Of how many items bought, and seen, one may be told that another goes with it.
BESIDE = (24, 8)
#: So many of the explored items are weighed beside the known ones.
EXPLORED_BEST = 20
#: Items that go with one of a cart: of more of them an artifact becomes too large, and a row too dear.
BESIDE_ONE = 8
CARTED, WISHED = TYPE_CODE[CartItemAdded], TYPE_CODE[ItemWishlisted]
#: The columns of a row, in order.
PARTS = {
    "bought_code": 2 * ITEMS_TOLD, "bought_days": ITEMS_TOLD, "bought_times": ITEMS_TOLD,
    "seen_code": 2 * EVENTS_KEPT, "types": EVENTS_KEPT, "gap_hours": EVENTS_KEPT, "habits": 4,
    "in_cart": 2 * CART_TOLD,
}  # fmt: skip
AGES = np.triu(np.ones((EVENTS_KEPT, EVENTS_KEPT), np.float32))
#: What is known of a known item: see ``Recommender._facts``.
FACTS = 13


@dataclass(frozen=True)
class Together:
    """Of the l items that have vectors the eight that go best with each, best first."""

    place: npt.NDArray[np.int16]
    """[1 + l, 8] places + 1 in the catalogue, 0 for none; the first row is nobody's."""
    weight: npt.NDArray[np.int16]
    """[1 + l, 8] how well, in whole numbers up to 32,767: so eight of them add up exactly."""


def parts_of(x: Any) -> dict[str, Any]:
    """The columns of rows by name."""
    found, start = {}, 0
    for name, width in PARTS.items():
        found[name], start = x[:, start : start + width], start + width
    return found


class Recommender(keras.layers.Layer):  # type: ignore[misc]
    """[n, 404] a row of the task → ``place`` [n, 96] of the known items (0: not in the catalogue, else 1 + place),
    ``known`` [n, 96] their logits, ``vector`` [n, 96, 16], and what the first ``explored`` items of the catalogue
    get: ``other`` [n, explored].

    ``vectors`` [l, 16]: the vectors of the first l items, the others have none; ``popularity`` [m] and ``rebought``
    [m]: where the two terms of all start. The catalogue is in order of popularity.
    """

    def __init__(
        self, places: Places, vectors: npt.NDArray[np.float32], popularity: npt.NDArray[np.float32],
        rebought: npt.NDArray[np.float32], explored: int, dropout: float = 0.2, **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(**more)
        self.places, self.explored = places, explored
        self.placed, self._terms = len(vectors), np.stack([popularity, rebought], axis=1)
        self._start = np.pad(vectors, ((0, len(popularity) - len(vectors)), (0, 0)))
        self._drop = keras.layers.Dropout(dropout)
        #: What two towers say of known items (``training.networks.towers.Taste``): given to a trained network.
        self.taste: Any = None

    def build(self, shape: Any) -> None:
        def weight(name: str, *shape: int, start: Any = "glorot_uniform", trainable: bool = True) -> Any:
            return self.add_weight(name=name, shape=shape, initializer=start, trainable=trainable)

        m = len(self._start)
        # As they start: trained, they remember who bought what rather than what goes with what.
        self.item = weight("item", m, WIDTH, start=keras.initializers.Constant(self._start), trainable=False)
        terms = keras.initializers.Constant(self._terms)
        # How popular an item is, and how often it is bought again: [m, 2].
        self.bias = weight("bias", m, 2, start=terms)
        self.fact = weight("fact", FACTS, HIDDEN)
        self.inner, self.inner_0 = weight("inner", HIDDEN, HIDDEN), weight("inner_0", HIDDEN, start="zeros")
        self.outer = weight("outer", HIDDEN, 2, start="zeros")
        self.outer_0 = weight("outer_0", 2, start="zeros")
        self.ask = weight("ask", WIDTH, WIDTH, start=keras.initializers.Identity())
        self.scale = weight("scale", 2, start=keras.initializers.Constant(np.array([4.0, 1.0], np.float32)))
        # What is taken off the weights of explored items: see ``training.choosing``.
        self.less = weight("less", start="zeros", trainable=False)
        self._drop.build(shape)
        self.built = True

    def looked_up(self, place: Any) -> tuple[Any, Any, Any]:
        """The vectors [n, 96, 16] and the two terms [n, 96] each of items; zeros of those that are not in the
        catalogue."""
        at, here = ops.maximum(place - 1, 0), ops.cast(place > 0, "float32")
        vector, terms = ops.take(self.item, at, axis=0), ops.take(self.bias, at, axis=0)
        return vector * ops.expand_dims(here, 2), terms[:, :, 0] * here, terms[:, :, 1] * here

    def catalogue(self) -> tuple[Any, Any]:
        """[16, explored] the vectors of what may be explored, [explored] its term of popularity."""
        return ops.transpose(self.item[: self.explored]), self.bias[: self.explored, 0]

    def call(self, x: Any, training: bool = False) -> dict[str, Any]:
        return self.answer(x, self.looked_up, self.catalogue(), self.less, training)

    def answer(
        self, x: Any, looked_up: Any, catalogue: tuple[Any, Any], less: Any, training: bool = False, unit: float = 1.0
    ) -> dict[str, Any]:
        """What ``call`` gives, of a catalogue that may be rounded: its vectors are in ``unit`` of those trained."""
        given = parts_of(x)
        place = ops.concatenate([self.places.of(given["bought_code"]), self.places.of(given["seen_code"])], axis=1)
        vector, popular, again = looked_up(place)
        facts = self._facts(given, popular, again)
        v = ops.relu(ops.matmul(facts, self.fact))
        v = ops.relu(ops.matmul(v, self.inner) + self.inner_0)
        if training:
            v = self._drop(v, training=True)
        said = ops.matmul(v, self.outer) + self.outer_0
        here = place > 0
        query = self._query(said[:, :, 1], vector, here) * unit**2
        matrix, popularity = catalogue
        # Not by what is near: the vectors remember who bought what, so it would look better than it is.
        known = said[:, :, 0] + again + self.scale[1] * popular * 0.1
        if not training and self.taste is not None:
            known += self.taste.logits(facts, place)
        known = ops.where(here, known, NEVER)
        other = ops.matmul(query, matrix) + popularity
        if not training and less is not None:
            other -= less
        return {"place": place, "known": known, "vector": vector, "other": other}

    def _query(self, gates: Any, vector: Any, here: Any) -> Any:
        """[n, 16] what is looked for: the mean of the known items' vectors, weighed."""
        weights = ops.softmax(ops.where(here, gates, NEVER), axis=1)
        mean = ops.matmul(ops.expand_dims(weights, 1), vector)[:, 0]
        return ops.matmul(mean, self.ask) * self.scale[0]

    def _facts(self, given: dict[str, Any], popular: Any, again: Any) -> Any:
        """[n, 96, 13] of each known item: 1, ages, counts and their ratios (as logs), what was done, and its terms."""
        days = ops.concatenate([given["bought_days"], ops.matmul(given["gap_hours"], AGES) / 24.0], axis=1)
        types = given["types"]
        carted = ops.cast((types == CARTED) | (types == WISHED), "float32")
        nothing = ops.zeros_like(carted)
        times = ops.concatenate([given["bought_times"], nothing], axis=1)
        orders, gap_mean, first, last = (given["habits"][:, k : k + 1] for k in range(4))
        ones, age = ops.ones_like(days), ops.log(1.0 + days)
        interval = ops.maximum(first, 1.0) / ops.maximum(times, 1.0)
        due = age - ops.log(1.0 + interval)
        facts = [
            ones,
            ops.log(1.0 + 24.0 * days) * 0.25,
            ops.log(1.0 + times) * 0.5,
            ops.log(1.0 + orders) * 0.5 * ones,
            due,
            ops.abs(due),
            ops.minimum(times / ops.maximum(orders, 1.0), 2.0),
            age - ops.log(1.0 + gap_mean),
            ops.log(1.0 + ops.minimum(last, 400.0)) * 0.25 * ones,
            ops.concatenate([ops.zeros_like(given["bought_days"]), nothing + 1.0], axis=1),
            ops.concatenate([ops.zeros_like(given["bought_days"]), carted], axis=1),
            popular * 0.2,
            again * 0.2,
        ]
        return ops.stack(facts, axis=2)


class Answers(keras.layers.Layer):  # type: ignore[misc]
    """The recommender's answers as the task names them, with the catalogue in whole numbers from -127 to 127 per column
    of its vectors and terms: the network that is proven and exported is this one."""

    def __init__(self, recommender: Recommender, listed: int, together: Together, with_cart: int, **more: Any) -> None:
        super().__init__(**more)
        self.recommender, self._listed = recommender, listed
        self._together, self._with_cart = together, with_cart
        self._items, self._unit = _rounded(np.asarray(recommender.item)[: recommender.placed], None)
        self._terms, self._terms_unit = _rounded(np.asarray(recommender.bias), 0)
        known = slice(1, recommender.explored + 1)
        self._matrix = np.ascontiguousarray(self._items[known].astype(np.float32).T)
        # What is taken off the explored is taken off how popular they are.
        less = np.asarray(recommender.less, np.float32)
        self._popular = self._terms[known, 0].astype(np.float32) * self._terms_unit[0] - less

    def build(self, shape: Any) -> None:
        self.built = True

    def call(self, x: Any) -> list[Any]:
        catalogue = self._matrix, self._popular
        said = self.recommender.answer(x, self._looked_up, catalogue, None, unit=float(self._unit))
        place = said["place"]
        # Some of them turn out to be known: they are weighed as such.
        other, at = ops.top_k(said["other"], min(EXPLORED_BEST, self.recommender.explored))
        there = ops.any(ops.expand_dims(at + 1, 2) == ops.expand_dims(place, 1), axis=2)
        other = ops.where(there, NEVER, other)
        # Of whom so few items are of this catalogue, nothing is said: they may be of another shop.
        here = ops.sum(ops.cast(said["known"] > NEVER / 2, "float32"), axis=1, keepdims=True)
        judged = ops.cast(here >= LEAST_KNOWN, "float32")
        weight = ops.softmax(ops.concatenate([said["known"], other], axis=1), axis=1) * judged
        again = ops.sum(weight[:, :KNOWN], axis=1, keepdims=True)
        best, which = ops.top_k(weight, self._listed)
        every = ops.cast(ops.concatenate([place, at + 1], axis=1), "float32")
        listed = along(every, which)
        return [again, listed - 1.0, best, self._beside(said, place, listed), *self._going_with(parts_of(x)["in_cart"])]

    def _beside(self, said: dict[str, Any], place: Any, listed: Any) -> Any:
        """[n, listed] the known item whose vector is nearest to each, of those of the largest weight and those seen
        last; -1 where none is near."""
        vectors = self._vectors(ops.cast(listed, "int32"))
        # Whole numbers: so exact, and of two that are as near the first one.
        among = [slice(0, BESIDE[0]), slice(ITEMS_TOLD, ITEMS_TOLD + BESIDE[1])]
        known = ops.concatenate([said["vector"][:, some] for some in among], axis=1)
        place = ops.concatenate([place[:, some] for some in among], axis=1)
        near = ops.cast(ops.matmul(vectors, ops.transpose(known, (0, 2, 1))), "int32")
        at = ops.argmax(near, axis=2)
        beside = along(ops.cast(place, "float32"), at) - 1.0
        return ops.where(ops.max(near, axis=2) > int(NEAR / float(self._unit) ** 2), beside, -1.0)

    def _going_with(self, in_cart: Any) -> list[Any]:
        """[n, with_cart] each: what goes best with the items of a cart, of the eight that go with each of them; the
        share of each of all that do; and with which of the cart it goes best. In whole numbers, so exact."""
        import tensorflow as tf

        every = self.recommender.places.of(in_cart)
        # Most carts are empty: what is dear is done for the others.
        some = tf.where(every[:, 0] > 0)
        cart = tf.gather_nd(every, some)
        near, held = (
            ops.reshape(ops.take(ops.convert_to_tensor(part), self._held(cart), axis=0), (-1, CART_TOLD * BESIDE_ONE))
            for part in (self._together.place, self._together.weight)
        )
        near, held = ops.cast(near, "int32"), ops.cast(held, "int32")
        there = ops.any(ops.expand_dims(near, 2) == ops.expand_dims(cart, 1), axis=2)
        weight = ops.cast(ops.where(there, 0, held), "float32")
        # What goes with several of the cart counts for each, and is named once, where it is first: of powers that are
        # halved from place to place the sum is below twice its own there. No item goes with one of a cart twice, so a
        # sum has eight terms at most, and is exact.
        power = ops.broadcast_to(0.5 ** np.arange(CART_TOLD * BESIDE_ONE, dtype=np.float32), ops.shape(weight))
        same = ops.cast(ops.expand_dims(near, 2) == ops.expand_dims(near, 1), "float32")
        sums = ops.matmul(same, ops.stack([weight, power], axis=2))
        total = ops.where(sums[:, :, 1] < 2.0 * power, sums[:, :, 0], 0.0)
        best, which = ops.top_k(total, self._with_cart)
        share = best / ops.maximum(ops.sum(total, axis=1, keepdims=True), 1.0)
        listed = along(ops.cast(near, "float32"), which)
        mine = ops.expand_dims(listed, 2) == ops.expand_dims(ops.cast(near, "float32"), 1)
        at = ops.argmax(ops.where(mine, ops.expand_dims(held, 1), -1), axis=2)
        of = along(ops.cast(cart, "float32"), ops.cast(at, "int32") // BESIDE_ONE)
        none = best <= 0.0
        found = [ops.where(none, 0.0, listed), share, ops.where(none, 0.0, of)]
        shape = tf.stack([tf.cast(tf.shape(every)[0], tf.int64), self._with_cart])
        whole = [tf.scatter_nd(some, each, shape) for each in found]
        return [whole[0] - 1.0, whole[1], whole[2] - 1.0]

    def _looked_up(self, place: Any) -> tuple[Any, Any, Any]:
        popular, again = (
            ops.cast(ops.take(ops.convert_to_tensor(held), place, axis=0), "float32") * float(unit)
            for held, unit in zip(self._terms.T, self._terms_unit, strict=True)
        )
        return self._vectors(place), popular, again

    def _vectors(self, place: Any) -> Any:
        return ops.cast(ops.take(ops.convert_to_tensor(self._items), self._held(place), axis=0), "float32")

    def _held(self, place: Any) -> Any:
        """Rows of the tables that only the first items have: nobody's of the others."""
        placed = self.recommender.placed
        return ops.where(place <= placed, place, 0) if placed < len(self._terms) - 1 else place


def _rounded(table: npt.NDArray[np.float32], axis: int | None) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """[1 + m, k] a table in whole numbers from -127 to 127, its first row nobody's, and their unit (of each column for
    axis 0)."""
    unit = (np.maximum(np.abs(table).max(axis=axis), 1e-6) / 127).astype(np.float32)
    held = np.round(table / unit).astype(np.int8)
    return np.concatenate([np.zeros((1, table.shape[1]), np.int8), held]), unit


def answering(recommender: Recommender, listed: int, together: Together, with_cart: int) -> Any:
    """The network that is exported, [n, 404] → ``again`` [n, 1], ``items``, ``weight`` and ``beside`` [n, listed],
    ``cart``, ``cart_weight`` and ``cart_of`` [n, with_cart]."""
    inputs = keras.Input((sum(PARTS.values()),), name="features", dtype="float32")
    return keras.Model(inputs, Answers(recommender, listed, together, with_cart)(inputs))

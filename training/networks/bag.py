"""What a text's grams say together: of each hash bucket a few numbers, weighed by how rare it is, and added up.

A linear model of hashed grams, as fastText without a hidden layer (Joulin et al. 2017) and with weights like TF-IDF's.
In training some grams of a text are left out at random each time it is seen, so that no answer hangs on one of them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

Rows = npt.NDArray[np.float32]


def rarity(x: Rows, size: int, power: float = 1.0) -> Rows:
    """[size + 1] of each place in a table how much it counts, by how rare it is among some texts [n, width]:
    1 + log((1 + n) / (1 + texts that have it)), to the ``power``; 0 of place 0, which is no gram."""
    n, table = len(x), np.zeros(size + 1, np.int64)
    for start in range(0, n, 4096):
        place = places_of(x[start : start + 4096], size)
        place.sort(axis=1)
        first = np.diff(place, axis=1, prepend=-1) != 0
        table += np.bincount(place[first], minlength=size + 1)
    found = ((1.0 + np.log((1.0 + n) / (1.0 + table))) ** power).astype(np.float32)
    found[0] = 0.0
    return found


def places_of(x: Rows, size: int) -> npt.NDArray[np.int64]:
    """[n, width] where in a table each bucket's numbers are; 0: none. Buckets that differ by a multiple of ``size``
    share them."""
    bucket = x.astype(np.int64)
    return np.where(bucket > 0, (bucket - 1) % size + 1, 0)


def places(x: Any, size: int) -> Any:
    """The same in a network."""
    return ops.cast(ops.where(x > 0, ops.mod(x - 1.0, float(size)) + 1.0, 0.0), "int32")


def even(weight: Rows, x: Rows) -> Rows:
    """The weights, divided by one number, so that a text of [n, width] has a length of about 1 where the root of the
    number of its grams is its unit."""
    place = places_of(x[:: max(1, len(x) // 4096)], len(weight) - 1)
    squares = (weight[place] ** 2).sum(axis=1) / np.maximum((place > 0).sum(axis=1), 1)
    return weight / np.float32(np.sqrt(squares).mean())


class Bag(keras.layers.Layer):  # type: ignore[misc]
    """[n, width] buckets from 1 on (0: none) → [n, answers] logits. ``weight`` [size + 1]: how much each place counts;
    ``dropout``: the share of grams that is left out in training. A text is divided by its length, as TF-IDF's are; or
    ``by_count``: by the root of the number of its grams, of which a table need not know."""

    def __init__(self, weight: Rows, answers: int, dropout: float, by_count: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.size, self.answers, self.dropout, self.by_count = len(weight) - 1, answers, dropout, by_count
        self.weight = weight
        self._seed = keras.random.SeedGenerator(1)

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(name="table", shape=(self.size + 1, self.answers), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(self.answers,), initializer="zeros")
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        place = places(x, self.size)
        counts = ops.take(ops.convert_to_tensor(self.weight), place, axis=0)
        here = ops.cast(place > 0, "float32")
        if training and self.dropout:
            here = here * ops.cast(keras.random.uniform(ops.shape(x), seed=self._seed) >= self.dropout, "float32")
            counts = counts * here
        squares = here if self.by_count else counts * counts
        counts = counts / _root(ops.sum(squares, axis=1, keepdims=True))
        vectors = ops.take(self.table, place, axis=0)
        return ops.squeeze(ops.matmul(ops.expand_dims(counts, 1), vectors), 1) + self.bias


def _root(squares: Any) -> Any:
    return ops.sqrt(ops.maximum(squares, 1e-6))


class Rounded(keras.layers.Layer):  # type: ignore[misc]
    """What a ``Bag`` gives, of numbers that are rounded to whole ones: -127 to 127 per answer and, where texts are
    divided by their length, 0 to 127 of the squares that it is made of. ``packed``: two numbers in a byte, each the
    square of one of -7 to 7 with its sign (0 to 15 of the squares), which is finer near 0. The network that is proven
    and exported holds these."""

    def __init__(self, bag: Bag, packed: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.size, self._by_count, self._packed, self._answers = bag.size, bag.by_count, packed, bag.answers
        table = np.asarray(bag.table) * bag.weight[:, None]
        squares = bag.weight**2
        most, most_squared = (49, 225) if packed else (127, 127)
        self._unit = np.maximum(np.abs(table).max(axis=0), 1e-6).astype(np.float32) / most
        self._square_unit = np.float32(squares.max() / most_squared)
        held, lengths = table / self._unit, (squares / self._square_unit)[:, None]
        if packed:
            held, lengths = np.sign(held) * np.sqrt(np.abs(held)) + 8, np.sqrt(lengths)
        parts = [held] if bag.by_count else [held, lengths]
        whole = np.round(np.concatenate(parts, axis=1)).astype(np.int16)
        self._held, self._bias = pairs(whole) if packed else whole.astype(np.int8), np.asarray(bag.bias)

    def build(self, shape: Any) -> None:
        self.built = True

    def call(self, x: Any) -> Any:
        place = places(x, self.size)
        # Whole numbers: they add up to the same in whatever order.
        rows = ops.cast(ops.take(ops.convert_to_tensor(self._held), place, axis=0), "float32")
        if self._packed:
            high = ops.floor(rows / 16.0)
            both = ops.concatenate([rows - 16.0 * high, high], axis=2)
            centred = both[:, :, : self._answers] - 8.0
            lengths = both[:, :, self._answers : self._answers + 1]
            rows = ops.concatenate([centred * ops.abs(centred), lengths * lengths], axis=2)
        added = ops.sum(rows, axis=1)
        many = added[:, : self._answers]
        if self._by_count:
            squares = ops.sum(ops.cast(place > 0, "float32"), axis=1, keepdims=True)
        else:
            squares = added[:, self._answers : self._answers + 1] * self._square_unit
        return many * self._unit / _root(squares) + self._bias


def pairs(whole: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """[n, ceil(k / 2)] of whole numbers of 0 to 15 [n, k]: of each byte the lower half is of the first half of them."""
    half = -(-whole.shape[1] // 2)
    high = np.zeros((len(whole), half), np.int16)
    high[:, : whole.shape[1] - half] = whole[:, half:]
    return (whole[:, :half] + 16 * high).astype(np.uint8)


def texts_of(x: Rows, weight: Rows, by_count: bool = False) -> Any:
    """[n, size + 1] the texts as a ``Bag`` sees them, as a sparse matrix."""
    from scipy import sparse

    size = len(weight) - 1
    place = places_of(x, size)
    row, column = np.nonzero(place)[0], place[place > 0]
    counted = sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(x), size + 1))
    counted.sum_duplicates()
    texts = counted @ sparse.diags(weight)
    squares = (place > 0).sum(axis=1) if by_count else np.asarray(texts.multiply(texts).sum(axis=1)).reshape(-1)
    return sparse.diags(1.0 / np.sqrt(np.maximum(squares, 1e-6))) @ texts


def machine(x: Rows, label: npt.NDArray[np.int64], weight: Rows, answers: int) -> tuple[Rows, Rows]:
    """([size + 1, answers], [answers]) the weights and biases of a linear support vector machine, one answer against
    the rest, of texts [n, width] and the places of their answers: where a ``Bag`` may begin. Zeros of answers that no
    text has."""
    found = machine_of(texts_of(x, weight), label)
    coefficients, bias = found.coef_, found.intercept_
    if len(found.classes_) == 2:
        coefficients, bias = np.concatenate([-coefficients, coefficients]), np.concatenate([-bias, bias])
    table, biases = np.zeros((len(weight), answers), np.float32), np.full(answers, -1.0, np.float32)
    table[:, found.classes_], biases[found.classes_] = coefficients.T, bias
    return table, biases


def machine_of(texts: Any, label: npt.NDArray[np.int64], counts: npt.NDArray[np.float64] | None = None) -> Any:
    """A linear support vector machine of texts, one answer against the rest; ``counts`` [n]: what each counts."""
    from sklearn.svm import LinearSVC

    return LinearSVC(max_iter=300, random_state=0).fit(texts, label, counts)


def regression(x: Rows, y: npt.NDArray[np.float64], weight: Rows) -> tuple[Rows, Rows]:
    """([size + 1, 1], [1]) the weights and bias of a logistic regression (C = 10) of texts, by count, and whether each
    is positive: where a ``Bag`` of one answer may begin."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=10.0, max_iter=200).fit(texts_of(x, weight, by_count=True), y > 0.5)
    return found.coef_.T.astype(np.float32), found.intercept_.astype(np.float32)


def chances(network: Any, x: Rows) -> Rows:
    """[n] what a network of one answer says of texts."""
    return np.asarray(network.predict(x, batch_size=1024, verbose=0), np.float32).reshape(-1)

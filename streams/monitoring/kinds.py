"""What is measured of an answer, by its kind: numbers that tell of it, how far two lie apart, how wrong one was.

Drift, canaries and late labels measure every output of every task by these three tables, and know no task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints

#: A chance that was said to be none counts as this, so that its logarithm is finite.
LEAST_CHANCE = 1e-4
#: An embedding lies in the sector of that of so many directions, or of their opposites, that it follows most; they are
#: the same for all of one width. How far it follows one moves with each season: over a year of households PSI comes to
#: 0.37, that of sectors to 0.16.
DIRECTIONS = 4
#: Embeddings are held against so many others of their slice, and not where there are fewer than ``LEAST_OTHERS``.
OTHERS, LEAST_OTHERS = 64, 16
#: Kinds whose numbers mean the same in all versions of a task: places of an embedding do not, and what a ranking lists
#: first may change with a better one.
SAME_MEANING = frozenset({"probability", "number", "quantiles", "distribution"})
#: Of these, kinds that are probabilities.
CHANCES = frozenset({"probability", "distribution"})
#: Kinds that stand for the ``names`` of a version, where it has any.
NAMED = frozenset({"ranking", "text", "effects"})

Values = npt.NDArray[Any]


class Output(Protocol):
    """An output of a task; ``models.task.Output`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def label(self) -> Any: ...
    @property
    def levels(self) -> tuple[float, ...]: ...


def numbers(output: Output, values: Values) -> dict[str, Floats]:
    """Name → [n] numbers that tell of n answers [n] or [n, width]: that of a probability or number under the name of
    the output, others under ``OUTPUT.WHAT``. NaN where nothing was answered.

    >>> from models.task import Output
    >>> numbers(Output("next", "distribution", 3), np.array([[0.2, 0.7, 0.1]]))
    {'next.likeliest': array([1.]), 'next.chance': array([0.7])}
    """
    values = _wide(values).astype(np.float64)
    found = _NUMBERS[output.kind](values)
    return {f"{output.name}.{what}" if what else output.name: column for what, column in found.items()}


def _wide(values: Values) -> Values:
    return values[:, None] if values.ndim == 1 else values


def _amounts(values: Values) -> dict[str, Floats]:
    if values.shape[1] == 1:
        return {"": values[:, 0]}
    return {"first": values[:, 0], "mean": values.mean(axis=1)}


def _quantiles(values: Values) -> dict[str, Floats]:
    return {"middle": values[:, values.shape[1] // 2], "width": values[:, -1] - values[:, 0]}


def _distribution(values: Values) -> dict[str, Floats]:
    chance = values.max(axis=1)
    return {"likeliest": np.where(np.isfinite(chance), values.argmax(axis=1), np.nan), "chance": chance}


def _ranking(values: Values) -> dict[str, Floats]:
    different = 1.0 + (np.diff(np.sort(values, axis=1), axis=1) > 0).sum(axis=1)
    return {"first": values[:, 0], "different": np.where(np.isfinite(values[:, 0]), different, np.nan)}


def _text(values: Values) -> dict[str, Floats]:
    return {"first": values[:, 0], "length": np.where(np.isfinite(values[:, 0]), (values >= 0).sum(axis=1), np.nan)}


def _embedding(values: Values) -> dict[str, Floats]:
    along, length = values @ _directions(values.shape[1]), np.linalg.norm(values, axis=1)
    sector = np.concatenate([along, -along], axis=1).argmax(axis=1)
    return {"length": length, "sector": np.where(np.isfinite(length), sector, np.nan)}


@lru_cache(maxsize=16)
def _directions(width: int) -> Floats:
    """[width, 4] of length 1."""
    axes = np.random.default_rng(0).standard_normal((width, DIRECTIONS))
    found: Floats = axes / np.linalg.norm(axes, axis=0)
    return found


def _effects(values: Values) -> dict[str, Floats]:
    told = np.isfinite(values)
    return {"largest": np.where(told, values, -1.0).max(axis=1), "told": told.sum(axis=1).astype(np.float64)}


_NUMBERS: dict[str, Callable[[Values], dict[str, Floats]]] = {
    "probability": _amounts,
    "number": _amounts,
    "quantiles": _quantiles,
    "distribution": _distribution,
    "ranking": _ranking,
    "text": _text,
    "embedding": _embedding,
    "effects": _effects,
}


def distance(kind: str, one: Values, other: Values) -> Floats:
    """[n] how far two answers [n] or [n, width] of one kind to the same rows lie apart, from 0 to 1: the share of a
    ranking that the other does not list; of a text the share of places that differ; of numbers and quantiles the
    difference over the sum of their amounts; of distributions the chance that would have to move; of embeddings, which
    two versions may turn as they like, one less the correlation of how like both find the row to others of the slice
    (NaN where these are few); of effects the mean difference, 1 where one alone can tell; else the mean difference, at
    most 1.

    >>> distance("ranking", np.array([[1, 2, 3, 4]]), np.array([[2, 1, 9, 8]])).tolist()
    [0.5]
    >>> distance("distribution", np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).tolist()
    [1.0]
    >>> distance("probability", np.array([0.5]), np.array([0.25])).tolist()
    [0.25]
    >>> distance("number", np.array([3.0]), np.array([1.0])).tolist()
    [0.5]
    """
    one, other = _wide(one), _wide(other)
    if kind == "ranking":
        return 1.0 - (one[:, :, None] == other[:, None, :]).any(axis=2).mean(axis=1)
    if kind == "text":
        return (one != other).mean(axis=1)
    if kind in ("number", "quantiles"):
        amount = np.abs(one).sum(axis=1) + np.abs(other).sum(axis=1)
        return np.abs(one - other).sum(axis=1) / np.maximum(amount, 1e-12)
    if kind == "embedding":
        return _unlike(one, other)
    if kind == "effects":
        off = np.where(np.isnan(one) & np.isnan(other), 0.0, np.abs(one - other))
        return np.minimum(np.where(np.isnan(off), 1.0, off), 1.0).mean(axis=1)
    off = np.abs(one - other)
    found: Floats = off.sum(axis=1) / 2 if kind == "distribution" else off.mean(axis=1)
    return np.minimum(found, 1.0)


def _unlike(one: Values, other: Values) -> Floats:
    n = len(one)
    if n < LEAST_OTHERS:
        return np.full(n, np.nan)
    chosen = np.unique(np.linspace(0, n - 1, min(n, OTHERS)).astype(np.int64))
    itself = np.arange(n)[:, None] == chosen
    both = []
    for values in (one, other):
        unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        like = unit @ unit[chosen].T
        mean = np.where(itself, 0.0, like).sum(axis=1, keepdims=True) / (~itself).sum(axis=1, keepdims=True)
        both.append(np.where(itself, 0.0, like - mean))
    ours, theirs = both
    spread = np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum(axis=1))
    # Where all are alike to either, there is nothing to tell them by: they agree when both find it so.
    flat = spread < 1e-9
    same = np.abs(ours - theirs).max(axis=1) < 1e-6
    found: Floats = np.where(flat, ~same, 1.0 - np.clip((ours * theirs).sum(axis=1) / np.maximum(spread, 1e-9), 0, 1))
    return found


def as_named(kind: str, values: Values, names: Sequence[str], wanted: Sequence[str]) -> Values:
    """Answers that stand for names by places among those of one version, by places among those of another; what that
    does not name is unlike all that it names."""
    if kind not in NAMED or not names or not wanted or names == wanted:
        return values
    place = _places(tuple(names), tuple(wanted))
    if kind == "effects":
        width = values.shape[1]
        kept = np.flatnonzero((place[:width] >= 0) & (place[:width] < width))
        moved = np.zeros_like(values)
        moved[:, place[kept]] = values[:, kept]
        return moved
    whole = values.astype(np.int64)
    return np.where(whole >= 0, place[np.clip(whole, 0, len(place) - 1)], whole)


@lru_cache(maxsize=4)
def _places(names: tuple[str, ...], wanted: tuple[str, ...]) -> Ints:
    """Of each name its place among those that are wanted; of one that is not there a negative number of its own."""
    places = {name: i for i, name in enumerate(wanted)}
    return np.array([places.get(name, -2 - i) for i, name in enumerate(names)], np.int64)


def losses(output: Output, answer: Values, label: Floats) -> Floats | None:
    """[n] how wrong n answers [n, width] were, of which the label [n] is known: its squared error of a probability,
    its absolute error of a number. None of kinds that no label judges."""
    measure = _LOSSES.get(output.kind)
    if measure is None or (output.kind in ("probability", "number") and output.width != 1):
        return None
    return measure(answer, label, output)


def _off(answer: Values, label: Floats, output: Output) -> Floats:
    return np.abs(answer[:, 0] - label)


def _squared(answer: Values, label: Floats, output: Output) -> Floats:
    found: Floats = (answer[:, 0] - label) ** 2
    return found


def _log_loss(answer: Values, label: Floats, output: Output) -> Floats:
    code = np.minimum(label.astype(np.int64), output.width - 1)
    return -np.log(np.maximum(answer[np.arange(len(code)), code], LEAST_CHANCE))


def _missed(answer: Values, label: Floats, output: Output) -> Floats:
    same = answer == label[:, None]
    return np.where(same.any(axis=1), 1 - 1 / (same.argmax(axis=1) + 1), 1.0)


def _pinball(answer: Values, label: Floats, output: Output) -> Floats:
    levels, off = np.array(output.levels), label[:, None] - answer
    found: Floats = np.maximum(levels * off, (levels - 1) * off).mean(axis=1)
    return found


_LOSSES: dict[str, Callable[[Values, Floats, Output], Floats]] = {
    "probability": _squared,
    "distribution": _log_loss,
    "ranking": _missed,
    "number": _off,
    "quantiles": _pinball,
}

"""What classifiers of items share: which classes a version knows, how sure it is, and from where on that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluate import share_interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Promise:
    """The share of answers that is to be right where a version is sure."""

    share: float
    least_rows: int
    """Answers of which the share right is told: of fewer it is chance."""
    first: int
    """The lowest confidence that is tried, in fiftieths."""
    rounds: int
    """Redraws of groups."""


def names_of(label: npt.NDArray[Any], most: int, least: int) -> list[str]:
    """The classes that a version knows, in order of their names: at most so many, those said most often, each at least
    so often. ``""`` is no class.

    >>> names_of(np.array(["tea", "cup", "tea", "", "pot", "pot"]), 5, 2)
    ['pot', 'tea']
    """
    names, count = np.unique(label[label != ""].astype(str), return_counts=True)
    kept = np.lexsort((names, -count))[:most]
    return sorted(str(names[i]) for i in kept.tolist() if count[i] >= least)


def temperature(logits: Floats, label: Ints) -> float:
    """What logits [n, classes] are divided by so that the chances fit the labels [n] best, of 60 from 0.25 to 4."""
    return float(min(np.geomspace(0.25, 4.0, 60).tolist(), key=lambda by: surprise(logits / by, label)))


def surprise(logits: Floats, label: Ints) -> float:
    """The mean of minus the logarithm of what logits [n, classes] give the labels [n] as chances.

    >>> round(surprise(np.zeros((3, 2)), np.array([0, 1, 1])), 4)
    0.6931
    """
    scaled = logits - logits.max(axis=1, keepdims=True)
    right = scaled[np.arange(len(label)), label]
    return float((np.log(np.exp(scaled).sum(axis=1)) - right).mean())


def sure_from(confidence: Floats, right: Bools, group: Ints, seed: int, promise: Promise) -> float | None:
    """The least confidence, in fiftieths, from which on the share that is right is at least what is promised, however
    groups are redrawn (95% interval); None where no confidence is."""
    for least in range(promise.first, 50):
        some = confidence >= least / 50
        if some.sum() < promise.least_rows:
            return None
        low, _ = share_interval({"ours": right[some]}, group[some], seed, rounds=promise.rounds)["ours"]
        if low >= promise.share:
            return least / 50
    return None


def sureness(
    confidence: Floats, right: Bools | None, group: Ints, least: float | None, seed: int, named: Bools | None = None
) -> dict[str, Any]:
    """What a card says of answers after the cut: how many are sure, and which share of these is right. ``right``: None
    of things that are of none of the classes. ``least``: None where the version is never sure. ``named``: of which it
    names a class at all, where it tells what is like nothing that taught it."""
    sure = np.zeros(len(confidence), np.bool_) if least is None else confidence >= least
    found: dict[str, Any] = {"rows": len(sure), "sure": round(float(sure.mean()), 4) if len(sure) else None}
    if named is not None:
        found["named"] = round(float(named.mean()), 4) if len(named) else None
    if right is not None and sure.any():
        found["right"] = round(float(right[sure].mean()), 4)
        found["right_95"] = list(share_interval({"ours": right[sure]}, group[sure], seed)["ours"])
    return found

"""How good probabilities are: the one code for training's cards, and for late labels in the stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


def auc(label: npt.NDArray[Any], score: npt.NDArray[Any]) -> float:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties counting half; NaN while one
    kind is missing.

    >>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5]))
    0.875
    """
    positive = label > 0.5
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    _, rank, count = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2
    return float((middle[rank][positive].sum() - n * (n + 1) / 2) / (n * m))


def calibration(label: npt.NDArray[Any], score: npt.NDArray[Any], bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean score, share that happened, rows) of equally large groups in order of the score."""
    order = np.argsort(score, kind="stable")
    return [
        (float(score[part].mean()), float(label[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def expected_calibration_error(label: npt.NDArray[Any], score: npt.NDArray[Any], bins: int = 10) -> float:
    """Mean distance between score and share that happened, over equally large groups; NaN while empty."""
    return Calibration.of(label, score, bins).error if len(label) else float("nan")


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far ``labels`` probabilities are off: the expected calibration ``error``, what chance gives one that is right
    (``floor``), and its standard ``deviation``. Small groups are always off by something.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(1000)
    >>> right, wrong = Calibration.of(rng.random(1000) < p, p), Calibration.of(rng.random(1000) < p**2, p)
    >>> round(right.error, 2), round(right.excess, 2), round(wrong.excess, 2), round(wrong.deviation, 2)
    (0.03, 0.0, 0.13, 0.01)
    """

    labels: int
    error: float
    floor: float
    deviation: float

    @property
    def excess(self) -> float:
        """The error beyond what chance gives."""
        return self.error - self.floor

    @staticmethod
    def of(label: npt.NDArray[Any], score: npt.NDArray[Any], bins: int = 10) -> Calibration:
        """Of equally large groups in order of the score; all 0 of none."""
        groups = calibration(label, score, bins)
        if not groups:
            return Calibration(0, 0.0, 0.0, 0.0)
        error = sum(abs(p - y) * n for p, y, n in groups) / len(label)
        p, _, n = (np.array(v) for v in zip(*groups, strict=True))
        weight, variance = n / n.sum(), p * (1 - p) / n
        # The distance of a normal variable from its mean: sqrt(2/π) standard deviations, give or take sqrt(1 - 2/π).
        floor = float((weight * np.sqrt(variance * 2 / np.pi)).sum())
        deviation = float(np.sqrt((weight**2 * variance * (1 - 2 / np.pi)).sum()))
        return Calibration(len(label), error, floor, deviation)

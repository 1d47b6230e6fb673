"""How good probabilities are: the one code for training's cards, and for late labels in the stream."""

from __future__ import annotations

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
    if not len(label):
        return float("nan")
    return sum(abs(p - y) * n for p, y, n in calibration(label, score, bins)) / len(label)

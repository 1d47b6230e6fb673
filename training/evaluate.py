"""Metrics, the same code for our model and every baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def auc(label: npt.NDArray[Any], score: npt.NDArray[Any]) -> float:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties counting half.

    >>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5]))
    0.875
    """
    _, rank, count = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2
    positive = label > 0.5
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((middle[rank][positive].sum() - n * (n + 1) / 2) / (n * m))


def brier(label: npt.NDArray[Any], score: npt.NDArray[Any]) -> float:
    """Mean squared distance of the probability from what happened."""
    return float(np.mean((score - label) ** 2))


def calibration(label: npt.NDArray[Any], score: npt.NDArray[Any], bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean score, share that happened, rows) of equally large groups in order of the score."""
    order = np.argsort(score, kind="stable")
    return [
        (float(score[part].mean()), float(label[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def expected_calibration_error(label: npt.NDArray[Any], score: npt.NDArray[Any], bins: int = 10) -> float:
    """Mean distance between score and share that happened, over equally large groups."""
    return sum(abs(p - y) * n for p, y, n in calibration(label, score, bins)) / len(label)


def auc_interval(
    label: npt.NDArray[Any],
    scores: dict[str, Floats],
    group: npt.NDArray[np.int64],
    seed: int,
    rounds: int = 200,
) -> dict[str, tuple[float, float]]:
    """95% bootstrap intervals of each AUC, and of ``ours - NAME`` for each other; whole shoppers are redrawn.

    ``scores`` must hold ``ours``. The same redraws serve all, so the differences are paired.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    names, starts = np.unique(group[order], return_index=True)
    parts = np.split(order, starts[1:])
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        rows = np.concatenate([parts[i] for i in rng.integers(0, len(names), len(names))])
        drawn = {name: auc(label[rows], score[rows]) for name, score in scores.items()}
        for name, value in drawn.items():
            found.setdefault(name, []).append(value)
            if name != "ours":
                found.setdefault(f"ours - {name}", []).append(drawn["ours"] - value)
    return {
        name: (round(float(np.quantile(v, 0.025)), 4), round(float(np.quantile(v, 0.975)), 4))
        for name, v in found.items()
    }


def measure(label: npt.NDArray[Any], score: npt.NDArray[Any]) -> dict[str, float]:
    """The metrics that a card reports."""
    return {
        "rows": len(label),
        "base_rate": round(float(label.mean()), 4),
        "auc": round(auc(label, score), 4),
        "brier": round(brier(label, score), 4),
        "ece": round(expected_calibration_error(label, score), 4),
    }

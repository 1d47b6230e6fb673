"""Metrics of amounts (orders, money), the same code for our model and every baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training import redraws

Floats = npt.NDArray[np.float64]

#: Fewer rows than this are not reported as a segment.
LEAST_ROWS = 100
#: Redraws of shoppers.
ROUNDS = 200


def ranks(values: npt.NDArray[Any]) -> Floats:
    """[n] the rank of each, ties in the middle of theirs.

    >>> ranks(np.array([5.0, 1.0, 5.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    middle: Floats = (np.cumsum(count) - (count + 1) / 2)[place]
    return middle


def spearman(label: npt.NDArray[Any], answer: npt.NDArray[Any]) -> float:
    """Rank correlation; 0 where either is the same everywhere.

    >>> round(spearman(np.array([1, 2, 3]), np.array([10.0, 20.0, 90.0])), 6)
    1.0
    """
    a, b = ranks(label), ranks(answer)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def measure(label: Floats, answer: Floats) -> dict[str, float]:
    """What a card reports of a number: mean of the label, mean absolute error, bias (what was foretold in all over what
    came, less 1), rank correlation."""
    came = float(label.sum())
    return {
        "rows": len(label),
        "mean": round(float(label.mean()), 4),
        "mae": round(float(np.abs(answer - label).mean()), 4),
        "bias": round(float(answer.sum()) / came - 1, 4) if came else 0.0,
        "spearman": round(spearman(label, answer), 4),
    }


def measure_quantiles(label: Floats, answer: Floats, levels: Sequence[float]) -> dict[str, float]:
    """What a card reports of quantiles [n, k]: the share of labels between the outermost, and below each, the pinball
    loss; of the middle one the same as of a number."""
    off, level = label[:, None] - answer, np.array(levels)
    inside = (label >= answer[:, 0]) & (label <= answer[:, -1])
    found = measure(label, answer[:, len(levels) // 2])
    found["pinball"] = round(float(np.maximum(level * off, (level - 1) * off).mean()), 4)
    found["coverage"] = round(float(inside.mean()), 4)
    found["above"] = round(float((label > answer[:, -1]).mean()), 4)
    return found


def _mae(label: Floats, answer: Floats) -> float:
    return float(np.abs(answer - label).mean())


def intervals(
    label: Floats, answers: dict[str, Floats], seed: int, rounds: int = ROUNDS
) -> dict[str, dict[str, tuple[float, float]]]:
    """95% bootstrap intervals, by measure (``mae_95``, ``spearman_95``), of each answer and of ``ours - NAME``; each
    row is a shopper, and the same redraws serve all, so differences are paired."""
    measures: dict[str, redraws.Measure] = {"mae_95": _mae, "spearman_95": spearman}
    return redraws.measured(measures, label, answers, redraws.of_rows(len(label), seed, rounds))


def curves(label: Floats, answer: Floats, groups: int = 10) -> dict[str, list[list[float]]]:
    """What a report draws: ``calibration`` (mean foretold, mean that came, rows) of equally large groups, and ``lift``
    (share of shoppers taken, best first; their share of all over that)."""
    order = np.argsort(answer, kind="stable")
    parts = [part for part in np.array_split(order, groups) if len(part)]
    best, total = label[order[::-1]].cumsum(), max(float(label.sum()), 1e-9)
    taken = np.linspace(0, len(label), 21)[1:].astype(int)
    taken = taken[taken > 0]
    return {
        "calibration": [
            [round(float(answer[part].mean()), 4), round(float(label[part].mean()), 4), len(part)] for part in parts
        ],
        "lift": [
            [round(n / len(label), 4), round(float(best[n - 1]) / total / (n / len(label)), 4)] for n in taken.tolist()
        ],
    }


def compare(
    label: Floats,
    answers: dict[str, Floats],
    segments: dict[str, npt.NDArray[np.bool_]],
    seed: int,
    levels: Sequence[float] = (),
) -> dict[str, Any]:
    """All models on the same rows, one per shopper: measures and intervals for ``all`` and each segment, curves for
    all. ``answers`` are [n], or [n, len(levels)] quantiles; they must hold ``ours``."""
    points = {name: a if a.ndim == 1 else a[:, a.shape[1] // 2] for name, a in answers.items()}
    found: dict[str, Any] = {"segments": {}, "curves": {name: curves(label, a) for name, a in points.items()}}
    for segment, mask in {"all": np.ones(len(label), np.bool_), **segments}.items():
        if int(mask.sum()) < LEAST_ROWS:
            continue
        models = {
            name: measure(label[mask], a[mask]) if a.ndim == 1 else measure_quantiles(label[mask], a[mask], levels)
            for name, a in answers.items()
        }
        within = {name: a[mask] for name, a in points.items()}
        found["segments"][segment] = {"models": models, **intervals(label[mask], within, seed)}
    return found

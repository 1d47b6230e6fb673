"""Metrics of what items sell, the same code for our model and every baseline; whole items are redrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.features.kinds.decay import DAY_MS
from training import amounts, redraws

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ROUNDS = 200


def wape(label: Floats, answer: Floats) -> float:
    """Absolute errors over what was sold.

    >>> wape(np.array([10.0, 0.0]), np.array([8.0, 1.0]))
    0.3
    """
    return float(np.abs(answer - label).sum()) / max(float(label.sum()), 1e-9)


def measure(label: Floats, answer: Floats, levels: Sequence[float]) -> dict[str, float]:
    """What a card says of numbers [n] or quantiles [n, k]: besides ``training.amounts`` the error over what was sold,
    and the share of outcomes between the two quantiles next to the middle."""
    if answer.ndim == 1:
        return amounts.measure(label, answer) | {"wape": round(wape(label, answer), 4)}
    middle = answer.shape[1] // 2
    inner = (label >= answer[:, middle - 1]) & (label <= answer[:, middle + 1])
    return amounts.measure_quantiles(label, answer, levels) | {
        "wape": round(wape(label, answer[:, middle]), 4),
        "coverage_inner": round(float(inner.mean()), 4),
    }


def over_time(label: Floats, answers: dict[str, Floats], at_ms: Ints) -> dict[str, Any]:
    """By the day of the rows (UTC), ascending: the day (``from``), how many rows, the mean of what came, and the mean
    of what each said, a number or as many as it has quantiles.

    >>> found = over_time(np.array([1.0, 3.0, 8.0]), {"ours": np.array([2.0, 2.0, 9.0])}, np.array([0, 9, 86_400_000]))
    >>> found["from"], found["rows"], found["came"], found["said"]
    (['1970-01-01', '1970-01-02'], [2, 1], [2.0, 8.0], {'ours': [2.0, 9.0]})
    """
    days, place = np.unique(at_ms // DAY_MS, return_inverse=True)
    rows = np.bincount(place)

    def mean(values: Floats) -> list[Any]:
        total = np.zeros((len(days), *values.shape[1:]))
        np.add.at(total, place, values)
        told: list[Any] = np.round(total / rows.reshape(-1, *[1] * (values.ndim - 1)), 2).tolist()
        return told

    return {
        "from": [str(day) for day in days.astype("datetime64[D]")],
        "rows": rows.tolist(),
        "came": mean(label),
        "said": {name: mean(answer) for name, answer in answers.items()},
    }


def compare(
    label: Floats, answers: dict[str, Floats], item: Ints, at_ms: Ints, seed: int, levels: Sequence[float] = ()
) -> dict[str, Any]:
    """All models on the same rows: measures, and 95% intervals by redrawing whole items, of each and of ``ours - NAME``
    (``spearman_95``, ``wape_95``); and what was said and came over time. ``answers`` must hold ``ours``."""
    points = {name: a if a.ndim == 1 else a[:, a.shape[1] // 2] for name, a in answers.items()}
    models = {name: measure(label, a, levels) for name, a in answers.items()}
    measures: dict[str, redraws.Measure] = {"wape_95": wape, "spearman_95": amounts.spearman}
    intervals = redraws.measured(measures, label, points, redraws.of_groups(item, seed, ROUNDS))
    return {
        "segments": {"all": {"models": models, **intervals}},
        "curves": {name: amounts.curves(label, a) for name, a in points.items()},
        "over_time": over_time(label, answers, at_ms),
    }

"""Metrics, the same code for our model and every baseline (and, in ``streams.monitoring.quality``, for late labels)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from streams.monitoring.quality import auc, calibration, expected_calibration_error
from training import redraws

Floats = npt.NDArray[np.float64]


def _brier(label: npt.NDArray[Any], score: npt.NDArray[Any]) -> float:
    return float(np.square(score - label).mean())


#: What is measured of chances.
OF_CHANCES: Mapping[str, redraws.Measure] = {"auc_95": auc, "brier_95": _brier}


def intervals(
    label: npt.NDArray[Any],
    scores: dict[str, Floats],
    group: npt.NDArray[np.int64],
    seed: int,
    rounds: int = 200,
    measures: Mapping[str, redraws.Measure] = OF_CHANCES,
) -> dict[str, dict[str, tuple[float, float]]]:
    """95% bootstrap intervals, by measure, of each score and of ``ours - NAME`` for each other; whole shoppers are
    redrawn.

    ``scores`` must hold ``ours``. The same redraws serve all, so the differences are paired.
    """
    return redraws.measured(measures, label, scores, redraws.of_groups(group, seed, rounds))


def auc_interval(
    label: npt.NDArray[Any], scores: dict[str, Floats], group: npt.NDArray[np.int64], seed: int, rounds: int = 200
) -> dict[str, tuple[float, float]]:
    """The same of each AUC alone, of scores that need be no chances."""
    return intervals(label, scores, group, seed, rounds, {"auc_95": auc})["auc_95"]


def measure(label: npt.NDArray[Any], score: npt.NDArray[Any]) -> dict[str, float]:
    """The metrics that a card reports."""
    return {
        "rows": len(label),
        "base_rate": round(float(label.mean()), 4),
        "auc": round(auc(label, score), 4),
        "average_precision": round(float(metrics.average_precision_score(label > 0.5, score)), 4),
        "brier": round(float(metrics.mean_squared_error(label, score)), 4),
        "ece": round(expected_calibration_error(label, score), 4),
    }


def curves(label: npt.NDArray[Any], score: npt.NDArray[Any], points: int = 40) -> dict[str, list[list[float]]]:
    """What a report draws, a few points each: ``roc`` (false and true positive rate), ``pr`` (recall, precision),
    ``lift`` (share of rows taken, share of positives over that), ``calibration`` (mean score, share, rows)."""
    false, true, _ = metrics.roc_curve(label > 0.5, score, drop_intermediate=False)
    positives, negatives = int((label > 0.5).sum()), int((label <= 0.5).sum())
    hits, taken = true[1:] * positives, true[1:] * positives + false[1:] * negatives
    some = np.unique(np.searchsorted(taken, np.linspace(0, len(label), points + 1)[1:]).clip(max=len(taken) - 1))
    hits, taken = hits[some], taken[some]

    def pairs(x: Floats, y: Floats) -> list[list[float]]:
        return [[round(float(a), 4), round(float(b), 4)] for a, b in zip(x, y, strict=True)]

    return {
        "roc": [[0.0, 0.0], *pairs(false[1:][some], true[1:][some])],
        "pr": pairs(true[1:][some], hits / taken),
        "lift": pairs(taken / len(label), hits / taken * len(label) / max(1, positives)),
        "calibration": [[round(v, 4) for v in bin_] for bin_ in calibration(label, score)],
    }


#: With fewer shoppers of either answer, too many redraws of whole shoppers have no AUC.
LEAST_OF_EACH = 20
#: Shuffling features asks for that many answers each.
IMPORTANCE_ROWS = 8_000
#: … and no more numbers: rows with pictures are copied, too.
IMPORTANCE_NUMBERS = 1 << 25


def compare(
    label: npt.NDArray[Any],
    scores: dict[str, Floats],
    group: npt.NDArray[np.int64],
    segments: dict[str, npt.NDArray[np.bool_]],
    seed: int,
) -> dict[str, Any]:
    """All models on the same rows: metrics and intervals for ``all`` and each segment, curves for all. A segment with
    fewer than 20 shoppers of either answer is left out.

    ``scores`` must hold ``ours``; ``group`` is the shopper of each row.
    """
    found: dict[str, Any] = {"segments": {}, "curves": {name: curves(label, score) for name, score in scores.items()}}
    for segment, mask in {"all": np.ones(len(label), np.bool_), **segments}.items():
        shoppers = [len(np.unique(group[mask & (answer == (label > 0.5))])) for answer in (True, False)]
        if min(shoppers) >= LEAST_OF_EACH:
            within = {name: score[mask] for name, score in scores.items()}
            found["segments"][segment] = {
                "models": {name: measure(label[mask], score) for name, score in within.items()},
                **intervals(label[mask], within, group[mask], seed),
            }
    return found


def rank_in(best: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[n] the place (from 0) of each truth in its list, best first; -1 when it is not listed.

    >>> rank_in(np.array([[5, 7], [5, 7], [5, 7]]), np.array([7, 5, 9])).tolist()
    [1, 0, -1]
    """
    hit = best == truth[:, None]
    return np.where(hit.any(axis=1), hit.argmax(axis=1), -1)


def top_k(rank: npt.NDArray[np.int64]) -> dict[str, float]:
    """Of the rank (from 0, -1: not listed) at which each truth was predicted: how often it was first, in the first
    five, and the mean of 1 / (rank + 1).

    >>> top_k(np.array([0, 1, -1, 0]))
    {'rows': 4, 'top_1': 0.5, 'top_5': 0.75, 'mrr': 0.625}
    """
    listed = rank >= 0
    return {
        "rows": len(rank),
        "top_1": round(float((rank == 0).mean()), 4),
        "top_5": round(float((listed & (rank < 5)).mean()), 4),
        "mrr": round(float(np.where(listed, 1 / np.maximum(rank + 1.0, 1.0), 0.0).mean()), 4),
    }


def share_interval(
    hit: dict[str, npt.NDArray[Any]], group: npt.NDArray[np.int64], seed: int, rounds: int = 1000
) -> dict[str, tuple[float, float]]:
    """95% bootstrap intervals of each share of hits (or mean), and of ``ours / NAME`` for each other; shoppers are
    redrawn."""
    _, place = np.unique(group, return_inverse=True)
    count = np.bincount(place)
    drawn = redraws.how_often(len(count), seed, rounds)
    total = drawn @ count
    shares = {name: drawn @ np.bincount(place, h) / total for name, h in hit.items()}
    shares |= {f"ours / {name}": shares["ours"] / np.maximum(s, 1e-9) for name, s in shares.items() if name != "ours"}
    return {name: redraws.ends(v) for name, v in shares.items()}


def importance(
    answer: Callable[[npt.NDArray[np.float32]], npt.NDArray[Any]],
    x: npt.NDArray[np.float32],
    label: npt.NDArray[Any],
    widths: Sequence[tuple[str, int]],
    seed: int,
    most: int = 12,
    of: redraws.Measure = auc,
) -> list[list[Any]]:
    """The features whose shuffling among rows costs most AUC, or most ``of`` another measure, with what it costs.
    ``widths``: each feature and how many columns of ``x`` it takes; they are shuffled together."""
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(x))[: min(IMPORTANCE_ROWS, max(1, IMPORTANCE_NUMBERS // x.shape[1]))]
    x, label = x[some], label[some]
    whole = of(label, answer(x))
    found: list[list[Any]] = []
    start = 0
    for name, width in widths:
        shuffled, columns = x.copy(), slice(start, start + width)
        shuffled[:, columns] = x[rng.permutation(len(x)), columns]
        found.append([name, round(whole - of(label, answer(shuffled)), 4)])
        start += width
    return sorted(found, key=lambda pair: -pair[1])[:most]

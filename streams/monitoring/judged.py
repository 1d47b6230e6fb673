"""How good the newest answers were whose label is known, whatever kind of answer they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats
from streams.monitoring.kinds import Output, losses
from streams.monitoring.late_labels import Labels
from streams.monitoring.quality import Calibration, auc

#: Amounts that add up to less are taken to add up to this.
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Quality:
    """How good ``labels`` answers to one output were, as versions are held against each other by."""

    labels: int
    loss: float
    """The mean of how wrong each was (``streams.monitoring.kinds.losses``) …"""
    deviation: float
    """… and the standard deviation of that mean."""
    calibration: Calibration | None = None
    """Of one probability."""


class Judged:
    """The newest answers to one output whose label is known, in a ring."""

    def __init__(self, output: Output, size: int = 5000) -> None:
        self.output = output
        self._answer, self._label = np.zeros((size, output.width)), np.zeros(size)
        self.count = 0

    def observe(self, labels: Labels, mask: npt.NDArray[np.bool_] | None = None) -> None:
        """Take labels as they become known."""
        answer, label = (labels.answer, labels.label) if mask is None else (labels.answer[mask], labels.label[mask])
        at = (self.count + np.arange(len(label))) % len(self._label)
        self._answer[at], self._label[at] = answer, label
        self.count += len(label)

    @property
    def held(self) -> tuple[Floats, Floats]:
        """The answers [n, width] and labels [n] in the ring."""
        n = min(self.count, len(self._label))
        return self._answer[:n], self._label[:n]

    def calibration(self) -> Calibration | None:
        """Of one probability: how far it is off, and how far chance alone would put it; None of anything else."""
        answer, label = self.held
        single = self.output.kind == "probability" and self.output.width == 1
        return Calibration.of(label, answer[:, 0]) if single else None

    def quality(self) -> Quality | None:
        """What versions are held against each other by; None while nothing is known, and of what no label judges."""
        answer, label = self.held
        lost = losses(self.output, answer, label) if len(label) else None
        if lost is None:
            return None
        return Quality(
            len(lost), float(lost.mean()), float(lost.std() / np.sqrt(max(1, len(lost) - 1))), self.calibration()
        )

    def measures(self) -> dict[str, float]:
        """Name → value; empty for kinds that no label can judge, and while nothing is known."""
        answer, label = self.held
        measure = _MEASURES.get(self.output.kind)
        return {} if measure is None or not len(label) else measure(answer, label, self.output)


def _loss(answer: Floats, label: Floats, output: Output) -> float:
    found = losses(output, answer, label)
    return float("nan") if found is None else float(found.mean())


def _probability(answer: Floats, label: Floats, output: Output) -> dict[str, float]:
    if output.width != 1:
        return {}
    score = answer[:, 0]
    return {
        "auc": auc(label, score),
        "calibration_error": Calibration.of(label, score).error,
        "brier": _loss(answer, label, output),
    }


def _distribution(answer: Floats, label: Floats, output: Output) -> dict[str, float]:
    code = np.minimum(label.astype(np.int64), output.width - 1)
    return {"hit_rate": float((answer.argmax(axis=1) == code).mean()), "log_loss": _loss(answer, label, output)}


def _ranking(answer: Floats, label: Floats, output: Output) -> dict[str, float]:
    hit = (answer == label[:, None]).any(axis=1)
    return {"hit_rate": float(hit.mean()), "mean_reciprocal_rank": 1 - _loss(answer, label, output)}


def _number(answer: Floats, label: Floats, output: Output) -> dict[str, float]:
    off = answer[:, 0] - label
    total = max(float(np.abs(label).sum()), _LEAST)
    return {
        "mean_absolute_error": _loss(answer, label, output),
        "weighted_error": float(np.abs(off).sum() / total),
        "bias": float(off.sum() / total),
    }


def _quantiles(answer: Floats, label: Floats, output: Output) -> dict[str, float]:
    inside = (label >= answer[:, 0]) & (label <= answer[:, -1])
    return {
        "coverage": float(inside.mean()),
        "coverage_promised": output.levels[-1] - output.levels[0],
        "pinball": _loss(answer, label, output),
    }


_MEASURES: dict[str, Callable[[Floats, Floats, Output], dict[str, float]]] = {
    "probability": _probability,
    "distribution": _distribution,
    "ranking": _ranking,
    "number": _number,
    "quantiles": _quantiles,
}

"""Judges a canary beside the live model on the same shoppers, and says when it does harm."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.monitoring.drift import psi
from streams.monitoring.quality import Calibration

#: Of so many slices the cost is remembered.
COSTS_KEPT = 200
_EDGES = np.linspace(0, 1, 11)[1:-1]


class Versioned(Protocol):
    """A model, as far as it is counted here."""

    task: str
    version: str


@dataclass(slots=True)
class Compared:
    """A canary or shadow beside the live model, over the due points of a slice. Never part of an outcome."""

    stage: str
    model: Versioned
    live: Floats
    """[k] first output of one number of the live model (0 where it has none) …"""
    other: Floats
    """… and of the other, for the same rows; NaN where it failed."""
    distance: Floats
    """[k] how far the other's first output lies from the live one's, from 0 to 1 (see ``distance``); NaN where it
    failed."""
    live_us_per_row: float
    other_us_per_row: float
    rows: int
    """Of so many rows the cost was measured."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class CanaryPolicy:
    """When a canary is rolled back. Prevents a model that fails, is slow or says something else from going live.

    Failed answers above ``max_failed_share``; a median cost above ``max_cost_ratio`` times the live one's (and above
    ``free_us_per_row``); scores whose distribution moved by more than ``max_score_psi`` from the live model's on the
    same rows; once ``least_labels`` late labels of each are known, a calibration error, less what chance gives, that is
    more than ``max_worse_calibration`` and three standard errors above the live model's on its own shoppers. Nothing
    but failures is judged on fewer than ``least_rows``.
    """

    least_rows: int = 500
    least_failures: int = 5
    max_failed_share: float = 0.01
    max_cost_ratio: float = 4.0
    free_us_per_row: float = 20.0
    max_score_psi: float = 0.25
    least_labels: int = 300
    max_worse_calibration: float = 0.05


@dataclass(slots=True)
class CanaryWatch:
    """What is known of one canary so far."""

    rows: int = 0
    failed: int = 0
    live: Ints = field(default_factory=lambda: np.zeros(10, np.int64))
    other: Ints = field(default_factory=lambda: np.zeros(10, np.int64))
    live_cost: deque[float] = field(default_factory=lambda: deque(maxlen=COSTS_KEPT))
    other_cost: deque[float] = field(default_factory=lambda: deque(maxlen=COSTS_KEPT))
    error: str = ""

    def observe(self, compared: Compared) -> None:
        """Take a slice's due points."""
        known = np.isfinite(compared.other)
        self.rows += len(known)
        self.failed += int((~known).sum())
        self.error = compared.error or self.error
        self.live += _counts(compared.live[known])
        self.other += _counts(compared.other[known])
        if compared.rows >= 16:  # Small slices say nothing about cost.
            self.live_cost.append(compared.live_us_per_row)
            self.other_cost.append(compared.other_us_per_row)

    def verdict(
        self,
        policy: CanaryPolicy,
        live_calibration: Calibration | None = None,
        calibration: Calibration | None = None,
    ) -> tuple[str, str] | None:
        """(reason, detail) for a rollback, or None."""
        if self.failed >= policy.least_failures and self.failed > policy.max_failed_share * self.rows:
            return "errors", f"{self.failed} of {self.rows} answers failed. {self.error}"
        if self.rows < policy.least_rows:
            return None
        if len(self.other_cost) >= 5:
            live, other = float(np.median(self.live_cost)), float(np.median(self.other_cost))
            if other > policy.free_us_per_row and other > policy.max_cost_ratio * live:
                return "latency", f"{other:.0f} µs per row, the live model {live:.0f}."
        moved = psi(self.live, self.other)
        if moved > policy.max_score_psi:
            return "score_drift", f"PSI {moved:.2f} between live and canary over {self.rows} due points."
        if live_calibration and calibration:
            few = min(live_calibration.labels, calibration.labels) < policy.least_labels
            noise = 3 * float(np.hypot(live_calibration.deviation, calibration.deviation))
            allowed = max(0.0, live_calibration.excess) + policy.max_worse_calibration + noise
            if not few and calibration.excess > allowed:
                return (
                    "calibration",
                    f"Probabilities are off by {calibration.excess:.3f} more than chance gives, the live model's by "
                    f"{live_calibration.excess:.3f}; {allowed:.3f} is allowed.",
                )
        return None


def _counts(score: Floats) -> Ints:
    return np.bincount(np.searchsorted(_EDGES, score, side="right"), minlength=10)

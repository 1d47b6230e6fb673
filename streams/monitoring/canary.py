"""Judges a canary beside the live model on the same rows, and says when it does harm: whatever kind of answers they
give."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.monitoring.drift import psi
from streams.monitoring.judged import Judged, Quality
from streams.monitoring.kinds import Output
from streams.monitoring.late_labels import Labels, code_of

#: Of so many slices the cost is remembered.
COSTS_KEPT = 200
#: From so many live answers the bins are made in which numbers are counted; probabilities are counted in tenths.
BINNED_ROWS, BINS = 500, 10
_AROUND = 0.05
_TENTHS = np.linspace(0, 1, BINS + 1)[1:-1]


class Versioned(Protocol):
    """A model, as far as it is counted here."""

    task: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Beside:
    """One number that tells of an answer of the live model [k], and of the other's to the same rows."""

    live: Floats
    other: Floats
    chance: bool = False
    """Whether the answer is probabilities."""


@dataclass(slots=True)
class Compared:
    """A canary or shadow beside the live model, over the due points of a slice. Never part of an outcome."""

    stage: str
    model: Versioned
    against: Versioned
    """The live model."""
    asked: int
    """Due points that both were asked about; of k of them the other's answers are whole."""
    numbers: Mapping[str, Beside]
    """By name (``streams.monitoring.kinds.numbers``), [k] numbers that mean the same in all versions."""
    distance: Mapping[str, Floats]
    """By output, [k] how far the other's answer lies from the live one's, from 0 to 1; NaN where nothing tells."""
    live_us_per_row: float
    other_us_per_row: float
    rows: int
    """Of so many rows the cost was measured."""
    failed: int = 0
    """Of how many it failed to answer."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class CanaryPolicy:
    """When a canary is rolled back. Prevents a model that fails, is slow or says something else from going live.

    Failed answers above ``max_failed_share``; a median cost above ``max_cost_ratio`` times the live one's (and above
    ``free_us_per_row``); numbers whose distribution moved by more than ``max_score_psi`` from the live model's on the
    same rows; answers whose mean ``distance`` to the live ones is above ``max_distance``: next to nothing in common;
    once ``least_labels`` late labels of each are known, a calibration error, less what chance gives, that is more than
    ``max_worse_calibration`` and three standard errors above the live model's on its own shoppers, or answers that are
    wrong by more than ``max_worse_share`` and three standard errors beyond the live model's. Nothing but failures is
    judged on fewer than ``least_rows``.
    """

    least_rows: int = 500
    least_failures: int = 5
    max_failed_share: float = 0.01
    max_cost_ratio: float = 4.0
    free_us_per_row: float = 20.0
    max_score_psi: float = 0.25
    max_distance: float = 0.9
    least_labels: int = 300
    max_worse_calibration: float = 0.05
    max_worse_share: float = 0.1


class Moved:
    """How the numbers of both models are distributed over bins that the live model's first ones make."""

    def __init__(self) -> None:
        self._edges: Floats | None = None
        self._first: list[Beside] = []
        self._live: Ints = np.zeros(BINS, np.int64)
        self._other: Ints = np.zeros(BINS, np.int64)

    def observe(self, beside: Beside) -> None:
        """Take the numbers of a slice."""
        if self._edges is None:
            self._first.append(beside)
            if sum(len(each.live) for each in self._first) >= BINNED_ROWS:
                self._bin()
        else:
            self._count(self._edges, beside)

    def psi(self) -> float:
        """The index of the other's numbers against the live ones."""
        if self._edges is None and self._first:
            self._bin()
        return psi(self._live, self._other)

    def _bin(self) -> None:
        live = np.concatenate([each.live for each in self._first])
        chance = self._first[0].chance and bool(((live >= 0) & (live <= 1)).all())
        self._edges = _TENTHS if chance else _between(live)
        for each in self._first:
            self._count(self._edges, each)
        self._first = []

    def _count(self, edges: Floats, beside: Beside) -> None:
        for counts, values in ((self._live, beside.live), (self._other, beside.other)):
            finite = values[np.isfinite(values)]
            counts += np.bincount(np.searchsorted(edges, finite, side="right"), minlength=BINS)


def _between(values: Floats) -> Floats:
    """Edges of ten bins that hold as many of the values each, as far as that can be, halfway between two values: a last
    bit puts nothing into another bin. Where all are one, those 5% around it."""
    known = np.unique(values[np.isfinite(values)])
    if len(known) == 1:
        return known[0] + np.array([-1.0, 1.0]) * _AROUND * (abs(known[0]) or 1.0)
    if not len(known):
        return np.zeros(0)
    wanted = np.quantile(values[np.isfinite(values)], np.arange(1, BINS) / BINS, method="lower")
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 2)
    return np.unique((known[place] + known[place + 1]) / 2)


@dataclass(slots=True)
class CanaryWatch:
    """What is known of one canary so far."""

    codes: tuple[int, int] = (0, 0)
    """``code_of`` the live model and the canary."""
    rows: int = 0
    failed: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    apart: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By output, of how many rows a distance is known, and the sum of it."""
    judged: dict[str, tuple[Judged, Judged]] = field(default_factory=dict)
    """By output, the live model's answers whose label is known, and the canary's."""
    live_cost: deque[float] = field(default_factory=lambda: deque(maxlen=COSTS_KEPT))
    other_cost: deque[float] = field(default_factory=lambda: deque(maxlen=COSTS_KEPT))
    error: str = ""

    def observe(self, compared: Compared) -> None:
        """Take a slice's due points."""
        self.codes = code_of(compared.against.digest), code_of(compared.model.digest)
        self.rows += compared.asked
        self.failed += compared.failed
        self.error = compared.error or self.error
        for name, beside in compared.numbers.items():
            self.moved.setdefault(name, Moved()).observe(beside)
        for name, distance in compared.distance.items():
            known = distance[np.isfinite(distance)]
            rows, total = self.apart.get(name, (0, 0.0))
            self.apart[name] = rows + len(known), total + float(known.sum())
        if compared.rows >= 16:  # Small slices say nothing about cost.
            self.live_cost.append(compared.live_us_per_row)
            self.other_cost.append(compared.other_us_per_row)

    def judge(self, output: Output, labels: Labels) -> None:
        """Take labels as they become known. None before the canary's first: what the live model foretold of another
        season is not held against what the canary foretells of this one."""
        live, canary = (labels.model == code for code in self.codes)
        if output.name not in self.judged:
            if not canary.any():
                return
            self.judged[output.name] = Judged(output), Judged(output)
        for judged, mine in zip(self.judged[output.name], (live, canary), strict=True):
            judged.observe(labels, mine)

    def verdict(self, policy: CanaryPolicy) -> tuple[str, str] | None:
        """(reason, detail) for a rollback, or None."""
        if self.failed >= policy.least_failures and self.failed > policy.max_failed_share * self.rows:
            return "errors", f"{self.failed} of {self.rows} answers failed. {self.error}"
        if self.rows < policy.least_rows:
            return None
        if len(self.other_cost) >= 5:
            live, other = float(np.median(self.live_cost)), float(np.median(self.other_cost))
            if other > policy.free_us_per_row and other > policy.max_cost_ratio * live:
                return "latency", f"{other:.0f} µs per row, the live model {live:.0f}."
        for name, moved in self.moved.items():
            index = moved.psi()
            if index > policy.max_score_psi:
                return "score_drift", f"PSI {index:.2f} of {name} between live and canary over {self.rows} due points."
        for name, (rows, total) in self.apart.items():
            if rows >= policy.least_rows and total > policy.max_distance * rows:
                return (
                    "distance",
                    f"{name} lies {total / rows:.2f} from the live answer on average, of 1 at most, over {rows} due "
                    "points.",
                )
        for name, both in self.judged.items():
            live_quality, quality = (judged.quality() for judged in both)
            found = live_quality and quality and worse(policy, name, live_quality, quality)
            if found:
                return found
        return None


def worse(policy: CanaryPolicy, name: str, live: Quality, canary: Quality) -> tuple[str, str] | None:
    """(reason, detail) where late labels tell that a canary's answers to the output ``name`` are worse than the live
    model's, or None."""
    if min(live.labels, canary.labels) < policy.least_labels:
        return None
    if live.calibration and canary.calibration:
        noise = 3 * float(np.hypot(live.calibration.deviation, canary.calibration.deviation))
        allowed = max(0.0, live.calibration.excess) + policy.max_worse_calibration + noise
        if canary.calibration.excess > allowed:
            return (
                "calibration",
                f"Probabilities {name} are off by {canary.calibration.excess:.3f} more than chance gives, the live "
                f"model's by {live.calibration.excess:.3f}; {allowed:.3f} is allowed.",
            )
    allowed = live.loss * (1 + policy.max_worse_share) + 3 * float(np.hypot(live.deviation, canary.deviation))
    if canary.loss > allowed:
        return (
            "quality",
            f"Answers {name} are wrong by {canary.loss:.4g} on average, the live model's by {live.loss:.4g}; "
            f"{allowed:.4g} is allowed.",
        )
    return None

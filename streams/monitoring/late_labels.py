"""Joins scores to what happened: one due point per shopper waits for its horizon to pass, then its label is known.

The waiting due point is in the shopper's row, so it survives restarts and moves with the partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions import churn_alert
from streams.decisions.decider import Group, Said
from streams.monitoring.quality import Calibration, auc
from streams.records.events import OrderPlaced

ORDER = TYPE_CODE[OrderPlaced]
DAY_MS = 86_400_000
DUE = Column("late_label/due", "i8")
SCORE = Column("late_label/score", "u4")
MODEL = Column("late_label/model", "u4")
ORDERED = Column("late_label/ordered", "u1")
#: Scores are rounded to 4 decimals, so they are kept as whole numbers.
UNIT = 10_000


def code_of(digest: str) -> int:
    """What the row remembers of a model: 32 bits of its digest."""
    return int(digest[:8], 16)


@dataclass(slots=True)
class Labels:
    """k scores with what happened: ``lapsed`` when no order came within the horizon; ``model``: ``code_of`` whose."""

    score: Floats
    lapsed: Bools
    model: Ints

    @staticmethod
    def none() -> Labels:
        """No labels."""
        return Labels(np.zeros(0), np.zeros(0, np.bool_), np.zeros(0, np.int64))

    def __add__(self, other: Labels) -> Labels:
        return Labels(np.r_[self.score, other.score], np.r_[self.lapsed, other.lapsed], np.r_[self.model, other.model])


@dataclass(slots=True)
class LateLabels:
    """The waiting due points of one partition. Nothing is counted twice: ``swept_ms`` is how far labels were told."""

    columns: ClassVar[tuple[Column, ...]] = (DUE, SCORE, MODEL, ORDERED)
    reads: ClassVar[tuple[str, ...]] = ()
    horizon_days: int = churn_alert.HORIZON_DAYS
    swept_ms: int = 0
    _told: Labels = field(default_factory=Labels.none)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Take note of a group's scores and orders; says nothing."""
        score = group.answer(churn_alert.TASK, churn_alert.OUTPUT)
        known = np.isfinite(score)
        if known.any():
            scores = group.seen.scores[churn_alert.TASK]
            codes = np.array([code_of(model.digest) for model in scores.models], np.int64)
            model = codes[scores.used[group.span][known]]
            ordered = group.event_type[known] == ORDER
            self.take(state, group.row[known], group.now_ms[known], score[known], model, ordered)
        return ()

    def take(self, state: Rows, row: Ints, now_ms: Ints, score: Floats, model: Ints, ordered: Bools) -> None:
        """Due points of one step, no shopper twice. ``ordered``: an order made the shopper due."""
        due, cells = state.flat["i8"], state.cells(DUE, row)
        waiting, horizon = due[cells], self.horizon_days * DAY_MS
        within = (waiting > 0) & (now_ms <= waiting + horizon)
        came = row[within & ordered & (now_ms > waiting)]
        state.flat["u1"][state.cells(ORDERED, came)] = 1
        over = (waiting > 0) & ~within
        self._tell(state, row[over & (waiting + horizon > self.swept_ms)])
        fresh = (waiting == 0) | over
        chosen = row[fresh]
        due[state.cells(DUE, chosen)] = now_ms[fresh]
        state.flat["u4"][state.cells(SCORE, chosen)] = np.round(score[fresh] * UNIT).astype(np.uint32)
        state.flat["u4"][state.cells(MODEL, chosen)] = model[fresh].astype(np.uint32)
        state.flat["u1"][state.cells(ORDERED, chosen)] = 0

    def sweep(self, state: Rows, places: Ints, watermark_ms: int) -> Labels:
        """What became known since last time, also of those of ``places`` who never came back."""
        if watermark_ms > self.swept_ms:
            horizon = self.horizon_days * DAY_MS
            due = state.flat["i8"][state.cells(DUE, places)]
            known = (due > 0) & (due + horizon > self.swept_ms) & (due + horizon <= watermark_ms)
            self._tell(state, places[known])
            self.swept_ms = watermark_ms
        told, self._told = self._told, Labels.none()
        return told

    def _tell(self, state: Rows, row: Ints) -> None:
        if len(row):
            u1, u4 = state.flat["u1"], state.flat["u4"]
            self._told += Labels(
                u4[state.cells(SCORE, row)] / UNIT,
                u1[state.cells(ORDERED, row)] == 0,
                u4[state.cells(MODEL, row)].astype(np.int64),
            )


class Judged:
    """The newest scores whose label is known, in a ring, and how good they were."""

    def __init__(self, size: int = 5000) -> None:
        self._score, self._lapsed = np.zeros(size), np.zeros(size, np.bool_)
        self.count = 0

    def take(self, score: Floats, lapsed: Bools) -> None:
        """Take labels as they become known."""
        at = (self.count + np.arange(len(score))) % len(self._score)
        self._score[at], self._lapsed[at] = score, lapsed
        self.count += len(score)

    @property
    def held(self) -> tuple[Floats, Bools]:
        """The scores and labels in the ring."""
        n = min(self.count, len(self._score))
        return self._score[:n], self._lapsed[:n]

    def auc(self) -> float:
        """Chance that a shopper who lapsed was scored above one who did not; NaN while one kind is missing.

        >>> judged = Judged()
        >>> judged.take(np.array([0.1, 0.9, 0.5, 0.5]), np.array([False, True, False, True]))
        >>> judged.auc()
        0.875
        """
        score, lapsed = self.held
        return auc(lapsed, score)

    def calibration(self) -> Calibration:
        """How far the scores are off as probabilities, and how far chance alone would put them."""
        score, lapsed = self.held
        return Calibration.of(lapsed, score)

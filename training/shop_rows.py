"""Rows of a shop for what its shoppers bring: all who had ordered, as they stood at moments some weeks apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.tasks.value.task import DAYS
from streams.features.kinds.decay import DAY_MS
from training.baselines import spending as others
from training.job import CutHistory, FeatureRows, Job
from training.labels.amounts import brought_within
from training.labels.horizons import Labels
from training.replay import SNAPSHOT
from training.split import Split, split

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]

#: As in ``churn``: no snapshot of a shop's first month.
WARM_UP_DAYS = 30
#: All shoppers of a shop stand together in a snapshot, each so many weeks that they make at most so many rows.
SNAPSHOT_ROWS = 150_000
#: LightGBM's number of trees is chosen on labels that became known in the last weeks before the cut.
VALIDATION_DAYS = 28
#: After so many days what a shopper brought counts half, for us and for LightGBM: half a label's horizon.
FADES_DAYS = 45.0
RFM = others.RFM


@dataclass(frozen=True)
class Shop:
    """The rows of one history, labels and parts."""

    given: CutHistory
    table: FeatureRows
    x: Rows32
    """[n, f] what our network takes."""
    brought: Labels
    """[n, 2] orders, and cents."""
    parts: Split

    @property
    def name(self) -> str:
        """Of the history."""
        return self.given.name

    def known(self, days: int) -> npt.NDArray[np.bool_]:
        """[n] of which rows it was known so many days before the cut what they brought."""
        told = self.brought.known_ms[:, 0] <= self.given.cut_ms - days * DAY_MS
        return np.isfinite(self.brought.value[:, 0]) & told

    def at(self, at_ms: int) -> npt.NDArray[np.bool_]:
        """[n] everybody who had ordered by then, as they stood."""
        return (self.table.rows.why == SNAPSHOT) & (self.table.rows.at_ms == at_ms)

    @property
    def test(self) -> npt.NDArray[np.bool_]:
        """The rows at the cut."""
        return self.at(self.given.cut_ms)

    def orders(self, rows: npt.NDArray[np.bool_]) -> Floats:
        """[rows] what they brought."""
        return self.brought.value[rows, 0].astype(np.float64)

    def cents(self, rows: npt.NDArray[np.bool_]) -> Floats:
        """[rows] what they brought, net."""
        return self.brought.value[rows, 1].astype(np.float64)


def shop_of(job: Job, given: CutHistory) -> Shop:
    """Rows at moments some whole weeks apart up to the cut, and at due points; labels, and parts."""
    history, cut_ms = given.history, given.cut_ms
    first = int(history.time_ms[0]) + WARM_UP_DAYS * DAY_MS
    weeks = max(1, (cut_ms - first) // (7 * DAY_MS))
    apart = max(1, -(-weeks * len(history.shoppers) // SNAPSHOT_ROWS))
    moments = range(cut_ms, min(first, cut_ms - 1), -7 * apart * DAY_MS)
    table = job.rows(given, tuple(dict.fromkeys((*job.task.features, *RFM))), snapshots_ms=moments)
    brought = brought_within(history, table.rows, DAYS)
    parts = split(table.rows, brought, cut_ms, VALIDATION_DAYS * DAY_MS)
    return Shop(given, table, table.matrix(job.task.features), brought, parts)


def fresh(s: Shop, rows: npt.NDArray[Any]) -> Floats:
    """[rows] how much each counts, 1 in all: what became known longer before the cut counts less, because shops and
    their shoppers change."""
    age_days = (s.given.cut_ms - s.brought.known_ms[rows, 0]) / DAY_MS
    weight: Floats = 0.5 ** (age_days / FADES_DAYS)
    return weight / weight.sum()

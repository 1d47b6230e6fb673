"""Rows of a shop for what comes of its items: at the ends of days, what came of each, and which are tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from streams.features.kinds.decay import DAY_MS
from training import export
from training.history import History
from training.items import Sales
from training.job import CutHistory, FeatureRows, Job
from training.labels.horizons import Labels
from training.networks.tabular import answers_of
from training.replay import Rows
from training.split import Leak, window

Rows32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: No row of a shop's first month: too little is known of its items.
WARM_UP_DAYS = 30
#: Rows after the cut are tested so far apart.
APART_DAYS = 7


@dataclass(frozen=True)
class Shop:
    """The rows of one history, and what came after each."""

    given: CutHistory
    table: FeatureRows
    x: Rows32
    came: Labels
    """[n, horizons], the longest one last."""
    sales: Sales
    test: Mask

    @property
    def name(self) -> str:
        """Of the history."""
        return self.given.name

    def known(self, days: int) -> Mask:
        """[n] of which rows all horizons were over so many days before the cut, and anything came of one."""
        told = self.came.known_ms[:, -1] <= self.given.cut_ms - days * DAY_MS
        late = self.table.rows.at_ms >= int(self.table.history.time_ms[0]) + WARM_UP_DAYS * DAY_MS
        return told & late & np.isfinite(self.came.value).any(axis=1)


def shop_of(job: Job, given: CutHistory, came: Callable[[History, Rows], Labels], days: int) -> Shop:
    """Rows at the ends of days, labels of so many ``days`` at most, and which rows are tested: those at the ends of
    days a week apart after the cut, of which all is known. Raises ``Leak``."""
    table = job.rows(given, job.task.features)
    rows, history = table.rows, table.history
    label = came(history, rows)
    first = given.cut_ms - given.cut_ms % DAY_MS + DAY_MS * (given.cut_ms % DAY_MS > 0)
    test = (rows.at_ms >= first) & ((rows.at_ms - first) % (APART_DAYS * DAY_MS) < DAY_MS)
    test &= label.known_ms[:, -1] <= history.end_ms
    shop = Shop(given, table, table.matrix(job.task.features), label, Sales(history), test)
    known = shop.known(0)
    if (known & test).any() or (rows.at_ms[known] + days * DAY_MS > given.cut_ms).any():
        raise Leak("A row teaches of which it was not known at the cut what came of it.")
    return shop


def split_of(shops: Sequence[Shop], rule: str) -> dict[str, Any]:
    """What a card says of its split."""
    return {
        "rule": rule,
        "windows": {s.name: window(s.table.history, s.given.cut_ms) for s in shops},
        "rows": {s.name: {"trained on": int(s.known(0).sum()), "tested on": int(s.test.sum())} for s in shops},
    }


def proven(job: Job, shops: Sequence[Shop], network: Any, card: dict[str, Any]) -> Artifact:
    """The network as an artifact, proven equal on rows that were tested. Raises ``NotEqual``."""
    tested = np.concatenate([s.x[s.test][:: max(1, int(s.test.sum()) // 700)] for s in shops])
    rows = np.random.default_rng(job.seed).permutation(tested)
    taught = np.concatenate([s.x[s.known(0)][::7] for s in shops])
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, lambda x: answers_of(network, x), rows, taught, card, job.upstream)

"""Rows of a shop for what comes of its items: at the ends of days, what came of each, and which are tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.features.kinds.decay import DAY_MS
from training.history import History
from training.items import Sales
from training.job import CutHistory, FeatureRows, Job
from training.labels.horizons import Labels
from training.networks.tabular import answers_of
from training.replay import Rows
from training.shops import importance
from training.split import Leak

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


#: What is measured of one shop, by output: of our network's answers, beside those of the champion, if there is one.
Measured = Callable[[Job, Shop, dict[str, Rows32], dict[str, Any] | None], dict[str, Any]]


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


def metrics_of(
    job: Job, shops: Sequence[Shop], network: Any, measured: Measured, outputs: Sequence[str], features: Sequence[str]
) -> dict[str, Any]:
    """By shop, what a card says: what is ``measured`` of the network beside others, and what each of the first features
    is worth to each of the ``outputs``, one per horizon."""
    metrics = {}
    for s in shops:
        champion = None if job.champion is None else job.champion.score(s.x[s.test])
        found = measured(job, s, answers_of(network, s.x[s.test]), champion)
        for h, output in enumerate(outputs):
            label = s.came.value[s.test, h].astype(np.float64)
            found[output] |= importance(job, s, network, output, label, features)
        metrics[s.name] = found
    return metrics

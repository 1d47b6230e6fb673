"""A shopper's own purchase rhythm, from the times of their last orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from streams.columns.arrays import TYPE_CODE, Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.last import LastN, row_sum
from streams.features.kinds.marks import MAX_DAYS
from streams.features.signals import Run
from streams.records.events import OrderPlaced

ORDERS_KEPT = 12
#: Orders closer together than this are one shopping trip (split invoices, two tills).
TRIP_MS = 3_600_000
MAX_OVERDUE = 20.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Of the gaps between the last 12 orders (orders within an hour are one trip), in days: their mean, spread
    (population standard deviation), the newest one, or the days since the last order over the mean (``overdue``,
    at most 20). All 0 until there is a gap; ``gaps`` counts them."""

    what: Literal["gaps", "mean", "spread", "newest", "overdue"]

    @property
    def words(self) -> dict[float, str]:
        """See ``Feature.in_words``."""
        return {0.0: {"spread": "none", "overdue": "not overdue"}.get(self.what, "none yet")}


class Summary(NamedTuple):
    """[k] each, of the gaps between a row's last orders; all 0 where there is none."""

    gaps: Floats
    """Their number."""
    mean: Floats
    """Days."""
    spread: Floats
    """Days."""
    newest: Floats
    """Days."""
    last_ms: Floats
    """Time of the last order, whole milliseconds."""


class RhythmKind:
    """Keeps the times of the last 12 orders."""

    def __init__(self, sources: Sequence[Rhythm]) -> None:
        self._orders = LastN("orders", ORDERS_KEPT, ())
        self.columns: tuple[Column, ...] = self._orders.columns

    def fold(self, state: Rows, run: Run) -> None:
        self._orders.fold(state, run, run.type == TYPE_CODE[OrderPlaced])

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        self._orders.merge(state, row, other)

    def summary(self, rows: Readable) -> Summary:
        """What the last orders of each row say."""
        return rows.once("rhythm/summary", lambda: self._summary(rows))

    def _summary(self, rows: Readable) -> Summary:
        # Fewer than two orders have no gap; most shoppers of a shop that is only looked at have not ordered at all.
        some, filled, times, _ = self._orders.newest_first(rows, least=2)
        apart = times[:, :-1] - times[:, 1:]
        real = filled[:, 1:] & (apart > TRIP_MS)
        days = np.where(real, apart / DAY_MS, 0.0)
        count = row_sum(real)
        safe = np.maximum(count, 1.0)
        mean = row_sum(days) / safe
        spread = np.sqrt(row_sum(np.where(real, (days - mean[:, None]) ** 2, 0.0)) / safe)
        newest = days[np.arange(len(days)), np.argmax(real, axis=1)]
        found = np.zeros((5, len(rows)))
        found[:, some] = count, mean, spread, newest, times[:, 0]
        return Summary(*found)

    def read(self, rows: Readable, now_ms: Ints, source: Rhythm) -> Floats:
        summary = self.summary(rows)
        if source.what == "gaps":
            return summary.gaps
        if source.what == "overdue":
            late = np.maximum(now_ms - summary.last_ms, 0) / DAY_MS
            overdue = np.minimum(late / np.maximum(summary.mean, 1 / 24), MAX_OVERDUE)
            return np.where(summary.gaps > 0, overdue, 0.0)
        return np.minimum(getattr(summary, source.what), MAX_DAYS)

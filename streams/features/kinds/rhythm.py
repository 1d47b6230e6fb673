"""A shopper's own purchase rhythm, from the times of their last orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.features.columns import Column, Readable, Rows
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.last import LastN, row_sum
from streams.features.kinds.marks import MAX_DAYS
from streams.features.signals import Run
from streams.processing.batch import TYPE_CODE, Bools, Floats, Ints
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


class RhythmKind:
    """Keeps the times of the last 12 orders."""

    def __init__(self, sources: Sequence[Rhythm]) -> None:
        self._orders = LastN("orders", ORDERS_KEPT, ())
        self.columns: tuple[Column, ...] = self._orders.columns

    def fold(self, state: Rows, run: Run) -> None:
        self._orders.fold(state, run, run.type == TYPE_CODE[OrderPlaced])

    def gaps(self, rows: Readable) -> tuple[Bools, Floats, Ints]:
        """[k, 11] whether there is a gap, its days (newest first); [k] time of the last order in ms."""
        return rows.once("rhythm/gaps", lambda: self._gaps(rows))

    def _gaps(self, rows: Readable) -> tuple[Bools, Floats, Ints]:
        filled, times, _ = self._orders.newest_first(rows)
        apart = times[:, :-1] - times[:, 1:]
        real = filled[:, 1:] & (apart > TRIP_MS)
        return real, np.where(real, apart / DAY_MS, 0.0), times[:, 0]

    def summary(self, rows: Readable) -> tuple[Floats, Floats, Floats, Ints]:
        """[k] number of gaps, their mean and spread in days, time of the last order in ms."""
        return rows.once("rhythm/summary", lambda: self._summary(rows))

    def _summary(self, rows: Readable) -> tuple[Floats, Floats, Floats, Ints]:
        real, days, last = self.gaps(rows)
        count = row_sum(real)
        safe = np.maximum(count, 1.0)
        mean = row_sum(days) / safe
        spread = np.sqrt(row_sum(np.where(real, (days - mean[:, None]) ** 2, 0.0)) / safe)
        return count, mean, spread, last

    def read(self, rows: Readable, now_ms: Ints, source: Rhythm) -> Floats:
        if source.what == "newest":
            real, days, _ = self.gaps(rows)
            at = np.argmax(real, axis=1)
            return np.minimum(days[np.arange(len(days)), at], MAX_DAYS)
        count, mean, spread, last = self.summary(rows)
        if source.what == "gaps":
            return count
        if source.what == "mean":
            return np.minimum(mean, MAX_DAYS)
        if source.what == "spread":
            return np.minimum(spread, MAX_DAYS)
        late = np.maximum(now_ms - last, 0) / DAY_MS
        return np.where(count > 0, np.minimum(late / np.maximum(mean, 1 / 24), MAX_OVERDUE), 0.0)

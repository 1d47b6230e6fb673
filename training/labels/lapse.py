"""Lapse: no order within a horizon after the due point."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from streams.records.events import OrderPlaced, ShopperEvent

DAY_MS = 86_400_000


class OrderTimes:
    """Collects when each shopper ordered, and when the history ends."""

    def __init__(self) -> None:
        self._times: dict[str, list[int]] = {}
        self.end_ms = 0

    def watch(self, events: Iterable[ShopperEvent]) -> Iterable[ShopperEvent]:
        """Pass events through, taking note of orders."""
        for event in events:
            assert isinstance(event.event_time, int)
            self.end_ms = max(self.end_ms, event.event_time)
            if type(event) is OrderPlaced:
                self._times.setdefault(event.shopper_id, []).append(event.event_time)
            yield event

    def lapse(
        self,
        shoppers: list[str],
        shopper: npt.NDArray[np.int64],
        due_ms: npt.NDArray[np.int64],
        horizon_days: int,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """[n] 1 when no order lies in (due, due + horizon]; [n] when that was known: due + horizon."""
        horizon = horizon_days * DAY_MS
        label = np.empty(len(due_ms), np.float32)
        order = np.argsort(shopper, kind="stable")
        bounds = np.searchsorted(shopper[order], np.arange(len(shoppers) + 1))
        for i, name in enumerate(shoppers):
            rows = order[bounds[i] : bounds[i + 1]]
            times = np.sort(np.array(self._times.get(name, []), np.int64))
            following = np.searchsorted(times, due_ms[rows], side="right")
            reached = np.searchsorted(times, due_ms[rows] + horizon, side="right")
            label[rows] = following == reached
        return label, due_ms + horizon

"""Waits with each alert for what it foretold: an order within its 30 days, or none; in the shopper's row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from streams.columns.arrays import TYPE_CODE, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.churn_alert import ALERTED, HORIZON_DAYS, LAST, LEVELS
from streams.decisions.decider import Group, Said
from streams.features.kinds.decay import DAY_MS
from streams.records.events import OrderPlaced

ORDER = TYPE_CODE[OrderPlaced]
WINDOW_MS = HORIZON_DAYS * DAY_MS
#: When the alert of each level was raised that waits to be judged, UTC milliseconds; 0 where none does.
WAITING = Column("alert_label/waiting", "i8", len(LEVELS) - 1)


@dataclass(slots=True)
class AlertLabels:
    """One alert per shopper and level waits at a time; another of that level meanwhile is not counted. ``swept_ms`` is
    how far alerts were judged of those who did not come back."""

    columns: ClassVar[tuple[Column, ...]] = (WAITING,)
    reads: ClassVar[tuple[str, ...]] = ()
    swept_ms: int = 0
    _judged: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Judge what waits, then begin to wait with the alerts that were just raised; says nothing."""
        waiting = state.flat["i8"]
        cells = state.cells(WAITING, group.row)[:, None] + np.arange(len(LEVELS) - 1)
        since = waiting[cells]
        now = group.now_ms[:, None]
        if since.any():
            over = (since > 0) & (now > since + WINDOW_MS)
            # Those before ``swept_ms`` were judged without their shopper.
            self._judge(over & (since + WINDOW_MS > self.swept_ms), came_true=True)
            came = (since > 0) & ~over & (now > since) & (group.event_type == ORDER)[:, None]
            self._judge(came, came_true=False)
            since = np.where(over | came, 0, since)
            waiting[cells] = since
        level = state.flat["u1"][state.cells(ALERTED, group.row)].astype(np.int64)
        raised = np.flatnonzero((level > 0) & (state.flat["i8"][state.cells(LAST, group.row)] == group.now_ms))
        raised = raised[since[raised, level[raised] - 1] == 0]
        waiting[cells[raised, level[raised] - 1]] = group.now_ms[raised]
        return ()

    def known(self, state: Rows, places: Ints, watermark_ms: int) -> Counter[tuple[str, bool]]:
        """(level, whether it came true) → alerts judged since this was last called, also of those of ``places`` who did
        not come back."""
        if watermark_ms > self.swept_ms and len(places):
            due = state.column(WAITING.name)[places] + WINDOW_MS
            self._judge((due > WINDOW_MS) & (due > self.swept_ms) & (due <= watermark_ms), came_true=True)
            self.swept_ms = watermark_ms
        found, self._judged = self._judged, Counter()
        return found

    def _judge(self, alerts: np.ndarray, *, came_true: bool) -> None:
        for k, n in enumerate(alerts.sum(axis=0).tolist()):
            if n:
                self._judged[LEVELS[k + 1], came_true] += n

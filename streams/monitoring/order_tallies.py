"""Counts orders that came against orders foretold, per task with outputs that have a horizon; says nothing.

What ``streams.monitoring.calibration`` learns from. Counted is what the live model foretold, before it was
recalibrated, and anew when another model becomes live. The sums are records of the feature table, one per day; a crash
may cost those of one flush, which changes no outcome: what was learned stands in the log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from streams.columns.arrays import TYPE_CODE
from streams.columns.layout import Column, Rows
from streams.decisions import churn_alert
from streams.decisions.decider import Group, Said
from streams.monitoring import calibration
from streams.monitoring.calibration import JUDGED_OUTPUT, WIDTH, Tallies, Waiting
from streams.monitoring.late_labels import code_of
from streams.records.events import OrderPlaced
from streams.state.keys import TALLY, tally_stands_at

MODEL = Column("calibration/model", "u4")
ORDER = TYPE_CODE[OrderPlaced]
#: First byte, model, day.
_KEY = struct.Struct(">cII")


@dataclass(slots=True)
class OrderTallies:
    """The sums of one partition, of the model that is live now."""

    columns: ClassVar[tuple[Column, ...]] = (*calibration.COLUMNS, MODEL)
    reads: ClassVar[tuple[str, ...]] = ()
    model: int = 0
    """``code_of`` the live model; 0 before anything was scored."""
    _waiting: Waiting = field(default_factory=Waiting)
    _kept: set[bytes] = field(default_factory=set)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Take note of a group's forecasts and orders; says nothing."""
        scores = group.seen.scores.get(churn_alert.TASK)
        if scores is None or JUDGED_OUTPUT not in scores.foretold:
            return ()
        foretold = scores.foretold[JUDGED_OUTPUT][group.span]
        known = np.isfinite(foretold) & (scores.used[group.span] == 0)
        if known.any():
            self._of(code_of(scores.models[0].digest))
            row, models = group.row[known], state.flat["u4"]
            cells = state.cells(MODEL, row)
            other = models[cells] != self.model
            # What another model foretold is not held against this one: these shoppers begin to wait anew.
            state.flat["i8"][state.cells(calibration.START, row[other])] = 0
            models[cells] = self.model
            ordered = group.event_type[known] == ORDER
            self._waiting.take(state, row, group.now_ms[known], foretold[known], ordered)
        return ()

    def _of(self, model: int) -> None:
        if model != self.model:
            self.model, self._waiting = model, Waiting()

    def sums(self) -> Tallies:
        """All that was counted so far."""
        return self._waiting.sums()

    def take_changes(self, next_offset: int, today: int) -> dict[bytes, bytes | None]:
        """Sums that changed since this was last called, as records of the feature table; None deletes old ones."""
        tallies = self.sums()
        tallies.forget(today)
        header = next_offset.to_bytes(8, "big")
        days = {_KEY.pack(TALLY, self.model, day): tallies.days[day] for day in tallies.days}
        changed, tallies.changed = tallies.changed, set()
        changes: dict[bytes, bytes | None] = {
            key: header + sums.astype("<i8").tobytes() for key, sums in days.items() if _KEY.unpack(key)[2] in changed
        }
        gone = self._kept - days.keys()
        self._kept = set(days)
        return changes | dict.fromkeys(gone)

    def restore(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Take the sums back from the feature table: those of the model that was counted last."""
        if not records:
            return
        self.model = _KEY.unpack(max(records, key=lambda record: tally_stands_at(record[1]))[0])[1]
        self._kept = {key for key, _ in records}
        for key, value in records:
            _, model, day = _KEY.unpack(key)
            if model == self.model:
                self._waiting.tallies.days[day] = np.frombuffer(value, "<i8", WIDTH, 8).astype(np.int64)


def together(parts: Iterable[OrderTallies], model: int) -> Tallies:
    """The sums of several partitions whose live model is the same."""
    found = Tallies()
    for part in parts:
        if part.model == model:
            found += part.sums()
    return found

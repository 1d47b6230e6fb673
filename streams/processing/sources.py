"""What time it is in a partition of items: the least of what its sources, the partitions of shoppers, have come to.

One source may run days ahead of another in a backlog; what the other still has to say must not be late. A source that
has nothing to say for now is idle: time goes on without it until it speaks again; once all are idle it has come as far
as any of them. What sources say comes once and in
order: each counts its records, and what is not beyond the last one is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.columns.arrays import Bools, EventBatch, Ints
from streams.columns.item_records import Source
from streams.processing.decode import NO_TIME
from streams.records.slices import Slice
from streams.state.applied_ids import AppliedIds
from streams.state.keys import IDS


class Sources:
    """The sources of one partition, ``n`` of them. Until all have spoken or are idle, no time has passed."""

    def __init__(self, n: int) -> None:
        # A few numbers, changed one by one: lists are quicker than arrays.
        self._mark, self._idle, self._sequence = [NO_TIME] * n, [False] * n, [-1] * n
        self.watermark_ms = NO_TIME

    def advance(self, said: Sequence[Source], n: int, lateness_ms: int) -> tuple[Ints, list[int]]:
        """[n] the watermark before each of n records, of which the sources said some (in log order); and the positions
        of those that are known already."""
        positions, steps, repeated = [0], [self.watermark_ms], []
        for source in said:
            p = source.partition
            if p >= len(self._mark):
                self._grow(p + 1)
            if source.sequence <= self._sequence[p]:
                repeated.append(source.position)
                continue
            if source.idle:
                self._idle[p] = True
            else:
                self._sequence[p], self._idle[p] = source.sequence, False
                self._mark[p] = max(self._mark[p], source.time_ms)
            awaited = [mark for mark, idle in zip(self._mark, self._idle, strict=True) if not idle]
            # Where all have nothing to say, whoever fell idle last does not decide how far time has come.
            come = min(awaited) if awaited else max(self._mark)
            self.watermark_ms = max(self.watermark_ms, come - lateness_ms)
            positions.append(source.position)
            steps.append(self.watermark_ms)
        # What a record says of its source's time holds from the next one on: what was done came before.
        return np.array(steps)[np.searchsorted(np.array(positions[1:]), np.arange(n), side="left")], repeated

    def _grow(self, n: int) -> None:
        more = n - len(self._mark)
        self._mark += [NO_TIME] * more
        self._idle += [True] * more
        self._sequence += [-1] * more

    def progress(self) -> dict[str, Any]:
        """What belongs into the progress record."""
        return {
            "mark": self._mark,
            "idle": self._idle,
            "sequence": self._sequence,
            "watermark_ms": self.watermark_ms,
        }

    def restore(self, held: dict[str, Any]) -> None:
        """Take it back."""
        self._mark, self._idle, self._sequence = held["mark"], held["idle"], held["sequence"]
        self.watermark_ms = held["watermark_ms"]


class Carried:
    """How far each topic and partition was carried over into this log, and the newest event time of each: what is not
    beyond it is known, and what is older than that time less the allowed lateness is late. A catalogue that lags behind
    its shoppers is not late for that."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self.ids: dict[str, AppliedIds] = {}
        """By topic: each has a time of its own."""

    def judge(self, batch: EventBatch, slice_: Slice, lateness_ms: int) -> tuple[Bools, Ints]:
        """[n] which of a slice's records are known already, and before when each would be late. What was not said to
        this log by way of another is neither."""
        known, late_before = np.zeros(len(batch), np.bool_), np.full(len(batch), NO_TIME)
        by_topic: dict[str, list[int]] = {}
        for i in np.flatnonzero(batch.identity != 0).tolist():
            origin = slice_.origin(int(batch.position[i]))
            place = f"{origin.topic}/{origin.partition}"
            known[i], late_before[i] = self._note(place, origin.offset, int(batch.time_ms[i]), lateness_ms)
            if not known[i]:
                by_topic.setdefault(origin.topic, []).append(i)
        for topic, index in by_topic.items():
            some = np.array(index)
            late, floor = batch.time_ms[some] < late_before[some], np.maximum.accumulate(late_before[some])
            known[some] = self.ids_of(topic).admit(batch.identity[some], batch.time_ms[some], floor, late)
        return known, late_before

    def ids_of(self, topic: str) -> AppliedIds:
        """The ids that are known of a topic."""
        return self.ids.setdefault(topic, AppliedIds(IDS + topic.encode() + b"\0"))

    def _note(self, place: str, offset: int, time_ms: int, lateness_ms: int) -> tuple[bool, int]:
        """Whether a record was carried over before, and what is too old before it."""
        newest = self._newest.get(place, NO_TIME)
        known = offset < self._next.get(place, 0)
        if not known:
            self._next[place] = offset + 1
            self._newest[place] = max(newest, time_ms)
        return known, newest - lateness_ms

    def newest_ms(self, topic: str) -> int:
        """The newest event time from a topic: of the partition that is the least far."""
        of_topic = [at for place, at in self._newest.items() if place.rpartition("/")[0] == topic]
        return min(of_topic, default=NO_TIME)

    @property
    def topics(self) -> list[str]:
        """The topics that something was carried over from."""
        return sorted({place.rpartition("/")[0] for place in self._newest})

    def progress(self) -> dict[str, Any]:
        """What belongs into the progress record."""
        return {"next": self._next, "newest": self._newest}

    def restore(self, held: dict[str, Any]) -> None:
        """Take it back."""
        self._next, self._newest = dict(held["next"]), dict(held["newest"])

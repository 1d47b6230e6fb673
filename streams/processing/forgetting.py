"""Which shoppers of a partition are forgotten: those who were not heard of for so long that nothing of them is kept.

What that means is decided by the log alone: whoever is forgotten and comes back is somebody new. When a row is taken
out of memory and table (``sweeping.py``) changes nothing, so that may be done at leisure.

Time is looked at once a week of event time: when the watermark passes 00:00 UTC of a Thursday, the moment before which
nobody is remembered moves on. It never moves back, also under rules that remember longer. Slices are cut where it moves
(``cuts``), so it stands still within each. No timer is set for later than that (``until``), and one that was set under
other rules makes nobody due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streams.campaigns.memory import UNTIL
from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Rows
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.latest import WORD
from streams.processing.fates import APPLIED
from streams.processing.identity import CLOSED
from streams.processing.order_book import COUNT
from streams.processing.rules import ForgetPolicy
from streams.processing.silence import LAST_EVENT
from streams.state.codec import NEVER

STEP_MS = 7 * DAY_MS
#: Longer than any log.
_EVER = 1 << 61


class Forgetting:
    """Of one partition."""

    def __init__(self, policy: ForgetPolicy) -> None:
        self._before_ms: Ints = np.zeros(2, np.int64)
        """Who was last heard of before this is forgotten: [those who never ordered, those who did]."""
        self._since_ms = NEVER
        """Nobody was heard of before this; ``NEVER``: nobody was heard of yet."""
        self._count = 0
        self.under(policy)

    def under(self, policy: ForgetPolicy) -> None:
        """From here on this policy holds; who is forgotten stays so."""
        days = (policy.days, policy.buyers_days)
        self._kept_ms: Ints = np.array([round(each * DAY_MS) if each else _EVER for each in days], np.int64)
        self._least_ms = int(self._kept_ms.min())

    @property
    def standing(self) -> tuple[int, int] | None:
        """The moments before which nobody is remembered; None while nobody can be forgotten yet."""
        never, bought = self._before_ms.tolist()
        return (never, bought) if max(never, bought) > self._since_ms else None

    # -- time

    def cuts(self, clock_ms: Ints, lateness_ms: int, watermark_ms: int, watermarks_ms: Callable[[], Ints]) -> list[int]:
        """Places in a slice before which it must be cut. ``clock_ms`` [n]: event time of each record; ``watermark_ms``:
        before all of them, ``watermarks_ms``: [n] once each was seen."""
        self._hear(clock_ms, lateness_ms)
        end = max(watermark_ms, int(np.max(clock_ms, initial=0)) - lateness_ms)
        if end // STEP_MS == watermark_ms // STEP_MS or end - self._least_ms <= self._since_ms:
            return []
        steps = np.concatenate(([watermark_ms], watermarks_ms()[:-1])) // STEP_MS
        found: list[int] = (np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist()
        return found

    def go_on(self, clock_ms: Ints, lateness_ms: int, watermark_ms: int) -> None:
        """A slice, or a part of one that was cut, begins at a watermark."""
        self._hear(clock_ms, lateness_ms)
        if watermark_ms - self._least_ms > self._since_ms:
            np.maximum(self._before_ms, watermark_ms // STEP_MS * STEP_MS - self._kept_ms, out=self._before_ms)

    def _hear(self, clock_ms: Ints, lateness_ms: int) -> None:
        if self._since_ms == NEVER and len(known := clock_ms[clock_ms > 0]):
            # Whatever is older than the watermark is late, or heard of at the watermark.
            self._since_ms = int(known[0]) - lateness_ms

    # -- who

    def of(self, state: Rows, rows: Ints) -> Bools:
        """[k] which rows are of somebody who is forgotten. Not forgotten are those who forbade marketing, those who
        hold an offer, and ids that turned out to be somebody else's."""
        flat = state.flat
        last = flat["i8"][state.cells(LAST_EVENT, rows)]
        found: Bools = (last < self._before_ms.max()) & (last > 0)
        if found.any():
            some = rows[found]
            holds = flat["i8"][state.cells(UNTIL, some)[:, None] + np.arange(UNTIL.cells)].max(axis=1)
            stays = flat["i8"][state.cells(CLOSED, some)] != 0
            stays |= flat["i8"][state.cells(WORD, some)] % 2 != 0
            before = self._before_ms[self._bought(state, some)]
            found[found] = (np.maximum(last[found], holds) < before) & ~stays
        return found

    def until(self, state: Rows, rows: Ints, last_ms: Ints, at_ms: Ints) -> Ints:
        """[k] timers of rows that were last heard of at ``last_ms``; never, where they would be forgotten by then."""
        late = np.flatnonzero((at_ms - last_ms >= self._least_ms) & (at_ms != NEVER))
        if not len(late):
            return at_ms
        kept = self._kept_ms[self._bought(state, rows[late])]
        ends = ((last_ms[late] + kept) // STEP_MS + 1) * STEP_MS
        at_ms = at_ms.copy()
        at_ms[late] = np.where(at_ms[late] >= ends, NEVER, at_ms[late])
        return at_ms

    @staticmethod
    def _bought(state: Rows, rows: Ints) -> Ints:
        """[k] 1 for those who ever ordered."""
        return (state.flat["u4"][state.cells(COUNT, rows)] > 0).astype(np.int64)

    def count(self, many: int) -> None:
        """So many are gone, or began anew."""
        self._count += many

    def drain_count(self) -> int:
        """How many were since this was last asked."""
        found, self._count = self._count, 0
        return found

    # -- kept

    def progress(self) -> dict[str, Any]:
        """What belongs into the progress record."""
        return {"forgotten_before_ms": self._before_ms.tolist(), "heard_since_ms": self._since_ms}

    def restore(self, meta: Mapping[str, Any]) -> None:
        """Take it back."""
        self._before_ms = np.array(meta.get("forgotten_before_ms", (0, 0)), np.int64)
        # A table from before this was written down may know of anybody.
        self._since_ms = meta.get("heard_since_ms", 0 if meta else NEVER)


def blank(state: Rows, rows: Ints) -> Bools:
    """[k] which rows say nothing of anybody."""
    flat = state.flat["i8"]
    return (flat[state.cells(LAST_EVENT, rows)] | flat[state.cells(APPLIED, rows)]) == 0

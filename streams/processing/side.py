"""What a partition knows beside its rows when its log is what others produced, a record with an id of its own each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from streams.campaigns.plan import Plans
from streams.columns.arrays import EventBatch, Ints
from streams.columns.layout import Rows
from streams.decisions.decider import Decider, Group
from streams.monitoring.known import Known
from streams.processing.alarms import Alarms
from streams.processing.coupon_pools import Stock
from streams.processing.decode import NO_TIME, Decoded
from streams.processing.due import DuePoints
from streams.processing.entity import Emitted, Start, Told
from streams.processing.fates import Fates, Judged, once, watermarks
from streams.processing.forgetting import Forgetting
from streams.processing.identity import Identities, Left, When
from streams.processing.rules import Rules
from streams.processing.scoring import TaskScores
from streams.processing.wishes import Wishes
from streams.records.events import ShopperMerged
from streams.records.slices import Slice
from streams.state import keys
from streams.state.applied_ids import AppliedIds


class PlainSide:
    """A record comes once, and not older than the watermark, which lies behind the newest event time. Whoever knows
    more, says something to other logs or decides something extends it."""

    ticks = True
    alarms: Alarms | None = None
    deciders: Sequence[Decider] = ()
    identities: Identities | None = None
    wishes: Wishes | None = None
    forgetting: Forgetting | None = None

    def __init__(self, start: Start) -> None:
        self.newest_ms = NO_TIME
        self._least_watermark_ms = NO_TIME
        self.applied_ids = AppliedIds()
        self.under(start.rules, NO_TIME)

    @property
    def awaited(self) -> bool:
        """Nothing but timers waits for time to go on."""
        return False

    @property
    def stocks(self) -> Mapping[str, Stock]:
        """Codes of coupons, by pool: none."""
        return {}

    @property
    def items_unavailable(self) -> int:
        """No item is known not to be offered."""
        return 0

    @property
    def items_new(self) -> int:
        """No item is known to be new."""
        return 0

    @property
    def ids_held(self) -> int:
        """Ids that duplicates are told by."""
        return len(self.applied_ids)

    def watermark_ms(self, rules: Rules) -> int:
        """The newest event time less the allowed lateness."""
        return watermark_of(self.newest_ms, rules, self._least_watermark_ms)

    def watermarks_ms(self, clock_ms: Ints, rules: Rules) -> Ints:
        """[n] the watermark once each of some records, with such event times, was seen."""
        return watermarks(clock_ms, self.newest_ms, rules.allowed_lateness_ms, self._least_watermark_ms)[2]

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold: what has deciders makes them here."""
        self._least_watermark_ms = max(self._least_watermark_ms, watermark_ms)
        if self.forgetting is not None:
            self.forgetting.under(rules.forget)

    def plan(self, plans: Plans | None) -> None:
        """Campaigns decide about shoppers only."""

    def cuts(self, decoded: Decoded, rules: Rules) -> list[int]:
        """Nothing that is decided changes when something is due."""
        return []

    def steps(self, decoded: Decoded, rules: Rules) -> Ints:
        """Nothing that is decided changes when something is due."""
        return np.zeros(0, np.int64)

    def judge(self, decoded: Decoded, rows: Ints, state: Rows, slice_: Slice, rules: Rules) -> Judged:
        """Records come once, and not older than the watermark."""
        newest, before, after = watermarks(
            decoded.clock_ms, self.newest_ms, rules.allowed_lateness_ms, self._least_watermark_ms
        )
        late_before = before[decoded.batch.position]
        batch, fates = self._fates(decoded.batch, rows, state, late_before)
        self.newest_ms = int(newest[-1])
        return Judged(batch, fates, newest, before, after, late_before)

    def _fates(self, batch: EventBatch, rows: Ints, state: Rows, late_before: Ints) -> tuple[EventBatch, Fates]:
        return batch, once(batch, rows, state, self.applied_ids, late_before)

    def emit(self, batch: EventBatch, applied: Ints, judged: Judged, slice_: Slice, rules: Rules) -> Told:
        """Nothing is said."""
        return Told([], [])

    @property
    def idle(self) -> bool:
        """Nobody waits for this partition."""
        return True

    def fall_idle(self, offset: int, rules: Rules) -> list[Emitted]:
        """Nothing is said to other logs."""
        return []

    def note(self, state: Rows, rows: Ints, batch: EventBatch, applied: Ints, judged: Judged) -> None:
        """Nothing of it is kept but rows."""

    def left(self, state: Rows, row: int, key: str, when: When) -> Left:
        """Nobody turns out to be somebody else."""
        return Left([], [], {})

    def came(self, said: ShopperMerged, offset: int, watermark_ms: int) -> None:
        """Nobody turns out to be somebody else."""

    def joins(self, state: Rows, row: int, other: Rows, said: ShopperMerged, offset: int) -> None:
        """Nobody turns out to be somebody else."""

    def refresh(self, state: Rows, points: DuePoints) -> None:
        """Everything that features read is in the row already."""

    def correct(self, state: Rows, groups: Sequence[Group], scores: Mapping[str, TaskScores]) -> None:
        """Models answer as they do."""

    def known(self, state: Rows, places: Ints, watermark_ms: int) -> Known:
        """Nothing is foretold."""
        return Known()

    def progress(self) -> dict[str, Any]:
        """How far time has come, and who is forgotten."""
        told = {} if self.forgetting is None else self.forgetting.progress()
        return {"newest_ms": self.newest_ms, "least_watermark_ms": self._least_watermark_ms, **told}

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Ids."""
        return self.applied_ids.drain_changes(next_offset, watermark_ms)

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any], rules: Rules) -> None:
        """Take it back."""
        self.newest_ms = meta.get("newest_ms", NO_TIME)
        self._least_watermark_ms = meta.get("least_watermark_ms", NO_TIME)
        if self.forgetting is not None:
            self.forgetting.restore(meta)
        ids = [(key, value) for key, value in records if key[:1] == keys.IDS]
        self.applied_ids.recover(ids, meta.get("next_offset", 0), self.watermark_ms(rules))
        self.under(rules, NO_TIME)


def watermark_of(newest_ms: int, rules: Rules, least_ms: int) -> int:
    """The watermark of a partition whose newest event time is this; ``least_ms``: where it stood under other rules."""
    return max(newest_ms - rules.allowed_lateness_ms, least_ms)

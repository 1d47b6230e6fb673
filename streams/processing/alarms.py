"""What makes a shopper due for campaigns without an event: a cart left behind, goods looked at and left, their own
overdue point, the end of quiet hours. A row's timer is the earliest of these and of their silence.

All of it is read from the row, so when an alarm rings is decided by the log alone. Where campaigns come to hold, the
timers of all rows are set to what they wait for (``Folding.rearm``). Only the end of quiet hours is set by a decision:
a slice is cut where its watermark passes such an end (``cuts``), so that all decisions before it are made; and what one
record's watermark passes at once is passed step by step (``ends``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from streams.campaigns import memory
from streams.campaigns.plan import Plans
from streams.campaigns.terms import BROWSE, CART, DEFERRED, MINUTE_MS, OVERDUE
from streams.campaigns.trigger_items import LeftBehind
from streams.columns.arrays import TYPE_CODE, Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.features.catalogue import Catalogue
from streams.features.days import DAY_MS, Days
from streams.features.kinds.rhythm import RhythmKind
from streams.features.signals import Run
from streams.processing import left_items
from streams.processing.decode import NO_TIME
from streams.records.campaign_parts import BrowseAbandoned, CartAbandoned, Overdue
from streams.records.events import CartItemAdded, CartItemRemoved, ItemViewed, OrderPlaced
from streams.state.codec import NEVER

UNITS = Column("alarms/units", "u4")
"""Units in the cart, since campaigns held."""
LOOKED = Column("alarms/looked", "u1")
"""Whether something was looked at since the last order, or since something was put into the cart."""
RUNG = Column("alarms/rung", "i8")
"""When an alarm rang last; what is not later has rung."""
COLUMNS = (UNITS, LOOKED, RUNG)
ADDED, REMOVED, ORDERED, VIEWED = (TYPE_CODE[cls] for cls in (CartItemAdded, CartItemRemoved, OrderPlaced, ItemViewed))


def merge(state: Rows, row: int, other: Rows) -> None:
    """Put what lies in the cart of the one row of ``other`` into that of a row; what rang for either has rung."""
    held, more = state.data, other.data
    held[UNITS.name][row] = min(int(held[UNITS.name][row]) + int(more[UNITS.name][0]), 2**32 - 1)
    for column in (LOOKED, RUNG):
        held[column.name][row] = max(held[column.name][row], more[column.name][0])


@dataclass(frozen=True, slots=True)
class Alarms:
    """What the campaigns that hold wait for."""

    carts: tuple[int, ...]
    browses: tuple[int, ...]
    """Minutes without an event after which a cart, or goods that were looked at, are left."""
    gaps: tuple[float, ...]
    """Mean gaps between orders after which a shopper is overdue."""
    quiet_ends: tuple[int, ...]
    """Minutes of the day at which quiet hours end."""
    days: Days
    items: bool = False
    """Whether an offer may name the item that was left."""
    since_ms: int = NO_TIME
    """The watermark when they came to hold: what had passed by then rings for nobody who was not heard of since."""

    @property
    def waits(self) -> tuple[object, ...]:
        """What rows have alarms for."""
        return self.carts, self.browses, self.gaps

    def follows(self, before: Alarms | None, watermark_ms: int) -> Alarms:
        """The same, coming to hold after others at a watermark; where they wait for nothing else, since those did."""
        since = before.since_ms if before is not None and before.waits == self.waits else watermark_ms
        return replace(self, since_ms=since)

    @staticmethod
    def of(plans: Plans) -> Alarms:
        """Of approved campaigns."""
        held = [plan.campaign for plan in plans.plans if plan.campaign.approval == "approved"]
        triggers = [campaign.trigger for campaign in held]
        ends = [campaign.quiet_hours.end for campaign in held if campaign.quiet_hours is not None]
        return Alarms(
            carts=tuple(sorted({each.minutes for each in triggers if isinstance(each, CartAbandoned)})),
            browses=tuple(sorted({each.minutes for each in triggers if isinstance(each, BrowseAbandoned)})),
            gaps=tuple(sorted({each.gaps for each in triggers if isinstance(each, Overdue)})),
            quiet_ends=tuple(sorted({int(end[:2]) * 60 + int(end[3:]) for end in ends})),
            days=plans.days,
            items=any(left_items.asked_for(plan) for plan in plans.plans),
        )

    def note(self, state: Rows, run: Run) -> None:
        """Take a round of events, of each row at most one that is decisive, its last: what is in carts, and who
        looked."""
        looked, units = state.flat["u1"], state.flat["u4"]
        looked[state.cells(LOOKED, run.row[run.type == VIEWED])] = 1
        last = np.flatnonzero(np.concatenate((run.row[1:] != run.row[:-1], [True]))[: len(run.row)])
        row, kind = run.row[last], run.type[last]
        quantity = run.batch.facts["quantity"][run.event[last]]
        cells = state.cells(UNITS, row)
        held = units[cells].astype(np.int64)
        held = np.where(kind == ADDED, held + quantity, np.where(kind == REMOVED, held - quantity, held))
        units[cells] = np.clip(np.where(kind == ORDERED, 0, held), 0, 2**32 - 1)
        if self.items:
            left_items.note(state, run)
        looked[state.cells(LOOKED, row[(kind == ADDED) | (kind == ORDERED)])] = 0

    def left(self, state: Rows, rows: Ints, kind: Ints) -> list[LeftBehind | None]:
        """[k] what rows left that are due for a cart or goods left behind; None: something else, or nobody asks."""
        if not self.items:
            return [None] * len(rows)
        of = zip(kind.tolist(), left_items.of(state, rows, kind).tolist(), strict=True)
        return [LeftBehind(code, item) if code in (CART, BROWSE) else None for code, item in of]

    def may_ring(self, last_ms: Ints, seen_ms: Ints) -> Bools:
        """[n] whether one may ring between an event at which a row was last heard of, and a watermark."""
        return seen_ms > last_ms

    def next(self, state: Rows, rows: Ints, catalogue: Catalogue, last_ms: Ints) -> tuple[Ints, Ints, Floats]:
        """[k] each: when the next alarm of a row rings (``NEVER``: none does), its code in ``terms.KINDS``, and what it
        measures."""
        rung = state.flat["i8"][state.cells(RUNG, rows)]
        waits = memory.read_waits(state, rows)
        waits = np.where(waits > rung[:, None], waits, NEVER).min(axis=1)
        found: list[tuple[Ints, int, float]] = [(waits, DEFERRED, float("nan"))]
        held = state.flat["u4"][state.cells(UNITS, rows)] > 0
        looked = (state.flat["u1"][state.cells(LOOKED, rows)] > 0) & ~held
        for which, kind, minutes in ((held, CART, self.carts), (looked, BROWSE, self.browses)):
            found += [(np.where(which, last_ms + m * MINUTE_MS, NEVER), kind, float(m)) for m in minutes]
        if self.gaps:
            known = catalogue.kind(RhythmKind).summary(state.pick(rows))
            for gaps in self.gaps:
                at = known.last_ms.astype(np.int64) + np.rint(gaps * known.mean * DAY_MS).astype(np.int64)
                found.append((np.where(known.gaps >= 2, at, NEVER), OVERDUE, gaps))
        times = np.stack([at for at, _, _ in found])
        # Later than what the row was last heard of, so that it rings at one place of the log however that is cut.
        times = np.where((times > rung) & (times != NEVER), np.maximum(times, last_ms + 1), NEVER)
        # What had passed before anybody waited for it: whoever left a cart months ago is not written to all at once.
        times[1:][(times[1:] <= self.since_ms) & (last_ms <= self.since_ms)] = NEVER
        first = times.argmin(axis=0)
        kinds, amounts = np.array([kind for _, kind, _ in found]), np.array([amount for _, _, amount in found])
        return times[first, np.arange(len(rows))], kinds[first], amounts[first]

    def cuts(self, watermark: Ints) -> list[int]:
        """Places of the records of a slice, but for its first, with which its watermark, [n], passes an end of quiet
        hours."""
        known = watermark[watermark > 0]  # none before the first usable record
        if not self.quiet_ends or not len(known):
            return []
        passed = np.searchsorted(self.ends(int(known[0]) - DAY_MS, int(known[-1])), watermark, side="right")
        found: list[int] = (np.flatnonzero(passed[1:] != passed[:-1]) + 1).tolist()
        return found

    def ends(self, after_ms: int, until_ms: int) -> Ints:
        """Every time at which quiet hours may end, after one and until another, ascending."""
        days = np.arange(after_ms // DAY_MS - 2, until_ms // DAY_MS + 3)
        local = (days[:, None] * DAY_MS + np.array(self.quiet_ends) * MINUTE_MS).reshape(-1)
        # Where clocks change, also under the offsets of before and after.
        found = [self.days.utc_ms(local)]
        for near in (found[0] - DAY_MS, found[0] + DAY_MS):
            found.append(local - (self.days.local_ms(near) - near))
        every = np.unique(np.concatenate(found))
        return every[(every > after_ms) & (every <= until_ms)]

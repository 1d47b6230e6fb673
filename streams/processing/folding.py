"""Folds slices into the rows of one partition, up to each due point, and fires the timers of silences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.columns.arrays import EventBatch, Ints, stable_order
from streams.columns.layout import Column, Readable
from streams.features.catalogue import Catalogue
from streams.features.signals import Run, entries
from streams.processing.due import DuePoints, DueRows, Features
from streams.processing.entity import Entity, Side, Timer
from streams.processing.rounds import BUCKET, Plan, plan
from streams.processing.rules import Rules
from streams.processing.silence import FIRED
from streams.state.arena import Arena

#: When the row was last heard of: the largest event time, or the watermark where that had passed it already.
LAST_EVENT = Column("last_event", "i8")


class Folding:
    """The rows of ``arena``, with the features of ``catalogue``, due when ``entity`` says so; ``side`` is what is known
    beside the rows."""

    def __init__(self, arena: Arena, catalogue: Catalogue, entity: Entity, side: Side) -> None:
        self.arena, self.catalogue, self._entity, self._side = arena, catalogue, entity, side
        self._decisive = entity.is_decisive

    def fold(
        self,
        batch: EventBatch,
        rows: Ints,
        applied: Ints,
        watermark: Ints,
        rules: Rules,
        read: Callable[[Readable, Ints], Features],
    ) -> DueRows:
        """Fold the applied events of a slice (``applied``: by shopper, in log order) and fire the timers that its
        watermarks pass; gives every due point, and what ``read`` reads of its row as it stood then."""
        arena, state = self.arena, self.arena.rows
        timer, cadence_ms = self._entity.timer(rules), self._entity.cadence_ms(rules)
        steps = plan(batch, applied, rows, state, watermark, self._decisive, cadence_ms, timer)
        due = DueRows(read, self._side.refresh)
        self._fire_waiting(steps, watermark, timer, due)
        state = arena.rows  # firing may load rows and grow the block
        entries_of = entries(batch, steps.event, steps.row, steps.bounds, self.catalogue.signals)
        touches = batch.touches
        place = np.full(len(batch), -1, np.int64)
        place[steps.event] = np.arange(len(steps.event))
        touch_place = place[touches.event]
        by_place = stable_order(touch_place + 1)  # -1: of an event that is not applied
        by_place = by_place[np.searchsorted(touch_place[by_place], 0) :]
        touches, touch_place = touches.select(by_place), touch_place[by_place]
        touch_bounds = np.searchsorted(touch_place, steps.bounds)
        for r in range(len(steps.bounds) - 1):
            a, b = int(steps.bounds[r]), int(steps.bounds[r + 1])
            event, row = steps.event[a:b], steps.row[a:b]
            some = slice(int(touch_bounds[r]), int(touch_bounds[r + 1]))
            run_touches = type(touches)(
                touch_place[some] - a, touches.item[some], touches.category[some], touches.cents[some]
            )
            time_ms = batch.time_ms[event]
            run = Run(
                batch=batch,
                event=event,
                row=row,
                time_ms=time_ms,
                type=batch.type[event],
                entries=entries_of[r],
                touch=run_touches,
            )
            self.catalogue.fold(state, run)
            flat = state.flat["i8"]
            np.maximum.at(flat, state.cells(LAST_EVENT, row), np.maximum(time_ms, watermark[batch.position[event]]))
            np.maximum.at(flat, state.cells(BUCKET, row), time_ms // cadence_ms)
            shoppers = row[np.r_[True, row[1:] != row[:-1]]]
            arena.dirty[shoppers] = True
            last = flat[state.cells(LAST_EVENT, shoppers)]
            state.flat["u1"][state.cells(FIRED, shoppers)] = 0
            held, never = state.pick(shoppers), np.zeros(len(shoppers), np.int64)
            arena.timer[shoppers] = timer.due_ms(held, self.catalogue, last, never)
            index = np.flatnonzero(steps.due[a:b])
            if len(index):
                at = np.searchsorted(shoppers, row[index])
                now = np.maximum(time_ms[index], last[at])
                due.add(DuePoints(row[index], now, timer=False, event=event[index]), state)
            index = np.flatnonzero(steps.ends[a:b])
            self._fire(
                row[index], watermark[np.minimum(steps.next_position[a:b][index], len(watermark) - 1)], timer, due
            )
        return due

    def _fire_waiting(self, steps: Plan, watermark: Ints, timer: Timer, due: DueRows) -> None:
        """Fire the timers that were set before this slice, of shoppers with and without an event in it."""
        waiting = self.arena.due(int(watermark[-1]))
        if not len(waiting):
            return
        passed = np.full(len(waiting), watermark[-1])
        if len(steps.shoppers):
            at = np.minimum(np.searchsorted(steps.shoppers, waiting), len(steps.shoppers) - 1)
            here = steps.shoppers[at] == waiting
            passed[here] = watermark[steps.first_position[at[here]]]
        self._fire(waiting, passed, timer, due)

    def _fire(self, row: Ints, watermark: Ints, timer: Timer, due: DueRows) -> None:
        """Fire the timers of these rows as often as the watermark passes them: each time is a due point of its own."""
        arena, state = self.arena, self.arena.rows
        while len(fires := np.flatnonzero(arena.timer[row] <= watermark)):
            row, watermark = row[fires], watermark[fires]
            arena.dirty[row] = True
            nobody = np.full(len(row), -1, np.int64)
            due.add(DuePoints(row, arena.timer[row], timer=True, event=nobody), state)
            counts, cells = state.flat["u1"], state.cells(FIRED, row)
            counts[cells] += 1
            last = state.flat["i8"][state.cells(LAST_EVENT, row)]
            fired = counts[cells].astype(np.int64)
            arena.timer[row] = timer.due_ms(state.pick(row), self.catalogue, last, fired)

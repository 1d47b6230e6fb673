"""Folds slices into the rows of one partition, up to each due point, and fires their timers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from streams.campaigns.terms import KINDS
from streams.columns.arrays import Bools, EventBatch, Ints, stable_order
from streams.columns.layout import Readable, Rows
from streams.features.catalogue import Catalogue
from streams.features.signals import Run
from streams.processing.alarms import RUNG
from streams.processing.due import DuePoints, DueRows, Features
from streams.processing.entity import Entity, Side, Timer
from streams.processing.identity import CLOSED, IDENTIFIED
from streams.processing.rounds import BUCKET, IN_BUCKET, Plan, plan
from streams.processing.rules import Rules
from streams.processing.silence import FIRED, LAST_EVENT
from streams.processing.wishes import due_kind
from streams.records.news import AnyItemNews, ItemPriceDropped
from streams.state.arena import Arena
from streams.state.codec import NEVER, TIMER

#: So many rows are set anew at once.
AT_ONCE = 4096


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
        alarms, most = self._side.alarms, self._entity.most_due
        steps = plan(batch, applied, rows, state, watermark, self._decisive, cadence_ms, timer, alarms, most)
        due = DueRows(read, self._side.refresh, steps.passed_over)
        self._fire_waiting(steps, watermark, timer, due)
        state = arena.rows  # firing may load rows and grow the block
        entries_of = self.catalogue.signals.entries(batch, steps.event, steps.row, steps.bounds)
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
            heard = np.maximum(time_ms, watermark[batch.position[event]])
            first = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
            shoppers = row[first]
            began = np.maximum(flat[state.cells(LAST_EVENT, shoppers)], heard[first]) if timer.stays else None
            np.maximum.at(flat, state.cells(LAST_EVENT, row), heard)
            np.maximum.at(flat, state.cells(BUCKET, row), time_ms - time_ms % cadence_ms)
            if steps.in_bucket is not None:
                last_of = np.append(first[1:], len(row)) - 1
                state.flat["u4"][state.cells(IN_BUCKET, shoppers)] = steps.in_bucket[a:b][last_of]
            arena.dirty[shoppers] = True
            last = flat[state.cells(LAST_EVENT, shoppers)]
            state.flat["u1"][state.cells(FIRED, shoppers)] = 0
            if alarms is not None:
                for part in self._by_decision(run) if due.passed_over else (run,):
                    alarms.note(state, part)
            self._close(run)
            self._set(shoppers, timer, began)
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

    def _by_decision(self, run: Run) -> Iterator[Run]:
        """A run in parts that hold at most one decisive event of each row, its last."""
        decisive = self._decisive[run.type]
        many = np.cumsum(decisive)
        first = np.flatnonzero(np.concatenate(([True], run.row[1:] != run.row[:-1])))
        earlier: Ints = many - decisive
        part: Ints = earlier - np.repeat(earlier[first], np.diff(first, append=len(run.row)))
        for k in range(int(part.max()) + 1):
            yield run.alone(np.flatnonzero(part == k))

    def _close(self, run: Run) -> None:
        """Close the rows of those who turn out to be somebody else: no timer of theirs fires any more."""
        if self._side.identities is not None and (gone := run.type == IDENTIFIED).any():
            state = self.arena.rows
            state.flat["i8"][state.cells(CLOSED, run.row[gone])] = run.batch.offset[run.event[gone]] + 1

    def _fire_waiting(self, steps: Plan, watermark: Ints, timer: Timer, due: DueRows) -> None:
        """Fire the timers that were set before this slice, of shoppers with and without an event in it."""
        waiting = self.arena.due(int(watermark[-1]))
        if self._side.forgetting is not None and len(waiting):
            gone = self._side.forgetting.of(self.arena.rows, waiting)
            self.arena.timer[waiting[gone]] = NEVER
            self.arena.dirty[waiting[gone]] = True
            waiting = waiting[~gone]
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
            now = arena.timer[row]
            last = state.flat["i8"][state.cells(LAST_EVENT, row)]
            counts, cells = state.flat["u1"], state.cells(FIRED, row)
            plain = timer.due_ms(state.pick(row), self.catalogue, last, counts[cells].astype(np.int64)) <= now
            if timer.stays:  # It may have been set before the last record.
                plain |= last >= now
            self._add_fired(row, now, last, plain, timer, due)
            counts[cells[plain & (last < now)]] += 1
            self._set(row, timer)

    def _add_fired(self, row: Ints, now: Ints, last: Ints, plain: Bools, timer: Timer, due: DueRows) -> None:
        """Take the due points of timers that fired: ``plain`` for what the entity's timer is for, the others for an
        alarm, or for what campaigns wait for no more."""
        state, alarms = self.arena.rows, self._side.alarms
        nobody = np.full(len(row), -1, np.int64)
        if alarms is None:
            if plain.any():
                # A row that knows more than the moment is read as of what it knows.
                moment = np.maximum(now, last)[plain]
                due.add(DuePoints(row[plain], moment, True, nobody[plain], fired_ms=now[plain]), state)
            return
        at, code, amount = alarms.next(state, row, self.catalogue, last)
        real = plain | (at <= now)
        kinds = [timer.kind if p else KINDS[c] for p, c in zip(plain[real].tolist(), code[real].tolist(), strict=True)]
        measured = np.where(plain, np.nan, amount)[real]
        if real.any():
            left = alarms.left(state, row[real], np.where(plain, -1, code)[real])
            due.add(DuePoints(row[real], now[real], True, nobody[real], kinds, measured, left), state)
        # An alarm for the same moment rings after the silence.
        state.flat["i8"][state.cells(RUNG, row)] = np.where(plain, now - 1, now)

    def _set(self, row: Ints, timer: Timer, began: Ints | None = None) -> None:
        """Set the timers of these rows to what comes first: the entity's timer, or an alarm. ``began``: when the first
        of the records just folded was heard of, where the entity's timer stays; then what was set before, or by that
        record, holds if it comes earlier."""
        state, alarms = self.arena.rows, self._side.alarms
        last = state.flat["i8"][state.cells(LAST_EVENT, row)]
        fired = state.flat["u1"][state.cells(FIRED, row)].astype(np.int64)
        at = timer.due_ms(state.pick(row), self.catalogue, last, fired)
        if alarms is not None:
            at = np.minimum(at, alarms.next(state, row, self.catalogue, last)[0])
        if began is not None:
            first = timer.due_ms(state.pick(row), self.catalogue, began, fired)
            at = np.minimum(np.minimum(at, first), self.arena.timer[row])
        if self._side.identities is not None:
            at = np.where(state.flat["i8"][state.cells(CLOSED, row)] > 0, NEVER, at)
        if self._side.forgetting is not None:
            at = self._side.forgetting.until(state, row, last, at)
        self.arena.timer[row] = at

    def rearm(self, ahead: Collection[str]) -> None:
        """Other campaigns hold: set the timers of all rows, also of those that are evicted, to alarms that ring before
        them. What rows are in memory must not matter. ``ahead``: whose rows know already what came after."""
        arena = self.arena
        places = arena.places
        if ahead:
            places = np.array([row for row in places.tolist() if arena.key(row) not in ahead], np.int64)
        for a in range(0, len(places), AT_ONCE):
            some = places[a : a + AT_ONCE]
            self._rearm(some, self._alarm(arena.rows, some, arena.timer[some]))
        for keys, rows in arena.evicted():
            held = rows.column(TIMER.name)
            at = self._alarm(rows, np.arange(len(keys)), held)
            earlier = np.flatnonzero((at < held) & [key not in ahead for key in keys])
            if len(earlier):
                self._rearm(arena.find([keys[i] for i in earlier.tolist()]), at[earlier])

    def _alarm(self, state: Rows, rows: Ints, timer: Ints) -> Ints:
        """[k] the timers of rows, or the alarms that ring before them."""
        alarms = self._side.alarms
        assert alarms is not None
        last = state.flat["i8"][state.cells(LAST_EVENT, rows)]
        at = alarms.next(state, rows, self.catalogue, last)[0]
        gone = state.flat["i8"][state.cells(CLOSED, rows)] > 0
        if self._side.forgetting is not None:
            at = self._side.forgetting.until(state, rows, last, at)
            gone |= self._side.forgetting.of(state, rows)
        return np.where(gone, timer, np.minimum(timer, at))

    def _rearm(self, rows: Ints, at: Ints) -> None:
        changed = rows[at < self.arena.timer[rows]]
        self.arena.dirty[changed] = True
        self.arena.timer[rows] = at

    def hear_news(self, news: Sequence[tuple[int, AnyItemNews]], offsets: Ints, watermark: Ints, due: DueRows) -> None:
        """Make due whom news makes so, at its place in the slice: as late as the watermark, as timers are. ``offsets``
        and ``watermark`` [len(slice)]."""
        wishes, arena = self._side.wishes, self.arena
        if wishes is None:
            return
        for position, said in news:
            keys = wishes.hear(said)
            if not keys:
                continue
            row = arena.find(keys)
            state = arena.rows  # finding may load rows and grow the block
            if self._side.forgetting is not None:
                row = row[~self._side.forgetting.of(state, row)]
            row = row[wishes.tell(state, row, said, int(offsets[position]))]
            if not len(row):
                continue
            arena.dirty[row] = True
            now = np.maximum(state.flat["i8"][state.cells(LAST_EVENT, row)], watermark[position])
            percent = said.percent if isinstance(said, ItemPriceDropped) else np.nan
            amount, nobody = np.full(len(row), percent), np.full(len(row), -1, np.int64)
            kinds: list[str] = [due_kind(said)] * len(row)
            due.add(DuePoints(row, now, True, nobody, kinds, amount, news=said, position=position), state)

    # -- who is forgotten

    def parts(self, clock_ms: Ints, rules: Rules) -> list[int]:
        """Places in a slice before which somebody may come to be forgotten: it must be cut there. ``clock_ms`` [n]:
        event time of each record."""
        side = self._side
        if side.forgetting is None:
            return []
        stood, lateness = side.watermark_ms(rules), rules.allowed_lateness_ms
        return side.forgetting.cuts(clock_ms, lateness, stood, lambda: side.watermarks_ms(clock_ms, rules))

    def begin(self, clock_ms: Ints, rules: Rules) -> None:
        """A slice begins that need not be cut; called before its rows are looked at."""
        if self._side.forgetting is not None:
            self._side.forgetting.go_on(clock_ms, rules.allowed_lateness_ms, self._side.watermark_ms(rules))

    def forget(self, rows: Ints) -> None:
        """Records of some rows come next: those who are forgotten are somebody new."""
        forgetting, arena = self._side.forgetting, self.arena
        if forgetting is None or forgetting.standing is None:
            return
        some = forgetting.of(arena.rows, rows)
        if some.any():
            gone = np.unique(rows[some])
            self.let_go([arena.key(row) for row in gone.tolist()], arena.rows.copy(gone), len(gone))
            arena.rows.words[gone] = 0
            arena.timer[gone] = NEVER

    def let_go(self, keys: Sequence[str], rows: Rows, many: int) -> None:
        """These are forgotten, with what their rows held, ``many`` of them just now."""
        if self._side.wishes is not None:
            self._side.wishes.forget(keys, rows)
        if self._side.forgetting is not None:
            self._side.forgetting.count(many)

    def merge(self, row: int, other: Rows) -> None:
        """Take the features of another row, the one of ``other``, into a row."""
        state = self.arena.rows
        self.catalogue.merge(state, row, other)
        if self._entity.most_due and other.data[BUCKET.name][0] > state.data[BUCKET.name][row]:
            state.data[IN_BUCKET.name][row] = 0
        for column in (BUCKET, LAST_EVENT):
            state.data[column.name][row] = max(state.data[column.name][row], other.data[column.name][0])

    def hear_of(self, row: int, at_ms: int, rules: Rules) -> None:
        """A row is heard of, though by no event: its silence begins anew."""
        state = self.arena.rows
        state.data[LAST_EVENT.name][row] = max(state.data[LAST_EVENT.name][row], at_ms)
        state.data[FIRED.name][row] = 0
        self._set(np.array([row]), self._entity.timer(rules))

    def set_decided(self, due: Sequence[DuePoints], rules: Rules) -> None:
        """Set the timers of rows about which something was decided: an offer may wait for quiet hours to end."""
        if self._side.alarms is not None and self._side.alarms.quiet_ends:
            row = np.unique(np.concatenate([points.row for points in due]))
            self._set(row, self._entity.timer(rules))

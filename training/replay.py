"""Replays a history through the streaming features and takes a training row at every due point.

It is the very code that serves: ``PartitionProcessor`` judges, plans, folds and reads. Only decoding was done before
(``training.history``, by the stream's own decoder). That is why a training row equals a serving row, bit for bit.
Memory is bounded by the shoppers and by the rows asked for: a kept history stays in its file, which is mapped. A part
of a history, some of its shoppers, is replayed alone: time goes on with the whole log's events (``training.parts``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.due import DuePoints
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.silence import SilencePolicy
from training.history import History, HistoryError

#: Events per slice: large, because a slice is folded in as many rounds as its busiest shopper has due points.
SLICE = 1 << 18

EVENT, SILENCE, SNAPSHOT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Rows:
    """n training rows, in the order in which they were taken."""

    x: npt.NDArray[np.float32]
    """[n, f] features in serving order."""
    at_ms: npt.NDArray[np.int64]
    """The time a row stands for, UTC milliseconds: nothing later is in it."""
    why: npt.NDArray[np.int64]
    """``EVENT`` or ``SILENCE`` made the shopper due; ``SNAPSHOT`` was asked for."""
    shopper: npt.NDArray[np.int64]
    """Index into the history's shoppers."""

    def __len__(self) -> int:
        return len(self.at_ms)

    def select(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows(self.x[chosen], self.at_ms[chosen], self.why[chosen], self.shopper[chosen])


@dataclass(frozen=True, slots=True)
class Part:
    """All events of some shoppers of a log, and what they must know of the rest of it: how time goes on."""

    history: History
    """Their events; shoppers are numbered as they come here."""
    place: Ints | None
    """[n] where each event stands in the whole log, ascending; None: it is the whole log."""
    shopper: Ints
    """What each of these shoppers is among the whole log's."""
    clock_ms: Ints
    """The times of all events of the whole log, ascending."""

    @staticmethod
    def whole(history: History) -> Part:
        """All shoppers."""
        return Part(history, None, np.arange(len(history.shoppers)), history.time_ms)

    @staticmethod
    def of(history: History, number: int, count: int) -> Part:
        """One of ``count`` parts of a history: every ``count``-th shopper, from ``number`` on."""
        place = np.flatnonzero(history.shopper % count == number)
        shoppers = np.unique(history.shopper[place])  # they came in the order of their numbers
        return Part(history.take(place), place, shoppers, history.time_ms)


def replay(
    given: History | Part,
    features: tuple[str, ...],
    *,
    snapshots_ms: Sequence[int] = (),
    due_points: bool = True,
    rules: Rules | None = None,
    cadence_ms: int | None = None,
    silence: SilencePolicy | None = None,
    tell: Callable[[int], None] = lambda _n: None,
) -> Rows:
    """Every due point's row, and at each snapshot a row of every shopper seen by then (events at that time included).

    ``rules``: those of the stream that the rows are to equal. ``cadence_ms``, ``silence``: others than these; a cadence
    of 1 makes every event a due point. ``tell`` is told the number of events taken so far.
    """
    found: list[Rows] = []

    def collect(due: list[DuePoints], x: npt.NDArray[np.float32]) -> None:
        if due_points and due:
            why = np.repeat([SILENCE if points.timer else EVENT for points in due], [len(points) for points in due])
            at_ms, shopper = (np.concatenate([getattr(p, name) for p in due]) for name in ("now_ms", "row"))
            found.append(Rows(x, at_ms, why, shopper))

    part = given if isinstance(given, Part) else Part.whole(given)
    usual = rules or Rules()
    rules = replace(usual, cadence_ms=cadence_ms or usual.cadence_ms, silence=silence or usual.silence)
    replaying = _Replaying(part, features, rules, collect, features if due_points else (), tell)
    done = 0
    for moment in sorted(snapshots_ms):
        stop = int(np.searchsorted(part.clock_ms, moment, side="right"))
        replaying.apply(done, stop)
        done = stop
        if not replaying.shoppers:
            continue
        places = np.arange(replaying.shoppers)
        now = np.full(len(places), moment)
        found.append(Rows(replaying.read(places, now), now, np.full(len(places), SNAPSHOT), places))
    replaying.apply(done, len(part.clock_ms))
    if not found:
        nobody = np.zeros(0, np.int64)
        width = sum(CATALOGUE.features[a].width for a in features)
        return Rows(np.zeros((0, width), np.float32), nobody, nobody, nobody)
    return Rows(
        x=np.concatenate([r.x for r in found]),
        at_ms=np.concatenate([r.at_ms for r in found]),
        why=np.concatenate([r.why for r in found]),
        shopper=part.shopper[np.concatenate([r.shopper for r in found])],
    )


def standing(
    given: History | Part,
    features: tuple[str, ...],
    shopper: npt.NDArray[np.int64],
    at_ms: npt.NDArray[np.int64],
    *,
    rules: Rules | None = None,
    tell: Callable[[int], None] = lambda _n: None,
) -> npt.NDArray[np.float32]:
    """[n, f] how some shoppers (index into the history's, or the part's) stood at some moments, events at that time
    included: what a model was given of whom a timer, or their own event, made due then. A shopper without an event by
    then stands as somebody new."""
    order = np.argsort(at_ms, kind="stable")
    part = given if isinstance(given, Part) else Part.whole(given)
    replaying = _Replaying(part, features, rules or Rules(), lambda _due, _x: None, (), tell)
    # Each shopper's events in order of time, as one ascending key.
    key = np.sort((part.history.shopper << 48) + part.history.time_ms)
    after = np.searchsorted(key, (shopper << 48) + at_ms, side="right")
    last = np.append(key, np.iinfo(np.int64).max)[after]
    never = np.iinfo(np.int64).max
    next_ms = np.where(last >> 48 == shopper, last & ((1 << 48) - 1), never)
    cold = np.concatenate([np.full(CATALOGUE.features[a].width, CATALOGUE.features[a].cold_start) for a in features])
    x = np.zeros((len(shopper), len(cold)), np.float32)
    done = begin = 0
    while begin < len(order):
        # Rows of different shoppers can be read at once, as long as none of them has moved on.
        limit, end = never, begin
        while end < len(order) and at_ms[order[end]] < (limit := min(limit, int(next_ms[order[end]]))):
            end += 1
        some = order[begin:end]
        stop = int(np.searchsorted(part.clock_ms, at_ms[some[-1]], side="right"))
        replaying.apply(done, stop)
        known = shopper[some] < replaying.shoppers
        x[some[known]] = replaying.read(shopper[some[known]], at_ms[some[known]])
        x[some[~known]] = cold
        done, begin = stop, end
    return x


class _Replaying:
    """A part of a history on its way through the code that serves."""

    def __init__(
        self,
        part: Part,
        features: tuple[str, ...],
        rules: Rules,
        collector: Callable[[list[DuePoints], npt.NDArray[np.float32]], None],
        collected: tuple[str, ...],
        tell: Callable[[int], None],
    ) -> None:
        self._part, self._features, self._tell = part, features, tell
        self._processor = PartitionProcessor(
            SHOPPER,
            0,
            rules,
            catalogue=SHOPPER.catalogue.covering(features),
            collector=collector,
            collected=collected,
            room=max(1, len(part.history.shoppers)),
        )

    @property
    def shoppers(self) -> int:
        """How many have come so far: they are numbered as they come."""
        return len(self._processor.arena)

    def read(self, places: npt.NDArray[np.int64], now_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """[n, f] some shoppers as they stand, at times no older than their last event."""
        return self._processor.catalogue.read(self._processor.arena.rows.pick(places), now_ms, self._features)

    def apply(self, start: int, stop: int) -> None:
        """Take the events that stand from ``start`` to before ``stop`` in the whole log."""
        part, arena = self._part, self._processor.arena
        b = start
        while (a := b) < stop:
            b = a + self._processor.at_once(part.clock_ms[a : min(a + SLICE, stop)])
            i, j = (a, b) if part.place is None else np.searchsorted(part.place, (a, b)).tolist()
            shopper = part.history.shopper[i:j]
            place = np.arange(a, b) if part.place is None else part.place[i:j]
            # They are numbered as they come, and nobody is evicted: a shopper's number is the place of their row.
            arena.find(part.history.shoppers[len(arena) : int(np.max(shopper, initial=-1)) + 1])
            batch = replace(
                part.history.batch(i, j),
                position=place - a,
                offset=place,
                identity=(place + 1).astype(np.uint64),
            )
            result = self._processor.apply_history(batch, shopper, a, part.clock_ms[a:b])
            if result.fates["late"] or result.fates["duplicate"]:
                raise HistoryError(f"Events {a} to {b} of the history: {dict(result.fates)}")
            self._tell(b)

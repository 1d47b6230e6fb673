"""When shoppers become due, as a property of the log: never of the wall clock, never of how the log was cut.

A due point is every decisive event and the first event in each cadence bucket, up to so many in a bucket: beyond them
it is a program that acts, and nothing is to be decided about it until the next bucket. Between two due points of a
shopper events only accumulate, so a slice is folded in rounds: round k takes every shopper up to and including their
k-th due point. A round also ends at an event after which the shopper's timer may fire before their next event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, EventBatch, Ints, stable_order
from streams.columns.layout import Column, Rows
from streams.processing.alarms import Alarms
from streams.processing.entity import Timer

BUCKET = Column("due/bucket_ms", "i8")
"""When the newest bucket of a row began, whatever cadence held then."""
#: How often a row was due in its bucket, or would have been; of entities that bound it.
IN_BUCKET = Column("due/in_bucket", "u4")
_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Applied events in the order they are folded: by round, then shopper, then log order."""

    event: Ints
    """[m] index into the batch."""
    row: Ints
    due: Bools
    """Whether the event is a due point."""
    ends: Bools
    """Whether the event ends its shopper's round."""
    in_bucket: Ints | None
    """How often the shopper was due in the bucket up to the event, or would have been; None: it is not bounded."""
    next_position: Ints
    """Where in the slice the shopper's next applied event stands; the slice's length when there is none."""
    passed_over: int
    """After how many events the shopper was not due, for they had been due as often as they may."""
    bounds: Ints
    """[rounds + 1] where each round starts."""
    first_position: Ints
    """Where each of ``shoppers``' first applied event stands."""
    shoppers: Ints
    """Rows with an applied event, ascending."""


def plan(
    batch: EventBatch,
    applied: Ints,
    rows: Ints,
    state: Rows,
    watermark: Ints,
    decisive: Bools,
    cadence_ms: int,
    timer: Timer,
    alarms: Alarms | None = None,
    most_due: int = 0,
) -> Plan:
    """Plan the rounds of a slice. ``applied``: its applied events by shopper, in log order. ``watermark[i]`` is the
    watermark once the slice's record i was seen. ``most_due``: in a bucket; 0, without bound."""
    event, row = applied, rows[applied]
    time, position = batch.time_ms[event], batch.position[event]
    starts = np.concatenate(([True], row[1:] != row[:-1]))[: len(row)]
    group = np.cumsum(starts) - 1
    next_position = np.full(len(row), len(watermark), np.int64)
    next_position[:-1] = np.where(starts[1:], len(watermark), position[1:])

    bucket = time - time % cadence_ms
    # A running maximum within each shopper: the next one's numbers lie above all of the one before. Counted from the
    # slice's first bucket, 2^42 milliseconds are more than a century.
    first_bucket = int(np.min(bucket)) if len(bucket) else 0
    lift = (group << 42) - first_bucket
    running = np.maximum.accumulate(lift + bucket) if len(row) else bucket
    before = state.flat["i8"][state.cells(BUCKET, row)]
    before[1:] = np.where(starts[1:], before[1:], np.maximum(before[1:], running[:-1] - lift[1:]))
    due = decisive[batch.type[event]] | (bucket > before)
    in_bucket, passed_over = None, 0
    if most_due:
        in_bucket = _in_bucket(due, starts, np.maximum(bucket, before), row, state)
        beyond = due & (in_bucket > most_due)
        due, passed_over = due & ~beyond, int(np.count_nonzero(beyond))
    seen_then = watermark[np.minimum(next_position, len(watermark) - 1)] if len(row) else time
    heard_of = np.maximum(time, watermark[position])
    # What was set before a record and stays may fire from where the watermark stood.
    ends = due | timer.may_fire(watermark[position] if timer.stays else heard_of, seen_then)
    if alarms is not None:
        ends |= alarms.may_ring(heard_of, seen_then)

    earlier: Ints = np.cumsum(ends) - ends
    first = np.flatnonzero(starts)
    round_: Ints = earlier - np.repeat(earlier[first], np.diff(np.concatenate((first, [len(row)]))))
    by_round = stable_order(round_)
    bounds = np.searchsorted(round_[by_round], np.arange(int(np.max(round_, initial=-1)) + 2))
    return Plan(
        event=event[by_round],
        row=row[by_round],
        due=due[by_round],
        ends=ends[by_round],
        passed_over=passed_over,
        in_bucket=None if in_bucket is None else in_bucket[by_round],
        next_position=next_position[by_round],
        bounds=bounds,
        first_position=position[first],
        shoppers=row[first],
    )


def _in_bucket(due: Bools, starts: Bools, bucket: Ints, row: Ints, state: Rows) -> Ints:
    """[m] how often shoppers were due in a bucket up to each event, those before the slice included."""
    if not len(due):
        return np.zeros(0, np.int64)
    begins = starts.copy()
    begins[1:] |= bucket[1:] != bucket[:-1]
    first = np.flatnonzero(begins)
    many = np.cumsum(due)
    before = np.where(
        bucket[first] == state.flat["i8"][state.cells(BUCKET, row[first])],
        state.flat["u4"][state.cells(IN_BUCKET, row[first])].astype(np.int64),
        0,
    )
    return np.minimum(many - np.repeat(many[first] - due[first] - before, np.diff(first, append=len(due))), _MOST)

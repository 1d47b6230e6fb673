"""What happened after a row's time, and when that became knowable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Ints
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.recent import SESSION_GAP_MS
from streams.records.events import OrderPlaced
from training.history import History
from training.replay import Rows


@dataclass(frozen=True, slots=True)
class Labels:
    """k answers for each of n rows."""

    value: npt.NDArray[np.float32]
    """[n, k]; NaN where the history ends too early to tell."""
    known_ms: Ints
    """[n, k] from when on each was known, UTC milliseconds. A model trained at a time may use what was known by it."""


class Timeline:
    """Each shopper's events of some kind in order of time, to be asked what came after a moment."""

    def __init__(self, history: History, chosen: npt.NDArray[np.bool_]) -> None:
        index = np.flatnonzero(chosen)
        # The history is in order of time, so a stable sort by shopper leaves each shopper's events in order of time.
        self.event = index[np.argsort(history.shopper[index], kind="stable")]
        self.shopper, self.time_ms = history.shopper[self.event], history.time_ms[self.event]
        # One ascending key for (shopper, time): times are below 2^48 ms.
        self._key = (self.shopper << 48) + self.time_ms

    def after(self, shopper: Ints, at_ms: Ints) -> Ints:
        """[n] place of the first event later than ``at_ms``: one of another shopper (or the end) when there is none."""
        return np.searchsorted(self._key, (shopper << 48) + at_ms, side="right")

    def next(self, shopper: Ints, at_ms: Ints) -> Ints:
        """[n] index into the history of the first event later than ``at_ms``, -1 when there is none."""
        place = self.after(shopper, at_ms)
        inside = np.minimum(place, max(0, len(self.event) - 1))
        if not len(self.event):
            return np.full(len(shopper), -1)
        return np.where((place < len(self.event)) & (self.shopper[inside] == shopper), self.event[inside], -1)


def orders_of(history: History) -> npt.NDArray[np.bool_]:
    """Which events are orders."""
    return history.type == TYPE_CODE[OrderPlaced]


def ordered_within(history: History, rows: Rows, days: tuple[int, ...]) -> Labels:
    """Per horizon: 1 when an order lies in (row's time, row's time + days]. Known when the horizon has passed."""
    timeline = Timeline(history, orders_of(history))
    first = timeline.after(rows.shopper, rows.at_ms)
    value, known = [], []
    for horizon in days:
        until = rows.at_ms + horizon * DAY_MS
        came = timeline.after(rows.shopper, until) > first
        value.append(np.where(until <= history.end_ms, came, np.nan))
        known.append(until)
    return Labels(np.stack(value, axis=1).astype(np.float32), np.stack(known, axis=1))


def lapsed_within(history: History, rows: Rows, days: tuple[int, ...]) -> Labels:
    """Per horizon: 1 when no order lies in (row's time, row's time + days]."""
    came = ordered_within(history, rows, days)
    return Labels(1 - came.value, came.known_ms)


def order_hazard(history: History, rows: Rows, edges: tuple[int, ...]) -> Labels:
    """Per bin (edge, next edge] of days: 1 when the next order falls into it, 0 when it comes later.

    NaN when it came before (then nothing is left to ask), or when the history ends within the bin. Known when the bin
    has passed, for all alike: who orders early must not be known earlier than who does not.
    """
    timeline = Timeline(history, orders_of(history))
    first = timeline.after(rows.shopper, rows.at_ms)
    ends = [rows.at_ms + edge * DAY_MS for edge in edges]
    upto = [timeline.after(rows.shopper, end) for end in ends]
    value = [
        np.where((before > first) | (end > history.end_ms), np.nan, by > before)
        for before, by, end in zip(upto[:-1], upto[1:], ends[1:], strict=True)
    ]
    return Labels(np.stack(value, axis=1).astype(np.float32), np.stack(ends[1:], axis=1))


def ordered_in_session(history: History, rows: Rows) -> Labels:
    """1 when an order comes before the first pause of 30 minutes in what the shopper does next.

    That is the rest of a session that goes on, else the next session. Known when that pause is over.
    """
    every = Timeline(history, np.ones(len(history), np.bool_))
    last = np.ones(len(every.event), np.bool_)
    last[:-1] = (every.shopper[1:] != every.shopper[:-1]) | (np.diff(every.time_ms) > SESSION_GAP_MS)
    ends = np.flatnonzero(last)
    is_order = orders_of(history)[every.event]
    ordered_before = np.r_[0, np.cumsum(is_order)]
    place = every.after(rows.shopper, rows.at_ms)
    inside = np.minimum(place, len(every.event) - 1)
    comes = (place < len(every.event)) & (every.shopper[inside] == rows.shopper)
    end = ends[np.minimum(np.searchsorted(ends, inside), len(ends) - 1)]
    known = np.where(comes, every.time_ms[end] + SESSION_GAP_MS, np.iinfo(np.int64).max)
    came = ordered_before[end + 1] > ordered_before[inside]
    value = np.where(comes & (known <= history.end_ms), came, np.nan)
    return Labels(value[:, None].astype(np.float32), known[:, None])


def next_event(history: History, rows: Rows) -> tuple[Ints, Ints]:
    """[n] index into the history of the shopper's next event, -1 when none comes; [n] when it comes (never: int64's
    largest), which is when it is known."""
    every = Timeline(history, np.ones(len(history), np.bool_))
    found = every.next(rows.shopper, rows.at_ms)
    return found, np.where(found >= 0, history.time_ms[found], np.iinfo(np.int64).max)

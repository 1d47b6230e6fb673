"""Whether a visit ends in a purchase: a row per visit, as the shopper stands at the last thing looked at before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Ints
from streams.features.kinds.recent import SESSION_GAP_MS
from streams.records.events import ItemViewed
from training.history import History
from training.labels.horizons import Timeline, orders_of


@dataclass(frozen=True, slots=True)
class Visits:
    """n visits in which something was looked at, each ended by a pause of 30 minutes; in order of shopper and time."""

    shopper: Ints
    """[n] index into the history's shoppers."""
    at_ms: Ints
    """[n] the last view, before the first order where there is one, UTC milliseconds."""
    ordered: npt.NDArray[np.float32]
    """[n] 1: an order followed."""
    known_ms: Ints
    """[n] when the pause was over."""


def visits(history: History) -> Visits:
    """Every visit of a history that is over by its end."""
    every = Timeline(history, np.ones(len(history), np.bool_))
    new = np.ones(len(every.event), np.bool_)
    new[1:] = (every.shopper[1:] != every.shopper[:-1]) | (np.diff(every.time_ms) > SESSION_GAP_MS)
    visit = np.cumsum(new) - 1
    n, place = int(visit[-1]) + 1 if len(visit) else 0, np.arange(len(visit))
    order, first = orders_of(history)[every.event], np.full(n, len(visit))
    np.minimum.at(first, visit[order], place[order])
    view = (history.type == TYPE_CODE[ItemViewed])[every.event] & (place < first[visit])
    last = np.full(n, -1)
    np.maximum.at(last, visit[view], place[view])
    end = np.zeros(n, np.int64)
    np.maximum.at(end, visit, every.time_ms)
    known = end + SESSION_GAP_MS
    kept = (last >= 0) & ((known <= history.end_ms) | (first < len(visit)))
    at = last[kept]
    return Visits(every.shopper[at], every.time_ms[at], (first[kept] < len(visit)).astype(np.float32), known[kept])

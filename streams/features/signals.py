"""What can be counted or added up: a signal is a set of record types and the number each such record stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from streams.columns.arrays import Bools, EventBatch, Ints, Touches, of_types


@dataclass(frozen=True, slots=True)
class Signal:
    """A named stream of (time, number) pairs per key.

    ``value`` is what one record contributes: 1 (``count``), or one of its facts by name. ``flagged`` keeps only records
    whose fact ``flag`` is set (orders with a coupon, searches without a result). All values are integers ≥ 0, so sums
    are exact.
    """

    name: str
    types: tuple[type, ...]
    value: str = "count"
    flagged: bool = False


@cache
def _members(signal: Signal) -> Bools:
    """Which codes of record types a signal takes."""
    return of_types(*signal.types)


@dataclass(frozen=True, slots=True)
class Entries:
    """What a run's events say of one signal, in log order. [m] each."""

    row: Ints
    time_ms: Ints
    value: Ints


def entries(
    batch: EventBatch, chosen: Ints, rows: Ints, bounds: Ints, signals: Sequence[Signal]
) -> list[dict[str, Entries]]:
    """Per run the entries of each of the signals that occurs, by the signal's name.

    ``chosen`` are the events (indices into the batch) in the order of the runs, ``rows`` their rows; ``bounds``
    [runs + 1] says where each run starts.
    """
    kinds, times = batch.type[chosen], batch.time_ms[chosen]
    present = np.unique(kinds)
    runs: list[dict[str, Entries]] = [{} for _ in range(len(bounds) - 1)]
    for signal in signals:
        members = _members(signal)
        if not members[present].any():
            continue
        mask = members[kinds]
        if signal.flagged:
            mask &= batch.facts["flag"][chosen] != 0
        index = np.flatnonzero(mask)
        if signal.value == "count":
            value = np.ones(len(index), np.int64)
        else:
            value = batch.facts[signal.value][chosen[index]]
            keep = value != 0
            index, value = index[keep], value[keep]
        row, time_ms = rows[index], times[index]
        cuts = np.searchsorted(index, bounds).tolist()
        for run, a, b in zip(runs, cuts, cuts[1:], strict=False):
            if a < b:
                run[signal.name] = Entries(row[a:b], time_ms[a:b], value[a:b])
    return runs


@dataclass(frozen=True, slots=True)
class Run:
    """Events to fold at once: n events of k rows, in log order, in every form that a kind may want.

    ``row[i]`` is the row of event i. ``entries`` are by name of the signal. ``touch.event`` counts from 0 within the
    run.
    """

    batch: EventBatch
    event: Ints
    """[n] index into the batch."""
    row: Ints
    time_ms: Ints
    type: Ints
    entries: dict[str, Entries]
    touch: Touches
    _facts: dict[str, Ints] = field(default_factory=dict)

    def fact(self, name: str) -> Ints:
        """[n] a fact of each event; ``type`` is its type's code, ``id_hash`` 64 bits that stand for its id."""
        if name not in self._facts:
            if name == "type":
                return self.type
            known = self.batch.id_hash.view(np.int64) if name == "id_hash" else self.batch.facts[name]
            self._facts[name] = known[self.event]
        return self._facts[name]

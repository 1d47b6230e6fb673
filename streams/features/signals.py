"""What can be counted or added up: a signal is a set of record types and the number each such record stands for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import EventBatch, Ints, Touches, of_types
from streams.columns.layout import Column, Layout, Readable, Rows


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


@dataclass(frozen=True, slots=True)
class Entries:
    """What a run's events say of signals: m numbers, in log order of the events. [m] each."""

    signal: Ints
    """Its number among the catalogue's signals."""
    row: Ints
    time_ms: Ints
    value: Ints

    def __len__(self) -> int:
        return len(self.row)

    def select(self, chosen: Ints | slice) -> Entries:
        """Some of the entries."""
        return Entries(self.signal[chosen], self.row[chosen], self.time_ms[chosen], self.value[chosen])


class Signals:
    """The signals of a catalogue, each with a number."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        named = {signal.name: signal for signal in signals}
        self.number = {name: i for i, name in enumerate(named)}
        """By name."""
        every = list(named.values())
        self._types = [signal.types for signal in every]
        self._flagged = np.array([signal.flagged for signal in every], np.bool_)
        facts = {signal.value for signal in every} - {"count"}
        self._of_fact = {fact: np.array([signal.value == fact for signal in every]) for fact in sorted(facts)}

    def __len__(self) -> int:
        return len(self.number)

    @cached_property
    def _takers(self) -> tuple[Ints, Ints, Ints]:
        """By code of a record type how many signals take it, and where they begin in the third: the signals. Known when
        all entities have given their types codes."""
        members = np.array([of_types(*types) for types in self._types], np.bool_).reshape(-1, len(of_types()))
        many = members.sum(axis=0)
        return many, np.cumsum(many) - many, np.nonzero(members.T)[1]

    def entries(self, batch: EventBatch, chosen: Ints, rows: Ints, bounds: Ints) -> list[Entries]:
        """What each run says of the signals; a fact that is 0 says nothing.

        ``chosen`` are the events (indices into the batch) in the order of the runs, ``rows`` their rows; ``bounds``
        [runs + 1] says where each run starts.
        """
        kinds = batch.type[chosen]
        takers, first, signals = self._takers
        many = takers[kinds]
        place = np.repeat(np.arange(len(chosen)), many)
        turn = np.arange(len(place)) - np.repeat(np.cumsum(many) - many, many)
        signal = signals[first[kinds[place]] + turn]
        event = chosen[place]
        value = np.ones(len(place), np.int64)
        for fact, takes in self._of_fact.items():
            mine = takes[signal].nonzero()[0]
            value[mine] = batch.facts[fact][event[mine]]
        says = value != 0
        flagged = self._flagged[signal].nonzero()[0]
        if len(flagged):
            says[flagged] &= batch.facts["flag"][event[flagged]] != 0
        place, event = place[says], event[says]
        every = Entries(signal[says], rows[place], batch.time_ms[event], value[says])
        cuts = np.searchsorted(place, bounds).tolist()
        return [every.select(slice(a, b)) for a, b in itertools.pairwise(cuts)]


class PerSignal:
    """A column per signal, all of one type and width: many entries' cells, and many signals' values, at once."""

    def __init__(self, columns: Mapping[str, Column], signals: Signals) -> None:
        self.columns, self._number = dict(columns), signals.number
        self._kept = np.zeros(len(signals), np.bool_)
        self._kept[[signals.number[name] for name in columns]] = True
        self._all = bool(self._kept.all())
        self._layout: Layout | None = None
        self._first = np.zeros(0, np.int64)

    @property
    def code(self) -> str:
        """The type of its cells."""
        return next(iter(self.columns.values())).code

    def of(self, entries: Entries) -> Entries:
        """The entries of these signals."""
        return entries if self._all else entries.select(self._kept[entries.signal].nonzero()[0])

    def cells(self, state: Rows, entries: Entries) -> Ints:
        """[m] flat index of the first cell of each entry's column in its row. Only of these signals."""
        return entries.row * state.width(self.code) + self._in(state.layout)[entries.signal]

    def numbers(self, signals: Iterable[Signal]) -> Ints:
        """The numbers of some of the signals, as ``read`` takes them."""
        return np.array([self._number[signal.name] for signal in signals], np.int64)

    def read(self, rows: Readable, numbers: Ints) -> npt.NDArray[Any]:
        """[k, len(numbers), cells] what rows hold of some of the signals."""
        cells = next(iter(self.columns.values())).cells
        return rows.block(self.code, self._in(rows.layout)[numbers][:, None] + np.arange(cells))

    def read_one(self, rows: Readable, numbers: Ints, cell: Ints | int = 0) -> npt.NDArray[Any]:
        """[k, len(numbers)] one cell of each of some of the signals."""
        return rows.block(self.code, self._in(rows.layout)[numbers] + cell)

    def _in(self, layout: Layout) -> Ints:
        if self._layout is not layout:
            self._first = np.full(len(self._kept), -1, np.int64)
            for name, column in self.columns.items():
                self._first[self._number[name]] = layout.cell(column.name)
            self._layout = layout
        return self._first


@dataclass(frozen=True, slots=True)
class Run:
    """Events to fold at once: n events of k rows, in log order, in every form that a kind may want.

    ``row[i]`` is the row of event i. ``touch.event`` counts from 0 within the run.
    """

    batch: EventBatch
    event: Ints
    """[n] index into the batch."""
    row: Ints
    time_ms: Ints
    type: Ints
    entries: Entries
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

    def alone(self, chosen: Ints) -> Run:
        """Some of the events, without what they say of signals and touch."""
        nothing = Touches.none()
        event, row, time_ms = self.event[chosen], self.row[chosen], self.time_ms[chosen]
        return Run(self.batch, event, row, time_ms, self.type[chosen], self.entries.select(slice(0)), nothing)

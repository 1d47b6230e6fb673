"""How many different items or categories: a HyperLogLog sketch of 128 registers (standard error 9%).

Source: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog" (2007), with linear counting while registers are empty.
A register is a maximum, so neither order nor repetition changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Floats, Ints, of_types
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run
from streams.records.events import ShopperEvent

REGISTERS = 128
_BITS = 7
#: Bits of the hash that decide a register's rank; float64 holds them exactly.
_RANK_BITS = 52
_POWERS = np.left_shift(np.int64(1), _RANK_BITS + 1 - np.arange(_RANK_BITS + 2))
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)
#: Estimates up to here are counted linearly, by the empty registers.
_LINEAR_UP_TO = 2.5 * REGISTERS
_FULL, _HIGHEST = np.uint64(0x7F7F_7F7F_7F7F_7F7F), np.uint64(0x8080_8080_8080_8080)


@dataclass(frozen=True, slots=True)
class Distinct:
    """The number of different items or categories in events of some types, ever. Cold start 0."""

    name: str
    of: Literal["item", "category"]
    types: tuple[type[ShopperEvent], ...]
    grows = True


class DistinctKind:
    """One sketch per source."""

    def __init__(self, sources: Sequence[Distinct]) -> None:
        self._sketches = {s: Column(f"distinct/{s.name}/hll{REGISTERS}", "u1", REGISTERS) for s in sources}
        self._members = {s: of_types(*s.types) for s in sources}
        self.columns: tuple[Column, ...] = tuple(self._sketches.values())

    def fold(self, state: Rows, run: Run) -> None:
        if not len(run.touch.event):
            return
        kinds = run.type[run.touch.event]
        for source, column in self._sketches.items():
            mask = self._members[source][kinds]
            if source.of == "category":
                mask &= run.touch.category != 0
            if not mask.any():
                continue
            touch = run.touch.select(mask)
            # A category is known by 32 bits of hash: spread them over 64 first (Fibonacci hashing, then fold).
            value = touch.item if source.of == "item" else _spread(touch.category)
            register = (value & np.uint64(REGISTERS - 1)).astype(np.int64)
            rest = ((value >> np.uint64(_BITS)) & np.uint64((1 << _RANK_BITS) - 1)).astype(np.float64)
            rank = _RANK_BITS + 1 - np.frexp(rest)[1]
            cells = state.cells(column, run.row[touch.event]) + register
            np.maximum.at(state.flat["u1"], cells, rank.astype(np.uint8))

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        for column in self._sketches.values():
            held = state.data[column.name]
            held[row] = np.maximum(held[row], other.data[column.name][0])

    def read(self, rows: Readable, now_ms: Ints, source: Distinct) -> Floats:
        register = rows.column(self._sketches[source].name)
        # Registers are below 2^7: adding 127 to each byte of eight sets the byte's highest bit unless it is 0.
        filled = np.bitwise_count((np.ascontiguousarray(register).view(np.uint64) + _FULL) & _HIGHEST)
        empty = REGISTERS - filled.sum(axis=1, dtype=np.int64)
        out = REGISTERS * np.log(REGISTERS / np.maximum(empty, 1))
        # With many empty registers the estimate is below the limit whatever the others hold.
        some = np.flatnonzero(empty <= _ALPHA * REGISTERS**2 / _LINEAR_UP_TO)
        # In integers the sum of 2^-register is exact, whatever the order.
        harmonic = _POWERS[register[some]].sum(axis=1)
        estimate = _ALPHA * REGISTERS**2 / (harmonic / 2.0 ** (_RANK_BITS + 1))
        out[some] = np.where((estimate <= _LINEAR_UP_TO) & (empty[some] > 0), out[some], estimate)
        return out


def _spread(value: Ints) -> np.typing.NDArray[np.uint64]:
    mixed = value.astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    return mixed ^ (mixed >> np.uint64(29))

"""A catalogue's items found by their hashes, in the graph: a perfect hash of 32-bit codes, exact.

Each code has one slot that no other code of the catalogue has (hash and displace: Belazzougui, Botelho, Dietzfelbinger,
2009), and the slot says whose it is: a code that is not of the catalogue finds a slot of another, and is told apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints32 = npt.NDArray[np.int32]
_HALF, _MIDDLE = 1 << 16, 1 << 15
#: Groups are told apart by the lower half of a code, of which there are no more than this needs.
MOST = 200_000


class Places:
    """Codes [m] (32 bits, none twice, none 0) → their places, 1 to m; 0 for any other code."""

    def __init__(self, codes: npt.NDArray[np.int64]) -> None:
        m = len(codes)
        if m > MOST:
            raise ValueError(f"A catalogue has at most {MOST} items.")
        if m != len(np.unique(codes)) or (codes <= 0).any():
            raise ValueError("Items of a catalogue must have different codes, none of them 0.")
        self.size = 1 << max(13, int(np.ceil(np.log2(max(1, m) * 1.25))))
        self.groups = max(1, self.size // 4)
        upper, lower = codes >> 16, codes & (_HALF - 1)
        group, base = lower % self.groups, (lower * 3 + upper * 5) % self.size
        step = 2 * ((upper * 7 + lower // self.groups) % 8192) + 1
        self.shift: Ints32 = np.zeros(self.groups, np.int32)
        # Slot → upper half, lower half, place, each less 2^15: of nobody, place 0. Where 16 bits do not hold the
        # places, their upper halves follow.
        self.held: npt.NDArray[np.int16] = np.full((self.size, 3 if m < _HALF else 4), -_MIDDLE, np.int16)
        taken = np.zeros(self.size, np.bool_)
        members = np.argsort(group, kind="stable")
        bounds = np.searchsorted(group[members], np.arange(self.groups + 1))
        # Groups with many first: they are the hardest to place.
        for g in np.argsort(-np.diff(bounds), kind="stable").tolist():
            mine = members[bounds[g] : bounds[g + 1]]
            if not len(mine):
                break
            self.shift[g] = shift = self._free(step[mine], base[mine], taken)
            slot = self._slot(base[mine], step[mine], shift)
            taken[slot] = True
            parts = [upper[mine], lower[mine], (mine + 1) % _HALF, (mine + 1) // _HALF]
            self.held[slot] = np.stack(parts[: self.held.shape[1]], axis=1) - _MIDDLE

    def _slot(self, base: Any, step: Any, shift: Any) -> Any:
        return (base + shift * step) % self.size

    def _free(self, step: Any, base: Any, taken: npt.NDArray[np.bool_]) -> int:
        for shift in range(1 << 16):  # below 2^30, however far it shifts
            slot = self._slot(base, step, shift)
            if not taken[slot].any() and len(np.unique(slot)) == len(slot):
                return shift
        raise ValueError("Two items of the catalogue cannot be told apart by their hashes.")

    def of(self, halves: Any) -> Any:
        """[n, k] places, of codes [n, 2k] in halves, as a graph of Keras operations."""
        from keras import ops

        whole = ops.cast(halves, "int32")
        k = whole.shape[1] // 2
        upper, lower = whole[:, :k], whole[:, k:]
        base = ops.mod(lower * 3 + upper * 5, self.size)
        shift = ops.take(ops.convert_to_tensor(self.shift), ops.mod(lower, self.groups), axis=0)
        step = 2 * ops.mod(upper * 7 + lower // self.groups, 8192) + 1
        slot = ops.mod(base + shift * step, self.size)
        parts = (ops.take(ops.convert_to_tensor(part), slot, axis=0) for part in self.held.T)
        held = [ops.cast(part, "int32") + _MIDDLE for part in parts]
        same = (held[0] == upper) & (held[1] == lower)
        place = held[2] if len(held) == 3 else held[2] + _HALF * held[3]
        return ops.where(same, place, 0)

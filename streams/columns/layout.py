"""One packed row per shopper: columns, their layout in the row, and flat views to fold through.

A column's name says what it means, parameters included (``decayed/orders.count/5m,1h``). Two rows agree on a
column exactly when they agree on its name, so a row of an older layout is migrated by name, never by position.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints


@dataclass(frozen=True, slots=True)
class Column:
    """A named field of the row: numpy dtype code (``f8``, ``i8``, ``u8``, ``u4``, ``u1``) and number of cells."""

    name: str
    code: str
    cells: int = 1

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype("<" + self.code)


class Layout:
    """Where each column lies in the row. Wide columns come first, so every field is aligned."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(sorted(columns, key=lambda c: (-c.dtype.itemsize, c.name)))
        size = sum(c.dtype.itemsize * c.cells for c in self.columns)
        if size % 8:
            # numpy does not copy the bytes between fields, and every byte of a row must be known.
            self.columns += (Column("~unused", "u1", 8 - size % 8),)
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"Columns share a name: {sorted({n for n in names if names.count(n) > 1})}")
        offset = 0
        offsets: dict[str, int] = {}
        for column in self.columns:
            offsets[column.name] = offset
            offset += column.dtype.itemsize * column.cells
        self.itemsize = offset
        self.dtype = np.dtype(
            {
                "names": names,
                "formats": [(c.dtype, (c.cells,)) if c.cells > 1 else c.dtype for c in self.columns],
                "offsets": [offsets[name] for name in names],
                "itemsize": self.itemsize,
            }
        )
        self._cell = {c.name: offsets[c.name] // c.dtype.itemsize for c in self.columns}

    def cell(self, name: str) -> int:
        """Index of a column's first cell within the row, counted in cells of the column's own size."""
        return self._cell[name]

    def describe(self) -> bytes:
        """The layout as JSON: enough to read its rows for ever."""
        return json.dumps([[c.name, c.code, c.cells] for c in self.columns]).encode()

    @staticmethod
    def from_description(text: bytes) -> Layout:
        """The layout that ``describe`` described."""
        return Layout(Column(name, code, cells) for name, code, cells in json.loads(text))

    @property
    def digest(self) -> bytes:
        """Eight bytes that name this layout; every packed row starts with them."""
        return hashlib.blake2b(self.describe(), digest_size=8).digest()


_T = TypeVar("_T")


class Readable(Protocol):
    """Rows as a feature reads them: columns, and what several features make of the same columns, made once."""

    @property
    def layout(self) -> Layout: ...

    def __len__(self) -> int: ...

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of all rows, [n] or [n, cells]. Not to be written to."""

    def block(self, code: str, cells: Ints) -> npt.NDArray[Any]:
        """[n, …] cells of one type of all rows, by their index within the row."""

    def once(self, key: Any, make: Callable[[], _T]) -> _T:
        """``make()``, or what it gave before under the same key where nothing can have changed since."""


class Rows:
    """A block of rows, ``words`` [n, words per row], and its flat views, one per cell size, to scatter into with plain
    1-d indices.

    ``np.add.at`` and ``np.maximum.at`` have a fast path for flat, aligned arrays (5 ns per cell) and add in log
    order, one after the other. That is why cutting the log differently cannot change a bit. Whole rows are copied as
    words: numpy copies a structured row field by field, ten times as slowly.
    """

    def __init__(self, layout: Layout, words: npt.NDArray[np.uint64]) -> None:
        self.layout, self.words = layout, words
        self.data: npt.NDArray[np.void] = words.view(layout.dtype).reshape(-1)
        flat = words.reshape(-1)
        self.flat: dict[str, npt.NDArray[Any]] = {c: flat.view("<" + c) for c in ("f8", "i8", "u8", "u4", "u1")}
        self._width = {code: layout.itemsize // np.dtype(code).itemsize for code in self.flat}

    def __len__(self) -> int:
        return len(self.words)

    def width(self, code: str) -> int:
        """How many cells of a type a row has room for."""
        return self._width[code]

    def cells(self, column: Column, rows: Ints) -> Ints:
        """[n] flat index of the column's first cell in each of the given rows."""
        return rows * self._width[column.code] + self.layout.cell(column.name)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of all rows, [n] or [n, cells]; a view, not a copy."""
        return self.data[name]

    def block(self, code: str, cells: Ints) -> npt.NDArray[Any]:
        """See ``Readable``; a copy."""
        return self.pick(slice(None)).block(code, cells)

    def once(self, key: Any, make: Callable[[], _T]) -> _T:
        """``make()``: the rows may have changed since it was last called."""
        return make()

    def copy(self, rows: Ints) -> Rows:
        """A copy of some rows."""
        return Rows(self.layout, self.words[rows])

    def pick(self, rows: Ints | slice) -> Picked:
        """Some rows, to be read before any of them changes."""
        return Picked(self, rows)

    @staticmethod
    def join(blocks: Sequence[Rows]) -> Rows:
        """The rows of several blocks, which have one layout, in one."""
        return Rows(blocks[0].layout, np.concatenate([block.words for block in blocks]))

    @staticmethod
    def from_bytes(layout: Layout, raw: bytes) -> Rows:
        """Rows that were packed one after the other, to be read only."""
        return Rows(layout, np.frombuffer(raw, np.uint64).reshape(-1, layout.itemsize // 8))

    @staticmethod
    def zeros(layout: Layout, n: int) -> Rows:
        """n rows of shoppers never seen: all bytes zero, which every column reads as its cold start."""
        return Rows(layout, np.zeros((n, layout.itemsize // 8), np.uint64))


class Kept:
    """Keeps what was made under a key."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], _T]) -> _T:
        """``make()`` the first time it is asked for under a key, the same value after."""
        if key not in self._made:
            self._made[key] = make()
        found: _T = self._made[key]
        return found


class Picked(Kept):
    """Some rows of a block, read column by column: a feature reads a few hundred bytes of a row of 4 KiB.

    Valid until the block changes, for one time per row. What was read once is kept.
    """

    def __init__(self, base: Rows, rows: Ints | slice) -> None:
        super().__init__()
        self._base, self._rows, self.layout = base, rows, base.layout
        self._many = len(range(len(base))[rows] if isinstance(rows, slice) else rows)

    def __len__(self) -> int:
        return self._many

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of the picked rows, [k] or [k, cells]."""
        return self.once(name, lambda: self._base.data[name][self._rows])

    def block(self, code: str, cells: Ints) -> npt.NDArray[Any]:
        """See ``Readable``."""
        flat, rows, base = self._base.flat[code], self._rows, self._base
        if isinstance(rows, slice):
            return flat.reshape(len(base), -1)[rows].take(cells.ravel(), axis=1).reshape(-1, *cells.shape)
        # One index into the flat block takes a third of the time of one per axis.
        return flat.take((rows * base.width(code))[:, None] + cells.ravel()).reshape(-1, *cells.shape)

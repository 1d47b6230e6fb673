"""Makes one row of two: what an anonymous shopper's row held goes over the wire by column, and into another row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns.layout import Column, Layout, Rows


@dataclass(frozen=True, slots=True)
class Merge:
    """How some columns of two rows become those of one, where no kind of feature keeps them."""

    columns: tuple[Column, ...]
    take: Callable[[Rows, int, Rows], None]
    """``take(state, row, other)``: the one row of ``other``, which has the same layout, into a row of ``state``."""


def described(state: Rows, row: int, columns: Iterable[Column]) -> dict[str, list[int | float]]:
    """What a row holds in some columns, by name; columns of zeros are left out, so they read as cold again."""
    found = {column.name: np.atleast_1d(state.data[column.name][row]) for column in columns}
    return {name: cells.tolist() for name, cells in found.items() if cells.any()}


def one_row(layout: Layout, held: Mapping[str, Sequence[int | float]]) -> Rows:
    """The row that was described, in a layout that may be another one: columns are matched by name and width, and what
    it does not have is left out."""
    rows = Rows.zeros(layout, 1)
    for column in layout.columns:
        cells = held.get(column.name, ())
        if len(cells) == column.cells:
            rows.data[column.name][0] = cells if column.cells > 1 else cells[0]
    return rows

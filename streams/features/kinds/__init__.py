"""Kinds of features. A kind declares the columns it needs, folds a run of events into them and reads them at a time.

Laws of every kind (``tests/laws/test_features.py``): however the log is cut into runs, the state has the same bits;
the order of events within the allowed lateness does not matter (exactly, except decayed sums: 1e-9 relative); the
state's size does not grow; a shopper never seen reads as the declared cold start, which is finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.signals import Run


class Kind(Protocol):
    """How one kind of feature keeps its state; built from all sources of that kind that are declared. It reads them one
    by one (``Single``) or together (``Jointly``)."""

    columns: tuple[Column, ...]

    def __init__(self, sources: Sequence[Any]) -> None: ...

    def fold(self, state: Rows, run: Run) -> None:
        """Take a run of events into the state, in place."""


@runtime_checkable
class Single(Protocol):
    """A kind that reads its sources one by one."""

    def read(self, rows: Readable, now_ms: Ints, source: Any) -> Floats:
        """The value of one declared source for each row at its own time ``now_ms``, float64 [len(rows)]."""


#: Reads some sources of rows, each row at its own time: float64 [len(rows), width of all], side by side.
Joint: TypeAlias = Callable[[Readable, Ints], Floats]


@runtime_checkable
class Jointly(Protocol):
    """A kind that reads many sources for hardly more than one: in small slices calls cost more than numbers do."""

    def joint(self, sources: Sequence[Any]) -> Joint:
        """What reads these sources, in this order; made once, called for every slice."""


@runtime_checkable
class Merging(Protocol):
    """A kind whose state of two rows can be put together, as if all their events had been folded into one (exactly,
    except decayed sums: 1e-9 relative). Kinds of shoppers are: somebody who was anonymous turns out to be another one.
    """

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        """Take the one row of ``other``, which has the same layout, into a row of ``state``, in place."""

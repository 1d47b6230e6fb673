"""Takes rows of those who are forgotten out of memory and table, some at each flush.

Where a row is gone, nothing changes (``forgetting.py``). So a row goes only if what a flush that is cut off makes a
worker do again does not ask for it: it is forgotten, was not changed since the last flush, and knows nothing that comes
after that.

It goes in two steps. First a blank row takes its place, which stands before an offset as every row does: one that is
written too late, by a worker that was stopped meanwhile, does not replace the row of somebody who came back. At the
next flush the blank row is deleted, and nothing but a blank row ever is (``keys.older``).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Rows
from streams.processing.fates import APPLIED
from streams.processing.folding import Folding
from streams.processing.forgetting import Forgetting, blank
from streams.state.keys import ROW, is_blank

#: So many rows of the table are looked at by each flush: a millisecond's work. A partition of a million, flushed each
#: second, is gone through in some two hours.
AT_ONCE = 128


class Sweeping:
    """Of one partition: goes through its table in order of keys, once for each week in which somebody may be
    forgotten. Nothing of it needs to survive a restart. ``forgetting``: None, nobody ever is."""

    def __init__(
        self, folding: Folding, forgetting: Forgetting | None, next_offset: int, blanks: Iterable[bytes]
    ) -> None:
        self._folding, self._arena, self._forgetting = folding, folding.arena, forgetting
        self._durable = next_offset
        """Every record before this is in the rows that the last flush left."""
        self._blanks = list(blanks)
        """Keys of blank rows in the table, to be deleted next."""
        self._swept: tuple[int, int] | None = None
        self._at: bytes | None = None
        """The key behind which to go on; None: all rows were looked at."""

    def drain(self, next_offset: int) -> dict[bytes, bytes | None]:
        """Rows that go, as changes of the table; to be called when the flush before has come to its end, before changed
        rows are taken."""
        durable, self._durable = self._durable, next_offset
        changes: dict[bytes, bytes | None] = {key: None for key in self._blanks if key[1:].decode() not in self._arena}
        self._blanks = []
        forgetting, tier = self._forgetting, self._arena.tier
        if forgetting is None or tier is None or (standing := forgetting.standing) is None:
            return changes
        if self._at is None:
            if standing == self._swept:
                return changes
            self._swept, self._at = standing, ROW
        found = [(key, row) for key, row in tier.behind(self._at, AT_ONCE) if key[:1] == ROW]
        self._at = found[-1][0] if len(found) == AT_ONCE else None
        gone = self._of_evicted(found, durable) + self._of_held(found, durable)
        if gone:
            changes |= dict.fromkeys(gone, self._arena.codec.blank(next_offset))
        self._blanks += gone
        changes |= dict.fromkeys(key for key, row in found if is_blank(row) and key[1:].decode() not in self._arena)
        return changes

    def _of_held(self, found: list[tuple[bytes, bytes]], durable: int) -> list[bytes]:
        arena = self._arena
        names = [name for key, _ in found if (name := key[1:].decode()) in arena]
        if not names:
            return []
        places = arena.places_of(names)
        go, known = self._go(arena.rows, places, durable)
        go = (go | blank(arena.rows, places)) & ~arena.dirty[places]
        gone = np.flatnonzero(go).tolist()
        self._folding.let_go([names[i] for i in gone], arena.rows.copy(places[go]), int((known & go).sum()))
        arena.drop(places[go].tolist())
        return [ROW + names[i].encode() for i in gone]

    def _of_evicted(self, found: list[tuple[bytes, bytes]], durable: int) -> list[bytes]:
        some = [(key, row) for key, row in found if key[1:].decode() not in self._arena and not is_blank(row)]
        if not some:
            return []
        rows = self._arena.codec.unpack([row for _, row in some])
        go, _ = self._go(rows, np.arange(len(rows)), durable)
        gone = np.flatnonzero(go)
        names = [some[i][0][1:].decode() for i in gone.tolist()]
        self._folding.let_go(names, rows.copy(gone), len(gone))
        return [some[i][0] for i in gone.tolist()]

    def _go(self, state: Rows, rows: Ints, durable: int) -> tuple[Bools, Bools]:
        assert self._forgetting is not None
        known = self._forgetting.of(state, rows)
        return known & (state.flat["i8"][state.cells(APPLIED, rows)] <= durable), known

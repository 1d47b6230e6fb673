"""What an item costs now, usually, and at the lowest, from its last 32 price changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.last import Field, LastN
from streams.features.signals import Run

CHANGES_KEPT = 32
#: The usual price is the one that held longest within so many days; what is lowest and reduced is told of 30.
USUAL_DAYS, RECENT_DAYS = 90, 30
FACT = "price+1"


@dataclass(frozen=True, slots=True)
class Price:
    """Of the prices that a catalogue said: the one that holds ``now``; the ``usual`` one (held longest within 90 days);
    the ``lowest`` that held within 30 days, also if it was set before; how many ``changes`` there were in 30 days; the
    ``depth`` of a reduction (1 less now over usual, 0 when not below it); for how many of the last 30 ``days`` the
    price lay below the usual one; for how many the one that holds was ``held`` (of the last 32). All 0 while no price
    is known."""

    what: Literal["now", "usual", "lowest", "changes", "depth", "days", "held"]


class PriceKind:
    """Keeps the last 32 prices, and since when each held."""

    def __init__(self, sources: Sequence[Price]) -> None:
        self._prices = LastN("prices", CHANGES_KEPT, (Field(FACT, "i8"),))
        self.columns: tuple[Column, ...] = self._prices.columns

    def fold(self, state: Rows, run: Run) -> None:
        said = run.fact(FACT) != 0
        if said.any():
            self._prices.fold(state, run, said)

    def read(self, rows: Readable, now_ms: Ints, source: Price) -> Floats:
        return rows.once(("prices", source.what), lambda: self._table(rows, now_ms)[source.what])

    def _table(self, rows: Readable, now_ms: Ints) -> dict[str, Floats]:
        return rows.once("prices/table", lambda: self._read(rows, now_ms))

    def _read(self, rows: Readable, now_ms: Ints) -> dict[str, Floats]:
        some, filled, since, fields = self._prices.newest_first(rows, least=1)
        found = {what: np.zeros(len(rows)) for what in ("now", "usual", "lowest", "changes", "depth", "days", "held")}
        if not len(some):
            return found
        price, now = fields[FACT] - 1, now_ms[some][:, None]
        # Each holds until the next one begins, the newest until now.
        until = np.maximum(np.c_[now, since[:, :-1]], since)
        usual_ms = _held(since, until, now, USUAL_DAYS, filled)
        recent_ms = _held(since, until, now, RECENT_DAYS, filled)
        same = (price[:, :, None] == price[:, None, :]) & filled[:, None, :]
        held_in_all = np.where(filled, np.einsum("kij,kj->ki", same, usual_ms), -1)
        usual = price[np.arange(len(price)), held_in_all.argmax(axis=1)]  # of two that held as long, the newer
        lowest = np.where(recent_ms > 0, price, np.iinfo(np.int64).max)
        current = price[:, 0]
        reduced = np.where(price < usual[:, None], recent_ms, 0).sum(axis=1)
        found["now"][some], found["usual"][some] = current, usual
        found["lowest"][some] = np.minimum(lowest.min(axis=1), current)
        found["changes"][some] = (filled & (since > now - RECENT_DAYS * DAY_MS)).sum(axis=1)
        found["depth"][some] = np.where(current < usual, 1.0 - current / np.maximum(usual, 1), 0.0)
        found["days"][some] = reduced / DAY_MS
        unbroken = np.minimum.accumulate(filled & (price == current[:, None]), axis=1)
        since_when = np.where(unbroken, since, now).min(axis=1)
        found["held"][some] = np.maximum(now[:, 0] - since_when, 0) / DAY_MS
        return found


def _held(since: Ints, until: Ints, now: Ints, days: int, filled: np.ndarray) -> Ints:
    """[k, n] for how long each price held within the last days, milliseconds."""
    start = now - days * DAY_MS
    return np.where(filled, np.maximum(np.minimum(until, now) - np.maximum(since, start), 0), 0)

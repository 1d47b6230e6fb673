"""What a trainer needs of a history: said before it begins, with how much there is and what having less costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.columns.arrays import Bools
from streams.features.kinds.decay import DAY_MS
from streams.records.words import shown_time
from training.errors import TrainingError
from training.history import History
from training.job import CutHistory, CutTold
from training.labels.horizons import orders_of


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a trainer needs some of: with less than ``least`` nothing can be trained or tested, with less
    than ``enough`` it costs what ``cost`` says (measured: docs/training.md)."""

    what: str
    count: Callable[[Any, int], int]
    """Of a history (``History``, or ``Told`` of items) and its cut (UTC milliseconds)."""
    least: int
    enough: int
    cost: str
    together: bool = False
    """Whether all histories together must have it; else each by itself."""


class TooLittle(TrainingError):
    """A history has too little of what a trainer needs."""


def check(given: CutHistory | CutTold, needs: Sequence[Need]) -> list[str]:
    """Hold a history against what each must have; returns what it has less of than enough, in sentences.

    Raises ``TooLittle`` for a cut outside the history, or less than the least of anything.
    """
    name, history, cut_ms, remark = given.name, given.history, given.cut_ms, given.source.remark()
    what = "record about items" if isinstance(given, CutTold) else "event"
    if not len(history):
        raise TooLittle(f"{name} holds no {what} that can be used. {remark}".rstrip())
    first, last = int(history.time_ms[0]), history.end_ms
    if not first < cut_ms < last:
        side = "before" if cut_ms <= first else "after"
        raise TooLittle(
            f"The cut {shown_time(cut_ms)} is {side} all of {name}, which goes from {shown_time(first)} to "
            f"{shown_time(last)}: what is before the cut is trained on, what is after it tests. {remark}".rstrip()
        )
    return _held(f"{name}, cut at {shown_time(cut_ms)},", [given], [n for n in needs if not n.together], remark)


def check_together(histories: Sequence[CutHistory | CutTold], needs: Sequence[Need]) -> list[str]:
    """Hold all histories against what they must have together; likewise."""
    return _held(" and ".join(given.name for given in histories), histories, [n for n in needs if n.together], "")


def _held(what: str, histories: Sequence[CutHistory | CutTold], needs: Sequence[Need], remark: str) -> list[str]:
    counted = [(need, sum(need.count(given.history, given.cut_ms) for given in histories)) for need in needs]
    missing = [f"{n:,} {need.what} (at least {need.least:,})" for need, n in counted if n < need.least]
    if missing:
        costs = " ".join(dict.fromkeys(need.cost for need, n in counted if n < need.least))
        raise TooLittle(f"{what} has too little: {'; '.join(missing)}. {costs} {remark}".rstrip())
    return [
        f"{what} has {n:,} {need.what}, fewer than {need.enough:,}. {need.cost}"
        for need, n in counted
        if n < need.enough
    ]


def days_before(history: History, cut_ms: int) -> int:
    """Whole days from the first event to the cut."""
    return (cut_ms - int(history.time_ms[0])) // DAY_MS


def days_after(history: History, cut_ms: int) -> int:
    """Whole days from the cut to the last event."""
    return (history.end_ms - cut_ms) // DAY_MS


def events_before(history: History, cut_ms: int) -> int:
    """Events up to the cut."""
    return int(np.searchsorted(history.time_ms, cut_ms, side="right"))


def shoppers_before(history: History, cut_ms: int) -> int:
    """Shoppers with an event up to the cut."""
    return len(np.unique(history.shopper[: events_before(history, cut_ms)]))


def categories_before(history: History, cut_ms: int, times: int = 3) -> int:
    """Categories that so many events up to the cut are of."""
    named = history.category[: events_before(history, cut_ms)]
    return int((np.unique(named[named != 0], return_counts=True)[1] >= times).sum())


def events_after(history: History, cut_ms: int) -> int:
    """Events after the cut."""
    return len(history) - events_before(history, cut_ms)


def orders_before(history: History, cut_ms: int) -> int:
    """Orders up to the cut."""
    return int(orders_of(history)[: events_before(history, cut_ms)].sum())


def _ordered(history: History, after_ms: int, until_ms: int) -> Bools:
    """[shoppers] who ordered in (after, until]."""
    some = orders_of(history) & (history.time_ms > after_ms) & (history.time_ms <= until_ms)
    return np.bincount(history.shopper[some], minlength=len(history.shoppers)) > 0


def buyers(history: History, cut_ms: int) -> int:
    """Shoppers who ordered up to the cut."""
    return int(_ordered(history, -1, cut_ms).sum())


def stayed(history: History, cut_ms: int, days: int = 30) -> int:
    """Of these, who ordered within some days after it as well."""
    return int((_ordered(history, -1, cut_ms) & _ordered(history, cut_ms, cut_ms + days * DAY_MS)).sum())


def lapsed(history: History, cut_ms: int, days: int = 30) -> int:
    """Of these, who did not."""
    return buyers(history, cut_ms) - stayed(history, cut_ms, days)

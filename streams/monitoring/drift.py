"""Drift of what a model sees and says: from the shop's own weeks before, and from the rows it was trained on.

A model that is trained on several shops, or on another one, sees other rows in each: that they differ from training is
no alarm. That they differ from what this shop's rows were like a few weeks ago is one. So some rows of each day of the
log are kept, and the last two weeks are held against the four before. Features that only ever grow (orders ever, days
since the first one) are left out: they tell how old a shop is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: A share of nothing counts as this, so that the index stays finite.
LEAST_SHARE = 1e-4
#: Rows looked at together, of one slice or of many small ones: enough to see drift, little enough to cost nothing.
#: Evenly from all of them: of a slice silences come first, so the first rows are not like the rest.
ROWS_AT_ONCE = 256
#: Older counts weigh half after so many rows.
HALF_LIFE_ROWS = 20_000
#: Whole weeks, because days of a week differ: the last ones, and those before that they are held against.
LAST_DAYS, BEFORE_DAYS = 14, 28
#: Rows kept of each day; with 30 features, all days of a model take 1.3 MiB.
ROWS_PER_DAY = 256
#: Fewer rows say nothing …
LEAST_ROWS = 300
#: … nor do fewer days before the last ones.
LEAST_BEFORE_DAYS = 14
#: The index of a shop that has settled. A new one fills its windows for weeks: it drifts, and nothing is wrong.
SETTLED = 0.1
#: The index is found anew after so many rows, and on each day: it takes milliseconds.
EVERY_ROWS = 2000

Columns = Mapping[str, npt.NDArray[Any]]


def psi(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> float:
    """Population stability index of two counts over the same bins; 0 while either is empty.

    Below 0.1 nothing moved, above 0.25 it is another population (the usual rule of thumb).

    >>> psi(np.array([50, 50]), np.array([50, 50]))
    0.0
    >>> round(psi(np.array([50, 50]), np.array([90, 10])), 2)
    0.88
    """
    if not expected.sum() or not found.sum():
        return 0.0
    e = np.maximum(expected / expected.sum(), LEAST_SHARE)
    f = np.maximum(found / found.sum(), LEAST_SHARE)
    return float(((f - e) * np.log(f / e)).sum())


class FromTraining:
    """How far one model's features and scores are from those of its training rows, as its card has them.

    ``distributions``: address or output → ``edges`` (ascending) and ``shares`` (one more than edges) of training.
    """

    def __init__(self, distributions: Mapping[str, Mapping[str, list[float]]]) -> None:
        self._edges = {name: np.array(d["edges"]) for name, d in distributions.items()}
        self._expected = {name: np.array(d["shares"]) for name, d in distributions.items()}
        self.counts = {name: np.zeros(len(shares)) for name, shares in self._expected.items()}
        """By name, how many rows fell between the edges."""

    def observe(self, values: Columns) -> None:
        """Take a column of values per address or output, of the same rows; names that the card does not have are
        passed over."""
        for name, column in some(values).items():
            edges = self._edges.get(name)
            if edges is not None:
                finite = column[np.isfinite(column)]
                counts = self.counts[name]
                counts *= 0.5 ** (len(finite) / HALF_LIFE_ROWS)
                counts += _counted(edges, finite)

    def psi(self) -> dict[str, float]:
        """The index of every feature and output."""
        return {name: psi(self._expected[name], counts) for name, counts in self.counts.items()}


class Drift:
    """How far one model's features and scores of the last two weeks are from those of the four before, in one shop.

    Bounded: so many rows of so many days. A new object knows nothing: nothing is told for four weeks of the log, nor
    before the shop has settled; one that is given what another knew goes on. ``growing``: names that are left out.
    """

    def __init__(self, growing: Collection[str] = ()) -> None:
        self._growing = frozenset(growing)
        self._names: tuple[str, ...] = ()
        self._days: dict[int, _Day] = {}
        self._first = self._last = 0
        self._fresh = 0
        self._found: dict[str, float] = {}
        self.settled = False
        """Whether a whole comparison has been calm: from then on the index is told."""
        self._random = np.random.default_rng(0)

    def observe(self, values: Columns, day: int) -> None:
        """Take a column of values per address or output, of the same rows, that are of a day of the log."""
        kept = {name: column for name, column in some(values).items() if name not in self._growing}
        rows = np.column_stack(list(kept.values())) if kept else np.empty((0, 0))
        rows = rows[np.isfinite(rows).all(axis=1)]
        if not len(rows):
            return
        if not self._days or self._names != tuple(kept):
            self._names, self._first, self._last, self._days = tuple(kept), day, day, {}
        if day > self._last:
            self._last, self._fresh = day, EVERY_ROWS
            oldest = day - LAST_DAYS - BEFORE_DAYS
            self._days = {d: held for d, held in self._days.items() if d > oldest}
        if day > self._last - LAST_DAYS - BEFORE_DAYS:  # else its partition is far behind the others
            self._days.setdefault(day, _Day(len(self._names))).observe(rows, self._random)
            self._fresh += len(rows)

    def psi(self) -> dict[str, float]:
        """The index of every feature and output that does not only grow; empty while too little is known."""
        if self._fresh >= EVERY_ROWS:
            self._fresh = 0
            self._found = self._compare()
            self.settled = self.settled or (bool(self._found) and max(self._found.values()) <= SETTLED)
        return self._found if self.settled else {}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that it knows, to be kept."""
        return {
            "names": np.array(self._names),
            "first_last_settled": np.array([self._first, self._last, self.settled]),
            "days": np.array(list(self._days), np.int64),
            "seen": np.array([held.seen for held in self._days.values()], np.int64),
            "rows": self._rows(lambda _day: True),
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over what another one knew. Raises ``KeyError`` or ``ValueError`` for what is no such state."""
        names = tuple(state["names"].tolist())
        first, last, settled = state["first_last_settled"].tolist()
        days: dict[int, _Day] = {}
        at = 0
        for day, seen in zip(state["days"].tolist(), state["seen"].tolist(), strict=True):
            days[day] = _Day(len(names))
            days[day].restore(state["rows"][at : at + min(seen, ROWS_PER_DAY)], seen)
            at += min(seen, ROWS_PER_DAY)
        self._names, self._first, self._last, self.settled, self._days = names, first, last, bool(settled), days
        self._fresh = EVERY_ROWS

    def _compare(self) -> dict[str, float]:
        since = self._last - LAST_DAYS
        if since - self._first < LEAST_BEFORE_DAYS:
            return {}
        before, last = self._rows(lambda day: day <= since), self._rows(lambda day: day > since)
        if min(len(before), len(last)) < LEAST_ROWS:
            return {}
        found = {}
        for k, name in enumerate(self._names):
            edges = _edges(before[:, k])
            expected, counts = _counted(edges, before[:, k]), _counted(edges, last[:, k])
            # Less what it is by chance where nothing moved.
            chance = len(edges) * (1 / len(before) + 1 / len(last))
            found[name] = max(0.0, psi(expected + 0.5, counts + 0.5) - chance)
        return found

    def _rows(self, chosen: Callable[[int], bool]) -> npt.NDArray[np.float32]:
        nothing = np.empty((0, len(self._names)), np.float32)
        return np.concatenate([nothing, *(held.rows for day, held in self._days.items() if chosen(day))])


class _Day:
    """At most so many of a day's rows, each as likely as another."""

    def __init__(self, width: int) -> None:
        self._rows = np.empty((ROWS_PER_DAY, width), np.float32)
        self.seen = 0

    @property
    def rows(self) -> npt.NDArray[np.float32]:
        return self._rows[: self.seen]

    def restore(self, rows: npt.NDArray[Any], seen: int) -> None:
        self._rows[: len(rows)], self.seen = rows, seen

    def observe(self, rows: npt.NDArray[Any], random: np.random.Generator) -> None:
        free = rows[: max(0, ROWS_PER_DAY - self.seen)]
        self._rows[self.seen : self.seen + len(free)] = free
        rest = rows[len(free) :]
        places = random.integers(0, np.arange(len(rest)) + max(self.seen, ROWS_PER_DAY) + 1)
        chosen = places < ROWS_PER_DAY
        self._rows[places[chosen]] = rest[chosen]
        self.seen += len(rows)


def some(values: Columns) -> dict[str, npt.NDArray[Any]]:
    """Some of the rows that are looked at together."""
    n = min((len(column) for column in values.values()), default=0)
    rows = np.linspace(0, max(0, n - 1), min(n, ROWS_AT_ONCE)).astype(np.int64)
    return {name: column[rows] for name, column in values.items()}


def _edges(values: npt.NDArray[Any], bins: int = 10) -> npt.NDArray[Any]:
    return np.unique(np.quantile(values, np.arange(1, bins) / bins, method="lower"))


def _counted(edges: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def distribution(values: npt.NDArray[Any], bins: int = 10) -> dict[str, list[float]]:
    """Edges at the quantiles of a training column, ties taken together, and the share between them.

    >>> distribution(np.array([0.0] * 8 + [1.0, 2.0]), 5)
    {'edges': [0.0], 'shares': [0.8, 0.2]}
    """
    edges = _edges(values, bins)
    counts = _counted(edges, values)
    return {"edges": edges.astype(float).tolist(), "shares": (counts / len(values)).round(6).tolist()}

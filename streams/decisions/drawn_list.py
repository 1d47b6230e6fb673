"""Lists of which one place is left to chance: which item stands there, and how likely each stood where it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.campaigns.draws import best_or_any
from streams.columns.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class DrawnLists:
    """k lists of n candidates each, drawn at one place."""

    order: Ints
    """[k, n] the candidates as they stand: first the list, then those for whom it has no place, best first."""
    count: Ints
    """[k] how many of them may be shown."""
    open: Bools
    """[k] whether there was a choice."""
    explored: Bools
    """[k] whether the one at the drawn place was drawn."""
    propensity: Floats
    """[k, n] how likely each of ``order`` was to stand at the drawn place …"""
    at_place: Floats
    """… and at the very place at which it stands."""


def draw_lists(may: Bools, first: int, share: float, whether: Floats, which: Floats) -> DrawnLists:
    """Of those that ``may`` be shown ([k, n], best first) the first ``first`` stand as they are. At the next place
    stands the best that is left, or in a ``share`` of lists one of all that are left, all alike; the others follow as
    they were. ``whether``, ``which``: [k] uniform in [0, 1).

    >>> found = draw_lists(np.array([[True] * 4]), 1, 0.6, np.array([0.5]), np.array([0.9]))
    >>> found.order.tolist(), found.propensity.round(2).tolist(), found.at_place.round(2).tolist()
    ([[0, 3, 1, 2]], [[0.0, 0.2, 0.6, 0.2]], [[1.0, 0.2, 0.4, 0.2]])
    """
    (k, n), rank = may.shape, may.cumsum(axis=1) - 1
    left = may & (rank >= first)
    count = may.sum(axis=1)
    choosing = np.flatnonzero(count > first)
    at, places, lists = np.where(may, rank, n).astype(np.float64), np.arange(n), np.arange(k)
    explored, propensity, at_place = np.zeros(k, np.bool_), np.zeros((k, n)), np.ones((k, n))
    if len(choosing):
        some = left[choosing]
        choice = best_or_any(some, some.argmax(axis=1), share, whether[choosing], which[choosing])
        explored[choosing], propensity[choosing] = choice.explored, choice.propensity
        drawn = rank[choosing, choice.chosen]
        # Behind the drawn place a place holds what it would, if what was drawn stood before it; else the one before.
        some_left = (count[choosing] - first)[:, None]
        stays = 1.0 - share + share * np.clip(places - first, 0, some_left) / some_left
        later = np.where(drawn[:, None] < places, stays, 1.0 - stays)
        at_place[choosing] = np.where(places > first, later, 1.0)
        at_place[choosing, first] = choice.propensity[np.arange(len(choosing)), choice.chosen]
        at[choosing, choice.chosen] = first - 0.5
    order = at.argsort(axis=1, kind="stable")
    return DrawnLists(order, count, count > first + 1, explored, propensity[lists[:, None], order], at_place)

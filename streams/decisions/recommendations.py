"""Which items a shopper is shown: a list that a model ranks, without what they hold already, said when it changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import item_code
from streams.decisions.decider import Answered, Group, Said
from streams.features.kinds.bought import code_of, whole
from streams.records.outcomes import ItemsRecommended, RecommendedBecause, RecommendedItem, outcome_id

TOLD = Column("recommend/told", "u8")
"""A digest of the list that was said last; 0: none."""
CODE, DAYS, TIMES, SEEN, FIRST = (
    "items.bought_code", "items.bought_days", "items.bought_times", "items.seen_code", "orders.days_since_first",
)  # fmt: skip
#: A task that answers all of these says lists.
NEEDED = {"again", "items", "weight", "beside"}
BECAUSE: tuple[RecommendedBecause, ...] = ("due_again", "bought_before", "seen_lately", "goes_with", "popular")
_DUE, _BOUGHT, _SEEN, _WITH, _POPULAR = range(len(BECAUSE))


@dataclass(frozen=True, slots=True)
class RecommendationPolicy:
    """What a list may hold.

    Prevents three accidents: a shopper is shown what they have just carried home (``just_bought_days`` long, unless
    they buy it again at a rhythm that is as fast, from ``ripe`` of their usual time on), an item that the shop does not
    want to be recommended (``never``, item ids), and a list that is longer than anybody reads (``most``).
    """

    most: int = 20
    just_bought_days: float = 3.0
    ripe: float = 0.8
    never: tuple[str, ...] = ()

    def due_again(self, days: Floats, times: Floats, first: Floats) -> Bools:
        """[k, n] which items are bought again and again (``times``), and whose usual time has passed since the last
        order (``days``): the days since the shopper's first order (``first`` [k]) over the times."""
        usual = first[:, None] / np.maximum(times, 1.0)
        found: Bools = (times >= 2) & (days >= self.ripe * usual)
        return found


class _Catalogue:
    """The items that one model names."""

    def __init__(self, names: tuple[str, ...], never: frozenset[str]) -> None:
        self.names = names
        hashes = np.array([item_code(name) for name in names], np.uint64)
        self.codes = code_of(hashes).astype(np.int64)
        self.blocked = np.array([name in never for name in names], np.bool_)


class Recommendations:
    """One ``ItemsRecommended`` per due point whose list differs from the one said before."""

    columns: tuple[Column, ...] = (TOLD,)
    reads = (CODE, DAYS, TIMES, SEEN, FIRST)

    def __init__(self, policy: RecommendationPolicy, rules: str) -> None:
        self._policy, self._rules, self._never = policy, rules, frozenset(policy.never)
        self._catalogues: dict[str, _Catalogue] = {}

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        found: list[Said] = []
        for task, scores in group.seen.scores.items():
            if scores.answers.keys() >= NEEDED:
                for which, model in enumerate(scores.models):
                    found += self._of(state, group, task, scores, which, model)
        return sorted(found, key=lambda said: said[0])

    def _of(self, state: Rows, group: Group, task: str, scores: Answered, which: int, model: Any) -> list[Said]:
        again = group.answer(task, "again")
        mine = np.flatnonzero((group.seen.which(task)[group.span] == which) & np.isfinite(again))
        if not len(mine) or not model.names:
            return []
        held = self._catalogues.get(model.digest)
        if held is None:
            held = self._catalogues[model.digest] = _Catalogue(tuple(model.names), self._never)
        item, weight, beside = (group.answer(task, name)[mine] for name in ("items", "weight", "beside"))
        place = np.clip(item.astype(np.int64), 0, len(held.names) - 1)
        usable = np.isfinite(weight) & (weight > 0) & (item >= 0) & ~held.blocked[place]
        because, hidden = self._why(group, mine, held.codes[place], beside)
        usable &= ~hidden
        usable &= np.cumsum(usable, axis=1) <= self._policy.most
        told, cells = digests(held.codes[place], because, usable), state.cells(TOLD, group.row[mine])
        changed = np.flatnonzero(state.flat["u8"][cells] != told)
        state.flat["u8"][cells[changed]] = told[changed]
        said: list[Said] = []
        for k in changed.tolist():
            i = int(mine[k])
            items = [
                self._item(held, int(place[k, j]), float(weight[k, j]), int(because[k, j]), int(beside[k, j]))
                for j in np.flatnonzero(usable[k]).tolist()
            ]
            known_as = outcome_id("items_recommended", group.key[i], group.ref(i), task)
            said.append((i, self._said(group, i, task, known_as, items, float(again[i]))))
        return said

    def _said(
        self, group: Group, i: int, task: str, known_as: str, items: list[RecommendedItem], again: float
    ) -> ItemsRecommended:
        return ItemsRecommended(
            outcome_id=known_as,
            shopper_id=group.key[i],
            event_time_ms=int(group.now_ms[i]),
            due=group.due[i],
            model=group.model(task, i),
            items=items,
            again=again,
            rules=self._rules,
        )

    @staticmethod
    def _item(held: _Catalogue, place: int, weight: float, because: int, beside: int) -> RecommendedItem:
        of = held.names[beside] if because == _WITH and 0 <= beside < len(held.names) else None
        return RecommendedItem(item_id=held.names[place], weight=weight, because=BECAUSE[because], of=of)

    def _why(self, group: Group, mine: Ints, code: Ints, beside: Floats) -> tuple[Ints, Bools]:
        """[k, n] why each listed item is recommended, and which ones were just bought."""
        owned, days, times = (group.feature(name)[mine].astype(np.float64) for name in (CODE, DAYS, TIMES))
        same = code[:, :, None] == whole(owned)[:, None, :]
        bought, at = same.any(axis=2), same.argmax(axis=2)
        days, times = np.take_along_axis(days, at, axis=1), np.take_along_axis(times, at, axis=1)
        due = bought & self._policy.due_again(days, times, group.feature(FIRST)[mine].astype(np.float64))
        seen = (code[:, :, None] == whole(group.feature(SEEN)[mine])[:, None, :]).any(axis=2)
        because = np.where(beside >= 0, _WITH, _POPULAR)
        because = np.where(seen, _SEEN, because)
        because = np.where(bought, np.where(due, _DUE, _BOUGHT), because)
        return because, bought & ~due & (days < self._policy.just_bought_days)


def digests(code: Ints, because: Ints, usable: Bools) -> npt.NDArray[np.uint64]:
    """[k] what stands for each list of codes and reasons, in their order; 0 for an empty one only.

    >>> one = np.array([[1, 2]])
    >>> bool(digests(one, one, one > 0)[0] == digests(one[:, ::-1], one, one > 0)[0])
    False
    """
    mixed = np.full(len(code), 0x9E37_79B9_7F4A_7C15, np.uint64)
    term = ((code << 3) | because).astype(np.uint64) + np.uint64(1)
    for j in range(code.shape[1]):
        step = (mixed ^ term[:, j]) * np.uint64(0xBF58_476D_1CE4_E5B9)
        mixed = np.where(usable[:, j], step ^ (step >> np.uint64(29)), mixed)
    return np.where(usable.any(axis=1), mixed | np.uint64(1), np.uint64(0))

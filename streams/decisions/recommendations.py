"""Which items a shopper is shown: a list that a model ranks, without what they hold already and what cannot be bought,
said when it changes. What a list may hold is decided here for offers of campaigns as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.campaigns.draws import digest, due_hashes, uniform
from streams.campaigns.offered_items import Unavailable
from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import item_code
from streams.decisions.decider import Group, Said
from streams.decisions.drawn_list import DrawnLists, draw_lists
from streams.features.kinds.bought import code_of, whole
from streams.records.news import AVAILABLE
from streams.records.outcomes import (
    ItemsRecommended,
    PassedOver,
    RecommendedBecause,
    RecommendedItem,
    outcome_id,
)

TOLD = Column("recommend/told", "u8")
"""A digest of what the list that was said last was drawn from; 0: nothing."""
CODE, DAYS, TIMES, SEEN, FIRST = (
    "items.bought_code", "items.bought_days", "items.bought_times", "items.seen_code", "orders.days_since_first",
)  # fmt: skip
#: A task that answers all of these says lists …
NEEDED = {"again", "items", "weight", "beside"}
#: … and one that answers these also what goes with a cart: items, shares, and with which of the cart.
FOR_CARTS = ("cart", "cart_weight", "cart_of")
#: Chances are said to so many decimals.
DECIMALS = 6
BECAUSE: tuple[RecommendedBecause, ...] = ("due_again", "bought_before", "seen_lately", "goes_with", "popular")
_DUE, _BOUGHT, _SEEN, _WITH, _POPULAR = range(len(BECAUSE))


@dataclass(frozen=True, slots=True)
class RecommendationPolicy:
    """What a list may hold.

    Prevents four accidents: a shopper is shown what they have just carried home (``just_bought_days`` long, unless
    they buy it again at a rhythm that is as fast, from ``ripe`` of their usual time on), an item that the shop does not
    want to be recommended (``never``, item ids), a list that is longer than anybody reads (``most``; ``with_cart`` of
    what goes with a cart), and, whatever the policy says, an item that is sold out, delisted, badly reviewed or
    suddenly rated worse. And a fifth: that nobody ever learns what other items would have brought
    (``exploration_share``).
    """

    most: int = 20
    with_cart: int = 6
    just_bought_days: float = 3.0
    ripe: float = 0.8
    never: tuple[str, ...] = ()
    exploration_share: float = 0.05
    """Share of lists whose item at ``drawn_place`` is drawn evenly among all that could stand there, 0 to 1."""
    drawn_place: int = 4
    """From 1 to ``most``."""

    def __post_init__(self) -> None:
        if not 1 <= self.drawn_place <= self.most:
            raise ValueError(f"drawn_place is {self.drawn_place}: 1 to {self.most}.")

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
        self.hashes = np.array([item_code(name) for name in names], np.uint64)
        self.codes = code_of(self.hashes).astype(np.int64)
        self.blocked = np.array([name in never for name in names], np.bool_)


@dataclass(frozen=True, slots=True)
class GoingWith:
    """What goes with the carts of m shoppers, c places each, the best first."""

    place: Ints
    """[m, c] which item of the catalogue …"""
    of: Ints
    """… and the item of the cart with which it goes best."""
    usable: Bools
    """[m, c] which of them may be shown."""
    weight: Floats
    """[m, c] as the model answers."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What one model of a task lists for m of a group, n places each, the best first."""

    task: str
    at: Ints
    """[m] whom of the group."""
    catalogue: _Catalogue
    place: Ints
    """[m, n] which item of the catalogue stands at each place."""
    usable: Bools
    """[m, n] which of them may be shown …"""
    spare: Bools
    """… and which could be where one of these is not: the list is full."""
    because: Ints
    """[m, n] why each is recommended: places in ``BECAUSE``."""
    weight: Floats
    beside: Floats
    """[m, n] as the model answers."""
    cart: GoingWith | None = None
    """None where nothing goes with a cart of any."""

    def items(self, k: int, most: int) -> list[str]:
        """The first items that may be shown to the k-th of the m, none of them drawn."""
        return [self.catalogue.names[place] for place in self.place[k, np.flatnonzero(self.usable[k])[:most]].tolist()]


@dataclass(frozen=True, slots=True)
class Best:
    """Which list is taken of each of a group."""

    listed: list[Listed]
    count: Ints
    """[k] how many items may be shown to each."""
    of: Ints
    """[2, k] the place of the list, and of the shopper in it; -1: there is none."""

    @staticmethod
    def none(k: int) -> Best:
        """Nobody lists anything for k shoppers."""
        return Best([], np.zeros(k, np.int64), np.full((2, k), -1))

    def items(self, i: int, most: int) -> list[str]:
        """The first items that may be shown to the i-th of the group."""
        j, k = self.of[:, i].tolist()
        return self.listed[j].items(k, most) if j >= 0 else []

    def task(self, i: int) -> str | None:
        """The task that lists them; None: none does."""
        j = int(self.of[0, i])
        return self.listed[j].task if j >= 0 else None


class Recommender:
    """What may be shown to whom, for all who name items that a model ranks: lists, and offers of campaigns.
    ``unavailable``: how much there is against offering items at offsets of the log."""

    reads = (CODE, DAYS, TIMES, SEEN, FIRST)

    def __init__(self, policy: RecommendationPolicy, unavailable: Unavailable) -> None:
        self._policy, self.unavailable, self._never = policy, unavailable, frozenset(policy.never)
        self._catalogues: dict[str, _Catalogue] = {}

    def lists(self, group: Group) -> Iterator[Listed]:
        """What each model lists for those of a group for whom it answers, by task. Changes nothing."""
        for task, scores in sorted(group.seen.scores.items()):
            if scores.answers.keys() >= NEEDED:
                again = np.isfinite(group.answer(task, "again"))
                for which, model in enumerate(scores.models):
                    mine = np.flatnonzero((group.seen.which(task)[group.span] == which) & again)
                    if len(mine) and model.names:
                        yield self._of(group, task, mine, model)

    def best(self, group: Group) -> Best:
        """Of each of a group the first list that has anything, which offers name items of."""
        listed = list(self.lists(group))
        found = Best.none(len(group))
        found.listed.extend(listed)
        for j, each in enumerate(listed):
            fresh = np.flatnonzero((found.count[each.at] == 0) & each.usable.any(axis=1))
            at = each.at[fresh]
            found.count[at], found.of[0, at], found.of[1, at] = each.usable[fresh].sum(axis=1), j, fresh
        return found

    def _of(self, group: Group, task: str, mine: Ints, model: Any) -> Listed:
        held = self._catalogues.get(model.digest)
        if held is None:
            held = self._catalogues[model.digest] = _Catalogue(tuple(model.names), self._never)
        item, weight, beside = (group.answer(task, name)[mine] for name in ("items", "weight", "beside"))
        place, usable, because = self._judged(group, mine, held, item, weight, beside)
        fits = np.cumsum(usable, axis=1) <= self._policy.most
        cart = self._cart(group, task, mine, held)
        return Listed(task, mine, held, place, usable & fits, usable & ~fits, because, weight, beside, cart)

    def _cart(self, group: Group, task: str, mine: Ints, held: _Catalogue) -> GoingWith | None:
        if any(name not in group.seen.scores[task].answers for name in FOR_CARTS):
            return None
        item, weight, of = (group.answer(task, name)[mine] for name in FOR_CARTS)
        some = np.flatnonzero(weight[:, 0] > 0)
        if not len(some):
            return None
        place, usable = np.zeros(item.shape, np.int64), np.zeros(item.shape, np.bool_)
        place[some], usable[some], _ = self._judged(group, mine[some], held, item[some], weight[some], of[some])
        usable &= np.cumsum(usable, axis=1) <= self._policy.with_cart
        return GoingWith(place, np.clip(of.astype(np.int64), 0, len(held.names) - 1), usable, weight)

    def _judged(
        self, group: Group, mine: Ints, held: _Catalogue, item: Floats, weight: Floats, beside: Floats
    ) -> tuple[Ints, Bools, Ints]:
        """[k, n] the places of listed items in the catalogue, which may be shown, and why each is recommended."""
        place = np.clip(item.astype(np.int64), 0, len(held.names) - 1)
        usable = np.isfinite(weight) & (weight > 0) & (item >= 0) & ~held.blocked[place]
        because, hidden = self._why(group, mine, held.codes[place], beside)
        usable &= ~hidden & (self.unavailable(held.hashes[place], group.offset[mine, None]) == AVAILABLE)
        return place, usable, because

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


class Recommendations:
    """One ``ItemsRecommended`` per due point whose list differs from the one said before.

    Whether it differs is asked of what the list is drawn from, not of the list: else lists that were drawn would be
    said more often than their propensities say. ``rules``: their digest; others draw others.
    """

    columns: tuple[Column, ...] = (TOLD,)
    reads = Recommender.reads

    def __init__(self, recommender: Recommender, policy: RecommendationPolicy, rules: str) -> None:
        self._recommender, self._policy, self._rules = recommender, policy, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        found = [said for listed in self._recommender.lists(group) for said in self._of(state, group, listed)]
        return sorted(found, key=lambda said: said[0])

    def _of(self, state: Rows, group: Group, listed: Listed) -> Iterator[Said]:
        codes = listed.catalogue.codes
        may = listed.usable | listed.spare
        told = digests(codes[listed.place], listed.because, may)
        if (cart := listed.cart) is not None:
            pairs, both = np.concatenate([cart.place, cart.of], axis=1), np.concatenate([cart.usable] * 2, axis=1)
            told ^= digests(codes[pairs], np.zeros_like(pairs), both) << np.uint64(1)
        cells = state.cells(TOLD, group.row[listed.at])
        changed = np.flatnonzero(state.flat["u8"][cells] != told)
        if not len(changed):
            return
        state.flat["u8"][cells[changed]] = told[changed]
        drawn = self._drawn(group, listed, changed, may[changed])
        for c, k in enumerate(changed.tolist()):
            i, task = int(listed.at[k]), listed.task
            said = ItemsRecommended(
                outcome_id=outcome_id("items_recommended", group.key[i], group.ref(i), task),
                shopper_id=group.key[i],
                event_time_ms=int(group.now_ms[i]),
                due=group.due[i],
                model=group.model(task, i),
                **self._items(listed, k, drawn, c),
                goes_with_cart=self._with_cart(listed, k),
                again=float(group.answer(task, "again")[i]),
                rules=self._rules,
            )
            yield i, said

    def _drawn(self, group: Group, listed: Listed, some: Ints, may: Bools) -> DrawnLists:
        """The lists of some of ``listed``, with chances as they are said."""
        at = listed.at[some].tolist()
        due = due_hashes([group.key[i] for i in at], [group.ref(i) for i in at])
        salts = np.array(
            [digest("recommend", self._rules, listed.task, what) for what in ("explore", "which")], np.uint64
        )
        whether, which = uniform(due, salts[:1]), uniform(due, salts[1:])
        found = draw_lists(may, self._policy.drawn_place - 1, self._policy.exploration_share, whether, which)
        said = {name: getattr(found, name).round(DECIMALS) for name in ("propensity", "at_place")}
        return replace(found, **said)

    def _items(self, listed: Listed, k: int, drawn: DrawnLists, c: int) -> dict[str, Any]:
        """What is said of the items of the k-th list, which was drawn as the c-th."""
        order = drawn.order[c, : drawn.count[c]].tolist()
        shown, left = order[: self._policy.most], order[self._policy.most :]
        chances = drawn.at_place[c].tolist()
        said: dict[str, Any] = {"items": [self._item(listed, k, j, p) for j, p in zip(shown, chances, strict=False)]}
        if drawn.open[c] and self._policy.exploration_share > 0:
            names, chances = listed.catalogue.names, drawn.propensity[c, len(shown) :].tolist()
            said["drawn_place"], said["explored"] = self._policy.drawn_place, bool(drawn.explored[c])
            said["passed_over"] = [
                PassedOver(item_id=names[listed.place[k, j]], weight=float(listed.weight[k, j]), propensity=p)
                for j, p in zip(left, chances, strict=False)
            ]
        return said

    @staticmethod
    def _with_cart(listed: Listed, k: int) -> list[RecommendedItem]:
        if (cart := listed.cart) is None:
            return []
        names, some = listed.catalogue.names, np.flatnonzero(cart.usable[k])
        return [
            RecommendedItem(item_id=names[place], weight=weight, because=BECAUSE[_WITH], of=names[of])
            for place, weight, of in zip(
                cart.place[k, some].tolist(), cart.weight[k, some].tolist(), cart.of[k, some].tolist(), strict=True
            )
        ]

    @staticmethod
    def _item(listed: Listed, k: int, j: int, propensity: float) -> RecommendedItem:
        names, because, beside = listed.catalogue.names, int(listed.because[k, j]), int(listed.beside[k, j])
        of = names[beside] if because == _WITH and 0 <= beside < len(names) else None
        weight = float(listed.weight[k, j])
        return RecommendedItem(
            item_id=names[listed.place[k, j]], weight=weight, because=BECAUSE[because], of=of, propensity=propensity
        )


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

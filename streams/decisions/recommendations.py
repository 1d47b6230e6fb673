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
from streams.columns.arrays import Bools, Floats, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.decisions.drawn_list import DrawnLists, draw_lists
from streams.decisions.likeness import had_of
from streams.decisions.list_limits import CATEGORY, PRICE, ItemFacts, first_of_each, in_range
from streams.decisions.listed import Best, Catalogue, Fresh, GoingWith, Listed
from streams.decisions.new_items import Arrivals, Asked, NewItems, fresh
from streams.features.kinds.bought import whole
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
CODE, DAYS, TIMES, SEEN, FIRST, SPEND, UNITS, TASTE = (
    "items.bought_code", "items.bought_days", "items.bought_times", "items.seen_code", "orders.days_since_first",
    "orders.spend", "orders.units", "browsing.category_weights",
)  # fmt: skip
#: A task that answers all of these says lists …
NEEDED = {"again", "items", "weight", "beside"}
#: … and one that answers these also what goes with a cart: items, shares, and with which of the cart.
FOR_CARTS = ("cart", "cart_weight", "cart_of")
#: So many versions' names are kept: of those that serve, and of some that did.
CATALOGUES = 8
#: Chances are said to so many decimals.
DECIMALS = 6
BECAUSE: tuple[RecommendedBecause, ...] = ("due_again", "bought_before", "seen_lately", "goes_with", "popular", "new")
_DUE, _BOUGHT, _SEEN, _WITH, _POPULAR, _NEW = range(len(BECAUSE))


@dataclass(frozen=True, slots=True)
class RecommendationPolicy:
    """What a list may hold.

    Prevents four accidents: a shopper is shown what they have just carried home (``just_bought_days`` long, unless
    they buy it again at a rhythm that is as fast, from ``ripe`` of their usual time on), an item that the shop does not
    want to be recommended (``never``, item ids), a list that is longer than anybody reads (``most``; ``with_cart`` of
    what goes with a cart), and, whatever the policy says, an item that is sold out, delisted, badly reviewed or
    suddenly rated worse. And two more: that nobody ever learns what other items would have brought
    (``exploration_share``), and that what came after a model was taught is shown to nobody until the next one is
    (``new_place``).

    Two more are prevented where a shop says so: a list that is full of one thing (``most_of_category``), and items that
    cost many times what this shopper pays, or a fraction of it (``price_factor``). Of an item whose category or price
    the log does not say, neither holds; nor the second of what they bought before.
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
    new_place: int = 10
    """Where the best of the items that are new to the model stands, from 1 to ``most``, behind ``drawn_place`` at the
    earliest, or at the end of a shorter list; 0: none of them does."""
    most_of_category: int = 0
    """So many items of a category at most; 0: as many as there are."""
    price_factor: float = 0.0
    """An item costs at most so many times what a unit cost the shopper so far, and at least that divided by it; 0: any
    price."""

    def __post_init__(self) -> None:
        if not 1 <= self.drawn_place <= self.most:
            raise ValueError(f"drawn_place is {self.drawn_place}: 1 to {self.most}.")
        if self.price_factor and self.price_factor < 1:
            raise ValueError(f"price_factor is {self.price_factor}: 0, or at least 1.")

    @property
    def fresh_at(self) -> int:
        """The place that is kept for what is new; 0: none is, also where the last place is the drawn one.

        >>> RecommendationPolicy(drawn_place=12).fresh_at, RecommendationPolicy(drawn_place=20).fresh_at
        (13, 0)
        """
        place = max(self.new_place, self.drawn_place + 1) if self.new_place else 0
        return place if place <= self.most else 0

    @property
    def asks_facts(self) -> bool:
        """Whether categories or prices of items are to be known."""
        return self.most_of_category > 0 or self.price_factor > 0

    def due_again(self, days: Floats, times: Floats, first: Floats) -> Bools:
        """[k, n] which items are bought again and again (``times``), and whose usual time has passed since the last
        order (``days``): the days since the shopper's first order (``first`` [k]) over the times."""
        usual = first[:, None] / np.maximum(times, 1.0)
        found: Bools = (times >= 2) & (days >= self.ripe * usual)
        return found


class Recommender:
    """What may be shown to whom, for all who name items that a model ranks: lists, and offers of campaigns.
    ``unavailable``: how much there is against offering items at offsets of the log; ``facts``: what is known of them,
    ``arrivals``: which are new; None where nothing is."""

    reads = (CODE, DAYS, TIMES, SEEN, FIRST, SPEND, UNITS, TASTE)

    def __init__(
        self,
        policy: RecommendationPolicy,
        unavailable: Unavailable,
        facts: ItemFacts | None = None,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._policy, self.unavailable, self._facts, self._arrivals = policy, unavailable, facts, arrivals
        self._never = frozenset(policy.never)
        self._catalogues: dict[str, Catalogue] = {}

    def lists(self, group: Group) -> Iterator[Listed]:
        """What each model lists for those of a group for whom it answers, by task. Changes nothing."""
        for listed, model in self._ranked(group):
            cart = self._cart(group, listed.task, listed.at, listed.catalogue)
            yield replace(listed, cart=cart, fresh=self._fresh(group, listed, model))

    def _ranked(self, group: Group) -> Iterator[tuple[Listed, str]]:
        """The same without what goes with carts and what is new, and the digest of each model."""
        for task, scores in sorted(group.seen.scores.items()):
            if scores.answers.keys() >= NEEDED:
                again = np.isfinite(group.answer(task, "again"))
                for which, model in enumerate(scores.models):
                    mine = np.flatnonzero((group.seen.which(task)[group.span] == which) & again)
                    if len(mine) and model.names:
                        yield self._of(group, task, mine, model), model.digest

    def best(self, group: Group) -> Best:
        """Of each of a group the first list that has anything, which offers name items of."""
        listed = [each for each, _ in self._ranked(group)]
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
            # Of versions that answered last only: a version has thousands of names.
            if len(self._catalogues) == CATALOGUES:
                del self._catalogues[next(iter(self._catalogues))]
            held = self._catalogues[model.digest] = Catalogue(tuple(model.names), self._never, model.likeness)
        item, weight, beside = (group.answer(task, name)[mine] for name in ("items", "weight", "beside"))
        place, usable, because = self._judged(group, mine, held, item, weight, beside)
        if self._policy.asks_facts and self._facts is not None:
            usable = self._limited(self._facts, group, mine, held.hashes[place], usable, because)
        fits = np.cumsum(usable, axis=1) <= self._policy.most
        return Listed(task, mine, held, place, usable & fits, usable & ~fits, because, weight, beside)

    def _fresh(self, group: Group, listed: Listed, model: str) -> Fresh | None:
        """The new item of each list of a ``model`` (its digest). Where it shows nothing, no list is made of what is new
        alone."""
        if not self._policy.fresh_at or self._arrivals is None or not len(self._arrivals):
            return None
        # The last item of a full list makes room; where one is drawn, any that may be shown may stand beside it.
        usable, hashes = listed.usable, listed.catalogue.hashes
        room = usable & (np.cumsum(usable, axis=1) < self._policy.most)
        beside = usable | listed.spare if self._policy.exploration_share > 0 else room
        to = np.flatnonzero(usable.any(axis=1))
        at, place, beside = listed.at[to], listed.place[to], beside[to]

        def may(items: NewItems, some: Ints, which: Ints) -> Bools:
            return self._may(group, at[some], items, which, hashes[place[some]], beside[some])

        spent, alike = self._spent(group, at), listed.catalogue.alike
        had = None if alike is None else had_of(group.feature(CODE)[at], group.feature(SEEN)[at])
        asked = Asked(group.now_ms[at], self._before(group, at), group.feature(TASTE)[at], *spent, had)
        return fresh(self._arrivals, asked, model, hashes, self._never, may, alike).among(to, len(listed.at))

    def _may(self, group: Group, mine: Ints, news: NewItems, place: Ints, items: Hashes, beside: Bools) -> Bools:
        """[k] whether a new item each may be shown to some of a group, where some of ``items`` [k, n] may stand
        ``beside`` it; not what they bought: then it is new to them no more."""
        own, policy = news.catalogue(self._never), self._policy
        bought = (whole(group.feature(CODE)[mine]) == own.codes[place][:, None]).any(axis=1)
        usable: Bools = ~bought & (self.unavailable(own.hashes[place], group.offset[mine]) == AVAILABLE)
        if policy.price_factor:
            usable &= in_range(news.price[place][:, None], *self._spent(group, mine), policy.price_factor)[:, 0]
        if policy.most_of_category and self._facts is not None:
            category, before = news.category[place], self._before(group, mine)
            of = self._facts.look(CATEGORY, items, group.now_ms[mine], before)
            same = ((of == category[:, None]) & beside).sum(axis=1)
            usable &= (same < policy.most_of_category) | (category == 0)
        return usable

    @staticmethod
    def _before(group: Group, mine: Ints) -> Ints:
        return np.array(group.before, np.int64)[mine]

    @staticmethod
    def _spent(group: Group, mine: Ints) -> tuple[Floats, Floats]:
        """[m] money and units of all orders."""
        spend, units = (group.feature(name)[mine].astype(np.float64) for name in (SPEND, UNITS))
        return spend, units

    def _limited(
        self, facts: ItemFacts, group: Group, mine: Ints, items: Hashes, usable: Bools, because: Ints
    ) -> Bools:
        """[k, n] which are left when prices and categories are looked at."""
        now_ms, before = group.now_ms[mine], self._before(group, mine)
        if self._policy.price_factor:
            price = facts.look(PRICE, items, now_ms, before)
            own = (because == _DUE) | (because == _BOUGHT)
            usable = usable & (own | in_range(price, *self._spent(group, mine), self._policy.price_factor))
        if self._policy.most_of_category:
            category = facts.look(CATEGORY, items, now_ms, before)
            usable = first_of_each(category, usable, self._policy.most_of_category)
        return usable

    def _cart(self, group: Group, task: str, mine: Ints, held: Catalogue) -> GoingWith | None:
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
        self, group: Group, mine: Ints, held: Catalogue, item: Floats, weight: Floats, beside: Floats
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
        if listed.fresh is not None:
            new = listed.fresh.codes[:, None]
            told ^= digests(new, np.full_like(new, _NEW), new != 0) << np.uint64(2)
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
        new = None if listed.fresh is None else listed.fresh.names[k]
        room = self._policy.most - (new is not None)
        shown, left = order[:room], order[room:]
        chances = drawn.at_place[c].tolist()
        items = [self._item(listed, k, j, p) for j, p in zip(shown, chances, strict=False)]
        if new is not None:
            # It stands there whatever is drawn, which goes before it.
            items.insert(self._policy.fresh_at - 1, RecommendedItem(item_id=new, weight=0.0, because=BECAUSE[_NEW]))
        said: dict[str, Any] = {"items": items}
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

"""A query's answer: the words that were meant, what is done when nothing says them all, its category, and the items."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from streams.columns.shopper_events import category_code, item_code
from streams.records.searches import Answered, RankedItem, Why
from streams.search.index import Floats, Found, Index
from streams.search.likeness import together
from streams.search.spelling import Speller, joined
from streams.search.words import MOST_CHARACTERS, query_words, stem

_CODE = (1 << 32) - 1
#: So many items are ranked for a query; what a shopper likes moves none in that stand behind.
CANDIDATES = 100
#: So many words of a query are corrected: looking for what was meant is what costs most.
CORRECTED = 4
#: A category is a query's from this share of the scores of the best ``ABOUT`` items on.
ABOUT, LEAST_SHARE = 20, 0.3
#: What a shopper likes adds at most this share to an item's score: it decides between items that fit about alike.
MOST_LIKED = 0.05


class Liked(NamedTuple):
    """What is known of whom searches, as features say it: the hash of the ``category`` that they like most (0: none),
    and ``items`` that they bought, 32 bits of the hash of each."""

    category: int = 0
    items: Collection[int] = ()

    def likes(self, item_id: str, category: str) -> float:
        """0, 0.5 or 1: half for each that holds of an item."""
        bought = item_code(item_id) & _CODE in self.items
        return 0.5 * (bought + (self.category != 0 and bool(category) and category_code(category) == self.category))


NOBODY = Liked()


class Searcher:
    """Answers queries over an index. Every text has an answer, of bounded cost; that nothing was found says why."""

    def __init__(self, index: Index) -> None:
        self.index, self._speller = index, Speller(index)

    def answer(
        self, query: str, n: int, liked: Liked = NOBODY, like: Callable[[Sequence[str]], Floats] | None = None
    ) -> Answered:
        """The best ``n`` items (at most ``CANDIDATES``). ``like``: how like the query each of some items is."""
        self.index.tidy()
        asked = query_words(query)
        meant = self._meant(asked)
        known = [word for word in meant if self.index.frequency(word)]
        found, dropped = Found([], np.zeros(0)), list[str]()
        why: Why = "nothing_found" if asked else "no_words"
        if known:
            dropped = [word for word in meant if word not in known]
            dropped += self._not_together(known)
            why = "some_words" if dropped else "all_words"
            sought = list(dict.fromkeys([*known, *joined(asked, self.index)]))
            found = self.index.best(sought, CANDIDATES)
            found = found if like is None else _alike_first(found, like(found.items))
        elif asked and (category := self._like_a_category(query)) is not None:
            why, found = "category", self.index.of_category(category, CANDIDATES)
        items = self._liked_first(found, liked)[:n]
        return Answered(
            query=query[:MOST_CHARACTERS],
            corrected=None if meant == asked or not known else " ".join(meant),
            dropped=dropped,
            category=self._category(found),
            why=why,
            items=[RankedItem(item_id=i, score=round(s, 4), title=self.index.title(i)[:200]) for i, s in items],
            catalogue=self.index.digest,
        )

    def _meant(self, asked: Sequence[str]) -> list[str]:
        """The words that were meant; of those that no item says, the first ``CORRECTED`` are corrected."""
        unknown = [word for word in asked if not self.index.frequency(word)][:CORRECTED]
        read = {word: self._speller.correct(word) or [word] for word in unknown}
        return list(dict.fromkeys(word for given in asked for word in read.get(given, [given])))

    def _not_together(self, known: Sequence[str]) -> list[str]:
        """The rarest words, as many as there are until some item says all others."""
        kept, dropped = list(known), list[str]()
        while len(kept) > 1 and not self.index.together(kept):
            rarest = min(kept, key=lambda word: (self.index.frequency(word), word))
            kept.remove(rarest)
            dropped.append(rarest)
        return dropped

    def _category(self, found: Found) -> str | None:
        shares: dict[str, float] = {}
        for item, score in zip(found.items[:ABOUT], found.scores[:ABOUT].tolist(), strict=True):
            name = self.index.category(item)
            shares[name] = shares.get(name, 0.0) + score
        whole = sum(shares.values())
        shares.pop("", None)
        if not shares:
            return None
        best = min(shares, key=lambda name: (-shares[name], name))
        return best if shares[best] >= LEAST_SHARE * whole else None

    def _like_a_category(self, query: str) -> str | None:
        """The category that begins as the query does, of several the largest."""
        begin = stem(query.strip().casefold())
        some = [name for name in self.index.categories if begin and name.casefold().startswith(begin)]
        return min(some, key=lambda name: (-self.index.categories[name], name)) if some else None

    def _liked_first(self, found: Found, liked: Liked) -> list[tuple[str, float]]:
        """Items with their scores; what is liked counts a little more."""
        scored = list(zip(found.items, found.scores.tolist(), strict=True))
        if liked == NOBODY:
            return scored
        moved = [(i, score * (1 + MOST_LIKED * liked.likes(i, self.index.category(i)))) for i, score in scored]
        return sorted(moved, key=lambda pair: (-pair[1], pair[0]))


def _alike_first(found: Found, like: Floats) -> Found:
    both = together(found.scores, like)
    order = sorted(range(len(both)), key=lambda i: (-both[i], found.items[i]))
    return Found([found.items[i] for i in order], (both - both.min(initial=0.0))[order])

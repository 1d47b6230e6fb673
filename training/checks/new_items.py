"""``python -m training.checks.new_items``: whom to show an item that came after a version of ``recommend`` was trained,
and what lists win and lose by a place for it.

Complete Journey, orders from two weeks after a cut on, for 92 days after it. Of items first sold since the cut, in the
28 days before an order's day, and never bought by its household, those are ranked that the order may hold: by units of
those 28 days, by their category's share of all, by units times a power of how much likelier the household buys of
the category than anybody, and as lists have it (``streams/decisions/new_items.py``), which know units by powers of two
and categories by slots. Told: how often one of the order's is first, among three, and among 20.

Then the lists of a version that was trained up to the cut (``--version``), at the start of each of those weeks, against
each household's first order of the week: how many of those with a new item are found by the tenth place, and what its
room costs of the other items. All was chosen by ``--cut 2017-07-01``, with a version that ``offerstream train recommend
--history complete_journey --cut 2017-07-01 --out DIR`` makes. ``news``: what is told of new items in all of these data.
A JSON object; two minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

import streams.demo
from models.artifact import load_artifact
from models.predictor import Predictor
from models.tasks.recommend.task import RECOMMEND
from streams.columns.arrays import Bools, Hashes, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.new_items import NEW_DAYS, TOLD_FROM, Asked, NewItems, fresh, weighed
from streams.features.days import DAY_MS
from streams.features.kinds.bought import ITEMS_TOLD, code_of, whole
from streams.features.kinds.favourites import HALF_LIFE_MS, SLOTS, WEIGHTS
from streams.records.events import OrderPlaced
from streams.settings import Settings
from training.history import History
from training.new_items import AFTER_DAYS, SPAN_DAYS, OrderLines, OrderWithNew, intervals, orders_with_new
from training.ranking import LISTED, ROUNDS
from training.redraws import ends, how_often
from training.replay import replay
from training.source import of_name

Floats = npt.NDArray[np.float64]
#: Of how much likelier a household buys.
POWERS = (0.25, 0.5, 1.0)
FIRST = (1, 3, 20)
FEATURES = (*RECOMMEND.features, "items.known", "orders.spend", "orders.units", "browsing.category_weights")
VERSION = Path(streams.demo.__file__).parent / "recommend"


def main() -> None:
    """Measure, and print it."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.new_items", description=__doc__)
    asked.add_argument("--cut", default="2017-10-01")
    asked.add_argument("--version", type=Path, default=VERSION, help="folder of a version trained up to the cut")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    history, _ = of_name("complete_journey", None, Settings()).load(Path("build/training"), lambda _n: None)
    cut_ms = int(np.datetime64(given.cut, "ms").astype(np.int64))
    lists = placed(history, Predictor(load_artifact(RECOMMEND, given.version)), cut_ms, given.seed)
    told = {"lists": lists, "news": _Lines(history).news()}
    print(json.dumps({"cut": given.cut} | measure(history, cut_ms, given.seed) | told))


def measure(history: History, cut_ms: int, seed: int) -> dict[str, object]:
    """Shares of orders by method, and 95% of what each has more than ``units`` among 20, whole households redrawn."""
    rng, lines = np.random.default_rng(seed), _Lines(history)
    hits: dict[str, list[list[bool]]] = {}
    shoppers = []
    for asked in orders_with_new(history, lines, cut_ms, rng):
        shoppers.append(asked.shopper)
        for name, score in lines.scores(asked).items():
            best = np.argsort(-score, kind="stable")[: max(FIRST)]
            hits.setdefault(name, []).append([bool(asked.wanted[best[:k]].any()) for k in FIRST])
    found = {name: np.array(each, np.float64) for name, each in hits.items()}
    gains = {name: each[:, -1] - found["units"][:, -1] for name, each in found.items()}
    many, more = intervals(shoppers, gains, rng)
    shares = {name: dict(zip(map(str, FIRST), each.mean(axis=0).round(4), strict=True)) for name, each in found.items()}
    return {"orders": len(shoppers), "shoppers": many, "found": shares, "more_among_20_95": more}


def placed(history: History, model: Predictor, cut_ms: int, seed: int) -> dict[str, object]:
    """What lists with a place for what is new find and miss; intervals of 95%, whole households redrawn."""
    week = 7 * DAY_MS
    starts = range(cut_ms + AFTER_DAYS * DAY_MS, cut_ms + SPAN_DAYS * DAY_MS, week)
    lines, named = _Lines(history), np.array([item_code(name) for name in model.names], np.uint64)
    events, end = lines.orders, int(np.searchsorted(history.time_ms, starts[-1]))
    stood = replay(history.until(end), FEATURES, snapshots_ms=[start - 1 for start in starts], due_points=False)
    found: list[tuple[int, ...]] = []
    for start in starts:
        some = events[(history.time_ms[events] >= start) & (history.time_ms[events] < start + week)]
        who, first = np.unique(history.shopper[some], return_index=True)
        rows = np.flatnonzero((stood.at_ms == start - 1) & (stood.x[:, -SLOTS - 3] >= 3) & np.isin(stood.shopper, who))
        x, order = stood.x[rows], dict(zip(who.tolist(), some[first].tolist(), strict=True))
        said = model.score(np.ascontiguousarray(x[:, : -SLOTS - 3]))
        best = np.where(said["weight"] > 0, named[said["items"].astype(np.int64)], np.uint64(0))[:, :LISTED]
        new = _new_of(history, lines, start, x, model.digest, named)
        came_lately = lines.items[(lines.first >= start - NEW_DAYS * DAY_MS) & (lines.first < start)]
        for row, shopper in enumerate(stood.shopper[rows].tolist()):
            event = order[shopper]
            came = np.unique(history.touch_item[history.touch_start[event] : history.touch_start[event + 1]])
            fresh_ = np.isin(came, came_lately) & ~np.isin(came, named)
            fresh_ &= ~np.isin(came, lines.items[lines.item[lines.of(shopper, start)]])
            there = np.isin(came, best[row])
            # The last item of the list makes room where there is a new one.
            with_new = np.isin(came, np.append(best[row, : LISTED - 1], new[row])) if new[row] else there
            counts = fresh_.any(), (fresh_ & with_new).any(), (~fresh_).sum(), (there & ~fresh_).sum()
            each = (*counts, (with_new & ~fresh_).sum(), len(came), there.sum(), with_new.sum(), new[row] != 0)
            found.append((shopper, *(int(n) for n in each)))
    shopper, *columns = np.array(found, np.int64).T
    has, hit, rest, without, with_, every, all_without, all_with, listed = (c.astype(np.float64) for c in columns)
    _, of = np.unique(shopper, return_inverse=True)
    drawn = how_often(int(of.max()) + 1, seed, ROUNDS)

    def told(value: Floats, some: Bools) -> dict[str, object]:
        """The mean over some lists, with its interval."""
        sums, sizes = (np.bincount(of, weights=one) for one in (np.where(some, value, 0.0), some))
        return {"mean": round(float(sums.sum() / sizes.sum()), 4), "95": ends((drawn @ sums) / (drawn @ sizes))}

    whole_, others = every > 0, rest > 0
    return {
        "lists": len(shopper), "shoppers": int(of.max()) + 1, "with_a_new_item": round(float(listed.mean()), 3),
        "orders_with_a_new_item": int(has.sum()), "of_them_found": told(hit, has > 0),
        "recall_20_of_the_rest": told(without / np.maximum(rest, 1), others),
        "less_by_the_place": told((without - with_) / np.maximum(rest, 1), others),
        "recall_20_of_all": told(all_without / every, whole_),
        "more_by_the_place": told((all_with - all_without) / every, whole_),
    }  # fmt: skip


class _At:
    """New items as they are known at one time."""

    def __init__(self, items: NewItems) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def known(self, before: Ints) -> tuple[Ints, list[NewItems]]:
        return np.zeros(len(before), np.int64), [self._items]


def _new_of(history: History, lines: _Lines, now: int, x: npt.NDArray[np.float32], model: str, named: Hashes) -> Hashes:
    """[n] the new item that each row's list has at a time; 0: none."""
    names = {item_code(name): name for name in history.item_ids}
    items = lines.new_items(np.flatnonzero((lines.first >= now - NEW_DAYS * DAY_MS) & (lines.first < now)), now, names)
    spend, units = x[:, -SLOTS - 2 : -SLOTS].T.astype(np.float64)
    moment = np.full(len(x), now)
    bought = whole(x[:, : 2 * ITEMS_TOLD])

    def may(one: NewItems, rows: Ints, places: Ints) -> Bools:
        code = code_of(one.catalogue(frozenset()).hashes[places]).astype(np.int64)
        return ~(bought[rows] == code[:, None]).any(axis=1)

    found = fresh(_At(items), Asked(moment, moment, x[:, -SLOTS:], spend, units), model, named, frozenset(), may)
    return np.array([0 if name is None else item_code(name) for name in found.names], np.uint64)


class _Lines(OrderLines):
    """With units and prices."""

    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._units, self._paid = history.touch_quantity[self.touch], history.touch_cents[self.touch]
        full = self._paid + history.touch_discount_cents[self.touch]
        self._price = (full // np.maximum(self._units, 1))[self.begun]
        self.told: Ints = np.zeros(0, np.int64)
        """Of which ``new_items`` gave, places among those asked for."""

    def news(self) -> dict[str, int]:
        """Items that came later than 28 days after the first, those of which is told, in how many records, and in how
        many were it told from the first unit on."""
        days = NEW_DAYS * DAY_MS
        soon = self.time < self.first[self.item] + days
        units = np.bincount(self.item[soon], weights=self._units[soon], minlength=len(self.items))
        units = units[self.first > self.first.min() + days]
        told = units[units >= TOLD_FROM]
        from_one = np.floor(np.log2(units[units > 0])).sum() + (units > 0).sum()
        records = np.floor(np.log2(told / TOLD_FROM)).sum() + len(told)
        return {"came": len(units), "told": len(told), "records": int(records), "records_from_one": int(from_one)}

    def new_items(self, new: Ints, now: int, names: Mapping[int, str] | None = None) -> NewItems:
        """New items as partitions of shoppers are told of them: those that sold enough of them, by powers of two."""
        lately, month = (self.between(now - days * DAY_MS, now) for days in (NEW_DAYS, 30))
        units = np.bincount(self.item[lately], weights=self._units[lately], minlength=len(self.items))[new]
        power = 2.0 ** np.floor(np.log2(np.maximum(units, 1)))
        of_category = np.bincount(self.category[month], weights=self._units[month], minlength=len(self.categories))
        some = np.flatnonzero(units >= TOLD_FROM)
        at = new[some]
        called = tuple(str(item) if names is None else names[item] for item in self.items[at].tolist())
        of, sold = self.of_item[at], power[some].astype(np.int64)
        found = NewItems(
            called, self.categories[of], self._price[at], self.first[at], sold, of_category[of].astype(np.int64)
        )
        self.told = some
        return found

    def scores(self, asked: OrderWithNew) -> dict[str, Floats]:
        """By method, [k] what new items get."""
        lately, of = self.between(asked.since, asked.now), self.of_item[asked.new]
        units, usual = self.many(asked.new, lately), self.usual(lately)
        likelier = self.likelier(asked.new, asked.past, usual)
        found = {"units": units, "category": usual[of] / np.bincount(of, minlength=len(usual))[of]}
        found["as lists have it"] = self._as_listed(asked.new, asked.past, asked.now)
        return found | {f"units, likelier^{power}": units * likelier**power for power in POWERS}

    def _as_listed(self, new: Ints, past: Ints, now: int) -> Floats:
        """[k] what new items are worth to whoever bought the lines ``past``; 0: it is not looked at."""
        items = self.new_items(new, now)
        told, worth = self.told, np.zeros(len(new))
        day = now // DAY_MS
        places, speed = items.fastest(day, "", np.zeros(0, np.uint64), frozenset())
        weight = WEIGHTS[OrderPlaced] * 0.5 ** ((now - self.time[past]) / HALF_LIFE_MS)
        slot = self.categories[self.category[past]] % SLOTS
        taste = np.bincount(slot, weights=weight, minlength=SLOTS)[None].astype(np.float64)
        usual = self._paid[past].sum() / max(int(self._units[past].sum()), 1)
        worth[told[places]] = weighed(items, day, places, speed, taste, np.array([usual]))[0]
        return worth


if __name__ == "__main__":
    main()

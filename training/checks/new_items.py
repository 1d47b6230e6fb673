"""``python -m training.checks.new_items``: whom to show an item that came after a version of ``recommend`` was trained,
and what lists win and lose by a place for it.

Orders of a shop (``--shop``: Complete Journey, or Online Retail, which has no categories) from two weeks after a cut
on, for 92 days after it. Of items first sold since the cut, in the 28 days before an order's day, and never bought by
its household, those are ranked that the order may hold: by units of those 28 days, by their category's share of all, by
units times a power of how much likelier the household buys of the category than anybody, and as lists have it
(``streams/decisions/new_items.py``), which know units by powers of two and categories by slots, without and with what
items are like, to some powers (by the ``multimodal`` that ships, of titles). Told: how often one of the order's is
first, among three, and among 20; and which power a training up to the cut would choose.

Then the lists of a version that was trained up to the cut (``--version``), at the start of each of those weeks, against
each household's first order of the week: how many of those with a new item are found by the tenth place, and what its
room costs of the other items, as the version weighs what they are like (``--power``: as if it did so). All was chosen
by ``--cut 2017-07-01`` (2011-06-01), with a version that ``offerstream train recommend --history complete_journey --cut
2017-07-01 --out DIR`` makes. ``news``: what is told of new items in all of these data. A JSON object; two minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

import streams.demo
from models.artifact import load_artifact
from models.likeness import POWERS
from models.predictor import Predictor
from models.registry import task
from models.tasks.recommend.task import RECOMMEND
from streams.columns.arrays import Bools, Hashes, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.likeness import Alike
from streams.decisions.new_items import NEW_DAYS, TOLD_FROM, Asked, NewItems, fresh
from streams.features.days import DAY_MS
from streams.features.kinds.bought import ITEMS_TOLD, code_of, whole
from streams.features.kinds.favourites import SLOTS
from streams.settings import Settings
from training.datasets.listings import LISTINGS
from training.history import History
from training.new_items import (
    AFTER_DAYS,
    SPAN_DAYS,
    Known,
    OrderLines,
    OrderWithNew,
    intervals,
    known_of,
    orders_with_new,
    power_of,
)
from training.ranking import LISTED, ROUNDS
from training.redraws import ends, how_often
from training.replay import replay
from training.source import of_name

Floats = npt.NDArray[np.float64]
#: Of how much likelier a household buys.
LIKELIER = (0.25, 0.5, 1.0)
#: What the method that ships is called.
LISTS = "as lists have it"
FIRST = (1, 3, 20)
FEATURES = (*RECOMMEND.features, "items.known", "orders.spend", "orders.units", "browsing.category_weights")
VERSION = Path(streams.demo.__file__).parent / "recommend"


def main() -> None:
    """Measure, and print it."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.new_items", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder of the data sets that come in no package")
    asked.add_argument("--shop", choices=tuple(LISTINGS), default="complete_journey")
    asked.add_argument("--cut", default="2017-10-01")
    asked.add_argument("--power", type=int, choices=(0, *POWERS), help="default: the version's own")
    asked.add_argument("--version", type=Path, default=VERSION, help="folder of a version trained up to the cut")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    source = of_name(given.shop, given.data, Settings())
    history, _ = source.load(Path("build/training"), lambda _n: None)
    cut_ms = int(np.datetime64(given.cut, "ms").astype(np.int64))
    model, embeds = Predictor(load_artifact(RECOMMEND, given.version)), Predictor(load_artifact(task("multimodal")))
    records, lines = source.listings(), OrderLines(history)
    before = history.until(int(np.searchsorted(history.time_ms, cut_ms)))
    power, shares = power_of(before, records, embeds, given.seed)
    named = np.array([item_code(name) for name in model.names], np.uint64)
    known = known_of(records, embeds, named, lines.items[lines.first >= cut_ms])
    kept = 0 if model.likeness is None else model.likeness.power
    lists = placed(history, model, cut_ms, given.seed, known, kept if given.power is None else given.power)
    told = {"chosen": power, "chosen_by": shares, "lists": lists, "news": _Lines(history).news()}
    print(json.dumps({"shop": given.shop, "cut": given.cut} | measure(history, cut_ms, given.seed, known) | told))


def measure(history: History, cut_ms: int, seed: int, known: Known | None = None) -> dict[str, object]:
    """Shares of orders by method, and 95% of what each has more than ``units`` among 20, and of what each with what
    items are like has more than without in the first place, whole households redrawn."""
    rng, lines = np.random.default_rng(seed), _Lines(history)
    hits: dict[str, list[list[bool]]] = {}
    shoppers = []
    for asked in orders_with_new(history, lines, cut_ms, rng):
        shoppers.append(asked.shopper)
        for name, score in lines.scores(asked, known).items():
            best = np.argsort(-score, kind="stable")[: max(FIRST)]
            hits.setdefault(name, []).append([bool(asked.wanted[best[:k]].any()) for k in FIRST])
    found = {name: np.array(each, np.float64) for name, each in hits.items()}
    gains = {name: each[:, -1] - found["units"][:, -1] for name, each in found.items()}
    many, more = intervals(shoppers, gains, rng)
    alike = {name: each[:, 0] - found[LISTS][:, 0] for name, each in found.items() if name.startswith(f"{LISTS}, ")}
    _, first = intervals(shoppers, alike, rng)
    shares = {name: dict(zip(map(str, FIRST), each.mean(axis=0).round(4), strict=True)) for name, each in found.items()}
    return {
        "orders": len(shoppers),
        "shoppers": many,
        "found": shares,
        "more_among_20_95": more,
        "more_first_95": first,
    }


def placed(
    history: History, model: Predictor, cut_ms: int, seed: int, known: Known | None = None, power: int = 0
) -> dict[str, object]:
    """What lists with a place for what is new find and miss, where what items are like counts to a ``power``; intervals
    of 95%, whole households redrawn."""
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
        new = _new_of(history, lines, start, x, named, known, power)
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


def _new_of(
    history: History, lines: _Lines, now: int, x: npt.NDArray[np.float32], named: Hashes, known: Known | None,
    power: int,
) -> Hashes:  # fmt: skip
    """[n] the new item that each row's list has at a time; 0: none."""
    names = {item_code(name): name for name in history.item_ids}
    new = np.flatnonzero((lines.first >= now - NEW_DAYS * DAY_MS) & (lines.first < now))
    embedded, by = ({}, "") if known is None else (known.of, known.by)
    _, items = lines.new_items(new, now, names, embedded, by)
    alike = Alike(known.likeness(power), code_of(known.named).astype(np.int64)) if known and power else None
    spend, units = x[:, -SLOTS - 2 : -SLOTS].T.astype(np.float64)
    moment = np.full(len(x), now)
    bought = whole(x[:, : 2 * ITEMS_TOLD])

    def may(one: NewItems, rows: Ints, places: Ints) -> Bools:
        code = code_of(one.catalogue(frozenset()).hashes[places]).astype(np.int64)
        return ~(bought[rows] == code[:, None]).any(axis=1)

    asked = Asked(moment, moment, x[:, -SLOTS:], spend, units, None if alike is None else bought)
    found = fresh(_At(items), asked, "", named, frozenset(), may, alike)
    return np.array([0 if name is None else item_code(name) for name in found.names], np.uint64)


class _Lines(OrderLines):
    """With what is told of new items, and methods to rank them by."""

    def news(self) -> dict[str, int]:
        """Items that came later than 28 days after the first, those of which is told, in how many records, and in how
        many were it told from the first unit on."""
        days = NEW_DAYS * DAY_MS
        soon = self.time < self.first[self.item] + days
        units = np.bincount(self.item[soon], weights=self.units[soon], minlength=len(self.items))
        units = units[self.first > self.first.min() + days]
        told = units[units >= TOLD_FROM]
        from_one = np.floor(np.log2(units[units > 0])).sum() + (units > 0).sum()
        records = np.floor(np.log2(told / TOLD_FROM)).sum() + len(told)
        return {"came": len(units), "told": len(told), "records": int(records), "records_from_one": int(from_one)}

    def scores(self, asked: OrderWithNew, known: Known | None) -> dict[str, Floats]:
        """By method, [k] what new items get."""
        lately, of = self.between(asked.since, asked.now), self.of_item[asked.new]
        units, usual = self.many(asked.new, lately), self.usual(lately)
        likelier = self.likelier(asked.new, asked.past, usual)
        found = {"units": units, "category": usual[of] / np.bincount(of, minlength=len(usual))[of]}
        powers = () if known is None else POWERS
        worth = self.worth(asked, known, powers)
        found[LISTS] = worth[0]
        found |= {f"{LISTS}, alike^{power}": each for power, each in zip(powers, worth[1:], strict=True)}
        return found | {f"units, likelier^{power}": units * likelier**power for power in LIKELIER}


if __name__ == "__main__":
    main()

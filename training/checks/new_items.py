"""``python -m training.checks.new_items``: whom to show an item that came after a version of ``recommend`` was trained.

Complete Journey, orders from two weeks after a cut on, for 92 days after it. Of items first sold since the cut, in the
28 days before an order's day, and never bought by its household, those are ranked that the order may hold: by units of
those 28 days, by their category's share of all, and by units times a power of how much likelier the household buys of
the category than anybody. Told: how often one of the order's is first, among three, and among 20. The power was chosen
by ``--cut 2017-07-01``. A JSON object; half a minute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Hashes, Ints
from streams.features.days import DAY_MS
from streams.records.events import OrderPlaced
from streams.settings import Settings
from training.history import History
from training.recommending import touches_of
from training.redraws import ends
from training.source import of_name

Floats = npt.NDArray[np.float64]
NEW_DAYS, WAIT_DAYS, SPAN_DAYS, ORDERS, ROUNDS = 28, 14, 92, 9_000, 1_000
#: Lines as all households buy that a household's own are added to, and powers of how much likelier it buys.
PRIOR, POWERS = 100.0, (0.25, 0.5, 1.0)
FIRST = (1, 3, 20)


def main() -> None:
    """Measure, and print it."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.new_items", description=__doc__)
    asked.add_argument("--cut", default="2017-10-01")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    history, _ = of_name("complete_journey", None, Settings()).load(Path("build/training"), lambda _n: None)
    cut_ms = int(np.datetime64(given.cut, "ms").astype(np.int64))
    print(json.dumps({"cut": given.cut} | measure(history, cut_ms, given.seed)))


def measure(history: History, cut_ms: int, seed: int) -> dict[str, object]:
    """Shares of orders by method, and 95% of what each has more than ``units`` among 20, whole households redrawn."""
    rng = np.random.default_rng(seed)
    hits: dict[str, list[list[bool]]] = {}
    shoppers = []
    for shopper, scores, wanted in asked_orders(history, cut_ms, rng):
        shoppers.append(shopper)
        for name, score in scores.items():
            best = np.argsort(-score, kind="stable")[: max(FIRST)]
            hits.setdefault(name, []).append([bool(wanted[best[:k]].any()) for k in FIRST])
    found = {name: np.array(each, np.float64) for name, each in hits.items()}
    _, who = np.unique(np.array(shoppers), return_inverse=True)
    size = np.bincount(who)
    drawn = rng.integers(0, len(size), (ROUNDS, len(size)))
    more = {}
    for name, each in found.items():
        gain = np.bincount(who, weights=each[:, -1] - found["units"][:, -1])
        more[name] = ends(gain[drawn].sum(axis=1) / size[drawn].sum(axis=1))
    shares = {name: dict(zip(map(str, FIRST), each.mean(axis=0).round(4), strict=True)) for name, each in found.items()}
    return {"orders": len(who), "shoppers": len(size), "found": shares, "more_among_20_95": more}


def asked_orders(
    history: History, cut_ms: int, rng: np.random.Generator
) -> Iterator[tuple[int, dict[str, Floats], npt.NDArray[np.bool_]]]:
    """Of orders with a new item: the shopper, by method what each candidate gets, and which of them it holds."""
    events = np.flatnonzero(history.type == TYPE_CODE[OrderPlaced])
    lines = _Lines(history, events)
    start, end = cut_ms + WAIT_DAYS * DAY_MS, cut_ms + SPAN_DAYS * DAY_MS
    span = events[(history.time_ms[events] >= start) & (history.time_ms[events] < end)]
    for event in np.sort(rng.permutation(span)[:ORDERS]).tolist():
        now = int(history.time_ms[event]) // DAY_MS * DAY_MS
        past = lines.of(int(history.shopper[event]), now)
        since = now - NEW_DAYS * DAY_MS
        new = np.flatnonzero((lines.first >= max(cut_ms, since)) & (lines.first < now))
        new = new[~np.isin(new, lines.item[past])]
        came = history.touch_item[history.touch_start[event] : history.touch_start[event + 1]]
        wanted = np.isin(lines.items[new], came)
        if len(past) and wanted.any():
            yield int(history.shopper[event]), lines.scores(new, past, since, now), wanted


class _Lines:
    """All order lines, in order of time."""

    def __init__(self, history: History, events: Ints) -> None:
        touch, owner = touches_of(history, events[np.argsort(history.time_ms[events], kind="stable")])
        self.time = history.time_ms[owner]
        self.items: Hashes
        self.items, first, self.item = np.unique(history.touch_item[touch], return_index=True, return_inverse=True)
        self.first = self.time[first]
        _, self.category = np.unique(history.touch_category[touch], return_inverse=True)
        self.of_item = self.category[first]
        self._by_shopper = np.argsort(history.shopper[owner], kind="stable")
        self._start = np.searchsorted(history.shopper[owner][self._by_shopper], np.arange(len(history.shoppers) + 1))

    def of(self, shopper: int, now: int) -> Ints:
        """The lines of a shopper before a time."""
        mine = self._by_shopper[self._start[shopper] : self._start[shopper + 1]]
        return mine[self.time[mine] < now]

    def scores(self, new: Ints, past: Ints, since: int, now: int) -> dict[str, Floats]:
        """By method, [k] what new items get."""
        lately = slice(*np.searchsorted(self.time, (since, now)).tolist())
        units = np.bincount(self.item[lately], minlength=len(self.items))[new].astype(np.float64)
        many, of = int(self.category.max()) + 1, self.of_item[new]
        usual = np.bincount(self.category[lately], minlength=many) / max(1, lately.stop - lately.start)
        own = np.bincount(self.category[past], minlength=many)
        likelier = ((own + PRIOR * usual) / (own.sum() + PRIOR) / np.maximum(usual, 1e-9))[of]
        found = {"units": units, "category": usual[of] / np.bincount(of, minlength=many)[of]}
        return found | {f"units, likelier^{power}": units * likelier**power for power in POWERS}


if __name__ == "__main__":
    main()

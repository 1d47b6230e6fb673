"""``python -m training.checks.recommend --data DIR``: the items of a last basket, ours beside what others do.

Complete Journey and Online Retail: of everybody with three orders or more the last one is to be told from what was
before it; Taobao: the item of everybody's last event. All other orders teach, of ours and of the baselines. With
``--validate`` the last but one is to be told, and the last one is not looked at: what is chosen is chosen there. With
``--day`` all items that somebody touches in the last 24 hours of the data are to be told (with ``--validate`` in those
before) from what all did before them, so that nothing later teaches. The rows are those that serving reads, so of a
shopper 64 items and 32 events. A JSON object per data set; some twenty minutes on one core, a third of it LightGCN and
two towers. ``new``: what each source of candidates finds of what was never had before
(``training/checks/recommend_sources.py``). What is not measured, and why, is said. ``--looks``: as if a row kept items
looked at by weight, as it keeps those bought, beside these (``all``: with these, so that none of them is told by its
event); of what others do only own items by count and co-visits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.tasks.recommend.task import RECOMMEND
from streams.columns.arrays import TYPE_CODE, Bools, Hashes, Ints, of_types
from streams.features.days import DAY_MS
from streams.features.kinds import bought
from streams.features.kinds.bought import whole
from streams.records.events import CartItemAdded, ItemViewed, ItemWishlisted, OrderPlaced
from streams.settings import Settings
from training.baselines import items as baselines
from training.checks.recommend_sources import Known, factors, sources
from training.choosing import learned
from training.history import History
from training.networks.recommender import parts_of
from training.ranking import LISTED, measured
from training.ranking import measure as measure_lists
from training.recommending import TOUCHING, Catalogue, Examples, as_session, examples, lists, touches_of
from training.replay import EVENT, Rows, replay
from training.source import of_name
from training.tasks.recommend import EXPLORED, baskets_ago

Floats32 = npt.NDArray[np.float32]
#: Data set → the events that count, and what a basket older counts for baselines.
SETS: dict[str, tuple[tuple[type, ...], float]] = {
    "online_retail": ((OrderPlaced,), 0.95),
    "complete_journey": ((OrderPlaced,), 0.98),
    "taobao": ((ItemViewed, CartItemAdded, ItemWishlisted, OrderPlaced), 0.9),
}
LEAST_ORDERS, ROWS = 3, 120_000
#: Of more items item-kNN is not measured: it holds how alike any two are.
MOST_ITEMS = 10_000


def main() -> None:
    """Measure, and print a JSON object for each data set."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.recommend", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder of the data sets that come in no package")
    asked.add_argument("--only", action="append", choices=list(SETS), help="one data set; several are possible")
    asked.add_argument("--validate", action="store_true", help="tell the last basket, or day, but one")
    asked.add_argument("--day", action="store_true", help="tell all items of the last day, by what was before it")
    asked.add_argument("--looks", choices=("beside", "all"), help="as if a row kept what is looked at")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    for name in given.only or SETS:
        print(
            json.dumps(
                {"data": name} | measure(name, given.data, 1 + given.validate, given.day, given.seed, given.looks)
            ),
            flush=True,
        )


@dataclass(frozen=True)
class Split:
    """What is to be told, and what may teach."""

    told: str
    tested: Ints
    """Rows, of a shopper one."""
    truth: list[Hashes]
    """The items that are to be told of each."""
    taught: Ints
    """Rows that teach."""
    events: Ints
    """Events of the history that teach."""


def measure(name: str, data: Path | None, back: int, day: bool, seed: int, looks: str | None = None) -> dict[str, Any]:
    """What a data set's lists come to; the ``back``-th last basket, or day, is to be told."""
    types, fades = SETS[name]
    began = time.monotonic()

    def tell(what: str, done: int = 0, total: int | None = None) -> None:
        if not done % 400:
            print(
                f"[{time.monotonic() - began:4.0f} s] {name}: {what} {done:,}/{total or 0:,}",
                file=sys.stderr,
                flush=True,
            )

    history, _ = of_name(name, data, Settings()).load(Path("build/training"), lambda n: tell("reading", n))
    tell("replaying")
    rows = replay(history, RECOMMEND.features, cadence_ms=1)
    rows = rows.select(rows.why == EVENT)
    found = examples(history, rows, rows.x if looks is None else remembering(history, rows, looks))
    counted = np.isin(history.type, [TYPE_CODE[cls] for cls in types])
    split = (last_day if day else last_basket)(history, found, counted, back)
    tested, truth, events = split.tested, split.truth, split.events
    taught = np.sort(np.random.default_rng(seed).permutation(split.taught)[:ROWS])
    touch, owner = touches_of(history, events)
    catalogue = Catalogue.of_shop(history.touch_item[touch])
    with tempfile.TemporaryDirectory() as kept:
        network, chosen = learned(history, found, taught, catalogue, events, EXPLORED, seed, Path(kept), tell)
    places, owned = lists(network, found.x[tested], LISTED)
    named = {"ours": np.concatenate([[np.uint64(0)], catalogue.item])[places]}
    tell("baselines")
    every, item = np.unique(history.touch_item[touch], return_inverse=True)
    ago = baskets_ago(history.shopper, events, owner)
    who = found.shopper[tested]
    held = baselines.vectors(history.shopper[owner], item, ago, (len(history.shoppers), len(every)), fades)
    found_of, lacking = _baselines(name, held, who, (history.shopper[owner], item, ago))
    for method, best in found_of.items():
        named[method] = np.where(best >= 0, every[np.maximum(best, 0)], np.uint64(0))
    baskets = np.bincount(history.shopper[events], minlength=len(history.shoppers))[who]
    matrix = held.tocsr()
    own: list[Hashes] = [every[matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]]] for i in who.tolist()]
    if looks is not None:
        return {"told": split.told, "looks": looks, "chosen": chosen} | measured(named, truth, own, seed)
    known = Known(history, found, catalogue, taught, tested, events, matrix[:, np.searchsorted(every, catalogue.item)])
    tell("LightGCN, ALS, two towers")
    with tempfile.TemporaryDirectory() as kept:
        made = factors(known, seed, Path(kept))
    for method, each in made.items():
        named[method] = catalogue.item[baselines.by_factors(each, np.arange(len(tested)), LISTED)]
    if "als" not in made:
        lacking["ALS"] = "needs `implicit`, of the extra `train`"
    other = np.concatenate([network(found.x[tested[i : i + 512]])["other"] for i in range(0, len(tested), 512)])
    for method, why in lacking.items():
        print(f"{name}: {method}: not measured, {why}", file=sys.stderr, flush=True)
    return {
        "told": split.told,
        "shoppers": len(tested), "items": len(every), "catalogue": len(catalogue), "rows": len(taught),
        "chosen": chosen,
        "known_among_ours": round(float(owned.mean()), 3),
        "by_activity": by_activity(named, truth, own, baskets),
        "new": sources(known, made, other, truth, own, seed),
        "third_view": third_view(network, found, tested, catalogue, seed),
        "not_measured": lacking,
    } | measured(named, truth, own, seed)  # fmt: skip


def remembering(history: History, rows: Rows, looks: str) -> Floats32:
    """[n, 404] rows as if what is looked at were kept as what is bought is: ``all`` of it in the places of these, or
    ``beside``, in the places that are free of these, what is not among the last events."""
    kept, bought.TAKEN = bought.TAKEN, of_types(*TOUCHING)
    try:
        more = replay(history, RECOMMEND.features, cadence_ms=1)
    finally:
        bought.TAKEN = kept
    more = more.select(more.why == EVENT)
    if looks == "all":
        return more.x
    x, width = rows.x.copy(), bought.ITEMS_TOLD
    for start in range(0, len(x), 1024):
        one, other = (parts_of(each[start : start + 1024]) for each in (x, more.x))
        code, seen, looked = whole(one["bought_code"]), whole(one["seen_code"]), whole(other["bought_code"])
        hidden = np.zeros(looked.shape, np.bool_)
        for held in (code, seen):
            for column in held.T:
                hidden |= looked == column[:, None]
        hidden |= looked == 0
        order = np.argsort(hidden, axis=1, kind="stable")
        rank = np.clip(np.arange(width) - (code != 0).sum(axis=1)[:, None], 0, None)
        take, free = np.take_along_axis(order, rank, axis=1), code == 0
        free &= ~np.take_along_axis(hidden, take, axis=1)
        both = np.where(free, np.take_along_axis(looked, take, axis=1), code)
        part = [bought.halves(both)]
        for name in ("bought_days", "bought_times"):
            part.append(np.where(free, np.take_along_axis(other[name], take, axis=1), one[name]))
        x[start : start + 1024, : 4 * width] = np.concatenate(part, axis=1)
    return x


def last_basket(history: History, found: Examples, counted: Bools, back: int) -> Split:
    """Of everybody with enough of the counted events, the items of the ``back``-th last one."""
    after = _after(history, counted)
    # How many such events of the shopper come after the one that is to be told; -1: none follows.
    left = np.where(found.following >= 0, after[found.following], -1)
    enough = np.bincount(history.shopper[counted], minlength=len(history.shoppers)) >= LEAST_ORDERS + back - 1
    tested = _newest(found, np.flatnonzero((left == back - 1) & enough[found.shopper]))
    return Split(
        "the last basket" if back == 1 else "the last basket but one",
        tested,
        [found.items(row) for row in tested.tolist()],
        np.flatnonzero((left >= back) | ((left >= back - 1) & ~enough[found.shopper])),
        np.flatnonzero(counted & ((after >= back) | ((after >= back - 1) & ~enough[history.shopper]))),
    )


def last_day(history: History, found: Examples, counted: Bools, back: int) -> Split:
    """Of everybody who was there before, the items of all counted events of the ``back``-th last 24 hours."""
    start = history.end_ms + 1 - back * DAY_MS
    day = np.flatnonzero(counted & (history.time_ms >= start) & (history.time_ms < start + DAY_MS))
    touch, owner = touches_of(history, day)
    pairs = np.unique(np.stack([history.shopper[owner].astype(np.uint64), history.touch_item[touch]]), axis=1)
    who, first = np.unique(pairs[0].astype(np.int64), return_index=True)
    tested = _newest(found, np.flatnonzero((found.at_ms < start) & np.isin(found.shopper, who)))
    items = dict(zip(who.tolist(), np.split(pairs[1], first[1:]), strict=True))
    ended = found.following >= 0
    return Split(
        "the items of the last day" if back == 1 else "the items of the last day but one",
        tested,
        [items[shopper] for shopper in found.shopper[tested].tolist()],
        np.flatnonzero(ended & (np.where(ended, history.time_ms[found.following], start) < start)),
        np.flatnonzero(counted & (history.time_ms < start)),
    )


def by_activity(
    named: Mapping[str, Hashes], truth: Sequence[Hashes], own: Sequence[Hashes], baskets: Ints
) -> dict[str, dict[str, float]]:
    """Recall among 20 by method, of thirds of the shoppers by how many baskets (``baskets`` [n]) came before."""
    edges = np.quantile(baskets, (0, 1 / 3, 2 / 3)).round().astype(np.int64)
    group = np.searchsorted(edges, baskets, side="right") - 1
    found = {}
    for k, least in enumerate(edges.tolist()):
        some = np.flatnonzero(group == k)
        if len(some):
            part = {
                name: measure_lists(best[some], [truth[i] for i in some.tolist()], [own[i] for i in some.tolist()])[
                    "recall_20"
                ].mean()
                for name, best in named.items()
            }
            found[f"{least} baskets or more"] = {"shoppers": len(some)} | {
                n: round(float(v), 4) for n, v in part.items()
            }
    return found


def third_view(network: Any, found: Examples, rows: Ints, catalogue: Catalogue, seed: int) -> dict[str, Any] | None:
    """The same baskets as if nobody had ever ordered: three items of each, drawn, were just looked at by somebody
    without a history, the others are to be told. Beside what is most popular of all but those three; None where no
    basket has four items of the catalogue."""
    rng = np.random.default_rng(seed)
    x, wanted = found.x[rows].copy(), found.of(catalogue, rows).astype(np.int32)
    some = [i for i in range(len(x)) if as_session(x, wanted, i, catalogue, rng, most=3)]
    if not some:
        return None
    places, _ = lists(network, x[some], LISTED + 3)
    seen = catalogue.places(whole(parts_of(x[some])["seen_code"])[:, :3])
    popular = np.tile(np.arange(1, LISTED + 4), (len(some), 1))
    named = {}
    for method, best in (("ours", places), ("popular", popular)):
        old = (best[:, :, None] == seen[:, None, :]).any(axis=2)
        best = np.take_along_axis(best, np.argsort(old, axis=1, kind="stable"), axis=1)[:, :LISTED]
        named[method] = np.concatenate([[np.uint64(0)], catalogue.item])[best]
    truth = [catalogue.item[row[row > 0] - 1] for row in wanted[some]]
    return {"shoppers": len(some)} | measured(named, truth, [catalogue.item[:0]] * len(some), seed)


def _baselines(
    name: str, held: Any, who: Ints, lines: tuple[Ints, Ints, Ints]
) -> tuple[dict[str, Ints], dict[str, str]]:
    """What each method lists, and why others were not measured."""
    found = {"popular": baselines.popular(held, who, 20), "personal": baselines.personal(held, who, 20)}
    if name == "taobao":
        found["co_visit"] = baselines.co_visit(*lines, held.shape, who, 20)
        return found, dict.fromkeys(("TIFU-kNN", "item-kNN"), "single looks are no baskets: co-visits instead")
    lacking = {}
    found["tifu_knn"] = baselines.tifu_knn(held, who, 20)
    if held.shape[1] < MOST_ITEMS:
        found["item_knn"] = baselines.item_knn(held, who, 20)
    else:
        lacking["item-kNN"] = f"{MOST_ITEMS:,} items or more"
    return found, lacking


def _after(history: History, counted: Bools) -> Ints:
    """[n] how many of the counted events of the same shopper come after each."""
    events = np.flatnonzero(counted)
    found: npt.NDArray[np.int64] = np.full(len(history), -1, np.int64)
    found[events] = baskets_ago(history.shopper, events, events)
    return found


def _newest(found: Examples, rows: Ints) -> Ints:
    """Of each shopper the newest of some rows."""
    rows = rows[np.lexsort((found.at_ms[rows], found.shopper[rows]))]
    chosen: Ints = rows[np.r_[found.shopper[rows][1:] != found.shopper[rows][:-1], True][: len(rows)]]
    return chosen


if __name__ == "__main__":
    main()

"""``python -m training.checks.goes_with --data DIR``: an item of a visit found by the others, ours beside others' ways.

What was bought, put into carts or looked at in one visit before a cut teaches; of 3,000 visits after it one item each,
drawn, is to be told from the others: whether it is among 20. With ``--before`` the cut lies as long before the data
set's own one as the test is long, and nothing after that is looked at: what is chosen is chosen there. Of a cart ours
knows 8 items, drawn; the others take all. A JSON object per data set; a minute each on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.features.kinds.bought import code_of
from streams.features.kinds.cart import CART_TOLD
from streams.settings import Settings
from training.baselines import items as baselines
from training.history import History
from training.ranking import LISTED
from training.recommending import CATALOGUE, Catalogue, touches_of, vectors
from training.redraws import ends
from training.source import of_name
from training.together import affinity, going_with, in_visits, together, visits

#: Data set → its cut.
CUTS = {"online_retail": "2011-09-10", "complete_journey": "2017-10-01", "taobao": "2017-12-02"}
VISITS, ROUNDS = 3_000, 1_000


def main() -> None:
    """Measure, and print a JSON object for each data set."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.goes_with", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder of the data sets that come in no package")
    asked.add_argument("--only", action="append", choices=list(CUTS), help="one data set; several are possible")
    asked.add_argument("--before", action="store_true", help="tell visits before the cut")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    for name in given.only or CUTS:
        history, _ = of_name(name, given.data, Settings()).load(Path("build/training"), lambda _n: None)
        cut_ms = int(np.datetime64(CUTS[name], "ms").astype(np.int64))
        if given.before:
            as_long = history.end_ms - cut_ms
            history = history.until(int(np.searchsorted(history.time_ms, cut_ms)))
            cut_ms -= as_long
        print(json.dumps({"data": name} | measure(history, cut_ms, given.seed)), flush=True)


def measure(history: History, cut_ms: int, seed: int) -> dict[str, Any]:
    """Hits among 20 of an item that was left out of each visit, with 95% intervals: whole shoppers are redrawn."""
    before = np.flatnonzero(history.time_ms < cut_ms)
    catalogue = Catalogue.of(history.touch_item[touches_of(history, before)[0]], CATALOGUE)
    rng = np.random.default_rng(seed)
    carts, left_out, shopper = drawn(history, catalogue, np.flatnonzero(history.time_ms >= cut_ms), rng)
    held = in_visits(history, catalogue, before)
    pairs = (held.T @ held).tocsr()
    pairs.setdiag(0)
    often = np.asarray(held.sum(axis=0)).ravel()
    goes = affinity(held)
    near = vectors(history, catalogue, before, seed)
    some = np.zeros((len(carts), CART_TOLD), np.int64)
    for i, cart in enumerate(carts):
        mine = rng.permutation(cart)[:CART_TOLD]
        some[i, : len(mine)] = mine
    found = {"ours": going_with(together(goes), some, LISTED)}
    others: dict[str, Callable[[Ints], Any]] = {
        "popular": lambda cart: often,
        "counted together": lambda cart: pairs[cart - 1].sum(axis=0),
        "not cut to eight": lambda cart: goes[cart - 1].sum(axis=0),
        "vectors of recommend": lambda cart: 1.0 + near @ near[cart - 1].mean(axis=0),
    }
    for name, scores in others.items():
        found[name] = 1 + np.concatenate([_best(np.asarray(scores(cart), np.float64).ravel(), cart) for cart in carts])
    there = (left_out > 0)[:, None]
    at = {name: there & (best == left_out[:, None]) for name, best in found.items()}
    hit = {name: each.any(axis=1).astype(np.float64) for name, each in at.items()}
    models = {
        name: {
            "hit_20": round(float(h.mean()), 4),
            "hit_20_95": interval(h, shopper, seed),
            "hit_6": round(float(at[name][:, :6].any(axis=1).mean()), 4),
            "different items": len(np.unique(found[name][found[name] > 0])),
        }
        for name, h in hit.items()
    }
    more = {f"ours - {name}": interval(hit["ours"] - h, shopper, seed) for name, h in hit.items() if name != "ours"}
    return {
        "visits": len(carts),
        "shoppers": len(np.unique(shopper)),
        "items of a cart": round(float(np.mean([len(cart) for cart in carts])), 1),
        "left out and of the catalogue": round(float((left_out > 0).mean()), 4),
        "models": models,
        "hit_20_95": more,
    }


def drawn(
    history: History, catalogue: Catalogue, events: Ints, rng: np.random.Generator
) -> tuple[list[Ints], Ints, Ints]:
    """Of visits of two items or more: places + 1 of all but one of them that the catalogue has, of that one (0: it has
    it not), and whose they are."""
    touch, owner = touches_of(history, events)
    number = np.zeros(len(history), np.int64)
    number[events] = visits(history, events)
    pairs = np.unique(np.stack([number[owner], history.touch_item[touch].view(np.int64)]), axis=1)
    whose = np.zeros(int(number.max(initial=0)) + 1, np.int64)
    whose[number[events]] = history.shopper[events]
    starts = np.r_[np.flatnonzero(np.diff(pairs[0], prepend=-1)), pairs.shape[1]]
    places = catalogue.places(code_of(pairs[1].view(np.uint64)).astype(np.int64))
    carts, left_out, shopper = list[Ints](), list[int](), list[int]()
    for v in rng.permutation(len(starts) - 1).tolist():
        mine = places[starts[v] : starts[v + 1]]
        out = int(rng.integers(len(mine)))
        rest = np.delete(mine, out)
        if (rest > 0).any():
            carts.append(rest[rest > 0])
            left_out.append(int(mine[out]))
            shopper.append(int(whose[pairs[0, starts[v]]]))
        if len(carts) == VISITS:
            break
    return carts, np.array(left_out), np.array(shopper)


def _best(scores: npt.NDArray[np.float64], cart: Ints) -> Ints:
    scores = scores.copy()
    scores[cart - 1] = 0.0
    return baselines.best(scores[None], LISTED)


def interval(hit: npt.NDArray[np.float64], shopper: Ints, seed: int) -> tuple[float, float]:
    """Between which values 95% of the means lie when whole shoppers are redrawn."""
    _, who = np.unique(shopper, return_inverse=True)
    total, size = np.bincount(who, hit), np.bincount(who)
    drawn = np.random.default_rng(seed).integers(0, len(size), (ROUNDS, len(size)))
    return ends(total[drawn].sum(axis=1) / size[drawn].sum(axis=1))


if __name__ == "__main__":
    main()

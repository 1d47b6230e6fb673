"""``python -m training.checks.list_limits``: what lists lose by their draw and by limits of categories and prices.

Of the demo's version of ``recommend`` and Complete Journey: every household's first order after the version's cut, and
lists of what is known at the cut, as ``recommendations.v1`` would have them. Nothing is chosen here. A JSON object per
policy; half a minute on one core.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

import streams.demo
from models.artifact import load_artifact
from models.predictor import Predictor
from models.tasks.recommend.task import RECOMMEND
from streams.columns.arrays import Bools, Hashes, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.drawn_list import draw_lists
from streams.decisions.list_limits import CATEGORY, PRICE, first_of_each, in_range
from streams.decisions.recommendations import RecommendationPolicy
from streams.processing.said_of_items import SaidOfItems
from streams.settings import Settings
from training.labels.horizons import orders_of
from training.ranking import measure
from training.replay import replay
from training.source import of_name

DATA, CUT = "complete_journey", "2017-10-01"
FEATURES = (*RECOMMEND.features, "items.known", "orders.spend", "orders.units")
SURE = RecommendationPolicy(exploration_share=0.0)
POLICIES = {
    "as ranked": SURE,
    "one place drawn in 5% of lists": RecommendationPolicy(),
    "one place drawn in every list": replace(SURE, exploration_share=1.0),
    **{f"{most} of a category": replace(SURE, most_of_category=most) for most in (1, 2, 3, 5, 10)},
    **{f"price within {factor:g} times": replace(SURE, price_factor=factor) for factor in (2.0, 4.0, 10.0)},
}


def main() -> None:
    """Measure, and print a JSON object for each policy."""
    history, _ = of_name(DATA, None, Settings()).load(Path("build/training"), lambda _: None)
    cut_ms = int(np.datetime64(CUT, "ms").astype(np.int64))
    before = int(np.searchsorted(history.time_ms, cut_ms))
    stood = replay(history.until(before), FEATURES, snapshots_ms=[cut_ms - 1], due_points=False)
    order = np.flatnonzero(orders_of(history) & (history.time_ms >= cut_ms))
    who, first = np.unique(history.shopper[order], return_index=True)
    next_order = dict(zip(who.tolist(), order[first].tolist(), strict=True))
    known = stood.x[:, -3] >= 3
    rows = np.flatnonzero(known & np.isin(stood.shopper, who))
    at = [next_order[shopper] for shopper in stood.shopper[rows].tolist()]
    truth = [np.unique(history.touch_item[history.touch_start[e] : history.touch_start[e + 1]]) for e in at]
    truth, rows = [t for t in truth if len(t)], rows[[len(t) > 0 for t in truth]]
    model = Predictor(load_artifact(RECOMMEND, Path(streams.demo.__file__).parent / "recommend"))
    said = model.score(stood.x[rows, :-3])
    items = np.array([item_code(name) for name in model.names], np.uint64)[said["items"].astype(np.int64)]
    facts = SaidOfItems()
    batch = history.batch(0, before)
    facts.learn(batch, np.zeros(len(batch), np.int64))
    when, behind = np.full(len(rows), cut_ms), np.full(len(rows), before)
    category, price = (facts.look(fact, items, when, behind) for fact in (CATEGORY, PRICE))
    owner = np.repeat(history.shopper, np.diff(history.touch_start))[: history.touch_start[before]]
    held = [np.unique(history.touch_item[: len(owner)][owner == shopper]) for shopper in stood.shopper[rows]]
    own = np.array([np.isin(listed, mine) for listed, mine in zip(items, held, strict=True)])
    usable, spend, units = said["weight"] > 0, *stood.x[rows, -2:].T.astype(np.float64)
    plain = None
    for name, policy in POLICIES.items():
        may = usable.copy()
        if policy.price_factor:
            may &= own | in_range(price, spend, units, policy.price_factor)
        if policy.most_of_category:
            may = first_of_each(category, may, policy.most_of_category)
        lists, of = _lists(items, category, may, policy)
        found = measure(lists, truth, held)
        plain = found["recall_20"] if plain is None else plain
        less = found["recall_20"] - plain
        print(
            json.dumps(
                {
                    "policy": name,
                    "rows": len(rows),
                    "items": round(float((lists != 0).sum(axis=1).mean()), 1),
                    "recall_20": round(float(found["recall_20"].mean()), 4),
                    "less": round(float(less.mean()), 4),
                    "less_95": round(1.96 * float(less.std()) / len(rows) ** 0.5, 4),
                    "category_known": round(float((category[usable] > 0).mean()), 3),
                    "price_known": round(float((price[usable] > 0).mean()), 3),
                    "most_of_one": round(
                        float(np.mean([np.unique(c[c > 0], return_counts=True)[1].max(initial=0) for c in of])), 1
                    ),
                }
            ),
            flush=True,
        )


def _lists(items: Hashes, category: Ints, may: Bools, policy: RecommendationPolicy) -> tuple[Hashes, Ints]:
    """[n, 20] the items of each list, and their categories; 0: nothing."""
    rng = np.random.default_rng(0)
    whether, which = rng.random((2, len(items)))
    found = draw_lists(may, policy.drawn_place - 1, policy.exploration_share, whether, which)
    shown = np.arange(policy.most) < found.count[:, None]
    best, of = (np.take_along_axis(each, found.order, axis=1)[:, : policy.most] for each in (items, category))
    return np.where(shown, best, np.uint64(0)), np.where(shown, of, 0)


if __name__ == "__main__":
    main()

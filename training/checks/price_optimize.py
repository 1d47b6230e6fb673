"""``python -m training.checks.price_optimize``: elasticities, their placebo, and what suggested prices bring.

On Complete Journey, up to the cut of the shipped model: elasticities of all items, categories that fail the placebo, by
name; on the weeks after it, whether elasticities explain units, and the doubly robust profit of suggestions beside
log-log least squares and the prices that held. Cross effects within categories: how large, their placebo, whether they
explain units of the weeks after, and what suggestions do to neighbours by them. Then a shop whose demand is known
(``training/price_simulation.py``). A JSON object each. Half a minute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from streams.columns.shopper_events import category_code
from streams.features.kinds.decay import DAY_MS
from training import cross_effects, price_simulation, profit
from training.checks.shops import parser_of
from training.datasets import DATASETS
from training.datasets.complete_journey import files
from training.datasets.dataset import read_table
from training.elasticities import Found, priors_of
from training.job import CutHistory
from training.networks.elasticity import UNITS, WEEKS
from training.source import of_dataset
from training.tasks import price_optimize
from training.times import parse_time

SEEDS = (7, 8, 9)


def names(data: Path | None) -> dict[int, str]:
    """Names of Complete Journey's categories, by their hashes."""
    (products,) = (read_table(path) for path in files(data) if path.stem == "products")
    return {category_code(name): name for name in products["product_category"].dropna().unique().tolist()}


def crossed(given: CutHistory, found: Found) -> dict[str, Any]:
    """What cross effects are there before the cut, what they explain after it, and what the suggestions at the cut
    would do to the profit of neighbours (percent of the profit of all items, and its standard error; errors of
    categories add up as independent ones, those within one as the same)."""
    start = price_optimize.monday_after(given.cut_ms)
    x, units = price_optimize.rows_at(given.history, start)
    cross = cross_effects.cross_of(x)
    weeks = min((given.history.end_ms - start) // (7 * DAY_MS), WEEKS - 1)
    later, _ = price_optimize.rows_at(given.history, start + weeks * 7 * DAY_MS)
    inside = np.zeros(WEEKS)
    inside[1 : weeks + 1] = 1.0
    asked, _ = price_optimize.asked_of(x, units, found)
    explained = cross_effects.explained(profit.fold(later, inside), cross, asked.mean)
    some = (units >= 20) & (x[:, UNITS][:, 1] > 0)
    nobody, now = np.zeros(len(x)), np.zeros(len(x), np.int64)
    to = np.where(some, price_optimize.POLICY.suggest(asked, [""] * len(x), now, nobody).to, 0.0)
    brings = (asked.price - asked.cost) * asked.units
    gain, error = cross_effects.neighbours(x, cross, brings, asked.price, to)
    code = np.unique(x[:, :2], axis=0, return_inverse=True)[1]
    whole, worst = float(brings[some].sum()), float((np.bincount(code, error) ** 2).sum() ** 0.5)
    return {
        **cross_effects.said(cross), "unexplained_after": explained,
        "neighbours_percent": round(100 * float(gain.sum()) / whole, 2),
        "neighbours_percent_error": round(100 * worst / whole, 2),
    }  # fmt: skip


def main() -> None:
    """Measure, and print a JSON object each."""
    options = parser_of("price_optimize", __doc__, price_optimize.SHIPPED).parse_args()

    def show(**told: Any) -> None:
        print(json.dumps(told), flush=True)

    for shop, cut in price_optimize.SHIPPED.items():
        source = of_dataset(DATASETS[shop], options.data)
        history, _ = source.load(options.work, lambda _n: None)
        given = CutHistory(source, history, parse_time(cut))
        x, _ = price_optimize.rows_at(history, price_optimize.monday_after(given.cut_ms - 6 * DAY_MS))
        found, called = priors_of(x), names(options.data)
        priors, whole = found.priors, found.whole
        show(
            shop=shop, mean=round(whole.mean, 3), error=round(whole.error**0.5, 3),
            between_items_sd=round(whole.between**0.5, 3), categories=len(priors.codes),
            tested=int((priors.placebo >= 0).sum()), failed=int((priors.placebo == 0).sum()),
        )  # fmt: skip
        for k in np.flatnonzero(priors.placebo == 0).tolist():
            lead, error = found.lead[k].tolist()
            show(
                failed=called.get(int(priors.codes[k]), "?"), items=int(found.items[k]), lead=round(lead, 2),
                error=round(error, 2), elasticity=round(float(priors.mean[k]), 2),
            )  # fmt: skip
        told = price_optimize.held_out(given, found, options.seed)
        price_optimize.metrics_of(told["explained"])
        show(**told)
        show(shop=shop, cross=crossed(given, found))
    for seed in SEEDS:
        show(seed=seed, simulation=price_simulation.run(seed=seed))
    show(seed=SEEDS[0], simulation_split=price_simulation.run(policy=price_simulation.SPLIT))


if __name__ == "__main__":
    main()

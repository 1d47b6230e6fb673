"""``python -m training.checks.price_optimize``: elasticities, their placebo, and what suggested prices bring.

On Complete Journey, up to the cut of the shipped model: elasticities of all items, categories that fail the placebo, by
name; on the weeks after it, whether elasticities explain units, and the doubly robust profit of suggestions beside
log-log least squares and the prices that held. Then a shop whose demand is known (``training/price_simulation.py``). A
JSON object each. Half a minute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from streams.columns.shopper_events import category_code
from streams.features.kinds.decay import DAY_MS
from training import price_simulation
from training.checks.shops import parser_of
from training.datasets import DATASETS
from training.datasets.complete_journey import files
from training.datasets.dataset import read_table
from training.elasticities import priors_of
from training.job import CutHistory
from training.source import of_dataset
from training.tasks import price_optimize
from training.times import parse_time

SEEDS = (7, 8, 9)


def names(data: Path | None) -> dict[int, str]:
    """Names of Complete Journey's categories, by their hashes."""
    (products,) = (read_table(path) for path in files(data) if path.stem == "products")
    return {category_code(name): name for name in products["product_category"].dropna().unique().tolist()}


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
    for seed in SEEDS:
        show(seed=seed, simulation=price_simulation.run(seed=seed))
    show(seed=SEEDS[0], simulation_split=price_simulation.run(policy=price_simulation.SPLIT))


if __name__ == "__main__":
    main()

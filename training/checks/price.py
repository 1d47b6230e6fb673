"""``python -m training.checks.price``: what items will cost, ours beside others, on real shops.

Histories, split, rule, baselines and metrics are those of ``training.tasks.price_forecast``. The shipped model is
asked (``--train``: one made anew). With ``--before`` a choice can be made without looking at the
test: all is cut 56 days earlier, and judged by the weeks before the cut. A JSON object per shop, answer, segment and
model.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from training.checks.shops import job_of, options_of
from training.command import check_installed
from training.networks.prices import prices
from training.networks.tabular import answers_of
from training.progress import progress
from training.tasks import price_forecast

BEFORE_DAYS = 56


def main() -> None:
    """Measure, and print a JSON object per shop, answer, segment and model."""
    options = options_of("price", __doc__, price_forecast.SHIPPED)
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        earlier = BEFORE_DAYS if options.before else 0
        job = job_of("price_forecast", price_forecast.SHIPPED, options, tell, earlier)
        shops = [price_forecast.shop_of(job, given) for given in job.histories]
        trained: Any = None
        if options.train or options.before:
            rule = price_forecast.rule_of(job, shops)
            trained = prices(shops[0].x.shape[1], job.task.features, rule)
            print(json.dumps({"rule": asdict(rule)}), flush=True)
        shipped = None if trained is not None else Predictor(load_artifact(task("price_forecast")))
        for shop in shops:
            x = shop.x[shop.test]
            answers: dict[str, Any] = dict(shipped.score(x)) if shipped else dict(answers_of(trained, x))
            for output, found in price_forecast.measured(job, shop, answers, None).items():
                for segment, whole in found["segments"].items():
                    for model, numbers in whole["models"].items():
                        ahead = whole["wape_95"].get(f"ours - {model}")
                        line = {"shop": shop.name, "answer": output, "segment": segment, "share": whole["share"]}
                        print(json.dumps(line | {"model": model, **numbers, "ours_less_it_95": ahead}), flush=True)


if __name__ == "__main__":
    main()

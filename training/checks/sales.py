"""``python -m training.checks.sales``: what items will sell, ours beside others, on real shops.

Histories, split, network, baselines and metrics are those of ``training.tasks.sales``. The shipped model is asked
(``--train``: one trained anew, with ``--seed``). With ``--before`` a choice can be made without looking at the test:
all is cut 56 days earlier, and judged by the weeks before the cut. A JSON object per shop, answer and model.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from training.checks.shops import job_of, options_of
from training.command import check_installed
from training.networks.tabular import answers_of
from training.progress import progress
from training.tasks import sales

BEFORE_DAYS = 56


def main() -> None:
    """Measure, and print a JSON object per shop, answer and model."""
    options = options_of("sales", __doc__, sales.SHIPPED)
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        job = job_of("sales", sales.SHIPPED, options, tell, BEFORE_DAYS if options.before else 0)
        shops = [sales.shop_of(job, given) for given in job.histories]
        network: Any = sales.network_of(job, shops)[0] if options.train or options.before else None
        shipped = Predictor(load_artifact(task("sales")))
        for shop in shops:
            x = shop.x[shop.test]
            answers: dict[str, Any] = dict(shipped.score(x)) if network is None else dict(answers_of(network, x))
            for output, found in sales.measured(job, shop, answers, None).items():
                whole = found["segments"]["all"]
                for model, numbers in whole["models"].items():
                    ahead = whole["wape_95"].get(f"ours - {model}")
                    line = {"shop": shop.name, "answer": output, "model": model, **numbers, "ours_less_it_95": ahead}
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

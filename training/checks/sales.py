"""``python -m training.checks.sales``: what items will sell, ours beside others, on real shops.

Histories, split, network, baselines and metrics are those of ``training.tasks.sales``. The shipped model is asked
(``--train``: one trained anew, with ``--seed``). With ``--before`` a choice can be made without looking at the test:
all is cut 56 days earlier, and judged by the weeks before the cut. A JSON object per shop, answer and model.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.features.kinds.decay import DAY_MS
from training.command import check_installed
from training.datasets import DATASETS
from training.job import CutHistory, Job
from training.progress import progress
from training.source import of_dataset
from training.tasks import sales
from training.times import parse_time

BEFORE_DAYS = 56


def main() -> None:
    """Measure, and print a JSON object per shop, answer and model."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.sales", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder that holds online_retail/")
    asked.add_argument("--shop", action="append", choices=list(sales.SHIPPED), help="only these; default: all")
    asked.add_argument("--train", action="store_true", help="train anew instead of asking the shipped model")
    asked.add_argument("--before", action="store_true", help="train and judge before the cut")
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--work", type=Path, default=Path("build/training"))
    options = asked.parse_args()
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        given = []
        for name in options.shop or sales.SHIPPED:
            source = of_dataset(DATASETS[name], options.data)
            history, _ = source.load(options.work, lambda n, name=name: tell(f"reading {name}", n, None))  # type: ignore[misc]
            cut_ms = parse_time(sales.SHIPPED[name])
            if options.before:
                history = history.until(int((history.time_ms <= cut_ms).sum()))
                cut_ms -= BEFORE_DAYS * DAY_MS
            given.append(CutHistory(source, history, cut_ms))
        job = Job(task("sales"), tuple(given), options.seed, options.work, tell=tell)
        shops = [sales.shop_of(job, one) for one in given]
        # A place of its own for what is unfinished: a training of the same task may run beside it.
        job = replace(job, work=options.work / "check")
        network: Any = sales.network_of(job, shops)[0] if options.train or options.before else None
        shipped = Predictor(load_artifact(task("sales")))
        for shop in shops:
            x = shop.x[shop.test]
            answers: dict[str, Any] = dict(shipped.score(x)) if network is None else dict(sales.answers_of(network, x))
            for output, found in sales.measured(job, shop, answers, None).items():
                whole = found["segments"]["all"]
                for model, numbers in whole["models"].items():
                    ahead = whole["wape_95"].get(f"ours - {model}")
                    line = {"shop": shop.name, "answer": output, "model": model, **numbers, "ours_less_it_95": ahead}
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

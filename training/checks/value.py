"""``python -m training.checks.value``: what shoppers bring in 90 days, ours beside others, on real shops.

Histories, split, network, baselines and metrics are those of ``training.tasks.value``. Without ``--before`` everybody
is judged at the cut, by what the shipped model said (``--train``: by one trained anew, with ``--seed``). With
``--before`` a choice can be made without looking at the test: it trains on what was known 91 days before the cut,
judges whoever had ordered by then, and what came is known at the cut. A JSON object per shop and answer; two to eight
minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.features.kinds.decay import DAY_MS
from training.command import check_installed
from training.datasets import DATASETS
from training.fit import Tell
from training.job import CutHistory, Job
from training.progress import progress
from training.replay import SNAPSHOT
from training.shop_rows import Shop, shop_of
from training.source import of_dataset
from training.tasks import value
from training.times import parse_time

BEFORE_DAYS = 91


class Shipped:
    """The shipped model, asked as a network is."""

    def __init__(self) -> None:
        self._model = Predictor(load_artifact(task("value")))
        self.output_names = [output.name for output in self._model.outputs]

    def predict(self, x: Any, **_how: Any) -> list[Any]:
        """The answers in the order of ``output_names``."""
        answers = self._model.score(x)
        return [answers[name] for name in self.output_names]


def main() -> None:
    """Measure, and print a JSON object per shop and answer."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.value", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder that holds online_retail/")
    asked.add_argument("--shop", action="append", choices=list(value.SHIPPED), help="only these; default: all")
    asked.add_argument("--train", action="store_true", help="train anew instead of asking the shipped model")
    asked.add_argument("--before", action="store_true", help="train and judge before the cut")
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--work", type=Path, default=Path("build/training"))
    options = asked.parse_args()
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        job = job_of(options, tell)
        shops = [shop_of(job, given) for given in job.histories]
        if options.before or options.train:
            network: Any = value.network_of(job, shops, BEFORE_DAYS if options.before else 0)[0]
        else:
            network = Shipped()
        for shop in shops:
            at_ms = moment(shop) if options.before else shop.given.cut_ms
            for output, found in value.measured(job, shop, network, at_ms).items():
                for segment, measured in found["segments"].items():
                    print(json.dumps({"shop": shop.name, "answer": output, "of": segment, **measured}), flush=True)


def job_of(options: argparse.Namespace, tell: Tell) -> Job:
    """The histories that the shipped model learned, at its cuts."""
    given = []
    for name in options.shop or value.SHIPPED:
        source = of_dataset(DATASETS[name], options.data)
        history, _ = source.load(options.work, lambda n, name=name: tell(f"reading {name}", n, None))  # type: ignore[misc]
        given.append(CutHistory(source, history, parse_time(value.SHIPPED[name])))
    job = Job(task("value"), tuple(given), options.seed, options.work, tell=tell)
    # A place of its own for what is unfinished: a training of the same task may run beside it.
    return replace(job, work=options.work / "check")


def moment(shop: Shop) -> int:
    """The last snapshot of which it was known at the cut what shoppers brought."""
    rows = shop.table.rows
    early = (rows.why == SNAPSHOT) & (rows.at_ms <= shop.given.cut_ms - BEFORE_DAYS * DAY_MS)
    return int(np.max(rows.at_ms[early]))


if __name__ == "__main__":
    main()

"""What checks of models of whole shops are asked, and the histories that the shipped model learned, at its cuts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.features.kinds.decay import DAY_MS
from training.command import check_installed
from training.datasets import DATASETS
from training.fit import Tell
from training.item_rows import Shop
from training.job import CutHistory, Job
from training.networks.tabular import answers_of
from training.progress import progress
from training.source import of_dataset
from training.times import parse_time

#: With ``--before`` a check of what comes of items cuts so many days earlier.
BEFORE_DAYS = 56


def parser_of(name: str, about: str | None, shipped: Mapping[str, str]) -> argparse.ArgumentParser:
    """What the check of a task is asked; ``shipped``: its data sets and their cuts."""
    asked = argparse.ArgumentParser(prog=f"python -m training.checks.{name}", description=about)
    asked.add_argument("--data", type=Path, help="folder that holds online_retail/")
    asked.add_argument("--shop", action="append", choices=list(shipped), help="only these; default: all")
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--work", type=Path, default=Path("build/training"))
    return asked


def options_of(name: str, about: str | None, shipped: Mapping[str, str]) -> argparse.Namespace:
    """The options of the check of a task that can train it as well."""
    asked = parser_of(name, about, shipped)
    asked.add_argument("--train", action="store_true", help="train anew instead of asking the shipped model")
    asked.add_argument("--before", action="store_true", help="train and judge before the cut")
    return asked.parse_args()


def job_of(
    name: str, shipped: Mapping[str, str], options: argparse.Namespace, tell: Tell, earlier_days: int = 0
) -> Job:
    """Those of the options; ``earlier_days``: they end at the cut, and are cut so many days before."""
    given = []
    for shop in options.shop or shipped:
        source = of_dataset(DATASETS[shop], options.data)
        history, _ = source.load(options.work, lambda n, shop=shop: tell(f"reading {shop}", n, None))  # type: ignore[misc]
        cut_ms = parse_time(shipped[shop])
        if earlier_days:
            history = history.until(int((history.time_ms <= cut_ms).sum()))
        given.append(CutHistory(source, history, cut_ms - earlier_days * DAY_MS))
    job = Job(task(name), tuple(given), options.seed, options.work, tell=tell)
    # A place of its own for what is unfinished: a training of the same task may run beside it.
    return replace(job, work=options.work / "check")


def print_of_items(name: str, about: str | None, of: ModuleType, trained: Callable[[Job, list[Shop]], Any]) -> None:
    """Measure what a task says of items, and print a JSON object per shop, answer, segment and model. ``of``: the
    module that trains the task; ``trained``: makes its network anew."""
    options = options_of(name, about, of.SHIPPED)
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        job = job_of(of.__name__.rpartition(".")[2], of.SHIPPED, options, tell, BEFORE_DAYS if options.before else 0)
        shops = [of.shop_of(job, given) for given in job.histories]
        network = trained(job, shops) if options.train or options.before else None
        shipped = None if network is not None else Predictor(load_artifact(job.task))
        for shop in shops:
            x = shop.x[shop.test]
            answers = dict(shipped.score(x)) if shipped else answers_of(network, x)
            for output, found in of.measured(job, shop, answers, None).items():
                for segment, whole in found["segments"].items():
                    for model, numbers in whole["models"].items():
                        ahead = whole["wape_95"].get(f"ours - {model}")
                        line = {
                            "shop": shop.name,
                            "answer": output,
                            "segment": segment,
                            "share": whole.get("share", 1.0),
                        }
                        print(json.dumps(line | {"model": model, **numbers, "ours_less_it_95": ahead}), flush=True)

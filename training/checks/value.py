"""``python -m training.checks.value``: what shoppers bring in 90 days, ours beside others, on real shops.

Histories, split, network, baselines and metrics are those of ``training.tasks.value``. Without ``--before`` everybody
is judged at the cut, by what the shipped model said (``--train``: by one trained anew, with ``--seed``). With
``--before`` a choice can be made without looking at the test: it trains on what was known 91 days before the cut,
judges whoever had ordered by then, and what came is known at the cut. A JSON object per shop and answer; two to eight
minutes on one core.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.features.kinds.decay import DAY_MS
from training.checks.shops import job_of, options_of
from training.command import check_installed
from training.progress import progress
from training.replay import SNAPSHOT
from training.shop_rows import Shop, shop_of
from training.tasks import value

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
    options = options_of("value", __doc__, value.SHIPPED)
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        job = job_of("value", value.SHIPPED, options, tell)
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


def moment(shop: Shop) -> int:
    """The last snapshot of which it was known at the cut what shoppers brought."""
    rows = shop.table.rows
    early = (rows.why == SNAPSHOT) & (rows.at_ms <= shop.given.cut_ms - BEFORE_DAYS * DAY_MS)
    return int(np.max(rows.at_ms[early]))


if __name__ == "__main__":
    main()

"""``python -m training.checks.price``: what items will cost, ours beside others, on real shops.

Histories, split, rule, baselines and metrics are those of ``training.tasks.price_forecast``. The shipped model is
asked (``--train``: one made anew). With ``--before`` a choice can be made without looking at the
test: all is cut 56 days earlier, and judged by the weeks before the cut. A JSON object per shop, answer, segment and
model.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from training.checks.shops import print_of_items
from training.item_rows import Shop
from training.job import Job
from training.networks.prices import prices
from training.tasks import price_forecast


def trained(job: Job, shops: list[Shop]) -> Any:
    """The rule anew, printed, as a network."""
    rule = price_forecast.rule_of(job, shops)
    print(json.dumps({"rule": asdict(rule)}), flush=True)
    return prices(shops[0].x.shape[1], job.task.features, rule)


if __name__ == "__main__":
    print_of_items("price", __doc__, price_forecast, trained)

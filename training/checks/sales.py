"""``python -m training.checks.sales``: what items will sell, ours beside others, on real shops.

Histories, split, network, baselines and metrics are those of ``training.tasks.sales``. The shipped model is asked
(``--train``: one trained anew, with ``--seed``). With ``--before`` a choice can be made without looking at the test:
all is cut 56 days earlier, and judged by the weeks before the cut. A JSON object per shop, answer, segment (all) and
model.
"""

from __future__ import annotations

from training.checks.shops import print_of_items
from training.tasks import sales

if __name__ == "__main__":
    print_of_items("sales", __doc__, sales, lambda job, shops: sales.network_of(job, shops)[0])

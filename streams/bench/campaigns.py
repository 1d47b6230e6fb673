"""What campaigns cost per due point: ``python -m streams.bench.campaigns``.

One table: CPU microseconds per due point and campaign, the median of the runs, by how many are due at once and which
share of them the campaigns address. Measured is all that a decision needs besides features: what rows remember is read,
every campaign decides, offers are noted.
"""

from __future__ import annotations

import statistics
import time

import msgspec
import numpy as np

from models.registry import TASKS
from streams.campaigns import examples, memory
from streams.campaigns.deciding import Moment, decide, remember
from streams.campaigns.draws import due_hashes, shopper_hashes
from streams.campaigns.plan import Plans
from streams.campaigns.reading import campaigns_of
from streams.campaigns.terms import KINDS
from streams.campaigns.vocabulary import vocabulary
from streams.columns.layout import Layout, Rows
from streams.features.shopper import CATALOGUE
from streams.records.campaign_parts import DuePoint
from streams.records.campaigns import CampaignSet
from streams.terminal import print_rows

CAMPAIGNS, RUNS, NOW_MS = 10, 30, 1_700_000_000_000


def plans(campaigns: int) -> Plans:
    """So many campaigns, each like the example win-back, at every due point."""
    words = vocabulary(CATALOGUE.features.values(), TASKS)
    first = campaigns_of(examples.text("win-back"), words).campaigns[0]
    found = [msgspec.structs.replace(first, id=f"c{i}", priority=i, trigger=DuePoint()) for i in range(campaigns)]
    return Plans.of(CampaignSet(campaigns=tuple(found)), words)


def measure(due: int, addressed: float, campaigns: int = CAMPAIGNS, runs: int = RUNS) -> float:
    """CPU microseconds per due point and campaign, where so many are due at once and this share is addressed."""
    ready, rng = plans(campaigns), np.random.default_rng(1)
    columns = {
        "churn.lapse_30d": np.where(np.arange(due) < due * addressed, 0.9, 0.1),
        "orders.count": rng.integers(2, 9, due).astype(np.float32),
        "orders.average_value": rng.integers(1_000, 20_000, due).astype(np.float32),
        "offers.consent": np.ones(due, np.float32),
    }
    shoppers = [f"shopper-{i}" for i in range(due)]
    spent = []
    for run in range(runs):
        state, rows = Rows.zeros(Layout(memory.COLUMNS), due), np.arange(due)
        began = time.process_time()
        moment = Moment(
            now_ms=np.full(due, NOW_MS),
            kind=np.full(due, KINDS.index("event")),
            event_type=np.ones(due, np.int64),
            amount=np.full(due, np.nan),
            shopper=shopper_hashes(shoppers),
            due=due_hashes(shoppers, [f"event:{run}"] * due),
            columns=columns.__getitem__,
        )
        decided = decide(ready, moment, memory.read(state, rows))
        remember(state, rows, moment, decided, [moment.due[found.at] for found in decided])
        spent.append((time.process_time() - began) / due / campaigns * 1e6)
    return statistics.median(spent)


def main() -> None:
    """Print the table."""
    sizes, shares = (1, 16, 64, 256, 1024), (1.0, 0.1, 0.0)
    table = [(str(due), *(f"{measure(due, share):.2f}" for share in shares)) for due in sizes]
    print_rows(("due at once", *(f"{share:.0%} addressed" for share in shares)), table)


if __name__ == "__main__":
    main()

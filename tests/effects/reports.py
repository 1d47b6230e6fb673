"""A campaign that partitions of shoppers report of day by day, and what the ledger measures of that."""

from __future__ import annotations

import numpy as np

from streams.effects.account import Account
from streams.effects.sums import Cell, Sums, merged
from streams.records.effects import EffectMeasured, EffectPlan, EffectReported
from tests.shoppers import DAY, NOON

FIRST = NOON - 60 * DAY


def reports(
    campaign: str = "win-back",
    days: int = 40,
    *,
    held: float = 0.1,
    lift: float = 0.04,
    arms: tuple[str, ...] = ("10%",),
) -> list[EffectReported]:
    """Of 250 shoppers a day in two partitions, in order of time: a fifth of the holdout orders, of the others ``lift``
    more, for 150 cents each. ``held``: the share that is held back, of which 0.1 was asked for."""
    rng, known = np.random.default_rng(5), [dict[Cell, Sums]() for _ in range(2)]
    entered, found = np.zeros((2, 2), int), list[EffectReported]()
    plan = EffectPlan(shoppers=10_000, holdout_share=0.1, arms=arms)
    for day in range(days):
        for partition in range(2):
            side = rng.random(125) < held
            entered[partition] += int((~side).sum()), int(side.sum())
            for arm in arms:
                for kept in (False, True):
                    # Each arm would have been chosen for its share of either side.
                    n = int((side == kept).sum()) // len(arms)
                    buys = rng.random(n) < (0.2 if kept else 0.2 + lift)
                    earned = np.where(buys, rng.integers(500, 1_500, n), 0)
                    columns = np.zeros((n, 7), np.int64)
                    columns[:, 0] = columns[:, 1] = buys
                    columns[:, 2], columns[:, 3] = 3 * earned, earned
                    columns[:, 4] = 0 if kept else 150 * buys
                    made = np.zeros((n, 4), np.int64)
                    made[:, :2] = 0 if kept else 1
                    cell = {Cell(campaign, arm, "", kept): Sums.of(columns, made)}
                    known[partition] = merged((known[partition], cell))
            found.append(
                EffectReported(
                    campaign=campaign, currency="USD", source_partition=partition, sequence=day,
                    event_time=FIRST + day * DAY, plan=plan,
                    entered=int(entered[partition][0]), entered_held=int(entered[partition][1]),
                    tallies=[sums.record(cell) for cell, sums in sorted(known[partition].items())],
                )
            )  # fmt: skip
    return found


def measured(some: list[EffectReported]) -> list[EffectMeasured]:
    """What a ledger says of these reports, in order."""
    account = Account()
    return [estimate for report in some for estimate in account.hear(report) or ()]

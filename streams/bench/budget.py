"""What pacing a budget through leases is worth and costs: ``python -m streams.bench.budget``.

Of three days that are made up, the share of the hindsight optimum: in one place with nothing in between, through
leases, and through leases while workers and ledgers are killed. How far real days stray from even pacing. Microseconds
per decision.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from rich.console import Console

from streams.bench.budget_world import CAMPAIGN, CURRENCY, FIRST_DAY, World
from streams.bench.loads import (
    SHAPES,
    Load,
    Shape,
    accepted_value,
    split_subgradient,
    subgradient,
    synthetic,
)
from streams.bench.real_days import clickstream_days, grocery_days
from streams.budget.account import Account
from streams.budget.candidates import DAY_MS, MINUTE_MS, Candidates, SliceTimes
from streams.budget.plan import WHOLE
from streams.budget.purses import Purses
from streams.columns.arrays import Bools
from streams.records.budget import BudgetSet, LeaseGranted
from streams.terminal import print_rows

#: Days before the one that is measured.
BEFORE = 2
CRASHES = 5
SLICE, DUE, ROUNDS = 4096, 600, 200


def budget_of(daily_cents: int, partitions: int) -> BudgetSet:
    """A budget that only its days bound."""
    return BudgetSet(
        campaign=CAMPAIGN,
        currency=CURRENCY,
        revision=0,
        total_cents=10**12,
        daily_cents=daily_cents,
        partitions=partitions,
    )


def through_leases(shape: Shape, known: bool, offers: int, partitions: int, crashes: int) -> dict[str, Any]:
    """A day after others; ``known``: they were of the same shape, else all were alike."""
    load = synthetic(shape, offers, 1)
    world = World(budget_of(load.budget_cents, partitions), crashes)
    for day in range(BEFORE):
        world.day(synthetic(shape if known else "iid", offers, 100 + day))
    before = world.crashed
    accepted = world.day(load)
    spent = int(load.cost_cents[accepted].sum())
    return {
        "share": round(accepted_value(load, accepted), 4),
        "unused": round(1 - spent / load.budget_cents, 4),
        "overspent_cents": max(spent - load.budget_cents, 0),
        "crashes": world.crashed - before,
    }


def synthetic_days(offers: int, partitions: int) -> list[dict[str, Any]]:
    """All loads, by what is known of the day before and by who is killed."""
    rows: list[dict[str, Any]] = []
    for shape in SHAPES:
        load, usual = synthetic(shape, offers, 1), synthetic("iid", offers, 100)
        optimum = load.optimum()
        rows.append(
            {
                "load": shape,
                "greedy": round(load.greedy() / optimum, 3),
                "fixed": round(load.at_threshold(usual.hindsight_price()) / optimum, 3),
                "plain": round(subgradient(load) / optimum, 4),
            }
        )
        for known in (False, True):
            for crashes in (0, CRASHES):
                name = f"{'known' if known else 'new'}_{'crashes' if crashes else 'leases'}"
                rows[-1][name] = through_leases(shape, known, offers, partitions, crashes)
    return rows


def off_pace(load: Load, accepted: Bools, account: Account) -> tuple[float, float]:
    """The farthest that the sum committed strayed, as a share of the day's budget: from the plan, and from the budget's
    share for the orders that came."""
    day, steps = account.newest * DAY_MS, np.arange(0, DAY_MS + 1, MINUTE_MS)
    place = np.searchsorted(load.time_ms, steps)
    spent = np.r_[0, np.cumsum(np.where(accepted, load.cost_cents, 0))][place] / load.budget_cents
    plan = account.plan()
    planned = np.array([plan.share(day + at, day, day + DAY_MS) for at in steps.tolist()]) / WHOLE
    return float(np.abs(spent - planned).max()), float(np.abs(spent - place / len(load.time_ms)).max())


def replayed(days: list[Load], learned: int, partitions: int, crashes: int) -> dict[str, Any]:
    """Real days, one after the other; the first ones are learned from."""
    world = World(budget_of(days[0].budget_cents, partitions), crashes, MINUTE_MS)
    from_plan, from_traffic, unused, shares, over = [], [], [], [], 0
    for number, load in enumerate(days):
        accepted = world.day(load)
        if number < learned:
            continue
        account = msgspec.convert(msgspec.to_builtins(world.ledger.progress()), list[Account], strict=False)[0]
        assert account.newest == FIRST_DAY + number
        spent = int(load.cost_cents[accepted].sum())
        plan, traffic = off_pace(load, accepted, account)
        from_plan.append(plan)
        from_traffic.append(traffic)
        unused.append(1 - spent / load.budget_cents)
        shares.append(accepted_value(load, accepted))
        over = max(over, spent - load.budget_cents)
    return {
        "days": len(from_plan),
        "offers_per_day": round(statistics.mean(len(load.time_ms) for load in days[learned:])),
        "accepted_per_day": round(days[0].budget_cents / statistics.mean(d.cost_cents.mean() for d in days)),
        "off_plan_median": round(statistics.median(from_plan), 4),
        "off_plan_max": round(max(from_plan), 4),
        "off_plan_days_within_5_percent": sum(one <= 0.05 for one in from_plan),
        "off_traffic_median": round(statistics.median(from_traffic), 4),
        "off_traffic_max": round(max(from_traffic), 4),
        "unused_median": round(statistics.median(unused), 4),
        "unused_max": round(max(unused), 4),
        "share_median": round(statistics.median(shares), 4),
        "overspent_cents": max(over, 0),
        "crashes": world.crashed,
    }


def microseconds() -> dict[str, float]:
    """CPU per decision of a purse, in slices of ``SLICE`` records with ``DUE`` offers; a minute ends in each slice."""
    load = synthetic("iid", DUE * ROUNDS, 5)
    purses, noon = Purses(0, "UTC"), 20_600 * DAY_MS + DAY_MS // 2
    grant = LeaseGranted(
        campaign=CAMPAIGN,
        currency=CURRENCY,
        partition=0,
        sequence=0,
        granted_cents=10**12,
        lease_cents=10**12,
        day=20_600,
        expires_at_ms=noon + DAY_MS // 2,
        price_micros=2_800_000,
        reference_micros=2_800_000,
    )
    whole, asking = [], []
    for i in range(ROUNDS):
        offset = np.arange(i * SLICE, (i + 1) * SLICE)
        newest = noon + i * MINUTE_MS + np.arange(SLICE)
        due = slice(i * DUE, (i + 1) * DUE)
        at = np.sort(np.random.default_rng(i).integers(0, SLICE, DUE))
        some = Candidates(
            offset[at],
            np.arange(DUE, dtype=np.uint64),
            load.cost_cents[due],
            load.value[due],
            newest[at] + 7 * DAY_MS,
            np.zeros(DUE, np.bool_),
        )
        began = time.thread_time()
        purses.begin(SliceTimes(offset, newest, newest), [] if i else [(0, grant)])
        middle = time.thread_time()
        purses.afford(CAMPAIGN, CURRENCY, some)
        after = time.thread_time()
        purses.end()
        whole.append((time.thread_time() - began) / DUE * 1e6)
        asking.append((after - middle) / DUE * 1e6)
        purses.drain_changes((i + 1) * SLICE)
    return {"afford": round(statistics.median(asking), 3), "slice": round(statistics.median(whole), 3)}


def measure(offers: int, partitions: int, data: Path | None) -> dict[str, Any]:
    """All of it."""
    status = Console(stderr=True).status
    with status("Days that are made up …"):
        iid = synthetic("iid", offers, 1)
        own = {str(n): round(split_subgradient(iid, n) / iid.optimum(), 4) for n in (4, 16, 64)}
        found: dict[str, Any] = {"offers": offers, "partitions": partitions, "own_price_iid": own}
        found["synthetic"] = synthetic_days(offers, partitions)
    with status("Real days …"):
        real = {"grocery": (grocery_days(14, 28), 14)}
        if data is not None:
            real["clickstream"] = clickstream_days(data, 3, 6), 3
        for name, (days, learned) in real.items():
            for kind, crashes in (("leases", 0), ("crashes", CRASHES)):
                found[f"{name}_{kind}"] = replayed(days, learned, partitions, crashes)
    return found | {"microseconds": microseconds()}


@click.command()
@click.option("--offers", type=click.IntRange(1_000), default=20_000, show_default=True, help="Considered per day.")
@click.option("--partitions", type=click.IntRange(1), default=4, show_default=True, help="Of shoppers.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds taobao_userbehavior: its days as well.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(offers: int, partitions: int, data: Path | None, as_json: bool) -> None:
    """Measure and print."""
    found = measure(offers, partitions, data)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    plain = ("greedy", "fixed", "plain")
    kinds = ("new_leases", "new_crashes", "known_leases", "known_crashes")
    rows = [
        (row["load"], *(f"{row[n]:.3f}" for n in plain), *(f"{row[kind]['share']:.3f}" for kind in kinds))
        for row in found["synthetic"]
    ]
    new, old = "new shape", "known shape"
    columns = (f"{new}, leases", f"{new}, crashes", f"{old}, leases", f"{old}, crashes")
    print_rows(("load", "greedy", "fixed", "in one place", *columns), rows)
    unused = max(row[kind]["unused"] for row in found["synthetic"] for kind in kinds)
    over = max(row[kind]["overspent_cents"] for row in found["synthetic"] for kind in kinds)
    click.echo(f"At most {unused:.1%} of a day's budget unused, {over} cents overspent.")
    click.echo(f"Alike days, a price of its own in each of 4, 16, 64 partitions: {found['own_price_iid']}")
    for name in [name for name in found if name.startswith(("grocery", "clickstream"))]:
        click.echo(f"Real days, {name}: " + ", ".join(f"{key} {value}" for key, value in found[name].items()))
    click.echo(f"CPU microseconds per decision: {found['microseconds']}")


if __name__ == "__main__":
    main()

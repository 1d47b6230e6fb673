"""What the shipped models cost per row beside their budgets: ``python -m streams.bench.models [--json]``.

A row of every task's golden rows, in slices of 256, on one core. Ends with 1 where a model is above its budget
(``models.task.Task.latency_us_per_row``).
"""

from __future__ import annotations

import time

import click
import numpy as np

from models.artifact import load_artifact
from models.registry import SHIPPED
from models.store import Shelf
from streams.terminal import print_rows

ROWS, ROUNDS = 256, 20


def measure() -> dict[str, float]:
    """CPU microseconds per row by task, the least of the rounds: what other work on the machine adds is left out."""
    shelf = Shelf()
    found = {}
    for task in SHIPPED:
        model = shelf.model(task.name)
        rows = np.resize(load_artifact(task).golden, (ROWS, model.width))
        spent = []
        for _ in range(ROUNDS):
            began = time.process_time()
            model.score(rows)
            spent.append(time.process_time() - began)
        found[task.name] = min(spent) / ROWS * 1e6
    return found


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(as_json: bool) -> None:
    """Measure, print and judge."""
    found = measure()
    budgets = {task.name: task.latency_us_per_row for task in SHIPPED}
    print_rows(
        ("task", "µs per row", "budget"),
        [(name, f"{spent:.1f}", f"{budgets[name]:g}") for name, spent in found.items()],
        as_json,
    )
    above = [name for name, spent in found.items() if spent > budgets[name]]
    if above:
        raise click.ClickException(f"Above the budget: {', '.join(above)}.")


if __name__ == "__main__":
    main()

"""What one more task costs: ``python -m streams.bench.tasks``.

A clickstream through one partition with 1, 2 and 16 tasks: copies of the shipped churn model under other names,
each with answers, late labels and versions of its own. Only the due points' stages are told: score and decide.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from models.store import Shelf
from streams.bench.clickstream import clickstream
from streams.entities.shopper import SHOPPER
from streams.processing.model import Model, Output
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.outcomes import encode_outcome
from streams.records.slices import Slice
from streams.terminal import print_rows

EVENTS, SHOPPERS, ROUNDS, SLICE = 60_000, 4_000, 5, 1024
TASKS = (1, 2, 16)
_APPENDED = 2_000_000_000_000


class Copies:
    """A shelf with a model under ``n`` names."""

    def __init__(self, model: Model, n: int) -> None:
        self._models = {}
        for k in range(n):
            held: Any = copy.copy(model)
            held.task = f"{model.task}{k or ''}"
            if k:  # Recalibrating costs more, and few tasks ask for it.
                held.outputs = tuple(replace(output, event="") for output in held.outputs)
            self._models[held.task] = held

    def tasks_of(self, entity: str) -> Sequence[str]:
        """The names."""
        return list(self._models) if entity == SHOPPER.name else []

    def outputs(self, task: str) -> Sequence[Output]:
        """What the copy answers."""
        return self._models[task].outputs

    def shipped(self, task: str) -> str:
        """The one version."""
        return self._models[task].version

    def model(self, task: str, version: str | None = None) -> Model:
        """The copy."""
        return self._models[task]


def measure(slices: Sequence[Slice], shelf: Copies) -> tuple[float, float, int]:
    """CPU microseconds per due point to score, decide and encode; of the last task's model alone; due points."""
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shelf)
    spent = model = 0.0
    due = 0
    for slice_ in slices:
        result = processor.apply(slice_)
        began = time.perf_counter()
        for outcome in result.outcomes:
            encode_outcome(outcome)
        spent += time.perf_counter() - began + result.seconds.get("score", 0.0) + result.seconds.get("decide", 0.0)
        due += result.due_points
        if result.scores:
            model += result.scores[-1].seconds
    return spent / due * 1e6, model / due * 1e6, due


def main() -> None:
    """Measure and print."""
    records = list(clickstream(EVENTS, SHOPPERS))
    slices = []
    for start in range(0, len(records), SLICE):
        keys, values = zip(*records[start : start + SLICE], strict=True)
        offsets = range(start, start + len(keys))
        slices.append(Slice("bench", 0, offsets, [_APPENDED] * len(keys), keys, values))
    churn = Shelf().model("churn")
    found: dict[int, list[tuple[float, float, int]]] = {n: [] for n in TASKS}
    for _ in range(ROUNDS):
        for n in TASKS:
            found[n].append(measure(slices, Copies(churn, n)))
    whole = {n: statistics.median(spent for spent, *_ in found[n]) for n in TASKS}
    model = statistics.median(alone for _, alone, _ in found[TASKS[-1]])
    click.echo(f"{found[1][0][2]:,} due points of {EVENTS:,} events, slices of {SLICE}, medians of {ROUNDS} rounds.")
    print_rows(("tasks", "µs per due point"), [(str(n), f"{whole[n]:.1f}") for n in TASKS])
    click.echo(
        f"The second task costs {whole[2] - whole[1]:.1f} µs, each of the fourteen after it "
        f"{(whole[16] - whole[2]) / 14:.1f} µs; its model alone {model:.1f} µs."
    )


if __name__ == "__main__":
    main()

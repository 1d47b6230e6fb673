"""``offerstream train``: runs a task's trainer with progress, and says what came out."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from models.registry import TASKS
from models.registry import task as find


def train(name: str, data: Path | None, seed: int, out: Path | None, console: Console) -> None:
    """Train one task."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Other summation orders in oneDNN would give another digest on another machine of the same kind.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    from training.tasks import TRAINERS

    if name not in TRAINERS:
        raise click.UsageError(f"There is no task {name!r}; there are: {', '.join(t.name for t in TASKS)}.")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise click.UsageError("Training needs the extra 'train': pip install 'offerstream[train]'.") from error
    tf.config.experimental.enable_op_determinism()
    out = out or find(name).folder
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        stages: dict[str, object] = {}

        def tell(stage: str, done: int, total: int | None) -> None:
            if stage not in stages:
                stages[stage] = progress.add_task(stage, total=total)
            progress.update(stages[stage], completed=done, total=total)  # type: ignore[arg-type]

        artifact = TRAINERS[name](data, seed, out, tell)
    table = Table("data set", "due by", "model", "rows", "base rate", "AUC", "95%", "Brier", "ECE")
    for dataset, segments in artifact.card["metrics"].items():
        for segment in ("all", "silence"):
            for model, m in segments[segment].items():
                if model != "auc_95":
                    low, high = segments[segment]["auc_95"][model]
                    row = (m["rows"], m["base_rate"], m["auc"], f"{low} … {high}", m["brier"], m["ece"])
                    table.add_row(dataset, segment, model, *map(str, row))
    Console().print(table)
    click.echo(f"{out}: digest {artifact.digest[:16]}…, {len(artifact.model)} bytes")

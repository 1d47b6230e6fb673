"""``offerstream train``: runs a task's trainer with progress, and says what came out."""

from __future__ import annotations

import os
import shutil
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

from models.artifact import Artifact
from models.registry import task as find


def train(name: str, data: Path | None, seed: int, out: Path | None, work: Path, console: Console) -> Artifact:
    """Train one task."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Other summation orders in oneDNN would give another digest on another machine of the same kind.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        task = find(name)
    except KeyError as error:
        raise click.UsageError(error.args[0]) from error
    try:
        import tensorflow as tf
    except ImportError as error:
        raise click.UsageError("Training needs the extra 'train': pip install 'offerstream[train]'.") from error
    found = [device.name for device in tf.config.list_physical_devices("GPU")]
    console.print(f"Training on {', '.join(found) or 'the CPU: TensorFlow found no GPU'}.")
    from training.export import NotEqual
    from training.history import HistoryError
    from training.job import Job
    from training.split import Leak
    from training.tasks import train as run

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

        job = Job(task, data, seed, out or task.folder, work, tell)
        try:
            artifact = run(job)
        except (Leak, NotEqual, HistoryError) as error:
            raise click.ClickException(f"{error} Nothing was written.") from error
    shutil.rmtree(job.kept_in, ignore_errors=True)
    out_console = Console()
    if not out_console.is_terminal:
        out_console = Console(width=160)  # a file has no width of its own
    out_console.print(summary(artifact))
    click.echo(f"{job.out}: version {artifact.version}, {len(artifact.model)} bytes. offerstream report {name}")
    return artifact


#: What the summary shows of each model, as far as it was measured.
SHOWN = ("base_rate", "auc", "brier", "ece", "top_1", "top_5", "mrr")


def summary(artifact: Artifact) -> Table:
    """What a card measured on all rows: a line per data set, answer and model."""
    lines = []
    for dataset, answers in artifact.card["metrics"].items():
        for answer, found in answers.items():
            m = found["segments"].get("all")
            for model, values in (m["models"] if m else {}).items():
                between = (m.get("auc_95") or m.get("top_1_95") or {}).get(model, ())
                lines.append((dataset, answer, model, values, " … ".join(f"{v:g}" for v in between)))
    shown = [name for name in SHOWN if any(name in values for *_, values, _ in lines)]
    table = Table("data set", "answer", "model", "rows", *(name.replace("_", " ") for name in shown), "95% interval")
    for dataset, answer, model, values, between in lines:
        measured = [f"{values[name]:g}" if name in values else "" for name in shown]
        table.add_row(dataset, answer, model, f"{values['rows']:,}", *measured, between)
    return table

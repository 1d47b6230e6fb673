"""``offerstream train``: a new version of a model, from a shop's own history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from streams.commands.common import BROKER, DATA, OUT_FOLDER, TASK, OneOf, TimeAsWritten
from streams.settings import Settings
from streams.terminal import console, interrupted, interruptible

#: Into so many parts a history goes on a cluster where nobody says how many.
PARTS = 16


@click.command()
@click.argument("task", type=TASK)
@click.option(
    "--history",
    "histories",
    multiple=True,
    metavar="PATH",
    help="A file of events (JSON lines, gzip or not, or Parquet), a folder of such files, or a data set's name. Given "
    "several times: several shops, which weigh the same.",
)
@click.option(
    "--from-broker",
    is_flag=True,
    help="The topic of events as a history, or those of catalogue and reviews, up to their present end.",
)
@click.option(
    "--receipts",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="For a task that learns of campaigns: what they decided and what became of offers, JSON lines; a file, or a "
    "folder. With --from-broker both are read from their topics.",
)
@click.option(
    "--cut",
    "cuts",
    multiple=True,
    type=TimeAsWritten(),
    metavar="DATE",
    help="Trained on what is before it, tested on what is after it. Once for all histories, or once for each.",
)
@click.option("--out", type=OUT_FOLDER, help="Folder for the model; default: the store of models.")
@click.option(
    "--promote-to",
    type=OneOf(["shadow", "canary"]),
    help="Put the new version there if it is ahead of the live one in an answer and behind in none: for retraining by "
    "the clock.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True)
@click.option(
    "--work",
    type=OUT_FOLDER,
    default=Path("build/training"),
    show_default=True,
    help="Histories and unfinished trainings are kept here: a run that was cut off goes on from there.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Replay histories in so many parts, shoppers apart, by processes of this machine (Dask); the model is the "
    "same however many there are. Not for tasks about items.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="A Dask cluster that replays the parts instead, such as tcp://scheduler:8786; it reads --work at the same "
    "path.",
)
@DATA
@BROKER
def train(
    task: str,
    histories: tuple[str, ...],
    from_broker: bool,
    receipts: tuple[Path, ...],
    cuts: tuple[str, ...],
    out: Path | None,
    promote_to: Any,
    seed: int,
    work: Path,
    workers: int | None,
    dask: str | None,
    data: Path | None,
    broker: str | None,
) -> None:
    """Train a task on your own history, measure it beside the shipped model, and put it into the store of models.

    The history is what storefronts produce, as on the topic. Nothing that serves changes before `offerstream models
    promote`. Without a history the package's own model is trained anew, on the data sets that it ships with.
    """
    from training.asked import Asked
    from training.command import run
    from training.parts import Workers

    where = None if workers is None and dask is None else Workers(workers or PARTS, dask)
    asked = Asked(task, histories, from_broker, cuts, data, seed, out, work, receipts, promote_to, where)
    interruptible()
    try:
        run(asked, Settings.from_environment(broker=broker), console)
    except (Exception, KeyboardInterrupt):
        if not interrupted():
            raise
        click.echo("Stopped, and nothing was written. The same command goes on from there.", err=True)
        sys.exit(130)

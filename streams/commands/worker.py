"""``offerstream worker``: one worker in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streams.commands.common import BROKER, OUT_FOLDER, PORT, OneOf
from streams.settings import Settings


@click.command()
@BROKER
@click.option("--data-dir", type=OUT_FOLDER, help="Where the feature table's local copy lives.")
@click.option("--port", type=PORT, help="For /metrics, /live, /ready and /search; 0 takes a free one.")
@click.option("--log", default="WARNING", show_default=True, type=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
def worker(broker: str | None, data_dir: Path | None, port: int | None, log: str) -> None:
    """Run a worker until SIGTERM or Ctrl-C. Several at once share the partitions; missing topics are created.

    It says when it is ready, with what it reads and where it serves metrics; when alerts, offers or dead letters come,
    a line of each at most every OFFERSTREAM_ANNOUNCE_SECONDS (0: never). With --log ERROR it says neither.
    """
    from streams.worker import run

    sys.exit(run(Settings.from_environment(broker=broker, data_dir=data_dir, port=port), log))

"""``offerstream demo``: real households through everything."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streams.commands.common import BROKER, OUT_FILE, TIME, window


@click.command()
@BROKER
@click.option(
    "--out",
    type=OUT_FILE,
    default=Path("build/demo.json"),
    show_default=True,
    help="The numbers; the page goes beside them.",
)
@click.option("--from", "start", type=TIME, metavar="TIME", help="Only events from this time on.")
@click.option("--to", "stop", type=TIME, metavar="TIME", help="Only events before this time.")
def demo(broker: str | None, out: Path, start: int | None, stop: int | None) -> None:
    """2,469 households of 2017 through Kafka, features, models and decisions, watched live; then one shopper's story.

    Starts an embedded Apache Kafka unless --broker names one, and stops whatever it started. Beside the numbers it
    leaves a page for the browser, build/demo.html.
    """
    from streams.demo import run

    sys.exit(run(broker, out, *window(start, stop)))

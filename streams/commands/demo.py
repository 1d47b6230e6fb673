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
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.4,
    show_default=True,
    help="Of the households, always the same ones; 1: all 2,469.",
)
def demo(broker: str | None, out: Path, start: int | None, stop: int | None, share: float) -> None:
    """1,024 real households of 2017 through Kafka, features, models, decisions, watched live; then one shopper's story.

    Starts an embedded Apache Kafka unless --broker names one, and stops whatever it started. Beside the numbers it
    leaves a page for the browser, build/demo.html.
    """
    from streams.demo import Part, run

    sys.exit(run(broker, out, Part(*window(start, stop), share)))

"""``offerstream broker``: an embedded Apache Kafka for first steps."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import click

from streams.commands.common import OUT_FOLDER, PORT


@click.command()
@click.option("--port", type=PORT, default=9092, show_default=True, help="0 takes a free port.")
@click.option("--dir", "folder", type=OUT_FOLDER, default=Path("build/kafka"), show_default=True)
def broker(port: int, folder: Path) -> None:
    """Run an embedded Apache Kafka on loopback until Ctrl-C; for first steps, not for production.

    Its programs (46 MB) are fetched once into $XDG_CACHE_HOME or ~/.cache, or build/kafka-jars where that cannot be
    written.
    """
    from streams.broker.cache import fetch_jars
    from streams.broker.embedded import Broker, require_free

    if port:
        require_free(port)  # before 46 MB are fetched
    with Broker(folder, fetch_jars(), port) as running:
        click.echo(f"Apache Kafka listens on {running.bootstrap}; its data is in {folder}. Ctrl-C stops it.")
        wait_for_signal()


def wait_for_signal() -> None:
    """Return on SIGINT or SIGTERM."""
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # No lock is taken in a handler: a second signal that interrupts the first would wait for it for ever.
        signal.signal(number, lambda number, _: came.append(number))
    while not came:
        time.sleep(0.2)

"""``offerstream late-events``: what came too late, and a way back for it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import click

from streams.commands.common import BROKER, parse_time
from streams.late_events import read
from streams.settings import Settings


@click.command("late-events")
@BROKER
@click.option("--since", metavar="TIME", help="When they came; ISO 8601. Default: all that the topic still holds.")
@click.option(
    "--originals",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write them here as they were sent, one per line, for `replay FILE --format jsonl`.",
)
def late_events(broker: str | None, since: str | None, originals: Path | None) -> None:
    """Say how many events came too late and by how much, and take them out of late-events.v1.

    An event that had been applied and was sent again is late, too; such ones are counted, not written. How to have
    the others count: docs/operating.md, "Late events".
    """
    settings = Settings.from_environment(broker=broker)
    late = read(settings, parse_time(since) if since else 0)
    click.echo(f"{len(late.events)} late events; {late.again} more had been sent before.")
    if late.events:
        oldest = datetime.fromtimestamp(late.oldest_ms / 1000, UTC).isoformat(timespec="seconds")
        needed = math.ceil(settings.allowed_lateness_seconds + late.most_behind_ms / 1000)
        click.echo(f"The oldest is of {oldest}. With OFFERSTREAM_ALLOWED_LATENESS_SECONDS={needed} none had been late.")
    if originals is not None:
        with originals.open("wb") as file:
            file.writelines(event.original + b"\n" for event in late.events)
        click.echo(f"{originals}: {len(late.events)} originals.")

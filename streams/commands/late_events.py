"""``offerstream late-events``: what came too late, and a way back for it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import click

from streams.commands.common import BROKER, JSON, OUT_FILE, TIME
from streams.outside.late_events import read
from streams.settings import Settings


@click.command("late-events")
@BROKER
@click.option(
    "--since", type=TIME, metavar="TIME", help="When they came; ISO 8601. Default: all that the topic still holds."
)
@click.option(
    "--originals",
    type=OUT_FILE,
    help="Write them here as they were sent, one per line, for `replay FILE`.",
)
@JSON
def late_events(broker: str | None, since: int | None, originals: Path | None, as_json: bool) -> None:
    """Say how many events came too late and by how much, and take them out of late-events.v1.

    An event that had been applied and was sent again is late, too; such ones are counted, not written. How to have
    the others count: docs/operating.md, "Late events".
    """
    settings = Settings.from_environment(broker=broker)
    late = read(settings, since or 0)
    oldest = datetime.fromtimestamp(late.oldest_ms / 1000, UTC).isoformat(timespec="seconds") if late.events else None
    needed = math.ceil(settings.allowed_lateness_seconds + late.most_behind_ms / 1000) if late.events else None
    if originals is not None:
        originals.parent.mkdir(parents=True, exist_ok=True)
        with originals.open("wb") as file:
            file.writelines(event.original + b"\n" for event in late.events)
    if as_json:
        found = {"late_events": len(late.events), "sent_before": late.again, "oldest": oldest}
        click.echo(json.dumps(found | {"allowed_lateness_seconds_that_would_do": needed}, indent=2))
        return
    click.echo(f"{len(late.events):,} late events; {late.again:,} more had been sent before.")
    if late.events:
        click.echo(f"The oldest is of {oldest}. With OFFERSTREAM_ALLOWED_LATENESS_SECONDS={needed} none had been late.")
    if originals is not None:
        click.echo(f"{originals}: {len(late.events):,} originals.")

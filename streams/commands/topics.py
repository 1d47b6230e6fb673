"""``offerstream topics``: what they hold, and whether the broker has them as catalogued."""

from __future__ import annotations

import json
import sys

import click

from streams.admin import check, create
from streams.commands.common import BROKER, COUNT, JSON
from streams.commands.groups import Group
from streams.entities import contents
from streams.settings import Settings
from streams.terminal import print_rows


@click.group(cls=Group)
def topics() -> None:
    """The topics: what they hold and how the broker keeps them."""


@topics.command("list")
@JSON
def topics_list(as_json: bool) -> None:
    """Print the catalogue."""
    settings = Settings.from_environment()
    rows = []
    for topic in contents.topics(settings.app_id):
        kept = "compacted" if topic.compacted else f"{topic.retention_days} days"
        names = (
            ", ".join(r.__name__ for r in topic.records) if len(topic.records) < 4 else f"{len(topic.records)} types"
        )
        if as_json:
            names = ", ".join(record.__name__ for record in topic.records)
        partitions = str(topic.partitions or settings.partitions)
        rows.append((topic.name, topic.key, names, partitions, kept, topic.meaning))
    print_rows(("topic", "key", "records", "partitions", "kept", "meaning"), rows, as_json)


@topics.command("create")
@BROKER
@click.option("--partitions", type=COUNT, help="Of new topics; default $OFFERSTREAM_PARTITIONS or 4.")
def topics_create(broker: str | None, partitions: int | None) -> None:
    """Create what is missing."""
    settings = Settings.from_environment(broker=broker, partitions=partitions)
    wanted = contents.topics(settings.app_id)
    created = create(settings.access, wanted, settings.partitions, settings.replication)
    click.echo("\n".join(f"created {name}" for name in created) or "All topics exist.")


@topics.command("check")
@BROKER
@JSON
def topics_check(broker: str | None, as_json: bool) -> None:
    """Compare the broker with the catalogue; exit code 1 when they differ."""
    settings = Settings.from_environment(broker=broker)
    found = check(settings.access, contents.topics(settings.app_id))
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(found) or "All topics are as catalogued.")
    sys.exit(bool(found))

"""``offerstream archive``: keeps what was produced for longer than Kafka does."""

from __future__ import annotations

import json

import click

from streams.admin import admin_client, identities
from streams.commands.common import BROKER, JSON, TEXT
from streams.outside.archive import Archive, ArchiveError
from streams.outside.reading import Reader
from streams.settings import Settings
from streams.terminal import console, interruptible, progress_bar
from streams.topics import SOURCES


@click.command()
@click.argument("url", type=TEXT)
@BROKER
@JSON
def archive(url: str, broker: str | None, as_json: bool) -> None:
    """Keep events, and what was told of items, as Parquet by day.

    URL is a folder, or anything that fsspec knows (s3://bucket/shop with s3fs installed). Each run adds what the
    topics hold and the archive does not, each record once, and merges the small files of days that are over: run it
    more often than Kafka deletes records, once a day or an hour. `train --history URL` learns from it, and `replay
    URL` sends it again, to make a feature table anew.
    """
    settings = Settings.from_environment(broker=broker)
    kept, found = Archive(url), []
    interruptible()
    with Reader(settings.access) as reader, admin_client(settings.access) as admin:
        there = identities(admin, [topic.name for topic in SOURCES.values()])
        ours = {name: identity for name, identity in there.items() if identity is not None}
        if not ours:
            raise ArchiveError(f"None of {', '.join(there)} exists: offerstream topics create")
        for topic, identity in ours.items():
            with progress_bar(f"Archiving {topic}", None) as done:
                found.append(kept.add(reader, topic, identity, done))
    if as_json:
        rows = [
            {"topic": a.topic, "records": a.records, "files": a.files, "merged": a.merged, "lost": a.lost}
            for a in found
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for added in found:
            merged = f", and merged {added.merged:,} files of days that are over" if added.merged else ""
            click.echo(f"{added.topic}: {added.records:,} records in {added.files:,} new files{merged}.")
    for added in found:
        if added.lost:
            console.print(
                f"[yellow]note:[/] {added.lost:,} records of {added.topic} are in no archive: Kafka had deleted them "
                "since the last run. Run it more often, or have Kafka keep them longer (retention.ms).",
                highlight=False,
            )

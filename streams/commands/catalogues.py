"""``offerstream schema``, ``settings`` and ``metrics``: catalogues of what there is, each thing with its meaning."""

from __future__ import annotations

import json

import click

from models.nearest import unknown
from streams.commands.common import JSON
from streams.settings import Settings
from streams.terminal import print_rows


@click.command()
@click.argument("record", required=False)
def schema(record: str | None) -> None:
    """Print the JSON Schema of every record, or of one, such as OrderPlaced, with the meaning of every field."""
    from streams.records.schema import schema_of
    from streams.topics import TOPICS

    records = {cls.__name__: cls for topic in TOPICS for cls in topic.records}
    if record is not None and record not in records:
        raise click.UsageError(unknown("record", record, sorted(records)))
    chosen = list(records.values()) if record is None else [records[record]]
    root = {"$ref": f"#/$defs/{record}"} if record else {}
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": schema_of(chosen)}
    click.echo(json.dumps(document, indent=2))


@click.command()
@JSON
def settings(as_json: bool) -> None:
    """Print every setting with its value, unit, range and meaning.

    Each is set by the environment variable shown; a variable that is no setting is an error, not a default.
    """
    columns = ("variable", "value", "default", "unit", "range", "meaning")
    print_rows(columns, Settings.from_environment().catalogue(), as_json)


@click.command()
@JSON
def metrics(as_json: bool) -> None:
    """Print the catalogue of metrics.

    Workers serve them at /metrics; deploy/prometheus scrapes them and has alert rules.
    """
    from streams.metrics import Metrics

    rows = [(name, kind, unit, ", ".join(labels), about) for name, kind, unit, labels, about in Metrics().catalogue()]
    print_rows(("metric", "type", "unit", "labels", "meaning"), rows, as_json)

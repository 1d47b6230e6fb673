"""``offerstream features``: what they mean, and how one shopper stands in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from streams.commands.common import BROKER, JSON, TEXT, TIME
from streams.settings import Settings
from streams.terminal import print_rows, shown_number


@click.group()
def features() -> None:
    """The features: what they mean, and a shopper's current values."""


@features.command("list")
@JSON
def features_list(as_json: bool) -> None:
    """Print the catalogue."""
    from streams.entities.contents import ENTITIES

    rows = []
    for name, f in [(entity.name, f) for entity in ENTITIES for f in entity.catalogue.features.values()]:
        high = "∞" if f.high == float("inf") else shown_number(f.high)
        unit = f.unit if f.width == 1 else f"{f.width} × {f.unit}"
        span = f"{shown_number(f.low)} … {high}"
        rows.append((f.address, name, unit, span, shown_number(f.cold_start), f.meaning))
    print_rows(("address", "entity", "unit", "range", "cold start", "meaning"), rows, as_json)


@features.command("show")
@click.argument("shopper", type=TEXT)
@BROKER
@click.option("--at", type=TIME, metavar="TIME", help="ISO 8601; default: the newest event of the shopper's partition.")
@JSON
def features_show(shopper: str, broker: str | None, at: int | None, as_json: bool) -> None:
    """Print a shopper's values, read from the feature table's changelog."""
    from streams.inspect import shopper_features

    settings = Settings.from_environment(broker=broker)
    now, values = shopper_features(settings, shopper, at)
    if as_json:
        click.echo(json.dumps({"shopper_id": shopper, "as_of_ms": now, "features": values}, indent=2))
        return
    click.echo(f"{shopper} as of {datetime.fromtimestamp(now / 1000, UTC).isoformat()}")
    print_rows(("address", "value"), [(a, " ".join(map(shown_number, numbers))) for a, numbers in values.items()])

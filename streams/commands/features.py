"""``offerstream features``: what they mean, and how one shopper, item or campaign stands in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from streams.commands.common import BROKER, JSON, TEXT, TIME
from streams.commands.groups import Group
from streams.entities.contents import ENTITIES, find
from streams.processing.entity import Entity
from streams.records.words import printable
from streams.settings import Settings
from streams.terminal import print_rows, shown_number


@click.group(cls=Group)
def features() -> None:
    """The features: what they mean, and the current values of a shopper, an item or a campaign."""


@features.command("list")
@click.argument("entity", type=TEXT, required=False)
@JSON
def features_list(entity: str | None, as_json: bool) -> None:
    """Print the catalogue: of all entities, or of ENTITY (shopper, item, campaign)."""
    chosen = ENTITIES if entity is None else (_found(entity),)
    rows = []
    for name, f in [(each.name, f) for each in chosen for f in each.catalogue.inputs.values()]:
        high = "∞" if f.high == float("inf") else shown_number(f.high)
        unit = f.unit if f.width == 1 else f"{f.width} × {f.unit}"
        span = f"{shown_number(f.low)} … {high}"
        rows.append((f.address, name, unit, span, shown_number(f.cold_start), f.meaning))
    print_rows(("address", "entity", "unit", "range", "cold start", "meaning"), rows, as_json)


@features.command("show")
@click.argument("key", nargs=-1, required=True, type=TEXT, metavar="[shopper|item|campaign] KEY")
@BROKER
@click.option("--at", type=TIME, metavar="TIME", help="ISO 8601; default: the newest event of their partition.")
@JSON
def features_show(key: tuple[str, ...], broker: str | None, at: int | None, as_json: bool) -> None:
    """Print the values of a shopper, item or campaign, from its table's changelog. KEY: its id; alone, a shopper's."""
    from streams.outside.inspect import features_at

    if len(key) > 2:
        raise click.UsageError(f"One shopper, item or campaign at a time, such as: features show {key[0]} {key[1]}")
    name, whom = ("shopper", *key)[-2:]
    entity = _found(name)
    now, values = features_at(Settings.from_environment(broker=broker), whom, at, entity)
    if as_json:
        click.echo(
            json.dumps({entity.wire.key or f"{entity.name}_id": whom, "as_of_ms": now, "features": values}, indent=2)
        )
        return
    click.echo(f"{printable(whom)} as of {datetime.fromtimestamp(now / 1000, UTC).isoformat()}")
    units = {address: feature.unit for address, feature in entity.catalogue.features.items()}
    rows = [(a, " ".join(map(shown_number, numbers)), units[a]) for a, numbers in values.items()]
    print_rows(("address", "value", "unit"), rows)


def _found(name: str) -> Entity:
    try:
        return find(name)
    except KeyError as error:
        raise click.UsageError(error.args[0]) from error

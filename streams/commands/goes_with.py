"""``offerstream goes-with``: what shoppers take together with some items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from streams.commands.common import BROKER, JSON, TEXT
from streams.features.kinds.cart import CART_TOLD
from streams.outside.goes_with import TASK, going_with
from streams.records.words import printable
from streams.settings import Settings
from streams.terminal import print_rows


@click.command("goes-with")
@click.argument("items", nargs=-1, required=True, type=TEXT)
@click.option("--version", type=TEXT, help="Of recommend, or a folder that train wrote; default: the one that is live.")
@BROKER
@JSON
def goes_with(items: tuple[str, ...], version: str | None, broker: str | None, as_json: bool) -> None:
    """Print what goes with an item, or with a cart of up to eight: what shoppers buy, put into carts or look at in the
    same visits.

    By a version of the model recommend, as it says goes_with_cart in recommendations.v1, but of items alone: what is
    sold out is not left out. `offerstream similar` prints what looks like an item. Exit code 1 where the version names
    none of the items.
    """
    if len(set(items)) > CART_TOLD:
        raise click.UsageError(f"At most {CART_TOLD} items are looked at, not {len(set(items))}.")
    model = _model(version, broker)
    found = going_with(model, items)
    if as_json:
        told = {"version": model.version, "items": list(items), "goes_with": msgspec.to_builtins(found)}
        click.echo(json.dumps(told, indent=2))
        return
    unknown = sorted(set(items) - set(model.names))
    if unknown:
        click.echo(printable(f"Version {model.version} does not name: {', '.join(unknown)}"))
    rows = [(printable(one.item_id), f"{one.weight:.1%}", printable(one.of)) for one in found]
    print_rows(("item", "share", "goes best with"), rows)


def _model(version: str | None, broker: str | None) -> Any:
    from models.artifact import load_artifact
    from models.predictor import Predictor
    from models.registry import task
    from streams.outside.versions import Versions

    if version and Path(version).is_dir():
        return Predictor(load_artifact(task(TASK), Path(version)))
    versions = Versions(Settings.from_environment(broker=broker))
    chosen = versions.find(TASK, version) if version else versions.live(TASK)
    return versions.shelf.model(TASK, chosen or None)

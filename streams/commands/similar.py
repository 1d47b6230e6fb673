"""``offerstream similar``: which items look like one."""

from __future__ import annotations

import json

import click
import msgspec

from streams.commands.common import BROKER, JSON, TEXT
from streams.records.words import printable
from streams.settings import Settings
from streams.similar import pictures
from streams.terminal import print_rows


@click.command()
@click.argument("item", type=TEXT)
@BROKER
@click.option("--most", type=click.IntRange(1, 1000), default=10, show_default=True, help="Items to print.")
@JSON
def similar(item: str, broker: str | None, most: int, as_json: bool) -> None:
    """Print what the picture of an item shows, and the items whose pictures are most like it.

    Of the newest pictures of all items that are for sale, as items.pictured.v1 has them now; exact, by the cosine of
    their embeddings. Pictures that another version of the model looked at are not compared.
    """
    known = pictures(Settings.from_environment(broker=broker).access)
    look, found = known.look(item), known.near(item, most)
    if as_json:
        shown = {"item_id": item, "shows": look.shows, "confidence": look.confidence}
        click.echo(json.dumps(shown | {"similar": msgspec.to_builtins(found)}, indent=2))
        return
    best = look.likely[0].name if look.likely else "nothing"
    shows = look.shows or f"unsure (likeliest {best})"
    click.echo(printable(f"{item} shows {shows}, {look.confidence:.0%}; of {len(known):,} items these look like it:"))
    rows = [(one.item_id, f"{one.cosine:.2f}", one.shows or "unsure") for one in found]
    print_rows(("item", "cosine", "shows"), rows)

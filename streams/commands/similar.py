"""``offerstream similar``: which items are like one."""

from __future__ import annotations

import json
from contextlib import suppress

import click
import msgspec

from streams.admin import TopicError
from streams.commands.common import BROKER, JSON, TEXT
from streams.outside.similar import embedded, pictures
from streams.records.embedded import Embedded
from streams.records.pictured import shown as in_words
from streams.records.words import printable
from streams.settings import Settings
from streams.terminal import print_rows


@click.command()
@click.argument("item", type=TEXT)
@BROKER
@click.option("--most", type=click.IntRange(1, 1000), default=10, show_default=True, help="Items to print.")
@click.option("--pictures", "only_pictures", is_flag=True, help="By pictures alone, as items.pictured.v1 has them.")
@JSON
def similar(item: str, broker: str | None, most: int, only_pictures: bool, as_json: bool) -> None:
    """Print what an item is, and the items that are most like it.

    By what there is of their words, pictures and sounds, as items.embedded.v1 has it now of all items that are for
    sale; of an item that is not in there, by its picture, as items.pictured.v1 has them. Exact, by the cosine of their
    embeddings. Items that another version of the model looked at are not compared.
    """
    access = Settings.from_environment(broker=broker).access
    known = None
    if not only_pictures:
        # A group whose workers are older has no such topic.
        with suppress(TopicError):
            known = embedded(access)
    if known is None or item not in known:
        known = pictures(access)
    look, found = known.look(item), known.near(item, most)
    made_of = look.made_of if isinstance(look, Embedded) else ["picture"]
    if as_json:
        shown = {"item_id": item, "made_of": made_of, "shows": look.shows, "confidence": look.confidence}
        click.echo(json.dumps(shown | {"unsure": look.unsure, "similar": msgspec.to_builtins(found)}, indent=2))
        return
    said = f"{item} shows {in_words(look)}, by its {', '.join(made_of)}; of {len(known):,} items"
    click.echo(printable(f"{said} these are like it:"))
    rows = [(one.item_id, f"{one.cosine:.2f}", one.shows or "unsure") for one in found]
    print_rows(("item", "cosine", "shows"), rows)

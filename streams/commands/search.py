"""``offerstream search``: what a query finds."""

from __future__ import annotations

import json

import click
import msgspec

from streams.commands.common import BROKER, JSON, TEXT
from streams.compacted import newest
from streams.records.words import printable
from streams.search.answering import CANDIDATES, Searcher
from streams.search.index import Index
from streams.search_book import BOARD
from streams.settings import Settings
from streams.terminal import print_rows


@click.command()
@click.argument("query", type=TEXT)
@click.option("-n", "most", type=click.IntRange(1, CANDIDATES), default=10, show_default=True, help="How many items.")
@BROKER
@JSON
def search(query: str, most: int, broker: str | None, as_json: bool) -> None:
    """Print which items of the catalogue a QUERY finds, as workers rank them for nobody in particular.

    Reads what is listed from Kafka and makes an index of it, some 0.2 ms an item; a worker has its own, and answers at
    once on GET /search. Exit code 1 where nothing is found.
    """
    settings = Settings.from_environment(broker=broker)
    index = Index()
    for item, said in newest(settings.access, BOARD).drain_all():
        if said is not None:
            index.put(item, said)
    found = Searcher(index).answer(query, most)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        if found.items:
            rows = [(i.item_id, f"{i.score:.2f}", i.title) for i in found.items]
            print_rows(("item", "score", "title"), [tuple(map(printable, row)) for row in rows])
        about = [] if found.corrected is None else [f"read as {found.corrected!r}"]
        about += [f"no item says it together with the rest: {', '.join(found.dropped)}"] if found.dropped else []
        about += [] if found.items else [f"{len(index)} items are listed, and none is like it"]
        for line in about:
            click.echo(printable(line))
    if not found.items:
        raise SystemExit(1)

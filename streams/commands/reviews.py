"""``offerstream reviews``: what reviews say of an item."""

from __future__ import annotations

import json

import click
import msgspec

from streams.access import Access
from streams.admin import TopicError
from streams.commands.common import BROKER, JSON, TEXT
from streams.outside.reading import Reader
from streams.processing.partitioning import WORKERS, homes
from streams.records.reviewed import Quote, ReviewsTold
from streams.records.words import printable
from streams.settings import Settings
from streams.terminal import print_rows
from streams.topics import REVIEWED


class NoReviews(RuntimeError):
    """Of the item that is asked about no review is known."""

    exit_code = 1


def newest(kafka: Access, item: str) -> ReviewsTold:
    """What ``items.reviewed.v1`` says of an item now. Raises ``NoReviews``, ``TopicError`` and ``Unreachable``."""
    with Reader(kafka) as reader:
        if not reader.exists(REVIEWED.name):
            raise TopicError(f"{REVIEWED.name} does not exist: offerstream topics create makes it, a worker fills it.")
        (home,) = homes([item.encode()], WORKERS, reader.partitions(REVIEWED.name)).tolist()
        found = reader.newest(
            [(REVIEWED.name, home)], lambda one: one.key == item.encode() and one.value is not None, least=4096
        )
    if not found:
        raise NoReviews(f"No review of {item} is known: none came in catalog.reviews.v1 that a worker has read.")
    return msgspec.json.decode(found[-1].value or b"", type=ReviewsTold)


@click.command()
@click.argument("item", type=TEXT)
@BROKER
@JSON
def reviews(item: str, broker: str | None, as_json: bool) -> None:
    """Print what reviews of about a year say of an item: a summary, and of each aspect how many praise and criticise
    it, with the most helpful words of either.

    As items.reviewed.v1 has it now. Exit code 1 where no review of it is known.
    """
    told = newest(Settings.from_environment(broker=broker).access, item)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(told), indent=2, ensure_ascii=False))
        return
    for text in told.summaries.values():
        click.echo(printable(text))
    stars = f"{told.rating:.2f} stars, between {told.rating_low:.2f} and {told.rating_high:.2f} (95%)"
    click.echo(f"{stars}, of {told.reviews:,} review{'s' if told.reviews > 1 else ''}.")
    for task, why in told.newest.unjudged.items():
        click.echo(f"{task} does not judge the newest: {'it has no text' if why == 'record' else f'not {why}'}.")
    if told.aspects:
        rows = [
            (each.aspect, f"{each.praise:,}", f"{each.criticise:,}", printable("  ".join(map(shown, each.quotes))))
            for each in told.aspects
        ]
        print_rows(("aspect", "praise", "criticise", "in their words"), rows)


def shown(quote: Quote) -> str:
    """A quote in a line.

    >>> shown(Quote(text="so soft", language="en", praises=True, stars=5, day="2026-01-05"))
    '+ “so soft” (5 stars, 2026-01-05)'
    """
    return f"{'+' if quote.praises else '-'} “{quote.text}” ({quote.stars} stars, {quote.day})"

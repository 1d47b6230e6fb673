"""What it costs to enrich an item with every task that comes with the package: ``python -m streams.bench.items``.

Listings and reviews of the demo's samples through one partition of items, those of one item alone in their slice,
which is the dearest there is, and of 32 items together: decoding records and pictures, folding, every model that is
asked, what is decided, and encoding what is said. CPU milliseconds per item, of all threads. A listing has the title of
one sample, the attributes of another, the words of a review for a description and the photo of a third; ``--picture``
shows one of yours instead.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import click
import msgspec
import numpy as np

from models.store import Shelf
from streams.demo.samples import photos, samples
from streams.entities.item import ITEM
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.items import ItemChanged, ItemListed, ItemReviewed, encode_item_record
from streams.records.outcomes import encode_outcome
from streams.records.slices import Origin, Slice
from streams.terminal import print_rows

ROUNDS, TOGETHER, ITEMS = 5, 32, 96
AT_MS = 1_700_000_000_000
LISTINGS, REVIEWS = "catalog.items.v1", "catalog.reviews.v1"
Said: TypeAlias = ItemListed | ItemChanged | ItemReviewed


def kinds(pictures: Sequence[bytes]) -> dict[str, Callable[[int], list[Said]]]:
    """What is measured: name → the records of the n-th item."""
    said = list(samples(AT_MS))
    reviews = [each for each in said if isinstance(each, ItemReviewed) and each.text]
    titles = [each.title for each in said if isinstance(each, ItemListed) and each.title and not each.image]
    attributes = [each.attributes for each in said if isinstance(each, ItemListed) and each.brand]

    def listing(n: int, image: bytes | None) -> ItemListed:
        return ItemListed(
            event_id=f"l{n}", item_id=f"item-{n}", event_time=AT_MS + n, unit_price_cents=999,
            title=titles[n % len(titles)], description=reviews[n % len(reviews)].text,
            attributes=attributes[n % len(attributes)], image=image,
        )  # fmt: skip

    def review(n: int) -> ItemReviewed:
        one = reviews[n % len(reviews)]
        return msgspec.structs.replace(one, event_id=f"r{n}", item_id=f"item-{n}", event_time=AT_MS + n)

    def price(n: int) -> ItemChanged:
        return ItemChanged(event_id=f"p{n}", item_id=f"item-{n}", event_time=AT_MS + n, unit_price_cents=899)

    return {
        "a listing with words and a picture, and a review": lambda n: [
            listing(n, pictures[n % len(pictures)]),
            review(n),
        ],
        "a listing with words and a picture": lambda n: [listing(n, pictures[n % len(pictures)])],
        "a listing with words": lambda n: [listing(n, None)],
        "a review with words": lambda n: [review(n)],
        "a change of a price": lambda n: [price(n)],
    }


def slices(records: Sequence[Said], size: int) -> Iterator[Slice]:
    """As the items' log has them."""
    for start in range(0, len(records), size):
        some = records[start : start + size]
        offsets = range(start, start + len(some))
        topics = [REVIEWS if isinstance(each, ItemReviewed) else LISTINGS for each in some]
        yield Slice(
            ITEM.log, 0, offsets, [AT_MS] * len(some), [each.item_id.encode() for each in some],
            [encode_item_record(each) for each in some],
            [Origin(topic, 0, n, AT_MS) for topic, n in zip(topics, offsets, strict=True)],
        )  # fmt: skip


def measure(items: Sequence[list[Said]], together: int, shelf: Shelf) -> tuple[list[float], set[str]]:
    """CPU milliseconds per item of each slice of so many, and which tasks answered."""
    processor = PartitionProcessor(ITEM, 0, Rules(), shelf, partitions=1)
    spent, asked = [], set[str]()
    for slice_ in slices([*itertools.chain.from_iterable(items)], together * len(items[0])):
        began = time.process_time()
        result = processor.apply(slice_)
        for outcome in result.outcomes:
            encode_outcome(outcome)
        spent.append((time.process_time() - began) / together * 1e3)
        asked |= {each.models[0].task for each in result.scores if each.judged.any()}
    return spent, asked


@click.command()
@click.option(
    "--picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Shown instead of the samples'."
)
def main(picture: Path | None) -> None:
    """Measure and print."""
    shown = [picture.read_bytes()] if picture else list(photos().values())
    shelf, rows = Shelf(), []
    for name, records in kinds(shown).items():
        items = [records(n) for n in range(ITEMS)]
        measure(items, TOGETHER, shelf)  # the first answers of models take longer
        alone, asked = zip(*(measure(items, 1, shelf) for _ in range(ROUNDS)), strict=True)
        batched = [statistics.mean(measure(items, TOGETHER, shelf)[0]) for _ in range(ROUNDS)]
        every = list(itertools.chain.from_iterable(alone))
        costs = (statistics.median(every), float(np.quantile(every, 0.95)), statistics.median(batched))
        rows.append((name, *(f"{cost:.1f}" for cost in costs), ", ".join(sorted(asked[0])) or "none"))
    click.echo(f"CPU milliseconds per item, {ITEMS} items, {ROUNDS} rounds; pictures of some {len(shown[0]):,} bytes.")
    print_rows(("", "alone, median", "95 of 100 within", f"{TOGETHER} together", "asked"), rows)


if __name__ == "__main__":
    main()

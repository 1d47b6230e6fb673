"""Prices to test afterwards: the five that are expected to bring most, and why; costs are assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from streams.demo import of_run
from streams.outside.price_book import PriceBook, gain_of
from streams.outside.reading import Place, Reader
from streams.records.prices import PriceSuggested
from streams.records.words import about
from streams.topics import PRICES_SUGGESTED
from training.datasets.complete_journey_items import Items

SHOWN = 5
#: The data say no cost: so much of an item's usual price is taken to be left over.
ASSUMED_MARGIN = 0.30


def best(reader: Reader, starts: Mapping[Place, int], items: Items) -> dict[str, Any]:
    """Of the newest word on each item since ``starts``: the best suggestions, and how often each reason was given."""
    decode, book = msgspec.json.Decoder(PriceSuggested).decode, PriceBook()
    for record in of_run.records(reader, starts, PRICES_SUGGESTED):
        if record.value is not None:
            book.suggest(decode(record.value))
    return summary(book, items)


def summary(book: PriceBook, items: Items) -> dict[str, Any]:
    """The same of a book."""
    found = book.best()[:SHOWN]
    titles = {product.item_id: product.title for product in items.products(one.item_id for one in found)}
    return {
        "assumed_margin": ASSUMED_MARGIN,
        "why": dict(Counter(one.why for one in book.suggested.values())),
        "best": [
            {
                "item_id": one.item_id,
                "title": titles.get(one.item_id) or f"item {one.item_id}",
                "from_cents": one.from_cents,
                "to_cents": one.to_cents,
                "more_a_week_cents": gain_of(one),
                "in_words": about(one),
            }
            for one in found
        ],
    }

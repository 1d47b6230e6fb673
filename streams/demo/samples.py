"""SAMPLES beside the households' real shop, so that models of words have something to read: ten listings of PriceRunner
(CC BY 4.0), of merchants that taught nothing, four of Icecat (Open Content License) that taught nothing, with their
attributes and without their texts, and reviews of women's clothes (CC0) that taught nothing; so that the
model of pictures has something to look at, 22 photos of Grocery Store (MIT, © 2019 Marcus Klasson), two of every eighth
kind, of those that taught nothing.

They are real, but of other shops: their items are called ``sample-…`` and nobody buys them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import msgspec

from streams.records.items import ItemListed, ItemReviewed

#: Items that the demo shows: a listing, one with reviews, one with a picture, and one with attributes.
LISTING, REVIEWED, PICTURED = "sample-pr-22228", "sample-wc-1078", "sample-gs-Lemon_001"
DESCRIBED = "sample-ic-1979205"
FILES = ("samples.jsonl", "pictures.jsonl")


def samples(at_ms: int) -> Iterator[ItemListed | ItemReviewed]:
    """All of them, listings first, as of one time."""
    lines = [line for name in FILES for line in (files("streams.demo") / name).read_text("utf-8").splitlines()]
    found: list[dict[str, Any]] = [
        json.loads(line) | {"event_id": f"sample-{n}", "event_time": at_ms} for n, line in enumerate(lines)
    ]
    for record in sorted(found, key=lambda each: str(each["type"])):
        yield msgspec.convert(record, ItemListed | ItemReviewed)


def photos() -> dict[str, bytes]:
    """The JPEG of each sample that has a picture, by item."""
    return {each.item_id: each.image for each in samples(0) if isinstance(each, ItemListed) and each.image}

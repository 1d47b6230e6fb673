"""SAMPLES beside the households' real shop, so that models of words have something to read: ten listings of PriceRunner
(CC BY 4.0), of merchants that taught nothing, four of Icecat (Open Content License) that taught nothing, with their
attributes and without their texts, and reviews of women's clothes (CC0) that taught nothing; so that the
model of pictures has something to look at, 22 photos of Grocery Store (MIT, © 2019 Marcus Klasson), two of every eighth
kind, of those that taught nothing.

They are real, but of other shops: their items are called ``sample-…`` and nobody buys them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any
from xml.etree.ElementTree import Element

import msgspec

from streams.pages.markup import tag
from streams.records.items import ItemListed, ItemReviewed

#: Items that the demo shows: a listing, one with reviews, one with a picture, and one with attributes.
LISTING, REVIEWED, PICTURED = "sample-pr-22228", "sample-wc-1078", "sample-gs-Lemon_001"
DESCRIBED = "sample-ic-1979205"
#: Those that it shows before and after.
SHOWN = (LISTING, REVIEWED, DESCRIBED, PICTURED, "sample-gs-Orange_001")
FILES = ("samples.jsonl", "pictures.jsonl")


def samples(at_ms: int) -> Iterator[ItemListed | ItemReviewed]:
    """All of them, listings first, as of one time."""
    lines = [line for name in FILES for line in (files("streams.demo") / name).read_text("utf-8").splitlines()]
    found: list[dict[str, Any]] = [
        json.loads(line) | {"event_id": f"sample-{n}", "event_time": at_ms} for n, line in enumerate(lines)
    ]
    for record in sorted(found, key=lambda each: str(each["type"])):
        yield msgspec.convert(record, ItemListed | ItemReviewed)


def photo(item: str) -> Element | None:
    """The picture of a sample, as it stands in a page itself; None of an item without one."""
    held = photos().get(item)
    if held is None:
        return None
    source = f"data:image/jpeg;base64,{base64.b64encode(held).decode()}"
    return tag("img", src=source, alt=item, width=96, height=96)


@cache
def photos() -> dict[str, bytes]:
    """The JPEG of each sample that has a picture, by item."""
    return {each.item_id: each.image for each in samples(0) if isinstance(each, ItemListed) and each.image}

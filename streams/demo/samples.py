"""SAMPLES beside the households' real shop, so that models of words have something to read: ten listings of PriceRunner
(CC BY 4.0), of merchants that taught nothing, and reviews of women's clothes (CC0) that taught nothing.

They are real, but of other shops: their items are called ``sample-…`` and nobody buys them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import msgspec

from streams.records.items import ItemListed, ItemReviewed

#: Items that the demo shows: a listing, and one with reviews.
LISTING, REVIEWED = "sample-pr-22228", "sample-wc-1078"


def samples(at_ms: int) -> Iterator[ItemListed | ItemReviewed]:
    """All of them, listings first, as of one time."""
    lines = (files("streams.demo") / "samples.jsonl").read_text("utf-8").splitlines()
    found: list[dict[str, Any]] = [
        json.loads(line) | {"event_id": f"sample-{n}", "event_time": at_ms} for n, line in enumerate(lines)
    ]
    for record in sorted(found, key=lambda each: str(each["type"])):
        yield msgspec.convert(record, ItemListed | ItemReviewed)

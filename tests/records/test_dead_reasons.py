"""The reasons of dead letters: one catalogue for code, docs and commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from streams.entities.shopper import SHOPPER
from streams.processing.decode import decode
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.dead_reasons import DEAD_REASONS
from tests.shoppers import APPENDED, NOON, Log, identified, log_of, slice_of, viewed

VIEW: dict[str, Any] = msgspec.to_builtins(viewed("shopper-1")) | {"type": "item_viewed"}
TOO_MUCH = {"item_id": "a", "quantity": 100_000, "unit_price_cents": 10**10}
#: reason → a record of partition 2 of 4 that ends so
EXAMPLES: dict[str, bytes | None] = {
    "empty": None,
    "too_large": b"x" * 300_000,
    "not_json": b"junk",
    "invalid": b"{}",
    "event_time_too_old": json.dumps(VIEW | {"event_time": 0}).encode(),
    "event_time_in_future": json.dumps(VIEW | {"event_time": 2 * APPENDED}).encode(),
    "key_mismatch": json.dumps(VIEW | {"shopper_id": "other"}).encode(),
    "foreign_currency": json.dumps(VIEW | {"currency": "EUR"}).encode(),
    "identified_as_itself": json.dumps(VIEW | {"type": "shopper_identified", "identified_as": "shopper-1"}).encode(),
    "order_too_large": json.dumps(VIEW | {"type": "order_placed", "order_id": "o", "lines": [TOO_MUCH]}).encode(),
}


def test_every_reason_is_in_the_catalogue_and_comes_about() -> None:
    log: Log = [(b"shopper-1", value) for value in EXAMPLES.values()]
    told = [dead.reason for dead in decode(slice_of(log, partition=2), Rules().decode, 4).dead]
    assert told == list(EXAMPLES)
    elsewhere = decode(slice_of(log_of(viewed("shopper-1")), partition=0), Rules().decode, 4).dead
    twice = [identified("shopper-1", who, NOON, who) for who in ("ann", "bob")]
    before = PartitionProcessor(SHOPPER, 2, Rules(), partitions=4).apply(slice_of(log_of(*twice), partition=2)).dead
    assert {*told, *(dead.reason for dead in (*elsewhere, *before))} == DEAD_REASONS.keys()


def test_operating_md_has_the_catalogue() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    table = [f"| `{name}` | {reason.meaning} | {reason.fix} |" for name, reason in DEAD_REASONS.items()]
    assert "\n".join(table) in text

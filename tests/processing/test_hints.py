"""What a dead letter says to whoever produced the record."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.processing import hints
from streams.processing.decode import decode
from streams.processing.rules import DecodeRules
from streams.records.outcomes import DeadLetter
from tests.shoppers import APPENDED, NOON, ordered, slice_of, viewed

RULES = DecodeRules()
VIEW: dict[str, Any] = msgspec.to_builtins(viewed()) | {"type": "item_viewed"}
ORDER: dict[str, Any] = msgspec.to_builtins(ordered()) | {"type": "order_placed"}


def letter(record: Any) -> DeadLetter:
    value = record if isinstance(record, bytes) else json.dumps(record).encode()
    (dead,) = decode(slice_of([(b"s1", value)]), RULES).dead
    return dead


def without(name: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in VIEW.items() if key != name} | more


@pytest.mark.parametrize(
    ("record", "reason", "field", "says"),
    [
        (VIEW | {"event_time": 1795621357}, "event_time_too_old", "event_time",
         "1795621357 ms is before 1990: seconds instead of milliseconds?"),
        (VIEW | {"event_time": 0}, "event_time_too_old", "event_time", "is the producer's clock set?"),
        (VIEW | {"event_time": APPENDED + 7_200_000}, "event_time_in_future", "event_time",
         "About 2 h ahead: local time sent as UTC?"),
        (VIEW | {"event_time": NOON * 1000}, "invalid", "event_time", "Microseconds instead of milliseconds?"),
        (VIEW | {"event_time": 1.7e9}, "invalid", "event_time", "integer in milliseconds: 1700000000000."),
        (VIEW | {"event_time": "2023-11-14T22:13:20"}, "invalid", "event_time", "such as 2023-11-14T22:13:20Z"),
        (VIEW | {"event_time": str(NOON)}, "invalid", "event_time", "1700000000000, without quotes"),
        (VIEW | {"unit_price_cents": 12.99}, "invalid", "unit_price_cents",
         "unit_price_cents is integer cents: 12.99 dollars are 1299."),
        (VIEW | {"unit_price_cents": 12.99, "currency": "EUR"}, "invalid", "unit_price_cents", "12.99 EUR are 1299."),
        (VIEW | {"unit_price_cents": 12.0}, "invalid", "unit_price_cents", "12, or 1200 if these are USD."),
        (VIEW | {"unit_price_cents": "12.99"}, "invalid", "unit_price_cents", "12.99 are 1299."),
        (VIEW | {"currency": "usd"}, "invalid", "currency", "three capital letters, such as USD"),
        (VIEW | {"item_id": 17}, "invalid", "item_id", 'Send a string: "17", in quotes.'),
        (VIEW | {"type": "ItemViewed"}, "invalid", "type", "Did you mean item_viewed?"),
        (VIEW | {"type": "itemViewed"}, "invalid", "type", "Did you mean item_viewed?"),
        (VIEW | {"type": "view_item"}, "invalid", "type", "Did you mean item_viewed?"),
        (VIEW | {"type": "purchase"}, "invalid", "type", "Did you mean order_placed?"),
        (VIEW | {"type": "teleported"}, "invalid", "type", "There are: item_viewed, cart_item_added, "),
        (without("type", eventType="item_viewed"), "invalid", "type", "There is `eventType`: did you mean `type`?"),
        (without("item_id", itemId="i"), "invalid", "item_id", "There is `itemId`: did you mean `item_id`?"),
        (without("item_id"), "invalid", "item_id", "The item, as the shop's catalogue names it."),
        (ORDER | {"lines": [{"item_id": "i", "unit_price_cents": 1}]}, "invalid", "lines[0].quantity", "Units of the"),
        (ORDER | {"lines": [{"item_id": "i", "quantity": "3", "unit_price_cents": 1}]}, "invalid",
         "lines[0].quantity", "Send a number: 3, without quotes."),
        ([VIEW], "invalid", None, "send each of the list by itself"),
        (json.dumps(VIEW).encode("utf-8-sig"), "not_json", None, "UTF-8 byte order mark"),
        (json.dumps(VIEW).encode("utf-16"), "not_json", None, "UTF-16"),
        (json.dumps(VIEW).encode("utf-16-le"), "not_json", None, "UTF-16"),
        (json.dumps(VIEW).encode("utf-16-be"), "not_json", None, "UTF-16"),
        (b"\x1f\x8b\x08\x00", "not_json", None, "gzip"),
        (b"\0\0\0\0\x07\x02s1", "not_json", None, "schema registry"),
        (str(VIEW).encode(), "not_json", None, "json.dumps"),
        (b'{"dwell_seconds": NaN}', "not_json", None, "no NaN"),
    ],
)  # fmt: skip
def test_a_dead_letter_says_what_was_meant(record: Any, reason: str, field: str | None, says: str) -> None:
    dead = letter(record)
    assert (dead.reason, dead.field) == (reason, field)
    assert says in dead.detail


def test_a_detail_is_short_however_long_the_value() -> None:
    assert len(letter(VIEW | {"type": "x" * 100_000}).detail) < 700
    assert len(letter(without("item_id", **{"item_id" + "_" * 100_000: 1})).detail) < 700


#: Stands for a number of more digits than Python writes.
ENDLESS = "9" * 5000
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from([10**15, 10**400, -(10**400), ENDLESS, 1e308, "9" * 20, "1.23", "2023-11-14T22:13:20"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)  # fmt: skip


def encode(value: Any) -> str:
    """JSON; ``ENDLESS`` as a number."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{encode(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    return value if value == ENDLESS else json.dumps(value)


@settings(max_examples=300)
@given(data=st.data())
def test_no_record_is_too_strange_to_be_explained(data: st.DataObject) -> None:
    """A hint that raises would stop the worker."""
    good = data.draw(st.sampled_from([VIEW, ORDER]))
    record = good | {data.draw(st.sampled_from([*good, "currency", "dwell_seconds"])): data.draw(ANYTHING)}
    if "lines" in good and data.draw(st.booleans()):
        record["lines"] = [
            good["lines"][0] | {data.draw(st.sampled_from(["quantity", "item_id"])): data.draw(ANYTHING)}
        ]
    value = encode(record).encode()
    decoded = decode(slice_of([(b"s1", value)]), RULES)
    assert len(decoded.dead) + len(decoded.batch) == 1
    hints.of_bytes(value)


def test_an_unknown_field_that_is_close_to_one_that_is_missing_is_named() -> None:
    assert hints.of_unknown_fields(VIEW | {"categry": "tea", "weather": "rain", "item_Id": "i"}) == [
        ("categry", "category", "Unknown field categry: did you mean category?")
    ]
    line = ORDER["lines"][0] | {"discountCents": 5}
    assert hints.of_unknown_fields(ORDER | {"lines": [line | {"discount_cents": 5}]}) == []
    del line["category"]
    assert hints.of_unknown_fields(ORDER | {"lines": [ORDER["lines"][0], line | {"Category": "x"}]}) == [
        ("lines[1].Category", "lines[1].category", "Unknown field Category: did you mean category?"),
        (
            "lines[1].discountCents",
            "lines[1].discount_cents",
            "Unknown field discountCents: did you mean discount_cents?",
        ),
    ]

"""Decoding: every record becomes columns or a dead letter."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.arrays import TYPE_CODE
from streams.processing.decode import MAX_ORIGINAL_BYTES, NO_TIME, Decoded, decode
from streams.processing.partition_records import HANDLING
from streams.processing.rules import DecodeRules
from streams.records import events as e
from streams.records.events import WorkerRecord
from tests.shoppers import APPENDED, NOON, carted, consented, log_of, ordered, slice_of, viewed

RULES = DecodeRules()


def test_an_order_becomes_its_total_and_a_touch_per_line() -> None:
    lines = [
        e.OrderLine(item_id="a", quantity=2, unit_price_cents=500, category="tea", discount_cents=100),
        e.OrderLine(item_id="b", quantity=1, unit_price_cents=2000),
    ]
    order = e.OrderPlaced(event_id="o", shopper_id="s", event_time=NOON, order_id="o", lines=lines, coupon_code="X")
    batch = decode(slice_of(log_of(order)), RULES).batch
    facts = [batch.facts[name][0] for name in ("cents", "discount_cents", "quantity", "flag")]
    assert facts == [2900, 100, 3, 1]
    assert batch.touches.cents.tolist() == [900, 2000]
    assert batch.facts["category"][0] == 0  # the dearest line has none


def test_each_event_keeps_its_place_and_its_code() -> None:
    log = log_of(viewed(event_id="1"), carted(event_id="2"), consented(event_id="3"))
    log.insert(1, (b"s1", b"junk"))
    decoded = decode(slice_of(log), RULES)
    assert decoded.batch.position.tolist() == [0, 2, 3]
    assert decoded.batch.type.tolist() == [
        TYPE_CODE[e.ItemViewed],
        TYPE_CODE[e.CartItemAdded],
        TYPE_CODE[e.ConsentChanged],
    ]
    assert decoded.clock_ms.tolist() == [NOON, NO_TIME, NOON, NOON]
    assert decoded.dead[0].reason == "not_json"


def test_what_workers_write_is_handled_by_one_table() -> None:
    """What is not in it is an event of somebody, or a tick."""
    assert set(get_args(WorkerRecord)) - {e.ClockTicked} == set(HANDLING)
    lists = {handling.goes_to for handling in HANDLING.values()} - {"events"}
    assert lists <= {each.name for each in fields(Decoded)}


def test_a_tick_moves_the_clock_and_is_no_event() -> None:
    decoded = decode(slice_of(log_of(e.ClockTicked(event_time=NOON))), RULES)
    assert (decoded.ticks, len(decoded.batch), decoded.clock_ms[0]) == (1, 0, NOON)


def test_unknown_fields_are_no_error() -> None:
    value = msgspec.json.encode(msgspec.to_builtins(viewed()) | {"colour_of_the_sky": {"r": 1}, "type": "item_viewed"})
    assert len(decode(slice_of([(b"s1", value)]), RULES).batch) == 1


def test_an_order_that_would_overflow_the_sums_is_refused() -> None:
    line = e.OrderLine(item_id="a", quantity=e.MAX_QUANTITY, unit_price_cents=e.MAX_CENTS)
    order = e.OrderPlaced(event_id="o", shopper_id="s", event_time=NOON, order_id="o", lines=[line])
    decoded = decode(slice_of(log_of(order, viewed("s", event_id="v"))), RULES)
    assert [d.reason for d in decoded.dead] == ["order_too_large"]
    assert decoded.batch.touches.event.tolist() == [0]


def test_a_dead_letter_fits_into_its_topic_whatever_its_original() -> None:
    huge = b"x" * (MAX_ORIGINAL_BYTES + 1)
    for record in ((b"s", huge), (huge, b"junk")):
        (dead,) = decode(slice_of([record]), RULES).dead
        assert (dead.original_key, dead.original) == (None, None)
        assert "sha256" in dead.detail
    assert decode(slice_of([(b"s", huge[:-10])]), RULES).dead[0].original == huge[:-10]


def test_an_event_minutes_ahead_of_its_append_time_is_refused() -> None:
    """It would make every honest event late."""
    ahead, near = viewed(at=APPENDED + 301_000), viewed(at=APPENDED + 299_000)
    assert [d.reason for d in decode(slice_of(log_of(ahead, near)), RULES).dead] == ["event_time_in_future"]


@settings(max_examples=200)
@given(
    log=st.lists(st.tuples(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=60)), max_size=20),
    partitions=st.sampled_from([None, 1, 4]),
)
def test_no_bytes_whatever_raise(log: list[tuple[bytes | None, bytes | None]], partitions: int | None) -> None:
    decoded = decode(slice_of(log), RULES, partitions)
    assert len(decoded.dead) + len(decoded.batch) + decoded.ticks == len(log)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**30), 10**30) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(data=st.data())
def test_any_field_may_hold_anything(data: st.DataObject) -> None:
    good = msgspec.to_builtins(data.draw(st.sampled_from([viewed(), ordered(), carted(), consented()])))
    good |= {data.draw(st.sampled_from(sorted(good))): data.draw(JSON)}
    value = msgspec.json.encode(good)
    decoded = decode(slice_of([(b"s1", value)]), RULES)
    assert len(decoded.dead) + len(decoded.batch) + decoded.ticks == 1
    assert np.isfinite(decoded.batch.facts["cents"]).all()

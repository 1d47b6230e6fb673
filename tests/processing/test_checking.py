"""Checking a file says what the worker would do, and all that is wrong with a record."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.checking import FIXES, WORKERS_OWN, Checker, Finding
from streams.processing.decode import decode
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import homes
from streams.processing.rules import DecodeRules, Rules
from streams.records.events import ClockTicked, encode_event
from streams.records.items import SourceIdle, encode_item_record
from streams.records.produced import key_of
from tests.features.files import picture, quarters, tone, wav
from tests.items import PARTITIONS, catalogue, item_logs, item_slices
from tests.processing.test_hints import ANYTHING, ORDER, VIEW, encode
from tests.shoppers import APPENDED, DAY, NOON, log_of, random_history, slice_of, viewed

Numbered = list[tuple[int, bytes]]


def numbered(*records: Any) -> Numbered:
    values = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    return list(enumerate(values, start=1))


def checked(*records: Any, rules: Rules | None = None) -> list[Finding]:
    return Checker(rules or Rules(), 4).check(numbered(*records), APPENDED)


def said(found: list[Finding]) -> list[tuple[int, str, str | None]]:
    return [(f.line, f.reason, f.field) for f in found]


def test_every_fault_of_a_record_is_told() -> None:
    view = {"type": "ItemViewed", "event_id": "e", "shopper_id": "", "event_time": 1_700_000_000, "item_id": 4}
    lines = [{"item_id": "a"}, {"item_id": "b", "quantity": 0, "unit_price_cents": "1"}, 7]
    order = {"type": "order_placed", "shopper_id": "s", "event_time": NOON, "order_id": "o", "lines": lines}
    found = checked(view | {"currency": "EUR"}, order)
    assert sorted(said(found)) == sorted(
        [
            (1, "invalid", "type"),
            (1, "invalid", "shopper_id"),
            (1, "invalid", "item_id"),
            (1, "event_time_too_old", "event_time"),
            (1, "foreign_currency", "currency"),
            (2, "invalid", "lines[0].quantity"),
            (2, "invalid", "lines[0].unit_price_cents"),
            (2, "invalid", "lines[1].quantity"),
            (2, "invalid", "lines[1].unit_price_cents"),
            (2, "invalid", "lines[2]"),
            (2, "invalid", "event_id"),
        ]
    )


def test_of_an_unknown_type_what_every_event_carries_is_checked() -> None:
    found = checked({"type": "teleported", "event_id": 7, "event_time": NOON})
    assert said(found) == [(1, "invalid", "type"), (1, "invalid", "event_id"), (1, "invalid", "shopper_id")]


def test_a_large_record_is_read_all_the_same_and_an_order_of_too_much_is_told() -> None:
    large = checked(VIEW | {"session_id": 5, "note": "x" * 300_000})
    assert said(large) == [(1, "too_large", None), (1, "invalid", "session_id"), (1, "unread_field", "note")]
    cut = b'{"image":"' + b"x" * 13_000_000 + b'","type":"item_listed","item_id":"tea","title":'
    (told,) = Checker(Rules(), 1).check([(1, cut)], APPENDED)
    assert told.reason == "too_large"
    assert told.detail.startswith(f"At least {len(cut)} bytes; at most 8388608 are read.")
    line = {"item_id": "a", "quantity": 100_000, "unit_price_cents": 10**10}
    assert said(checked(ORDER | {"lines": [line], "currency": "EUR"})) == [
        (1, "foreign_currency", "currency"),
        (1, "order_too_large", "lines"),
    ]


def test_records_of_workers_are_not_for_files() -> None:
    assert said(checked(encode_event(ClockTicked(event_time=NOON)))) == [(1, WORKERS_OWN, "type")]


def test_duplicates_and_late_events_are_warnings_across_blocks() -> None:
    checker = Checker(Rules(), 4)
    first = [viewed("s1", NOON, "e1"), viewed("s1", NOON + DAY, "e2"), viewed("s1", NOON, "e3")]
    second = [viewed("s1", NOON + DAY, "e2"), viewed("s1", NOON, "e4"), viewed("s1", NOON + DAY, "e5")]
    found = []
    for start, events in ((1, first), (4, second)):
        found += checker.check([(start + i, encode_event(e)) for i, e in enumerate(events)], APPENDED)
    assert said(found) == [(3, "late", "event_time"), (4, "duplicate", "event_id"), (5, "late", "event_time")]
    assert (checker.tally.good, checker.tally.bad) == (6, 0)
    assert checker.tally.warnings == {"late": 2, "duplicate": 1}


def test_a_misspelt_field_is_a_warning_once() -> None:
    optional, needed = VIEW | {"categry": "tea"}, {k: v for k, v in VIEW.items() if k != "item_id"} | {"itemId": "i"}
    assert said(checked(optional, needed | {"event_id": "e9"})) == [
        (1, "unknown_field", "categry"),
        (2, "invalid", "item_id"),
    ]


LISTED = {"type": "item_listed", "event_time": NOON, "item_id": "i", "event_id": "l"}


def test_every_field_at_fault_is_said_once_by_its_name_and_with_what_to_send() -> None:
    attributes = {"weight": 100, "colour": "red", "organic": True, "sizes": ["s", "m"], "a.b": 5}
    found = checked(LISTED | {"attributes": attributes}, LISTED | {"category_path": "Tea > Green", "event_id": "m"})
    assert said(found) == [
        (1, "invalid", "attributes.weight"),
        (1, "invalid", "attributes.organic"),
        (1, "invalid", "attributes.sizes"),
        (1, "invalid", "attributes[...]"),
        (2, "invalid", "category_path"),
    ]
    assert 'Put it in quotes: "100".' in found[0].detail
    assert 'Put it in quotes: "true".' in found[1].detail
    assert 'such as "red, blue"' in found[2].detail
    assert 'Use a list, from the widest to the narrowest: ["Tea","Green"].' in found[4].detail


@pytest.mark.parametrize(
    "value",
    [
        b'{"type":"item_listed","event_id":"l","item_id":"a","event_time":1,"attributes":{"w":1},',
        b'{"type":"item_listed","event_id":"l","item_id":"a","attributes":{"w":1},"title":"\xff"}',
        b'{"type":"item_listed","event_id":"l","item_id":"a","attributes":{"w":1},"attributes":null}',
        b'{"type":"item_listed","event_id":"l","item_id":"a","attributes":{"' + b"w" * 3000 + b'":1}}',
    ],
)
def test_a_record_that_is_broken_behind_a_wrong_attribute_is_a_dead_letter(value: bytes) -> None:
    """The schema stops at the attribute; what looks for its name reads on."""
    decoded = decode(slice_of([(b"a", value)]), DecodeRules(), wire=ITEM.wire)
    (dead,) = decoded.dead
    assert dead.reason in ("invalid", "not_json")


def test_prices_that_are_seldom_meant_and_fields_that_nobody_reads_are_warnings() -> None:
    line = {"item_id": "i", "quantity": 1, "unit_price_cents": 0, "gift": True}
    order = {"type": "order_placed", "event_id": "o", "shopper_id": "s", "event_time": NOON, "order_id": "o"}
    found = checked(
        LISTED | {"unit_price_cents": 100, "unit_cost_cents": 120},
        LISTED | {"unit_price_cents": 0, "event_id": "m"},
        LISTED | {"unit_price_cents": 120, "unit_cost_cents": 120, "event_id": "n", "shelf": 7},
        LISTED | {"event_id": "k", "shelf": 7},  # said once
        order | {"lines": [line, line | {"item_id": "j"}]},
    )
    assert said(found) == [
        (1, "doubtful_price", "unit_cost_cents"),
        (2, "doubtful_price", "unit_price_cents"),
        (3, "unread_field", "shelf"),
        (5, "unread_field", "lines[0].gift"),
        (5, "doubtful_price", "lines[0].unit_price_cents"),
        (5, "doubtful_price", "lines[1].unit_price_cents"),
    ]
    assert {f.severity for f in found} == {"warning"}


def test_a_picture_or_sound_that_cannot_be_read_is_a_warning_that_says_why() -> None:
    base = {"type": "item_listed", "event_time": NOON, "item_id": "i"}
    good = base | {"event_id": "l1", "image": b64(picture(quarters())), "audio": b64(wav(tone(500)))}
    bad = base | {"event_id": "l2", "image": b64(picture(quarters())[:-40]), "audio": b64(b"RIFF")}
    found = checked(good, bad, base | {"event_id": "l3", "image": "no base64!"})
    assert said(found) == [(2, "unreadable", "image"), (2, "unreadable", "audio"), (3, "invalid", "image")]
    assert [f.severity for f in found] == ["warning", "warning", "error"]
    assert "cut off" in found[0].detail
    assert "does not begin as RIFF" in found[1].detail


def b64(content: bytes) -> str:
    """As JSON carries it."""
    return base64.b64encode(content).decode()


def test_every_finding_has_a_fix() -> None:
    found = checked(
        b"junk", VIEW | {"currency": "EUR"}, VIEW | {"categry": "x"}, encode_event(ClockTicked(event_time=1))
    )
    assert all(f.fix for f in found)
    assert {f.reason for f in found} <= FIXES.keys()


@pytest.mark.parametrize("seed", range(3))
def test_the_verdicts_are_those_of_the_worker(seed: int) -> None:
    """Records by fate, and the very lines that end as dead letters or late events, in the partitions they go to."""
    rng = random.Random(seed)
    values = [value for _, value in random_history(seed, 3000, 60) if value is not None]
    for junk in (b"junk", b"{}", b"[1]", *(v.replace(b'"event_time":1', b'"event_time":"') for v in values[:20])):
        values.insert(rng.randrange(len(values)), junk)
    lines = list(enumerate(values, start=1))
    checker = Checker(Rules(), 4)
    found = []
    for a in range(0, len(lines), 700):
        found += checker.check(lines[a : a + 700], APPENDED)
    keys = [key_of(value) for value in values]
    home = homes(keys, "murmur2", 4).tolist()
    fates: Counter[str] = Counter()
    dead, late = set(), set()
    for partition in range(4):
        mine = [i for i in range(len(values)) if home[i] == partition]
        processor = PartitionProcessor(SHOPPER, partition, Rules(), partitions=4)
        result = processor.apply(slice_of([(keys[i], values[i]) for i in mine], partition=partition))
        fates += result.fates
        dead |= {(mine[d.source_offset] + 1, d.reason, d.field, d.detail) for d in result.dead}
        late |= {mine[d.source_offset] + 1 for d in result.late}
    assert {f.line for f in found if f.reason == "late"} == late
    assert checker.tally.warnings == {"late": fates["late"], "duplicate": fates["duplicate"]}
    assert checker.tally.bad == fates["dead"] == len(dead)
    assert dead <= {(f.line, f.reason, f.field, f.detail) for f in found if f.severity == "error"}


@settings(max_examples=300)
@given(data=st.data())
def test_a_record_has_faults_where_decoding_refuses_it_and_the_first_is_the_same(data: st.DataObject) -> None:
    record = dict(data.draw(st.sampled_from([VIEW, ORDER])))
    for _ in range(data.draw(st.integers(1, 3))):
        record[data.draw(st.sampled_from([*record, "currency", "session_id"]))] = data.draw(ANYTHING)
    value = encode(record).encode()
    found = [f for f in Checker(Rules(), 1).check([(0, value)], APPENDED) if f.severity == "error"]
    dead = decode(slice_of([(key_of(value), value)]), DecodeRules()).dead
    assert [(d.reason, d.field, d.detail) for d in dead] == [(f.reason, f.field, f.detail) for f in found[:1]]
    assert len({f.field for f in found}) == len(found)


def test_what_is_repaired_as_told_passes() -> None:
    bad = VIEW | {"unit_price_cents": 12.99, "event_time": 1_700_000_000, "type": "ItemViewed"}
    assert {f.field for f in checked(bad)} == {"unit_price_cents", "event_time", "type"}
    assert not checked(bad | {"unit_price_cents": 1299, "event_time": NOON, "type": "item_viewed"})


def test_rules_are_those_of_the_settings() -> None:
    rules = Rules(decode=DecodeRules(currency="EUR", max_event_bytes=50))
    assert said(checked(VIEW | {"currency": "EUR"}, rules=rules)) == [(1, "too_large", None)]
    ((_, value),) = log_of(viewed())
    assert not checked(msgspec.json.decode(value or b""))


@pytest.mark.parametrize("seed", range(2))
def test_the_verdicts_on_records_of_items_are_those_of_the_worker(seed: int) -> None:
    """Beside events of shoppers in one file: each family by its own time."""
    told, rules = catalogue(seed, 20, 900), Rules()
    values = [encode_item_record(record) for _, record in told]  # type: ignore[arg-type]
    events = [value for _, value in random_history(seed, 300, 20) if value is not None]
    checker = Checker(rules, PARTITIONS)
    found = checker.check(list(enumerate([*values, *events], start=1)), APPENDED)
    found = [f for f in found if f.reason != "doubtful_price"]  # random ones
    assert {f.reason for f in found} <= {"late", "duplicate"}
    ours = [f for f in found if f.line <= len(values)]
    fates: Counter[str] = Counter()
    late = set()
    for partition, log in item_logs({}, told).items():
        processor = PartitionProcessor(ITEM, partition, rules, partitions=PARTITIONS)
        for slice_ in item_slices(log, partition, cuts=(50, 51, 200)):
            result = processor.apply(slice_)
            fates += result.fates
            late |= {each.original for each in result.late}
    assert Counter(f.reason for f in ours) == {"late": fates["late"], "duplicate": fates["duplicate"]}
    assert {values[f.line - 1] for f in ours if f.reason == "late"} == late


def test_records_of_items_are_checked_by_their_own_fields() -> None:
    count = {"type": "stock_counted", "event_id": "c", "item_id": "tea", "event_time": NOON}
    found = checked(count | {"on_hand": -1, "on_ordr": 3}, {**count, "type": "stock_count", "on_hand": "4"})
    assert [(f.line, f.severity, f.field) for f in found] == [
        (1, "error", "on_hand"), (1, "warning", "on_ordr"), (2, "error", "type"), (2, "error", "on_hand"),
    ]  # fmt: skip
    assert "Did you mean stock_counted?" in found[2].detail
    assert "has 0 to sell" in found[0].detail
    assert "Send a number: 4, without quotes." in found[3].detail
    assert said(checked(count | {"on_hand": 1, "currency": "EUR"})) == [(1, "foreign_currency", "currency")]
    assert said(checked(encode_item_record(SourceIdle(source_partition=0, sequence=0, event_time=NOON)))) == [
        (1, WORKERS_OWN, "type")
    ]

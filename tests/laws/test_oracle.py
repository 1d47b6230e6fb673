"""Every feature of every catalogue, recomputed from the whole list of records in plain Python: one oracle per kind.

A new feature needs no line here; a new kind needs a function in one of the files of oracles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.item import ITEM
from streams.features.days import Days
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records import items as i
from streams.records.events import decode_event
from tests.entities.test_items import alone
from tests.items import PARTITIONS, item_logs, item_slices, told
from tests.laws.item_oracles import ITEMS, CategoryOracle, told_of
from tests.laws.oracles import COMMON, Asked, Told
from tests.laws.shopper_oracles import SHOPPERS, refunds
from tests.laws.subjects import FloatRow, ItemHistory, Items, Shoppers, State, state_of
from tests.laws.test_features import in_time_order
from tests.shoppers import DAY, HOUR, NOON, log_of, ordered

ORACLES = {**COMMON, **SHOPPERS, **ITEMS}
ZONES = ("UTC", "Asia/Shanghai", "America/New_York")


def differences(asked: Asked, row: FloatRow) -> Iterable[tuple[str, object, object]]:
    """Which features of a row are not what they must be: address, ours, expected."""
    start = 0
    for address, feature in asked.features.items():
        ours = row[start : (start := start + feature.width)].tolist()
        expected = asked.part(address)
        if isinstance(expected, (int, float)):
            expected = [expected]
        if isinstance(expected, list):
            expected = pytest.approx(expected, rel=1e-5, abs=1e-6)
        else:
            ours = ours[0]
        if ours != expected:
            yield address, ours, expected


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), later=st.integers(0, 50 * DAY), zone=st.sampled_from(ZONES))
def test_every_feature_of_shoppers_equals_its_recomputation_over_all_events(seed: int, later: int, zone: str) -> None:
    subject = Shoppers()
    history = subject.history(seed)
    by_shopper: dict[str, Told] = {}
    for at, event in in_time_order(history):
        by_shopper.setdefault(event.shopper_id, []).append((at, event))
    state = state_of(subject.apply(history, (), Rules(time_zone=zone)))
    now = state.last_ms + later
    assert state.last_ms.tolist() == [by_shopper[key][-1][0] for key in state.keys]
    for key, at, row in zip(state.keys, now.tolist(), state.read(now), strict=True):
        mine = by_shopper[key]
        asked = Asked(mine, at, state.catalogue.features, ORACLES, zone, refunds=refunds(mine))
        assert not list(differences(asked, row)), key


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=1)
@given(seed=st.integers(0, 10**6), later=st.integers(0, 50 * DAY))
def test_every_feature_of_items_equals_its_recomputation_over_all_records(zone: str, seed: int, later: int) -> None:
    subject, rules = Items(), Rules(time_zone=zone)
    history = subject.history(seed)
    state = state_of(subject.apply(history, (), rules))
    assert set(state.keys) == set(told_of(history))
    check_items(history, state, later, category_units(history, rules))


def category_units(history: ItemHistory, rules: Rules) -> dict[str, dict[str, Any]]:
    """By item."""
    found: dict[str, dict[str, Any]] = {}
    for log in item_logs(told(history.logs, (), rules), history.said, history.mixed).values():
        oracle = CategoryOracle(rules.time_zone)
        oracle.apply(log)
        found |= oracle.held
    return found


def check_items(history: ItemHistory, state: State, later: int, units: dict[str, dict[str, Any]]) -> None:
    by_item, now, zone = told_of(history), state.last_ms + later, state.catalogue.time_zone
    for key, at, row in zip(state.keys, now.tolist(), state.read(now), strict=True):
        asked = Asked(by_item[key], at, state.catalogue.features, ORACLES, zone, held=units.get(key, {}))
        assert not list(differences(asked, row)), key


@st.composite
def said_of_one_item(draw: st.DrawFn) -> list[tuple[str, i.ItemRecord]]:
    """Much that catalogues say of an item within some weeks, much of it at the same moment."""
    found: list[tuple[int, str, i.ItemRecord]] = []
    weeks, size = draw(st.sampled_from((1, 15))), draw(st.sampled_from((1, 12, 90)))
    hours = draw(st.lists(st.integers(0, weeks * 168), min_size=1, max_size=40))
    records = st.tuples(st.sampled_from(hours), st.integers(0, HOUR - 1), st.integers(0, 9), st.integers(0, 40))
    for k, (hour, late, kind, n) in enumerate(draw(st.lists(records, min_size=size, max_size=size))):
        at = NOON + hour * HOUR
        base: dict[str, Any] = {"event_id": f"c{k}", "item_id": "tea", "event_time": at}
        record: i.ItemRecord = i.ItemReviewed(rating=n % 5 + 1, **base)
        if kind < 6:
            record = i.ItemChanged(
                unit_price_cents=(0, 100, 200, 300, n)[n % 5], unit_cost_cents=n if n % 3 else None, **base
            )
        elif kind < 9:
            record = i.StockCounted(on_hand=n % 3, on_order=n, location=str(n if n > 20 else n % 2), **base)
        found.append((at + late, "catalog.items.v1", record))
    return [(topic, record) for _, topic, record in sorted(found, key=lambda one: one[0])]


@settings(max_examples=60)
@given(said=said_of_one_item(), later=st.sampled_from((0, 1, HOUR, 29 * DAY, 89 * DAY)), zone=st.sampled_from(ZONES))
def test_whatever_catalogues_say_of_an_item(said: list[tuple[str, i.ItemRecord]], later: int, zone: str) -> None:
    history = ItemHistory({}, said, 0)
    state = state_of(Items().apply(history, range(0, 90, 7), Rules(time_zone=zone)))
    check_items(history, state, later, {})


@pytest.mark.parametrize("zone", [*ZONES, "Asia/Kolkata"])
def test_what_is_said_of_categories_is_what_was_ordered_each_day(zone: str) -> None:
    """Also where days begin at half past the hour, and to every partition of items."""
    subject, day_of = Items(), Days(zone).number
    logs = subject.history(2).logs
    plain: Counter[tuple[str, int]] = Counter()
    for log in logs.values():
        for _, value in log:
            event: Any = decode_event(value or b"")
            if isinstance(event, e.OrderPlaced):
                for line in event.lines:
                    plain[line.category or "", int(day_of(np.array([event.event_time]))[0])] += line.quantity
    for q in range(PARTITIONS):
        said: Counter[tuple[str, int]] = Counter()
        for by_item in told(logs, range(0, 400, 31), Rules(time_zone=zone)).values():
            for record in map(i.item_decoder.decode, by_item[q]):
                assert isinstance(record, i.ItemsTallied)
                day = int(day_of(np.array([record.sequence // i.PARTS * 60_000]))[0])
                for name, units in (record.categories or {}).items():
                    said[name, day] += units
        assert said == plain


@pytest.mark.parametrize("days", [1, 2, 28, 29, 30, 31])
def test_the_only_item_of_a_category_has_all_of_its_share(days: int) -> None:
    """However long ago it sold: its units and those of the category are of the same 30 days."""
    later = NOON + days * DAY
    log = log_of(
        ordered(at=NOON - HOUR, event_id="o1"), ordered(at=later, event_id="o2"),
        e.ClockTicked(event_time=later + 2 * DAY), e.ClockTicked(event_time=later + 3 * DAY),
    )  # fmt: skip
    q, records = alone(log, "i1")
    processor = PartitionProcessor(ITEM, q, Rules(), partitions=PARTITIONS)
    assert processor.apply(item_slices(records, q)[0]).due_kinds["day"] > 0
    row, at = processor.arena.rows.copy(processor.arena.find(["i1"])), (later // DAY + 1) * DAY
    read = ITEM.catalogue.read(row, np.array([at]), ("sales.units_30d", "listing.category_share"))
    assert read.tolist() == [[2 if days < 29 else 1, 1]]

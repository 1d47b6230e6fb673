"""On how many days there was none of an item, of counts that come in whatever order, at whatever time it is asked."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.item import ITEM
from streams.features.days import Days
from streams.features.kinds.stock import Stock
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.items import StockCounted
from streams.topics import STOCK
from tests.items import PARTITIONS, item_logs, item_slices
from tests.laws.item_oracles import stock
from tests.laws.oracles import Asked
from tests.shoppers import DAY, HOUR, NOON

ADDRESS = "stock.days_out_30d"
MINUTE = 60_000
MIDNIGHT = NOON // DAY * DAY


def counted(at: int, on_hand: int, location: str = "") -> StockCounted:
    return StockCounted(
        event_id=f"{location}-{at}-{on_hand}", item_id="tea", event_time=at, on_hand=on_hand, location=location
    )


def after(records: list[StockCounted], cuts: list[int] | None = None, rules: Rules | None = None) -> PartitionProcessor:
    """The partition of the item, with nothing kept but its stock."""
    log = item_logs({}, [(STOCK.name, record) for record in records])
    (q,) = (partition for partition, some in log.items() if some)
    processor = PartitionProcessor(
        ITEM,
        q,
        rules or Rules(),
        catalogue=ITEM.catalogue.covering((ADDRESS, "stock.on_hand")),
        collector=lambda _due, _features: None,
        room=1,
        partitions=PARTITIONS,
    )
    for slice_ in item_slices(log[q], q, cuts or ()):
        processor.apply(slice_)
    return processor


def read(processor: PartitionProcessor, now_ms: int, address: str = ADDRESS) -> float:
    row = processor.arena.rows.copy(processor.arena.find(["tea"]))
    return float(processor.catalogue.read(row, np.array([now_ms]), (address,))[0, 0])


@pytest.mark.parametrize(
    ("counts", "out"),
    [
        ([(0, 0, "")], 10),  # counted once, and none ever since
        ([(0, 5, "")], 0),
        ([(0, 5, ""), (2, 0, "")], 7),  # the day it ran out had some
        ([(0, 0, ""), (4, 3, "")], 4),
        ([(0, 0, ""), (4, 3, ""), (4, 0, "")], 9),  # for a moment
        ([(0, 0, "a"), (0, 8, "b")], 0),  # one of two locations is empty
        ([(0, 0, "a"), (3, 8, "b"), (6, 0, "b")], 6),
        ([(-60, 0, "")], 30),
        ([(-60, 0, ""), (-50, 1, ""), (-20, 0, "")], 29),
        ([(-60, 5, "a"), (-40, 0, "a"), (-45, 0, "b"), (8, 1, "b")], 28),
        ([(0, 5, ""), (5, 5, ""), (2, 0, "")], 2),  # told days later
        ([(0, 0, ""), (5, 0, ""), (2, 4, "")], 6),
    ],
)
def test_a_day_is_out_of_stock_when_there_was_none_anywhere_all_day(
    counts: list[tuple[int, int, str]], out: int
) -> None:
    at_noon = [counted(NOON + day * DAY + k, on_hand, where) for k, (day, on_hand, where) in enumerate(counts)]
    state = after(at_noon, rules=Rules(allowed_lateness_ms=90 * DAY))
    assert read(state, NOON + 9 * DAY + HOUR) == out


def test_a_day_is_the_shops_own() -> None:
    """19:00 UTC is the next day's 3:00 in Shanghai."""
    records = [counted(MIDNIGHT + 19 * HOUR, 0), counted(MIDNIGHT + DAY + HOUR, 5)]
    for zone, out in (("UTC", 1), ("Asia/Shanghai", 0)):
        assert read(after(records, rules=Rules(time_zone=zone)), MIDNIGHT + DAY + 2 * HOUR) == out


def test_a_day_that_is_over_is_read_as_it_was() -> None:
    state = after([counted(NOON, 0), counted(NOON + 2 * DAY, 3), counted(NOON + 4 * DAY, 0)])
    assert [read(state, NOON + day * DAY) for day in (-1, 0, 1, 2, 3, 4, 5)] == [0, 1, 2, 2, 2, 2, 3]


@pytest.mark.parametrize("n", range(6))
def test_of_two_counts_at_once_the_one_holds_that_is_also_on_hand(n: int) -> None:
    """Told before what the next day says or after it."""
    two = [msgspec.structs.replace(counted(NOON, on_hand), event_id=f"{n}-{on_hand}") for on_hand in (0, 5)]
    last = counted(NOON + DAY, 0)
    on_hand = read(after(two), NOON, "stock.on_hand")
    for come in ([*two, last], [two[0], last, two[1]], [two[1], last, two[0]]):
        state = after(come, rules=Rules(allowed_lateness_ms=2 * DAY))
        assert read(state, NOON + DAY) == (on_hand == 0)


@st.composite
def counts_around_midnight(draw: st.DrawFn, lateness: int) -> tuple[list[StockCounted], list[StockCounted]]:
    """In order of time, and as they come, each less than the lateness behind."""
    size = draw(st.integers(1, 40))
    days = draw(st.lists(st.integers(0, draw(st.sampled_from((3, 40)))), min_size=size, max_size=size))
    moment = st.tuples(st.integers(-45, 45), st.integers(0, 2), st.sampled_from("abc"), st.integers(0, lateness - 1))
    moments = draw(st.lists(moment, min_size=size, max_size=size))
    found = {}
    for day, (minute, on_hand, where, late) in zip(days, moments, strict=True):
        record = counted(MIDNIGHT + day * DAY + minute * MINUTE, on_hand, where)
        found[record.event_id] = (record.event_time + late, record)  # type: ignore[operator]
    records = [record for _, record in found.values()]
    come = [record for _, record in sorted(found.values(), key=lambda one: one[0])]
    return sorted(records, key=lambda record: record.event_time), come


@settings(max_examples=70)
@given(
    data=st.data(),
    hours=st.sampled_from((1, 22)),
    cuts=st.lists(st.integers(1, 39), max_size=5),
    later=st.sampled_from((0, HOUR, DAY, 12 * DAY, 29 * DAY, 70 * DAY)),
    zone=st.sampled_from(("UTC", "America/New_York")),
)
def test_however_counts_come_it_is_what_plain_python_says(
    data: st.DataObject, hours: int, cuts: list[int], later: int, zone: str
) -> None:
    ordered, come = data.draw(counts_around_midnight(hours * HOUR))
    rules = Rules(time_zone=zone, allowed_lateness_ms=hours * HOUR)
    # Midnights are the zone's.
    shift = int(Days(zone).start_ms(np.array([MIDNIGHT // DAY]))[0]) - MIDNIGHT
    ordered, come = (
        [counted(r.event_time + shift, r.on_hand, r.location) for r in some]  # type: ignore[operator]
        for some in (ordered, come)
    )
    one, other = after(ordered, rules=rules), after(come, cuts, rules)
    rows, others = (one.arena.rows.copy(one.arena.find(["tea"])), other.arena.rows.copy(other.arena.find(["tea"])))
    for column in one.catalogue.columns:
        assert rows.column(column.name).tolist() == others.column(column.name).tolist(), column.name
    now = int(rows.column("last_event")[0]) + later
    told = [(int(record.event_time), record) for record in ordered]  # type: ignore[arg-type]
    assert read(other, now) == stock(Stock("days_out"), Asked(told, now, one.catalogue.features, {}, zone))

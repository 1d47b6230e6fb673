"""Items in the demo: what a catalogue would have told, the stock that is simulated, and which items are shown."""

from __future__ import annotations

from collections import Counter
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np
import pytest

from streams.access import Access
from streams.demo import stock
from streams.demo.catalogue import HELD_DAYS, LISTED, STOCKED, price_changes, told
from streams.demo.items import COVER_LEAST_DAYS, ENOUGH_UNITS, best_sellers, falling, running_out
from streams.demo.part import Part
from streams.demo.sending import Catalogue
from streams.records.items import ItemChanged, ItemListed, StockCounted
from tests.demo.recordings import profile
from training.datasets import COMPLETE_JOURNEY
from training.datasets.complete_journey_items import DAY_MS, Items

APRIL, MAY = 1_490_997_600_000, 1_493_589_600_000  # 2017-03-31T22:00Z, 2017-04-30T22:00Z


@pytest.fixture(scope="module")
def items() -> Items:
    return Items(APRIL, MAY)


@pytest.fixture(scope="module")
def records(items: Items) -> list[Any]:
    return list(told(items))


def test_daily_sales_are_those_of_the_events(items: Items) -> None:
    sold: Counter[tuple[str, int]] = Counter()
    lines: Counter[str] = Counter()
    for event in COMPLETE_JOURNEY.read(None):
        at = event.event_time
        assert isinstance(at, int)
        if at >= MAY:
            break
        if at >= APRIL:
            for line in getattr(event, "lines", ()):
                sold[line.item_id, at // DAY_MS] += line.quantity
                lines[line.item_id] += 1
    sales = items.sales
    keys = [(sales.items[i], day) for i, day in zip(sales.item.tolist(), sales.day.tolist(), strict=True)]
    assert dict(zip(keys, sales.units.tolist(), strict=True)) == sold
    assert sales.ranked()[0] == max(lines, key=lambda item: lines[item])
    assert set(sales.items) == lines.keys()


def test_the_best_sellers_are_listed_when_the_period_begins_at_what_they_cost(items: Items, records: list[Any]) -> None:
    listed = [record for record in records if isinstance(record, ItemListed)]
    assert records[: len(listed)] == listed
    assert len({record.item_id for record in listed}) == len(listed)
    samples = [record for record in listed if record.item_id.startswith("sample-")]
    assert 0 < len(listed) - len(samples) <= LISTED
    assert 0 < len(samples) < 50
    assert {record.event_time for record in listed} == {APRIL // DAY_MS * DAY_MS}
    milk = next(record for record in listed if record.item_id == "1029743")
    assert (milk.title, milk.brand, milk.attributes) == ("Fluid milk white only, 1 GA", "Private", {"package": "1 GA"})
    assert milk.category_path == ["GROCERY", "FLUID MILK PRODUCTS"]
    assert milk.unit_price_cents == items.sales.price_cents[items.sales.place["1029743"]][0] > 0


def test_records_come_in_order_of_time_and_have_ids_of_their_own(records: list[Any]) -> None:
    times = [record.event_time for record in records]
    assert times == sorted(times)
    assert len({(type(record), record.item_id, record.event_id) for record in records}) == len(records)


def test_a_price_changes_when_another_one_is_seen_on_three_days(records: list[Any]) -> None:
    days = [1, 2, 5, 9, 12]
    assert list(price_changes(days, [100, 100, 80, 80, 80])) == [(5, 80)]
    assert list(price_changes(days, [100, 80, 80, 100, 80])) == []
    assert list(price_changes(days, [100, 80, 80, 70, 80])) == []
    assert list(price_changes(days, [100, 101, 99, 101, 101])) == []  # nobody's price list says so
    assert HELD_DAYS == 3
    listed = {record.item_id for record in records if isinstance(record, ItemListed)}
    changed = [record for record in records if isinstance(record, ItemChanged)]
    assert {record.item_id for record in changed} <= listed
    assert changed


def test_simulated_stock_says_so_in_every_record(records: list[Any]) -> None:
    counted = [record for record in records if isinstance(record, StockCounted)]
    assert {record.location for record in counted} == {"simulated"}
    assert len({record.item_id for record in counted}) == STOCKED
    weeks = Counter(record.item_id for record in counted)
    assert set(weeks.values()) <= {4, 5}  # of 31 days
    assert "SIMULATED" in (stock.__doc__ or "")


def test_stock_is_what_orders_leave_of_what_was_delivered() -> None:
    units = np.random.default_rng(7).poisson(3, (20, 200))
    names = [f"item-{i}" for i in range(20)]
    found = stock.simulate(names, units)
    assert (found.on_hand >= 0).all()
    assert (found.on_order >= 0).all()
    delivered = found.on_hand[:, 1:] - np.maximum(found.on_hand[:, :-1] - units[:, :-1], 0)
    assert (delivered >= 0).all()
    assert (delivered[:, 1:] <= found.on_order[:, 1:-1]).all()  # nothing comes that was not on its way
    assert 0 < (delivered > 0).sum() <= 20 * (200 // stock.ORDER_EVERY_DAYS + 1)
    cover = found.on_hand[:, 60:] / 3
    assert cover.max() < 1.5 * stock.COVER_DAYS
    assert (cover < COVER_LEAST_DAYS).any()  # some deliveries are late …
    assert (cover < COVER_LEAST_DAYS).mean() < 0.1  # … a few
    again = stock.simulate(names[3:5], units[3:5])
    assert (again.on_hand == found.on_hand[3:5]).all()  # an item's stock is its own


def test_an_empty_period_has_no_catalogue() -> None:
    assert list(told(Items(0, 1))) == []


def test_lists_are_ranked_and_leave_out_what_says_little() -> None:
    profiles = [
        profile("rich", revenue_30d_cents=9000),
        profile("dying", units_7d=1, momentum=0.1),
        profile("stopped", units_7d=0, momentum=0.0),
        profile("rare", units_30d=ENOUGH_UNITS - 1, units_7d=1, momentum=0.1),
        profile("slower", units_7d=5, momentum=0.5),
        profile("short", on_hand=3, cover_days=1.5),
        profile("shorter", on_hand=1, cover_days=0.5),
        profile("out", on_hand=0, cover_days=0.0),
        profile("idle", on_hand=9, cover_days=0.0, units_30d=0, units_7d=0, revenue_30d_cents=0),
        profile("plenty", on_hand=99, cover_days=float(COVER_LEAST_DAYS)),
    ]
    assert best_sellers(profiles)[0].item_id == "rich"
    assert [p.item_id for p in falling(profiles)] == ["dying", "slower"]
    assert [p.item_id for p in running_out(profiles)] == ["shorter", "short"]


def test_the_catalogue_does_not_run_ahead_of_the_worker(items: Items, records: list[Any]) -> None:
    catalogue, seen = Catalogue(Access("127.0.0.1:1"), Part(APRIL, MAY, 1)), Queue[Any]()

    def drain() -> None:
        for record in catalogue.records():
            seen.put(record)
        seen.put(None)

    Thread(target=drain, daemon=True).start()
    assert catalogue.listed.wait(60)
    for day in (10, 20):
        catalogue.reached(APRIL + day * DAY_MS)
        due = [record for record in records if record.event_time <= APRIL + day * DAY_MS]
        assert [seen.get(timeout=60) for _ in due] == due
        assert seen.empty()
        records = records[len(due) :]
    catalogue.reached(float("inf"))
    assert [seen.get(timeout=60) for _ in records] == records
    assert seen.get(timeout=60) is None
    assert sum(catalogue.kinds.values()) == len(list(told(items)))

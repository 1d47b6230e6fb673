"""An order counts once, and no more of it comes back than it came to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.order_book import ORDERS_KEPT
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from tests.shoppers import DAY, HOUR, NOON, Log, log_of, ordered
from tests.worlds import cut, run_plain

CUTS: tuple[Iterable[int], ...] = ((), range(1, 50))


def placed(event_id: str, order_id: str, cents: int = 1000, at: int = NOON, shopper: str = "s1") -> e.OrderPlaced:
    line = e.OrderLine(item_id="i1", quantity=2, unit_price_cents=cents // 2)
    return e.OrderPlaced(event_id=event_id, shopper_id=shopper, event_time=at, order_id=order_id, lines=[line])


def back(event_id: str, order_id: str, *cents: int, at: int = NOON + HOUR, **more: Any) -> e.OrderReturned:
    """A return; without ``cents`` of the whole order."""
    lines = [e.OrderLine(item_id="i1", quantity=1, unit_price_cents=c) for c in cents] or None
    more = {"shopper_id": "s1", "lines": lines} | more
    return e.OrderReturned(event_id=event_id, event_time=at, order_id=order_id, **more)


def read(log: Log, cuts: Iterable[int], *addresses: str) -> list[float]:
    processor = PartitionProcessor(SHOPPER, 0, Rules())
    run_plain(cut(log, [c for c in cuts if c < len(log)]), processor=processor)
    rows = processor.arena.rows.copy(processor.arena.find(["s1"]))
    return CATALOGUE.read(rows, rows.column("last_event"), addresses)[0].tolist()


@pytest.mark.parametrize("cuts", CUTS)
def test_an_order_under_two_event_ids_counts_once(cuts: Iterable[int]) -> None:
    reloaded = log_of(placed("e1", "o1"), placed("e2", "o1", at=NOON + DAY), placed("e3", "o2", at=NOON + 2 * DAY))
    assert read(reloaded, cuts, "orders.count", "orders.spend", "orders.gaps") == [2, 2000, 1]
    assert run_plain(cut(reloaded, [])).fates == {"applied": 2, "duplicate": 1}


def test_two_shoppers_may_have_the_same_order_id() -> None:
    log = log_of(placed("e1", "o1"), placed("e2", "o1", shopper="s2"))
    assert run_plain(cut(log, [])).fates == {"applied": 2}


@pytest.mark.parametrize("cuts", CUTS)
def test_the_last_twelve_orders_are_known(cuts: Iterable[int]) -> None:
    orders = [placed(f"e{i}", f"o{i}", at=NOON + i * HOUR) for i in range(ORDERS_KEPT + 1)]
    end = NOON + 2 * DAY
    log = log_of(*orders, placed("again", "o1", at=end), placed("forgotten", "o0", at=end))
    assert read(log, cuts, "orders.count") == [ORDERS_KEPT + 2]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize(
    ("what", "refunded"),
    [
        ([back("r", "o1")], 1000),
        ([back("r", "o1", lines=[])], 1000),
        ([back("r", "o1", 300)], 300),
        ([back("r1", "o1", 300), back("r2", "o1")], 1000),
        ([back("r1", "o1"), back("r2", "o1")], 1000),
        ([back("r1", "o1", 700), back("r2", "o1", 700)], 1000),
        ([back("r", "o1", 700, 700)], 1000),
        ([back("r1", "o1", 300), back("r1", "o1", 300)], 300),
        ([back("r", "unknown")], 0),
        ([back("r", "unknown", 300)], 300),
        ([e.OrderCancelled(event_id="c", shopper_id="s1", event_time=NOON + 1, order_id="o1")], 1000),
        ([back("r1", "o1"), placed("e9", "o1", at=NOON + HOUR), back("r2", "o1")], 1000),
        ([back("r1", "o2"), placed("e2", "o2", at=NOON + HOUR), back("r2", "o2")], 1000),
    ],
)
def test_what_comes_back_is_refunded_once(what: list[e.ShopperEvent], refunded: int, cuts: Iterable[int]) -> None:
    assert read(log_of(placed("e1", "o1"), *what), cuts, "orders.refunded") == [refunded]


def test_a_cancelled_order_stays_an_order() -> None:
    log = log_of(ordered(at=NOON, event_id="o1"), back("r", "o1"))
    assert read(log, (), "orders.count", "orders.spend", "orders.returned", "orders.refunded") == [1, 1000, 1, 1000]


def test_the_money_of_a_return_is_in_the_sequence() -> None:
    places = CATALOGUE.places(("sequence.cents",))["sequence.cents"]
    newest = np.array(read(log_of(placed("e1", "o1"), back("r", "o1")), (), "sequence.cents"))[places][:2]
    assert newest.tolist() == [1000, 1000]

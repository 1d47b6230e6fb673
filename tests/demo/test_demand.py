"""Demand in the demo: what was foretold against what came, what to order, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from streams.demo import lately
from streams.demo.demand import Sold, held, of_records, weeks
from streams.demo.demand_shown import lines, shown
from streams.demo.lately import lately as read_lately
from streams.demo.nights import NIGHTS, Nights
from streams.outside.demand_book import DemandBook
from streams.outside.reading import Place, Record
from streams.pages.markup import text_of
from streams.records.demand import SalesForecast, StockAlerted
from streams.records.outcomes import ItemOutcome
from streams.topics import DAY_MS, ITEM_ALERTS, SALES_FORECASTS
from tests.demand import alerted, forecast, plan, price
from tests.demo.recordings import foretold, numbers, recording
from tests.pages import Page
from tests.shoppers import viewed
from training.datasets.complete_journey_items import DailySales, Items, Product

FIRST, OVER = 19_000, 19_060


class Shop(Items):
    """``tea`` sold 1 unit on the first day, 2 on the second …; ``milk`` 5 a day; no catalogue names ``milk``."""

    def __init__(self) -> None:
        days = np.arange(FIRST, OVER + 1)
        n, ones = len(days), np.ones(2 * len(days), np.int64)
        self.sales = DailySales(
            ["tea", "milk"], np.repeat([0, 1], n), np.tile(days, 2), np.r_[days - FIRST + 1, np.full(n, 5)],
            ones, ones, {"tea": slice(0, n), "milk": slice(n, 2 * n)},
        )  # fmt: skip

    def products(self, item_ids: Any) -> list[Product]:
        return [Product(item, "Tea, 20 CT", "Private", None, None) for item in item_ids if item == "tea"]


def sold() -> Sold:
    return Sold(Shop(), ["tea", "milk", "unknown"], OVER * DAY_MS + 1)


def test_what_came_is_known_once_seven_days_are_over() -> None:
    found = sold()
    assert found.week("tea", FIRST) == sum(range(1, 8))
    assert found.week("milk", OVER - 7) == 35
    assert found.week("milk", OVER - 6) is None  # its last day has begun
    assert found.week("milk", FIRST - 1) is None
    assert found.week("unknown", FIRST) is None


def test_weeks_go_back_without_a_gap_of_a_week_and_never_overlap() -> None:
    said = [forecast("milk", OVER - back, 30) for back in (1, 5, 10, 40)]
    found = weeks(said, sold())
    days = [np.datetime64(week["from"], "D").astype(int).item() for week in found]
    assert days[-1] == OVER - 1
    assert all(7 <= later - before < 14 for before, later in pairwise(days))
    assert [day for day, week in zip(days, found, strict=True) if week["foretold"]] == [OVER - 40, OVER - 10, OVER - 1]
    assert [week["units"] for week in found] == [35] * (len(found) - 1) + [None]
    assert days[0] >= FIRST
    assert weeks([], sold()) == []


def test_ranges_are_held_against_what_came_and_what_training_saw_is_told_apart() -> None:
    said = {"milk": [forecast("milk", FIRST + 14, 35), forecast("milk", FIRST + 21, 100), forecast("milk", OVER, 1)]}
    found = held(said, sold(), 0)
    assert found == {
        "forecasts": 2, "seen_in_training": False, "within_90": 0.5, "within_50": 0.5, "wape": round(65 / 70, 4),
    }  # fmt: skip
    later = held(said, sold(), (FIRST + 20) * DAY_MS)
    assert later is not None
    assert (later["forecasts"], later["within_90"]) == (1, 0.0)
    seen = held(said, sold(), OVER * DAY_MS)
    assert seen is not None
    assert seen["seen_in_training"]
    assert held({"milk": []}, sold(), 0) is None


def test_what_is_to_be_ordered_is_drawn_first_and_listed_by_what_is_at_stake() -> None:
    book = DemandBook()
    for each in (
        forecast("tea", OVER, 10), price("tea", OVER), plan("tea", OVER, 18), forecast("milk", OVER, 500),
        price("milk", OVER), forecast("jam", OVER, 900), plan("jam", OVER, 5, "2023-11-01"), forecast("old", FIRST),
    ):  # fmt: skip
        book.apply(each)
    said = [forecast("tea", OVER - 7), *book.sales.values()]
    alerts = {"jam": alerted("jam", OVER)}
    found = of_records(book.current(), said, alerts, OVER * DAY_MS, Shop(), 0)
    assert [row["item_id"] for row in found["drawn"]] == ["tea", "jam", "milk"]
    assert [row["item_id"] for row in found["orders"]] == ["jam", "tea"]
    assert [row["title"] for row in found["drawn"]] == ["Tea, 20 CT", "item jam", "item milk"]
    assert (found["items"], found["to_order"], found["alerts"]) == (3, 2, 1)
    tea = found["drawn"][0]
    assert [row["plan"]["at_stake_cents"] for row in found["orders"]] == [5_000, None]
    assert tea["weeks"][-2]["foretold"] is not None
    assert tea["weeks"][-2]["units"] == sum(range(54, 61))


class Topics:
    """A partition of each topic; counts what is read."""

    def __init__(self, said: dict[str, list[ItemOutcome]]) -> None:
        self.said, self.read = said, 0

    def extent(self, place: Place) -> tuple[int, int]:
        return 0, len(self.said[place[0]])

    def together(self, spans: Mapping[Place, tuple[int, int]]) -> Iterator[Record]:
        for place, (start, end) in spans.items():
            for offset in range(start, end):
                self.read += 1
                each = self.said[place[0]][offset]
                yield Record(*place, offset, 0, each.item_id.encode(), msgspec.json.encode(each))


def test_topics_are_read_from_their_ends_as_far_as_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lately, "_BLOCK", 10)
    said: list[ItemOutcome] = [forecast("tea", day) for day in range(100)]
    topics: Any = Topics({SALES_FORECASTS.name: said, ITEM_ALERTS.name: [alerted("tea", 99)]})
    starts = {(SALES_FORECASTS.name, 0): 5, (ITEM_ALERTS.name, 0): 0}
    found = list(read_lately(topics, starts, SALES_FORECASTS, SalesForecast, 85 * DAY_MS))
    assert sorted(offset for offset, _ in found) == list(range(85, 100))
    assert topics.read == 30
    every = list(read_lately(topics, starts, SALES_FORECASTS, SalesForecast, 0))
    assert sorted(offset for offset, _ in every) == list(range(5, 100))  # before: of another run
    assert [each.at_stake_cents for _, each in read_lately(topics, starts, ITEM_ALERTS, StockAlerted, 0)] == [5_000]


def test_the_page_has_a_picture_and_a_table_of_each_item_and_says_what_to_order() -> None:
    section = shown(numbers(recording()))
    assert section is not None
    found = Page(text_of(section))
    assert len(found.all("svg")) == 2
    assert len(found.all("table")) == 3
    text = " ".join(found.texts)
    for told in (
        "91.0%",
        "none of which taught it",
        "order 18",
        "to come",
        "50.00 USD",
        "Stock is simulated",
        "2.29 USD",
    ):
        assert told in text
    assert "of 1 stretches foretold before that are over, 0 came within" in text.replace("Of", "of")
    nothing = numbers(recording()) | {"demand": foretold() | {"drawn": [], "orders": []}}
    assert shown(nothing) is None


def test_the_terminal_has_at_most_twelve_lines() -> None:
    n = numbers(recording())
    n["demand"] |= {"drawn": 5 * n["demand"]["drawn"][:1]}
    n["prices"] |= {"best": 5 * n["prices"]["best"]}
    told = [line for _, line in lines(n)]
    assert len(told) == 12
    assert (
        told[1]
        == "  ▄█ Tea, 20 CT (tea-1): 10 in 7 days (5 to 20) at 2.00 USD; 12 in stock, sold out on 2024-02-27; order 18"
    )
    empty = numbers(recording())
    empty["demand"] |= {"drawn": []}
    empty["prices"] = {"assumed_margin": 0.3, "why": {"cost_unknown": 7}, "best": []}
    assert [line for style, line in lines(empty) if not style] == [
        "  nothing is foretold: of items that sold 20 units in 30 days, at the end of a day",
        "  None: 7 cost unknown",
    ]


def test_the_replay_is_held_a_week_apart_until_the_worker_has_followed() -> None:
    held_at: list[int] = []
    nights = Nights(lambda: OVER, held_at.append)
    times = [FIRST * DAY_MS + hour * 3_600_000 for hour in range(24 * (OVER - FIRST + 1))]
    events = [viewed("ann", at, f"e{at}") for at in times]
    assert list(nights.paced(events)) == events
    days = [FIRST + n / 24 for n in held_at]
    assert days == [OVER - 7 * k + 0.25 for k in range(NIGHTS - 1, -1, -1)]
    held_at.clear()
    list(nights.paced(events[-100:]))  # a replay that begins later has fewer nights
    assert held_at == [100 - 18]
    assert list(nights.paced([])) == []

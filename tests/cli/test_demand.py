"""What will sell, what to order and which price to test, as a person and a program are told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
from click.testing import CliRunner, Result

from streams.cli import cli, told
from streams.outside import demand_book
from streams.outside.demand_book import DemandBook, Foretold, NothingForetold
from streams.outside.reading import Record
from streams.records.demand import SalesForecast
from tests.demand import forecast, plan, price, suggestion

SAID: dict[str, list[Foretold]] = {
    "sales.forecasts.v1": [
        forecast("tea", 100, 99), forecast("tea", 107), forecast("milk", 106, 50), forecast("ice", 90),
        forecast("jam", 107),
    ],
    "price.forecasts.v1": [price("tea", 107), price("milk", 106, 90), price("jam", 107, 900), price("jam", 80)],
    "inventory.plans.v1": [plan("tea", 107, order=18), plan("milk", 106), plan("jam", 90, order=99)],
    "prices.suggested.v1": [suggestion("tea", 90), suggestion("milk", 106, None), suggestion("jam", 60)],
}  # fmt: skip


class Held:
    """Topics as they stand."""

    def __init__(self, _kafka: object) -> None:
        pass

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def whole(self, topic: str) -> Iterator[Record]:
        for offset, each in enumerate(SAID[topic]):
            key, value = each.item_id.encode(), msgspec.json.encode(each)
            yield Record(topic, 0, offset, each.event_time_ms, key, value)
        yield Record(topic, 0, 9, 0, b"gone", None)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(demand_book, "Reader", Held)
    return lambda *arguments: CliRunner().invoke(cli, ["demand", *arguments])


def test_what_is_to_be_ordered_comes_first_then_what_brings_most(called: Callable[..., Result]) -> None:
    found = json.loads(called("--json").output)
    assert [each["item_id"] for each in found] == ["tea", "jam", "milk"]  # ice was foretold long ago
    tea, jam, milk = found
    assert msgspec.convert(tea["sales"], SalesForecast) == forecast("tea", 107)
    assert tea["suggestion"]["to_cents"] == 229
    assert jam["plan"] is None  # it is of the past …
    assert jam["suggestion"] is None
    assert milk["suggestion"]["why"] == "unsure"


def test_a_line_per_item_says_all_of_it(called: Callable[..., Result]) -> None:
    done = called("--most", "2")
    assert done.exit_code == 0, done.output
    head, tea, jam, more = done.output.splitlines()
    assert head.split("  ")[0] == "item"
    for said in ("10 (5 to 20)", "20 (10 to 40)", "2.00 USD (1.80 USD to 2.10 USD)", "2023-12-01", "18", "2.29 USD"):
        assert said in tea
    assert jam.startswith("jam")
    assert more == "1 more items: --most 3"


def test_of_some_items_it_gives_reasons(called: Callable[..., Result]) -> None:
    text = called("milk", "tea").output
    assert text.startswith("milk\n  as of: 1970-04-17\n")
    assert "order 18; 12 in stock last 5 days" in text
    assert "elasticity -2.0" in text
    assert "none: what another price would bring is not known well enough" in text


@pytest.mark.parametrize("item", ["unknown", "ice"])
def test_an_item_of_which_nothing_is_foretold_is_named(called: Callable[..., Result], item: str) -> None:
    failed = called("tea", item)
    assert isinstance(failed.exception, NothingForetold)
    assert f"Nothing is foretold of {item}" in str(failed.exception)
    assert isinstance(called(item).exception, NothingForetold)
    assert NothingForetold in told()


def test_where_nothing_is_foretold_it_says_what_is_missing(
    called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "sales.forecasts.v1", [])
    assert "replay FILE --wait" in str(called().exception)


def test_an_older_record_never_replaces_a_newer_one() -> None:
    book = DemandBook()
    for each in (forecast("tea", 107, 10), forecast("tea", 100, 99)):
        book.apply(each)
    assert [each.sales.next_7_days.mean for each in book.current()] == [10]

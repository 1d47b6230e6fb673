"""What will sell, what to order and which price to test, as a person and a program are told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
from click.testing import CliRunner, Result

from models.task import AtLeast
from models.tasks.sales.task import SALES
from streams.cli import cli, told
from streams.commands import demand as commands
from streams.outside import demand_book, price_book
from streams.outside.demand_book import DemandBook, Foretold, NothingForetold
from streams.outside.reading import Record
from streams.records.demand import SalesForecast
from streams.settings import SettingsError
from tests.cli.standing import Standing
from tests.demand import forecast, plan, price, profile, suggestion

SAID: dict[str, list[Foretold]] = {
    "sales.forecasts.v1": [
        forecast("tea", 100, 99), forecast("tea", 107), forecast("milk", 106, 50), forecast("ice", 90),
        forecast("jam", 107),
    ],
    "price.forecasts.v1": [price("tea", 107), price("milk", 106, 90), price("jam", 107, 900), price("jam", 80)],
    "inventory.plans.v1": [plan("tea", 107, order=18), plan("milk", 106), plan("jam", 90, order=99)],
    "prices.suggested.v1": [suggestion("tea", 90), suggestion("milk", 106, None), suggestion("jam", 60)],
    "prices.decided.v1": [],
    "item.profiles.v1": [profile("tea", 107, 40), profile("ice", 107, 7, on_hand=0, asked=107), profile("gum", 107, 3)],
}  # fmt: skip


class Held(Standing):
    """Topics as they stand."""

    def whole(self, topic: str) -> Iterator[Record]:
        for offset, each in enumerate(SAID[topic]):
            key, value = each.item_id.encode(), msgspec.json.encode(each)
            yield Record(topic, 0, offset, each.event_time_ms, key, value)
        yield Record(topic, 0, 9, 0, b"gone", None)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for module in (demand_book, price_book):
        monkeypatch.setattr(module, "Reader", Held)
    return lambda *arguments: CliRunner().invoke(cli, ["demand", *arguments])


def test_what_is_to_be_ordered_comes_first_then_what_brings_most(called: Callable[..., Result]) -> None:
    done = called("--json")
    found = json.loads(done.stdout)
    assert "2 of 5 items are not planned" in done.stderr
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
    head, tea, jam, empty, _, why = done.stdout.splitlines()
    sums, prices, more, few = done.stderr.splitlines()
    assert sums == (
        "In the 7 days from 1970-04-18 on 3 items will sell about 70 units, for 155.00 USD. To order: 1 item; sold "
        "out: none. Said at the end of days since 1970-04-17."
    )
    assert head.split("  ")[0] == "item"
    assert not empty
    assert why.startswith("tea  ")
    assert "2.29 USD instead of 2.09 USD, 3.00 USD more a week (1.00 USD to 5.00 USD); elasticity -2.0" in why
    assert prices.endswith("offerstream prices approve ITEM… --by NAME")
    for said in (
        "▁▂▃▄▅▆▇█",
        "10 (5 to 20)",
        "20 (10 to 40)",
        "2.00 USD (1.80 USD to 2.10 USD)",
        "2023-12-01 (2023-11-28)",
        "18",
        "2.29 USD",
    ):
        assert said in tea
    assert jam.startswith("jam")
    assert more == "1 more items: --most 3"
    assert few.startswith("2 of 5 items are not planned (fewer than 20 units in 30 days, or 10 order lines ever)")
    assert few.endswith("1 of them sold out: ice")


def test_what_is_foretold_in_another_currency_than_the_one_that_is_set_is_refused(
    called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFERSTREAM_CURRENCY", "EUR")
    for words in ((), ("tea",), ("--json",)):
        failed = called(*words)
        assert isinstance(failed.exception, SettingsError)
        assert "What is foretold is in USD, and OFFERSTREAM_CURRENCY is EUR" in str(failed.exception)
    monkeypatch.setenv("OFFERSTREAM_CURRENCY", "USD")
    assert called().exit_code == 0


def test_of_some_items_it_gives_reasons(called: Callable[..., Result]) -> None:
    text = called("milk", "tea").output
    assert text.startswith("milk\n  as of: 1970-04-17\n")
    assert "order 18; 12 in stock, lasts about 5 days (sold out on 2023-11-28 at the soonest)" in text
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
    monkeypatch.setitem(SAID, "item.profiles.v1", [])
    assert "offerstream preview FILE…" in str(called().exception)
    # Of tea more is known than was as the day 90 ended; gum was looked at within a day; jam as its last day ended.
    some = [profile("tea", 107, 0, asked=90), profile("gum", 106, 0), profile("jam", 106, 0, asked=107)]
    monkeypatch.setitem(SAID, "item.profiles.v1", some)
    assert "Nothing is foretold yet: 2 items wait for the end of 1970-04-18" in str(called().exception)
    # What was foretold long before is nothing any more.
    monkeypatch.setitem(SAID, "sales.forecasts.v1", [forecast("jam", 98)])
    assert "2 items wait for the end of 1970-04-18" in str(called().exception)


def test_items_whose_day_has_not_ended_are_waited_for(
    called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [
        profile("gum", 108, 25), profile("nut", 108, 19), profile("egg", 107, 25, asked=107), profile("jam", 108, 30),
        profile("oil", 108, 0, asked=107),
    ]  # fmt: skip
    monkeypatch.setitem(SAID, "item.profiles.v1", some)
    waiting, few = called().output.splitlines()[-2:]
    assert waiting.startswith("2 more items wait for the end of 1970-04-19")  # gum and oil; jam is foretold already
    assert "OFFERSTREAM_LIVE_SECONDS" in waiting
    assert few.startswith("2 of 7 items are not planned")
    assert "sold out" not in few


def test_where_no_item_is_priced_it_says_what_to_train(
    called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    untested = [
        msgspec.structs.replace(suggestion(item, 106, None), why="category_untested") for item in ("tea", "jam")
    ]
    unsure = suggestion("milk", 106, None)
    monkeypatch.setitem(SAID, "prices.suggested.v1", [*untested, unsure])
    *_, told = called().output.splitlines()
    assert told.startswith("0 of 3 items priced: the model that serves knows too little of the categories of 2.")
    assert "offerstream train price_optimize" in told
    monkeypatch.setattr(commands, "shipped_version", lambda: unsure.model.version)
    assert "never saw your categories" in called().output
    monkeypatch.setitem(SAID, "prices.suggested.v1", [unsure])
    assert called().output.endswith("1 because what another price would bring is not known well enough.\n")


def test_what_is_sold_out_and_what_is_tried_to_learn_are_marked(
    called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        SAID, "inventory.plans.v1", [msgspec.structs.replace(plan("tea", 107, order=18), on_hand=0, cover_days=0)]
    )
    monkeypatch.setitem(SAID, "prices.suggested.v1", [msgspec.structs.replace(suggestion("tea", 106), why="test")])
    row = called("--most", "1").stdout.splitlines()[1]
    assert "  sold out  " in row
    assert row.endswith("2.29 USD to learn")
    assert "order 18; sold out, 0 on their way, an order takes 7 days" in called("tea").output


def test_what_is_not_planned_is_what_the_task_is_not_asked_about() -> None:
    assert AtLeast("sales.units_30d", demand_book.LEAST_UNITS) in SALES.population


def test_an_older_record_never_replaces_a_newer_one() -> None:
    book = DemandBook()
    for each in (forecast("tea", 107, 10), forecast("tea", 100, 99)):
        book.apply(each)
    assert [each.sales.next_7_days.mean for each in book.current()] == [10]

"""Deciding about suggested prices: what is open, what was decided, and what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.commands import prices as commands
from streams.outside import price_book, price_experiment
from streams.outside.price_book import NoSuggestion, PriceBook
from streams.records.outcomes import Due, ModelUsed
from streams.records.prices import Between, PriceDecided, PriceSuggested, PriceTested


def suggestion(item: str, to: int | None, gain: float = 0.0, at: int = 1, **more: Any) -> PriceSuggested:
    told: dict[str, Any] = {
        "outcome_id": f"{item}-{at}", "item_id": item, "event_time_ms": at, "due": Due(kind="day", ref="1"),
        "model": ModelUsed(task="price_optimize", version="v", digest="d"), "from_cents": 209, "to_cents": to,
        "why": "more_profit" if to else "cost_unknown", "elasticity": Between(middle=-2.0, low=-3.0, high=-1.0),
        "profit_change_cents": Between(middle=gain, low=1.0, high=2 * gain) if to else None, "units_28d": 40,
        "cost_cents": 150, "cost_assumed": False, "bounded_by": ["largest_change"], "currency": "USD", "rules": "r",
    }  # fmt: skip
    return PriceSuggested(**(told | more))


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> PriceBook:
    """A book that the commands read, and that takes what they tell."""
    found = PriceBook()
    for each in (suggestion("tea", 229, 300), suggestion("coffee", 219, 900), suggestion("milk", None)):
        found.suggest(each)

    def told(_access: object, decided: list[PriceDecided]) -> None:
        for one in decided:
            found.decide(one)

    monkeypatch.setattr(commands, "read", lambda _access: found)
    monkeypatch.setattr(commands, "tell", told)
    return found


def test_what_is_open_is_listed_best_first_and_what_was_decided_is_not(book: PriceBook) -> None:
    run = CliRunner()
    told = json.loads(run.invoke(cli, ["prices", "list", "--json"]).output)
    assert [(one["item_id"], one["state"]) for one in told] == [("coffee", "open"), ("tea", "open")]
    done = run.invoke(cli, ["prices", "approve", "coffee", "--by", "ann", "--reason", "as agreed"])
    assert done.output == "coffee: approved by ann, 2.09 USD to 2.19 USD: as agreed\n"
    run.invoke(cli, ["prices", "reject", "tea", "--by", "ann"])
    assert json.loads(run.invoke(cli, ["prices", "list", "--json"]).output) == []
    told = json.loads(run.invoke(cli, ["prices", "list", "--all", "--json"]).output)
    assert [(one["item_id"], one["state"]) for one in told] == [
        ("coffee", "approved"), ("tea", "rejected"), ("milk", "none"),
    ]  # fmt: skip
    assert book.decided["coffee"].outcome_id == "coffee-1"
    assert "the catalogue said no cost" in run.invoke(cli, ["prices", "list", "--all"]).output


def test_where_no_price_is_open_it_says_why(book: PriceBook) -> None:
    run = CliRunner()
    for item in ("tea", "coffee"):
        run.invoke(cli, ["prices", "approve", item, "--by", "ann"])
    assert run.invoke(cli, ["prices", "list"]).output.startswith("No price is open: offerstream prices list --all")
    book.suggested.clear()
    assert run.invoke(cli, ["prices", "list"]).output.startswith("Nothing is said of prices")
    book.suggest(suggestion("tea", None, why="category_untested"))
    assert "models promote price_optimize VERSION --to live" in run.invoke(cli, ["prices", "list"]).output
    assert json.loads(run.invoke(cli, ["prices", "list", "--json"]).output) == []


def test_nothing_is_decided_twice_and_nothing_of_an_item_without_a_suggestion(book: PriceBook) -> None:
    run = CliRunner()
    for item in ("milk", "unknown"):
        failed = run.invoke(cli, ["prices", "approve", "coffee", item, "--by", "ann"])
        assert isinstance(failed.exception, NoSuggestion)
        assert "prices list --all says why" in str(failed.exception)
    assert not book.decided  # not the one before it either
    run.invoke(cli, ["prices", "approve", "tea", "--by", "ann"])
    again = run.invoke(cli, ["prices", "reject", "tea", "--by", "ann"])
    assert "was approved already" in str(again.exception)
    book.suggest(suggestion("tea", 239, 10, at=2))  # a new one may be decided about
    assert run.invoke(cli, ["prices", "reject", "tea", "--by", "ann"]).exit_code == 0


def test_who_decides_must_be_said() -> None:
    assert "--by" in CliRunner().invoke(cli, ["prices", "approve", "tea"]).output


def test_an_older_suggestion_never_replaces_a_newer_one() -> None:
    found = price_book.PriceBook()
    found.suggest(suggestion("tea", 239, at=2))
    found.suggest(suggestion("tea", 229, at=1))
    assert found.suggested["tea"].to_cents == 239


def measured(item: str, held: bool, arm: str, units: int, before: int) -> PriceTested:
    return PriceTested(
        outcome_id=item, item_id=item, event_time_ms=1, due=Due(kind="day", ref="1"), began_ms=0, arm=arm,  # type: ignore[arg-type]
        held=held, units=units, revenue_cents=units * 220, margin_cents=units * 80, before_units=before,
        before_revenue_cents=before * 200, price_before_cents=209, price_cents=209 if held else 229, currency="USD",
        rules="r",
    )  # fmt: skip


def test_what_an_experiment_brought_is_told_of_all_and_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that sell as much as before, and 5 units more where a higher price is tried."""
    some = [
        measured(f"tea-{i}", held=i % 2 == 0, arm="up" if i % 4 < 2 else "down", before=20 + i % 7,
               units=20 + i % 7 + i % 3 + (5 if i % 4 == 1 else 0))
        for i in range(400)
    ]  # fmt: skip
    monkeypatch.setattr(price_experiment, "read", lambda _access: some)
    told = json.loads(CliRunner().invoke(cli, ["prices", "effect", "--json"]).output)
    assert (told["tried"], told["changed"]) == (200, 200)
    by_arm = {each["arm"]: each for each in told["estimates"]}
    assert by_arm["up"]["verdict"] == "pays"
    assert by_arm["up"]["per_shopper"]["units"]["mean"] == pytest.approx(5, abs=0.5)
    assert abs(by_arm["down"]["per_shopper"]["units"]["mean"]) < 0.5
    shown = CliRunner().invoke(cli, ["prices", "effect"]).output
    assert "beyond those that were to stay" in shown
    assert "shopper" not in shown


def test_an_experiment_without_measured_items_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_experiment, "read", lambda _access: [])
    assert "Nothing is measured yet" in CliRunner().invoke(cli, ["prices", "effect"]).output

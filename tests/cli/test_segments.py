"""What sets the shoppers of a segment apart, as a person and a program are told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.outside import segments
from streams.outside.reading import Record
from streams.outside.segments import described
from streams.records.profiled import ShopperProfiled
from tests.cli.standing import Standing
from tests.outcomes import portrayed


def shop(**apart: Any) -> list[ShopperProfiled]:
    """40 loyal regulars and 20 champions who differ in what is said, and in how late each came."""
    loyal = [portrayed(f"l{k}", days_since_last_order=k) for k in range(40)]
    return [*loyal, *(portrayed(f"c{k}", segment="champions", days_since_last_order=k, **apart) for k in range(20))]


def test_what_differs_most_is_told_first_with_the_middle_of_both() -> None:
    champions, loyal = described(shop(average_order_cents=4200, daypart="evening"))
    assert (champions.segment, champions.shoppers) == ("champions", 20)
    assert (loyal.segment, loyal.shoppers) == ("loyal_regulars", 40)
    assert champions.apart == [
        "42.00 USD paid per order (others 10.00 USD)",
        "order in the morning: 0% of them (others 100%)",
        "order in the evening: 100% of them (others 0%)",
    ]
    assert "last order 20 days ago (others 9.5)" in described(shop())[1].apart


def test_nothing_is_told_of_a_few_or_where_nothing_differs() -> None:
    alike = [portrayed(f"s{k}", segment="lost" if k % 2 else "champions") for k in range(40)]
    assert [one.apart for one in described(alike)] == [[], []]
    few = [*shop(orders=99)[:40], *shop(orders=99)[40:49]]
    assert [one.apart for one in described(few)] == [[], []]
    assert described([]) == []


def test_what_is_not_known_is_not_compared_and_a_category_is_named() -> None:
    champions = described(shop(rhythm_days=None, expected=None, favourite_category="COFFEE"))[0]
    tea, coffee, days = champions.apart
    assert tea == "like TEA most: 0% of them (others 100%)"
    assert coffee == "like COFFEE most: 100% of them (others 0%)"
    assert days == "last order 9.5 days ago (others 20)"  # not the rhythm, nor what is expected


class Held(Standing):
    """The topic as it stands: of ``c0`` an older profile first, and one shopper who was taken out."""

    def whole(self, topic: str) -> Iterator[Record]:
        said = [portrayed("c0", segment="lost"), portrayed("gone"), *shop(orders=99)]
        for offset, each in enumerate(said):
            yield Record(topic, 0, offset, 0, each.shopper_id.encode(), msgspec.json.encode(each))
        yield Record(topic, 0, len(said), 0, b"gone", None)


def test_the_newest_profiles_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "Reader", Held)
    found = json.loads(CliRunner().invoke(cli, ["segments", "--json"]).output)
    assert [(one["segment"], one["shoppers"], round(one["share"], 3)) for one in found] == [
        ("champions", 20, 0.333),
        ("loyal_regulars", 40, 0.667),
    ]
    said = CliRunner().invoke(cli, ["segments"]).output.splitlines()
    assert said[0].split() == ["segment", "shoppers", "share", "what", "sets", "them", "apart"]
    assert said[1].startswith("Champions")
    assert "99 orders so far (others 12)" in said[1]

"""What reviews say of an item, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import msgspec
import pytest
from click.testing import CliRunner, Result

from streams.admin import TopicError
from streams.cli import cli
from streams.commands import reviews
from streams.commands.reviews import NoReviews
from streams.outside.reading import Place, Record
from streams.records.reviewed import ReviewsTold
from tests.cli.standing import Standing
from tests.decisions.test_reviews_told import MIXED, run

SAID = run(MIXED[:4])


class Held(Standing):
    """A topic with what was said of item a, and of nothing else."""

    there = True

    def exists(self, topic: str) -> bool:
        return self.there and topic == "items.reviewed.v1"

    def partitions(self, _topic: str) -> int:
        return 1

    def newest(self, places: Sequence[Place], fits: Callable[[Record], bool], least: int) -> list[Record]:
        (place,) = places
        found = [
            Record(*place, offset, each.event_time_ms, each.item_id.encode(), msgspec.json.encode(each))
            for offset, each in enumerate(SAID)
        ]
        return [record for record in found if fits(record)]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(reviews, "Reader", Held)
    return lambda *arguments: CliRunner().invoke(cli, ["reviews", *arguments], env={"COLUMNS": "200"})


def test_it_prints_summaries_aspects_and_quotes(called: Callable[..., Result]) -> None:
    done = called("a")
    assert done.exit_code == 0, done.output
    assert SAID[-1].summaries["en"] in done.output
    assert "3.75 stars, between" in done.output
    assert "of 4 reviews." in done.output
    assert "“it runs small”" not in done.output  # another one is newer
    assert "- “就是偏小” (4 stars, 20" in done.output


def test_as_json_it_is_the_record(called: Callable[..., Result]) -> None:
    done = called("a", "--json")
    assert msgspec.convert(json.loads(done.output), ReviewsTold) == SAID[-1]


def test_of_an_item_without_reviews_it_says_so(called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(called("b").exception, NoReviews)
    monkeypatch.setattr(Held, "there", False)
    assert isinstance(called("a").exception, TopicError)

"""A model is given what it was trained on, or it does not serve; what is added later harms nobody."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streams.entities.contents import find
from streams.features.feature import FromRecord
from streams.features.kinds.windows import Windowed
from streams.features.meaning import meanings
from streams.features.payload.picture import Picture
from streams.features.shopper import CATALOGUE
from streams.features.shopper.signals import ORDERS, SPEND
from streams.processing.scoring import Inputs
from streams.processing.serving import load
from tests.models.doubles import Double
from tests.worlds import shipped

#: Adds an eighteenth type of event before anything else is imported, then sends it and others through both models.
EIGHTEEN = """
import streams.records.events as events

class ReviewWritten(events.ShopperEvent, tag="review_written", frozen=True, kw_only=True):
    stars: int

events.SHOPPER_EVENTS += (ReviewWritten,)
events.AnyShopperEvent |= ReviewWritten
import msgspec
events.event_decoder = msgspec.json.Decoder(events.AnyShopperEvent | events.WorkerRecord)

from streams.columns.arrays import TYPE_CODE
from tests.shoppers import NOON, log_of, ordered, viewed
from tests.worlds import cut, run_plain

assert TYPE_CODE[ReviewWritten] == 18
review = ReviewWritten(event_id="r", shopper_id="s1", event_time=NOON + 1, stars=5)
world = run_plain(cut(log_of(ordered(), review, viewed(at=NOON + 2), viewed(at=NOON + 7_200_000, event_id="e2")), []))
assert world.fates["applied"] == 4, world.fates
assert world.kinds["ProfileUpdated"] == 2, world.kinds
assert world.kinds["Scored"] == 2, world.kinds
"""


def test_an_eighteenth_type_of_event_stops_nobody() -> None:
    """Its code is beyond the table of the encoder that was trained on fifteen: to that model it is no event."""
    done = subprocess.run(
        [sys.executable, "-c", EIGHTEEN], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_codes_that_a_model_does_not_know_are_no_events_to_it() -> None:
    live: Any = shipped().model("behaviour")
    young = Double(live, "young", "a" * 64)
    young.codes = {name: code for name, code in live.codes.items() if code <= 6}
    places = CATALOGUE.places(live.features)
    rows = np.asarray(shipped().artifact("behaviour").golden)
    types = Inputs(rows, places).of(young)[:][:, places["sequence.types"]]
    before = rows[:, places["sequence.types"]]
    assert (before > 6).any()
    np.testing.assert_array_equal(types, np.where(before > 6, 0, before))
    # The same beside what is made of records.
    young.digest, young.features, young.widths = "b" * 64, ("sequence.types", "payload.query"), (32, 16)
    searched: Any = SimpleNamespace(query="green tea")
    inputs = Inputs(rows[:2], places, [searched, None], CATALOGUE.payloads)
    both = inputs.of(young)[:]
    np.testing.assert_array_equal(both[:, :32], types[:2])
    np.testing.assert_array_equal((both[:, 32:] > 0).sum(axis=1), [2, 0])
    assert inputs.judged(young).tolist() == [True, False]
    assert (rows[:2, places["sequence.types"]] == before[:2]).all()


def test_meaning_follows_the_declaration_not_the_words() -> None:
    features = dict(CATALOGUE.features)
    count = features["orders.count_7d"]
    said = meanings(features, ["orders.count_7d", "orders.average_value"])
    assert meanings(features | {"orders.count_7d": replace(count, meaning="Weekly orders")}, said) == said
    for source in (Windowed(ORDERS, "30d"), Windowed(SPEND, "7d")):
        changed = meanings(features | {"orders.count_7d": replace(count, source=source)}, said)
        assert changed["orders.count_7d"] != said["orders.count_7d"]
        assert changed["orders.average_value"] == said["orders.average_value"]
    # A ratio means something else when its parts do.
    spend = replace(features["orders.spend"], source=features["orders.discount"].source)
    assert meanings(features | {"orders.spend": spend}, said)["orders.average_value"] != said["orders.average_value"]


@pytest.mark.parametrize("what", ["meanings", "codes"])
def test_a_model_of_other_meanings_or_codes_does_not_serve(what: str) -> None:
    live: Any = shipped().model("churn")
    other = Double(live, "other", "b" * 64)
    name = next(iter(getattr(live, what)))
    setattr(other, what, {**getattr(live, what), name: "elsewhere" if what == "meanings" else 99})
    shelf: Any = SimpleNamespace(model=lambda _task, _version: other)
    with pytest.raises(ValueError, match=rf"{name} meant something else.*offerstream train churn"):
        load(shelf, "churn", "other", CATALOGUE.features)


def test_whether_there_is_a_picture_means_another_thing_when_pictures_do() -> None:
    inputs = find("item").catalogue.inputs
    names = ("payload.picture", "payload.has_picture", "payload.sound")
    smaller = {"payload.picture": replace(inputs["payload.picture"], source=Picture("image", 64), width=64 * 64 * 3)}
    before, after = meanings(inputs, names), meanings(inputs | smaller, names)
    assert [before[name] == after[name] for name in names] == [False, False, True]
    assert find("item").catalogue.covering(["payload.has_picture"]).inputs.keys() == set(names[:2])
    for payload in inputs.values():
        if isinstance(payload.source, FromRecord):
            assert payload.width == np.prod(payload.source.shape)

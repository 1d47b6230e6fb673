"""What models make of an item's words is said when it changes, beside what the catalogue says, which stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest

from models.registry import task
from streams.entities.item import ITEM
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records.enriched import ItemEnriched, in_words
from streams.records.outcomes import ItemProfiled
from streams.records.serving import ModelsChosen, Stages
from streams.topics import TOPIC_OF
from tests.items import ItemLog, item_logs, item_slices
from tests.shoppers import NOON
from tests.stubs import ItemModel, ItemModels
from tests.worlds import DictTier

NAMES = ("Freezers", "Fridges", "TVs")
TITLES = {"cold box": (1, 0.9), "cold thing": (1, 0.6), "big screen": (2, 0.95), "ice box": (0, 0.8)}


class Reads(ItemModel):
    """A model that knows some titles by heart, and of reviews whether they say good."""

    def __init__(
        self, name: str, version: str = "one", names: tuple[str, ...] = NAMES, sure: float | None = 0.75
    ) -> None:
        of_names = (names, {"from": sure, "promised": 0.98}) if name == "category" else ()
        super().__init__(task(name), version, *of_names)
        self.feature = ITEM.catalogue.inputs[self.features[0]]
        self._known = {self._row(title=title): found for title, found in TITLES.items()}
        self._good = self._row(text="good", title=None) if name == "sentiment" else b""

    def _row(self, **said: Any) -> bytes:
        made = self.feature.source.of(
            msgspec.structs.replace(LISTED, **said) if "text" not in said else reviewed(0, **said)
        )
        return b"" if made is None else made.tobytes()

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        if self.task == "sentiment":
            return {"positive": np.array([0.9 if row.tobytes() == self._good else 0.2 for row in x])}
        found = [self._known.get(row.tobytes(), (0, 0.4)) for row in x]
        place = np.array([[at, (at + 1) % 3, -1] for at, _ in found], np.float64).reshape(len(x), 3)
        chance = np.array([[p, 1 - p, 0.0] for _, p in found]).reshape(len(x), 3)
        return {"confidence": chance[:, 0], "category": place, "chance": chance}


LISTED = i.ItemListed(event_id="l", item_id="a", event_time=NOON)


def listed(n: int, title: str | None, *path: str, **more: Any) -> tuple[str, i.ItemRecord]:
    said: dict[str, Any] = {"event_id": f"l{n}", "item_id": "a", "event_time": NOON + n, "title": title} | more
    return "catalog.items.v1", i.ItemListed(category_path=list(path) or None, **said)


def reviewed(n: int, text: str | None, item: str = "a", title: str | None = None) -> i.ItemReviewed:
    return i.ItemReviewed(event_id=f"r{n}", item_id=item, event_time=NOON + n, rating=3, text=text, title=title)


def log_of(*said: tuple[str, i.ItemRecord]) -> ItemLog:
    return next(log for log in item_logs({}, list(said)).values() if log)


def run(log: ItemLog, models: ItemModels, cuts: Iterable[int] = (), *, restarts: bool = False) -> list[ItemEnriched]:
    """What is said, in the order of the log."""
    tier, found = DictTier(), []
    processor = PartitionProcessor(ITEM, 0, Rules(), models)
    for slice_ in item_slices(log, 0, cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(ITEM, 0, Rules(), models, tier=tier)
        found += [o for o in processor.apply(slice_).outcomes if isinstance(o, ItemEnriched)]
    return found


BOTH = ItemModels(Reads("category"), Reads("sentiment"))


@pytest.mark.parametrize(
    ("title", "path", "suggested", "agreement"),
    [
        ("cold box", ("Kitchen", "Fridges"), "Fridges", "agrees"),
        ("cold box", ("Kitchen", "Freezers"), "Fridges", "differs"),
        ("cold box", ("COLD GOODS",), "Fridges", "other_words"),
        ("cold box", (), "Fridges", "not_said"),
        ("cold thing", ("Fridges",), None, "unsure"),
        ("milk, 1 GA", ("FLUID MILK",), None, "unsure"),
    ],
)
def test_a_suggestion_stands_beside_what_the_catalogue_says(
    title: str, path: tuple[str, ...], suggested: str | None, agreement: str
) -> None:
    (said,) = run(log_of(listed(1, title, *path)), BOTH)
    assert said.category is not None
    assert (said.category.category, said.category.agreement) == (suggested, agreement)
    assert said.category.catalogue == (path[-1] if path else None)
    assert [c.category for c in said.category.candidates][:1] == [NAMES[TITLES.get(title, (0, 0))[0]]]
    assert len(said.category.candidates) == 2  # -1 is none
    assert said.sentiment is None
    assert TOPIC_OF[ItemEnriched] == "items.enriched.v1"
    assert in_words(said).startswith(f"category {suggested or 'unsure'}")


def test_what_the_catalogue_says_is_never_overwritten() -> None:
    processor = PartitionProcessor(ITEM, 0, Rules(), BOTH)
    (slice_,) = item_slices(log_of(listed(1, "cold box", "Freezers")), 0)
    (profile,) = [o for o in processor.apply(slice_).outcomes if isinstance(o, ItemProfiled)]
    assert profile.category == "Freezers"


LOG = log_of(
    listed(1, "cold box", "Fridges"),
    listed(2, "cold box", "Fridges"),  # nothing new
    ("catalog.items.v1", i.ItemChanged(event_id="c3", item_id="a", event_time=NOON + 3, unit_price_cents=5)),
    ("catalog.reviews.v1", reviewed(4, "good")),
    ("catalog.reviews.v1", reviewed(5, None)),  # no words
    ("catalog.reviews.v1", reviewed(6, "broken")),
    ("catalog.items.v1", i.ItemChanged(event_id="c7", item_id="a", event_time=NOON + 7, category_path=["Freezers"])),
    ("catalog.items.v1", i.ItemChanged(event_id="c8", item_id="a", event_time=NOON + 8, title="ice box")),
    ("catalog.reviews.v1", reviewed(9, "good")),
)


def test_it_is_said_when_it_changes_and_all_parts_are_remembered() -> None:
    said = run(LOG, BOTH)
    assert [each.due.ref for each in said] == ["l1", "r4", "r6", "c7", "c8", "r9"]
    agreed = [each.category and each.category.agreement for each in said]
    assert agreed == ["agrees", "agrees", "agrees", "differs", "agrees", "agrees"]
    wrote = said[-1].sentiment
    assert wrote is not None
    assert (wrote.reviews, wrote.newest) == (3, 0.9)
    assert wrote.positive == round((0.81 * 0.9 + 0.9 * 0.2 + 0.9) / (0.81 + 0.9 + 1), 4)


@pytest.mark.parametrize("cuts", [[1], [3, 5], list(range(1, len(LOG)))])
def test_the_log_decides_however_it_is_cut_and_after_restarts(cuts: list[int]) -> None:
    whole = run(LOG, BOTH)
    assert run(LOG, BOTH, cuts) == whole
    assert run(LOG, BOTH, cuts, restarts=True) == whole


def test_one_task_alone_is_enough_and_none_says_nothing() -> None:
    (said,) = {each.category for each in run(LOG, ItemModels(Reads("sentiment")))}
    assert said is None
    assert {each.sentiment for each in run(LOG, ItemModels(Reads("category")))} == {None}
    assert run(LOG, ItemModels()) == []


def test_without_a_promise_it_is_always_unsure() -> None:
    found = run(LOG, ItemModels(Reads("category", sure=None)))
    assert {each.category and each.category.agreement for each in found} == {"unsure"}


def test_what_a_model_said_that_serves_no_more_is_not_said_again() -> None:
    """Places stand for other names in another version: until the item is read anew, nothing is known of it."""
    two = Reads("category", "two", ("Tellies", "Coolers", "Irons"))
    models = ItemModels(Reads("category"), two, Reads("sentiment"))
    stages = {"category": Stages(change_id="1", live="two"), "sentiment": Stages(change_id="2", live="one")}
    turn = ModelsChosen(stages=stages)
    log = [*LOG[:4], (None, msgspec.json.encode(turn), None), *LOG[5:6], *LOG[7:]]
    said = run(log, models)
    assert [each.due.ref for each in said] == ["l1", "r4", "r6", "c8", "r9"]
    assert said[2].category is None
    assert said[2].sentiment is not None
    assert said[3].category is not None
    assert said[3].category.candidates[0].category == "Tellies"


def test_items_of_a_step_are_told_apart() -> None:
    found = run(log_of(*(listed(n, title, item_id=f"i{n}") for n, title in enumerate(TITLES))), BOTH)
    by_item = {each.item_id: each.category.candidates[0].category for each in found if each.category}
    assert {by_item[f"i{n}"] for n in range(4) if f"i{n}" in by_item} <= set(NAMES)
    assert len(by_item) == len(found)

"""Texts about items are said when they change, made of attributes alone, whatever these are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.copy.checking import check
from streams.copy.languages import LANGUAGES
from streams.copy.slots import MOST, slots
from streams.demo.samples import DESCRIBED as SAMPLE
from streams.demo.samples import samples
from streams.entities.item import ITEM
from streams.features.meaning import meanings
from streams.features.payload.attributes import SAYS, Attributes
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records.described import ItemDescribed, in_words
from streams.topics import DESCRIBED, TOPIC_OF
from tests.copy.slots import names, values
from tests.items import ItemLog, item_logs, item_slices
from tests.shoppers import NOON
from tests.worlds import DictTier

TEA = {"name": "Sencha", "weight": "250 g", "organic": "true", "bags": "20"}


class InOrder:
    """A model that lists slots as they come."""

    levels: dict[str, Any] = {}  # noqa: RUF012
    tiers: dict[str, Any] = {}  # noqa: RUF012
    sure: dict[str, Any] = {}  # noqa: RUF012
    distributions: dict[str, Any] = {}  # noqa: RUF012
    codes: dict[str, int] = {}  # noqa: RUF012
    population = ()
    upstream = ()
    names = ()
    task = "copy"

    def __init__(self, version: str = "one") -> None:
        known = task("copy")
        self.version, self.digest = version, version.encode().hex() * 8
        self.features, self.outputs, self.at = known.features, known.outputs, known.at
        self.widths = (ITEM.catalogue.inputs[self.features[0]].width,)
        self.meanings = meanings(ITEM.catalogue.inputs, self.features)
        self.reference = np.zeros(self.widths[0], np.float32)

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        buckets = x.reshape(len(x), MOST, len(SAYS))[:, :8, 0].astype(np.float64)
        return {"commas": np.ones(len(x)), "title": buckets, "offer": buckets[:, ::-1]}


class Models:
    """Versions of it."""

    def __init__(self, *models: Any) -> None:
        self._models = {model.version: model for model in models}

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        return ("copy",) if entity == "item" and self._models else ()

    def outputs(self, task: str) -> Any:
        return self.model(task).outputs

    def shipped(self, _name: str) -> str:
        return next(iter(self._models))

    def model(self, _name: str, version: str | None = None) -> Any:
        return self._models[version or self.shipped("copy")]


ONE: Any = Models(InOrder())


def listed(n: int, attributes: dict[str, str] | None, **more: Any) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemListed(
        event_id=f"l{n}", item_id="a", event_time=NOON + n, attributes=attributes, **more
    )


def changed(n: int, **said: Any) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemChanged(event_id=f"c{n}", item_id="a", event_time=NOON + n, **said)


def delisted(n: int) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemDelisted(event_id=f"d{n}", item_id="a", event_time=NOON + n)


def log_of(*said: tuple[str, i.ItemRecord]) -> ItemLog:
    return next(log for log in item_logs({}, list(said)).values() if log)


def run(log: ItemLog, models: Any, cuts: Iterable[int] = (), *, restarts: bool = False) -> list[ItemDescribed]:
    """What is said, in the order of the log."""
    tier, found = DictTier(), list[ItemDescribed]()
    processor = PartitionProcessor(ITEM, 0, Rules(), models)
    for slice_ in item_slices(log, 0, cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(ITEM, 0, Rules(), models, tier=tier)
        found += [o for o in processor.apply(slice_).outcomes if isinstance(o, ItemDescribed)]
    return found


LOG = log_of(
    listed(1, TEA, brand="Acme"),
    changed(2, unit_price_cents=5),  # no attributes: nothing new
    changed(3, attributes=TEA, brand="Acme"),  # the same texts
    changed(4, attributes={"colour": "green", "size": "S"}),  # too few
    changed(5, attributes=TEA | {"weight": "500 g"}, brand="Acme"),
    delisted(6),
    delisted(7),
    changed(8, attributes=TEA),  # not for sale
    listed(9, TEA | {"note": "<script>x</script>", "weight": "the best &lt;"}),
)


def test_texts_are_said_when_they_change_and_when_the_item_goes() -> None:
    said = run(LOG, ONE)
    assert [each.due.ref for each in said] == ["l1", "c5", "d6", "l9"]
    first = said[0].described
    assert first is not None
    assert first.made_of == ["brand", *TEA]
    assert [each.language for each in first.texts] == ["en", "zh-Hans"]
    english, chinese = first.texts
    assert (english.title, english.coverage) == ("Acme Sencha 250 g Organic", 1.0)
    assert english.description == "Acme Sencha 250 g Organic. Details: Organic: yes; Bags: 20."
    assert english.offer == "For you: Organic, 250 g, Sencha, Acme."
    assert chinese.description == "Acme Sencha 250 g Organic。详情：Organic：是；Bags：20。"
    assert said[2].described is None
    assert "script>" not in str(said[3])
    assert "best" not in str(said[3])
    assert TOPIC_OF[ItemDescribed] == DESCRIBED.name
    assert in_words(said[0]).startswith("en: Acme Sencha 250 g Organic; zh-Hans: ")
    assert in_words(said[2]) == "is not for sale any more: no texts hold"
    assert msgspec.json.decode(msgspec.json.encode(said[0]), type=ItemDescribed) == said[0]


@pytest.mark.parametrize("cuts", [[1], [3, 5], list(range(1, len(LOG)))])
def test_the_log_decides_however_it_is_cut_and_after_restarts(cuts: list[int]) -> None:
    whole = run(LOG, ONE)
    assert run(LOG, ONE, cuts) == whole
    assert run(LOG, ONE, cuts, restarts=True) == whole


def test_without_a_model_nothing_is_said() -> None:
    assert run(LOG, Models()) == []


@settings(max_examples=60)
@given(st.none() | values, st.dictionaries(names, values, max_size=8))
def test_whatever_attributes_come_no_text_has_a_fault(brand: str | None, attributes: dict[str, str]) -> None:
    record = listed(1, attributes, brand=brand)
    said = run(log_of(record), ONE)
    known = slots(record[1])
    assert bool(said) == (Attributes().of(record[1]) is not None)
    for each in said:
        assert each.described is not None
        for texts in each.described.texts:
            language = next(language for language in LANGUAGES if language.tag == texts.language)
            whole = {"title": texts.title, "description": texts.description, "offer": texts.offer}
            assert check(whole, known, language, closed=True).faults == ()
            assert not set("<>") & set("".join(whole.values()))


def test_the_shipped_model_writes_of_the_samples() -> None:
    shipped: Any = Models(Predictor(load_artifact(task("copy"))))
    (sample,) = [each for each in samples(NOON) if each.item_id == SAMPLE]
    (said,) = run(log_of(("catalog.items.v1", sample)), shipped)
    assert said.described is not None
    assert len(said.described.texts) == 2
    for texts in said.described.texts:
        assert texts.title.startswith("Philips")
        assert texts.coverage == 1.0

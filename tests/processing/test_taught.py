"""What a version was never taught gets no answer, and it is said why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.artifact import Artifact, parse_artifact
from models.registry import task
from models.task import AtLeast, Taught
from streams.entities.item import ITEM
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.scoring import RECORD, Inputs
from streams.records import items as i
from streams.records.enriched import ItemEnriched
from streams.records.reviewed import ReviewsTold
from tests.items import item_logs, item_slices
from tests.shoppers import NOON
from tests.stubs import ItemModel, ItemModels
from tests.worlds import shipped
from training.export import stamped
from training.judging import judging

ENGLISH, CHINESE = "It runs small but I love the fabric", "质量很好，物流也快"
GERMAN, SHORT = "Der Stoff ist sehr schön und weich", "ok"
LISTED = i.ItemListed(event_id="l", item_id="a", event_time=NOON, title="Shirt")


def reviewed(n: int, text: str | None, language: str | None = None) -> i.ItemReviewed:
    return i.ItemReviewed(event_id=f"r{n}", item_id="a", event_time=NOON + n, rating=4, text=text, language=language)


class Sure(ItemModel):
    """A model that answers 1 of whatever it is given."""

    def __init__(self, name: str, *population: AtLeast | Taught) -> None:
        super().__init__(task(name), "one")
        self.population = population  # type: ignore[assignment]

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {output.name: np.ones(len(x)) for output in self.outputs}


def refused(model: Any, records: list[Any], features: np.ndarray | None = None) -> dict[str, list[int]]:
    rows = np.zeros((len(records), 1), np.float32) if features is None else features
    inputs = Inputs(rows, {"reviews.count": slice(0, 1)}, records, ITEM.catalogue.payloads)
    found = inputs.refused(model)
    judged = np.flatnonzero(inputs.judged(model)).tolist()
    places = sorted(judged + [k for told in found.values() for k in np.flatnonzero(told).tolist()])
    assert places == list(range(len(records)))  # each is judged, or refused for one reason
    return {why: np.flatnonzero(told).tolist() for why, told in found.items()}


def test_each_is_refused_for_the_first_condition_that_does_not_hold() -> None:
    records = [reviewed(1, ENGLISH), reviewed(2, GERMAN), reviewed(3, None), LISTED, None, reviewed(4, GERMAN, "en")]
    english = Sure("sentiment", Taught("payload.language", ("en",)))
    assert refused(english, records) == {"payload.language in en": [1, 2], RECORD: [3, 4]}
    many = Sure("sentiment", AtLeast("reviews.count", 3), Taught("payload.language", ("en", "")))
    counts = np.array([[3], [9], [0], [9], [9], [2]], np.float32)
    assert refused(many, records, counts) == {
        "reviews.count >= 3": [2, 5], RECORD: [3, 4],
    }  # fmt: skip
    assert refused(Sure("sentiment"), records) == {RECORD: [2, 3, 4]}


@pytest.mark.parametrize(
    ("name", "taught", "answers"),
    [("sentiment", ("en", "zh"), [True, True, False, False]), ("review", ("en",), [True, False, False, False])],
)
def test_the_shipped_models_of_reviews_judge_the_languages_that_taught_them(
    name: str, taught: tuple[str, ...], answers: list[bool]
) -> None:
    model = shipped().model(name)
    assert model.population == (Taught("payload.language", taught),)
    records = [reviewed(n, text) for n, text in enumerate((ENGLISH, CHINESE, GERMAN, SHORT))]
    inputs = Inputs(np.zeros((4, 0), np.float32), {}, records, ITEM.catalogue.payloads)
    assert inputs.judged(model).tolist() == answers
    (output,) = model.outputs
    assert np.isfinite(inputs.answers(model)[output.name]).tolist() == answers


def test_a_review_in_a_language_that_was_not_taught_counts_for_nothing_and_says_why() -> None:
    texts = [ENGLISH, GERMAN, ENGLISH]
    said = [("catalog.reviews.v1", reviewed(n, text)) for n, text in enumerate(texts)]
    (log,) = [log for log in item_logs({}, [("catalog.items.v1", LISTED), *said]).values() if log]
    conditions = (Taught("payload.language", ("en",)),)
    shelf = ItemModels(Sure("sentiment", *conditions), Sure("review"))
    processor = PartitionProcessor(ITEM, 0, Rules(), shelf)
    outcomes = [o for slice_ in item_slices(log, cuts=[2]) for o in processor.apply(slice_).outcomes]
    told = [o.newest for o in outcomes if isinstance(o, ReviewsTold)]
    assert [each.unjudged for each in told] == [{}, {"sentiment": "payload.language in en"}, {}]
    enriched = [o.sentiment.reviews for o in outcomes if isinstance(o, ItemEnriched) and o.sentiment]
    assert enriched == [1, 2]


def test_a_version_is_taught_what_its_records_are_mostly_in() -> None:
    sentiment = task("sentiment")
    records = [reviewed(n, ENGLISH) for n in range(300)] + [reviewed(n, GERMAN, "de") for n in range(40)]
    assert judging(sentiment, records).population == (Taught("payload.language", ("de", "en")),)
    assert judging(sentiment, records[:310]).population == (Taught("payload.language", ("en",)),)
    # Of too few to tell, all that occurs.
    assert judging(sentiment, records[299:301]).population == (Taught("payload.language", ("de", "en")),)
    assert judging(task("ad"), []).population == task("ad").population


def test_the_card_says_what_was_taught_and_a_version_keeps_to_it() -> None:
    artifact = shipped().artifact("review")
    assert artifact.card["population"] == [["payload.language", ["en"]]]
    card = artifact.card | {"population": [["payload.language", ["de", "fr"]], ["reviews.count", 2]]}
    other = Artifact(artifact.task, card, artifact.model, artifact.golden, artifact.answers)
    again = parse_artifact(task("review"), other.files(), "a folder")
    assert again.task.population == (Taught("payload.language", ("de", "fr")), AtLeast("reviews.count", 2))


def test_a_version_that_judges_something_else_is_another_version() -> None:
    """Whoever has one by its digest has what it judges: its weights may be the same."""
    artifact = shipped().artifact("review")
    german = replace(artifact.task, population=(Taught("payload.language", ("de",)),))
    assert stamped(artifact.model, artifact.task) == artifact.model
    assert stamped(artifact.model, german) != artifact.model
    churn = shipped().artifact("churn")
    assert stamped(churn.model, churn.task) == churn.model

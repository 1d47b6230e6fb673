"""What a model is given: words of the record that made due; and what it answers: the nearest of its items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.artifact import Artifact
from models.predictor import Predictor
from models.task import Output, Task
from streams.entities.item import ITEM
from streams.features.meaning import meanings
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.scoring import score
from streams.processing.serving import serve, shipped_stages
from streams.records import items as i
from tests.items import item_logs, item_slices
from tests.shoppers import NOON
from training.export import proven, to_onnx

CARD: dict[str, Any] = dict.fromkeys(
    ("data", "split", "seed", "metrics", "baselines", "intended_use", "limits"), "none: a throw-away"
)


def artifact(task: Task, model: bytes, rows: np.ndarray, answer: Callable[[np.ndarray], Any], **card: Any) -> Artifact:
    """A proven artifact of a throw-away task."""
    return proven(task, model, answer, rows, rows, {**CARD, **card})


class OneModel:
    """A shelf with one model about items."""

    def __init__(self, model: Predictor) -> None:
        self._model = model

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        return (self._model.task,) if entity == "item" else ()

    def outputs(self, task: str) -> Any:
        return self._model.outputs

    def shipped(self, task: str) -> str:
        return self._model.version

    def model(self, task: str, version: str | None = None) -> Predictor:
        return self._model


ITEMS = np.random.default_rng(5).normal(size=(300, 64)).astype(np.float32)
TOP = 20
SIMILAR = Task(
    name="similar",
    question="Which items have such words?",
    features=("payload.words",),
    outputs=(Output("items", "ranking", TOP), Output("similarity", "number", TOP)),
    owner="test",
    entity="item",
    at=("item_reviewed", "item_listed"),
    tolerance=0.1,
)


def plain(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The same in numpy."""
    similarity = rows.astype(np.float64) @ ITEMS.T.astype(np.float64)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :TOP]
    return {"items": order.astype(np.float32), "similarity": np.take_along_axis(similarity, order, axis=1)}


@pytest.fixture(scope="module")
def similar() -> Predictor:
    """Retrieval over 300 items in a graph, proven as every model is."""
    import keras
    from keras import ops

    words = keras.Input((64,), name="features", dtype="float32")
    similarity, places = ops.top_k(ops.matmul(words, ITEMS.T), TOP)
    network = keras.Model(words, [ops.cast(places, "float32"), similarity])
    rows = np.random.default_rng(6).normal(size=(40, 64)).astype(np.float32)
    network(rows)
    graph = to_onnx(network, SIMILAR)
    names = [f"item-{n}" for n in range(len(ITEMS))]
    return Predictor(artifact(SIMILAR, graph, rows, plain, names=names))


def test_retrieval_finds_exactly_the_nearest_items(similar: Predictor) -> None:
    rows = np.random.default_rng(7).normal(size=(500, 64)).astype(np.float32)
    found, expected = similar.score(rows), plain(rows)
    assert (found["items"] == expected["items"]).mean() > 0.999  # float32 may swap two that are alike
    np.testing.assert_allclose(found["similarity"], expected["similarity"], rtol=1e-4, atol=1e-4)
    assert similar.names[int(found["items"][0, 0])].startswith("item-")


def test_words_of_the_record_that_made_due_go_into_the_model_and_into_no_row(similar: Predictor) -> None:
    """A task that asks at reviews answers there and nowhere else; a review without a text gets no answer."""
    base: dict[str, Any] = {"item_id": "tea", "rating": 5}
    said: list[tuple[str, i.ItemRecord]] = [
        ("catalog.reviews.v1", i.ItemReviewed(event_id="1", event_time=NOON, text="Green tea, very good", **base)),
        ("catalog.reviews.v1", i.ItemReviewed(event_id="2", event_time=NOON + 1, **base)),
        ("catalog.stock.v1", i.StockCounted(event_id="3", item_id="tea", event_time=NOON + 2, on_hand=5)),
    ]
    (log,) = (log for log in item_logs({}, said).values() if log)
    answers = []
    for cuts in ([], [1, 2]):
        processor = PartitionProcessor(ITEM, 0, Rules(), OneModel(similar))
        scores = [s for slice_ in item_slices(log, 0, cuts) for s in processor.apply(slice_).scores]
        judged = np.concatenate([s.judged for s in scores])
        assert judged.tolist() == [True, False, False]
        answers.append(np.concatenate([s.answers["items"] for s in scores])[judged])
    np.testing.assert_array_equal(answers[0], answers[1])
    assert not any("words" in column.name for column in processor.codec.layout.columns)
    assert meanings(ITEM.catalogue.inputs, SIMILAR.features).keys() == {"payload.words"}


def test_what_a_model_is_given_of_a_record_does_not_depend_on_what_stands_beside_it(similar: Predictor) -> None:
    shelf, inputs = OneModel(similar), ITEM.catalogue.inputs
    serving = serve(shelf, "item", inputs, shipped_stages(shelf, "item"), lambda *_: None)
    records = [
        i.ItemReviewed(event_id=str(n), item_id="a", event_time=NOON, rating=1, text=f"word{n} tea") for n in range(9)
    ]
    nothing = np.zeros((9, 0), np.float32)
    together = score(serving, nothing, {}, str, ITEM.catalogue, records)["similar"]
    for n, record in enumerate(records):
        alone = score(serving, nothing[:1], {}, str, ITEM.catalogue, [record])["similar"]
        np.testing.assert_array_equal(alone.answers["items"][0], together.answers["items"][n])

"""Throw-away tasks that look at pictures and hear sounds, and how they are trained on records of a catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.task import Output, Task
from streams.entities.item import ITEM
from streams.records.items import ItemListed
from tests.features.files import picture, tone, wav
from tests.shoppers import NOON
from training import export
from training.evaluate import compare, importance
from training.fit import Schedule, fit, seed_everything
from training.networks.inputs import rows_of, tensors

Rows = npt.NDArray[np.float32]


def throw_away(name: str, question: str, features: tuple[str, ...], *outputs: Output) -> Task:
    """A task about listings."""
    return Task(
        name, question, features, outputs, "tests", entity="item", at=("item_listed", "item_changed"),
        tolerance=1e-4, latency_us_per_row=20_000.0,
    )  # fmt: skip


LOOK = throw_away("look", "Is it red?", ("payload.picture",), Output("red"))
HEAR = throw_away("hear", "Is it high?", ("payload.sound",), Output("high"))
BOTH = throw_away(
    "both",
    "Is it red or high, as far as can be told?",
    ("price.now", "payload.has_picture", "payload.picture", "payload.has_sound", "payload.sound", "listing.listed"),
    Output("either"),
    Output("embedding", "embedding", 4),
)
TASKS = (LOOK, HEAR, BOTH)


def listed(n: int, image: bytes | None = None, audio: bytes | None = None, **more: Any) -> ItemListed:
    """A listing of an item of its own."""
    base: dict[str, Any] = {"event_id": f"l{n}", "item_id": f"item-{n}", "event_time": NOON + n, "title": f"Item {n}"}
    return ItemListed(image=image, audio=audio, **(base | {"unit_price_cents": 100 + n} | more))


def listings(n: int, seed: int) -> tuple[list[ItemListed], npt.NDArray[np.float64]]:
    """Records, and [n, 2] whether each is red and high."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (n, 2)).astype(np.float64)
    found = []
    for k, (red, high) in enumerate(truth.tolist()):
        points = rng.integers(0, 80, (24, 24, 3))
        points[6:18, 6:18, 0 if red else 2] += 150
        sound = 0.3 * tone(2000 if high else 300, 8000, 0.3) + 0.02 * rng.normal(size=2400)
        found.append(listed(k, picture(points), wav(sound, 8000)))
    return found, truth


def label(task: Task, truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a task is to answer of each."""
    return {"look": truth[:, 0], "hear": truth[:, 1], "both": truth.max(axis=1)}[task.name]


def given(task: Task, records: list[ItemListed]) -> Rows:
    """[n, width] what a model of the task is given of records, of items of which nothing else is known."""
    features = [a for a in task.features if a in ITEM.catalogue.features]
    known = [[r.unit_price_cents, 1.0] for r in records]
    return rows_of(task, records, np.array(known, np.float32)[:, : len(features)])


def network(task: Task) -> Any:
    """A small one."""
    import keras

    layers = keras.layers
    row, parts = tensors(task)
    seen = []
    if "payload.picture" in parts:
        v = layers.AveragePooling2D(8)(parts["payload.picture"])
        v = layers.Conv2D(8, 3, activation="relu")(v)
        seen.append(layers.GlobalAveragePooling2D()(v))
    if "payload.sound" in parts:
        v = layers.AveragePooling1D(10)(parts["payload.sound"])
        v = layers.Conv1D(8, 3, activation="relu")(v)
        seen.append(layers.GlobalMaxPooling1D()(v))
    seen += [part for address, part in parts.items() if address.startswith("payload.has_")]
    joined = layers.Concatenate()(seen) if len(seen) > 1 else seen[0]
    answers = [layers.Activation("sigmoid", name=task.outputs[0].name)(layers.Dense(1)(joined))]
    answers += [layers.Dense(o.width, name=o.name)(joined) for o in task.outputs[1:]]
    return keras.Model(row, answers if len(answers) > 1 else answers[0])


def train(task: Task, kept_in: Any) -> tuple[Artifact, Callable[[Rows], dict[str, Rows]]]:
    """An artifact, exported and proven, and what Keras answers."""
    import tensorflow as tf

    seed_everything(3)
    (taught, truth), (tested, test_truth) = listings(160, 1), listings(96, 2)
    x, y, test_x, test_y = given(task, taught), label(task, truth), given(task, tested), label(task, test_truth)
    model = network(task)

    def loss(answers: Any, _x: Any, wanted: Any) -> Any:
        first = answers[0] if isinstance(answers, (list, tuple)) else answers
        return tf.reduce_mean(tf.keras.losses.binary_crossentropy(wanted, first))

    wanted = y[:, None].astype(np.float32)
    fit(model, lambda _rng: (x, wanted), loss, Schedule(25, 32, rate=2e-2, average=0.9), seed=3, kept_in=kept_in)

    def answer(rows: Rows) -> dict[str, Rows]:
        found = model.predict(rows, batch_size=64, verbose=0)
        found = found if isinstance(found, (list, tuple)) else [found]
        pairs = zip(task.outputs, found, strict=True)
        return {o.name: values if o.width > 1 else values.reshape(-1) for o, values in pairs}

    first = task.outputs[0].name
    scores = {"ours": answer(test_x)[first].astype(float), "brightness": test_x.mean(axis=1).astype(float)}
    found = compare(test_y, scores, np.arange(len(test_y)), {}, 3)
    widths = list(zip(task.features, export.widths(task), strict=True))
    found["importance"] = importance(lambda rows: answer(rows)[first], test_x, test_y, widths, 3)
    said = dict.fromkeys(("baselines", "intended_use", "limits"), "a test")
    card = {"data": [], "split": {}, "seed": 3, "metrics": {"made up": {first: found}}, **said}
    return export.proven(task, export.to_onnx(model, task), answer, test_x, x, card), answer

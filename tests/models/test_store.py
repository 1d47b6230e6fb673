"""Versions never change once they are kept, and nothing that was not proven is handed out."""

from __future__ import annotations

import gc
import hashlib
import json
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.artifact import VERSION_DIGITS, ArtifactError, load_artifact, parse_artifact
from models.likeness import Likeness
from models.predictor import Predictor
from models.registry import SHIPPED, task
from models.store import Shelf, Store
from tests.models.variants import variant

CHURN = task("churn")


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_what_is_put_is_got_back_whole_in_any_file_system(kind: str, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store") if kind == "folder" else f"memory://{uuid.uuid4()}")
    assert store.versions("churn") == []
    other = variant(CHURN, 1.5)
    store.put("churn", other.files())
    store.put("churn", other.files())  # the same again is no error
    assert store.versions("churn") == [other.version]
    found = store.get("churn", other.version)
    assert (found.model, found.card) == (other.model, other.card)


def test_a_version_is_never_replaced(tmp_path: Path) -> None:
    store, other = Store(str(tmp_path)), variant(CHURN, 1.5)
    store.put("churn", other.files())
    with pytest.raises(ArtifactError, match="versions never change"):
        store.put("churn", replace(other, card=other.card | {"limits": "none at all"}).files())


def test_a_missing_version_says_which_there_are(tmp_path: Path) -> None:
    shelf = Shelf(Store(str(tmp_path)))
    shelf.store.put("churn", variant(CHURN, 1.5).files())  # type: ignore[union-attr]
    with pytest.raises(ArtifactError, match=f"versions of 'churn' there: {variant(CHURN, 1.5).version}"):
        shelf.model("churn", "feedbeef0000")
    with pytest.raises(ArtifactError, match="there are: behaviour, churn"):
        shelf.model("nonsense", "feedbeef0000")
    with pytest.raises(ArtifactError, match="letters and digits"):
        shelf.model("churn", "../../etc")


def damage(kind: str, files: dict[str, bytes]) -> dict[str, bytes]:
    card = json.loads(files["card.json"])
    if kind == "truncated":
        return files | {"model.onnx": files["model.onnx"][:-7]}
    if kind == "tampered":
        return files | {"model.onnx": files["model.onnx"][:600] + b"x" + files["model.onnx"][601:]}
    if kind == "feature order":
        return files | {"card.json": json.dumps(card | {"features": card["features"][::-1]}).encode()}
    if kind == "card cut off":
        return files | {"card.json": files["card.json"][:100]}
    if kind == "golden rows cut off":
        return files | {"golden.npz": files["golden.npz"][:100]}
    if kind == "lacks limits":
        return files | {"card.json": json.dumps({k: v for k, v in card.items() if k != "limits"}).encode()}
    if kind == "limits changed":
        return files | {"card.json": json.dumps(card | {"limits": "none at all"}).encode()}
    if kind == "other golden rows":
        return files | {"golden.npz": variant(CHURN, 0.5).files()["golden.npz"]}
    assert kind == "name"
    return files | {"card.json": json.dumps(card | {"version": "v2"}).encode()}


@pytest.mark.parametrize(
    "kind",
    [
        "truncated",
        "tampered",
        "feature order",
        "card cut off",
        "golden rows cut off",
        "lacks limits",
        "limits changed",
        "other golden rows",
        "name",
    ],
)
def test_a_damaged_artifact_is_refused_also_when_it_was_damaged_in_the_store(kind: str, tmp_path: Path) -> None:
    other = variant(CHURN, 1.5)
    files = damage(kind, other.files())
    store = Store(str(tmp_path))
    with pytest.raises(ArtifactError):
        store.put("churn", files)
    folder = tmp_path / "churn" / other.version
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError):
        Shelf(store).model("churn", other.version)


def renamed(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "rows"
    for node in model.graph.node:
        node.input[:] = ["rows" if name == "features" else name for name in node.input]


def other_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "another"
    for node in model.graph.node:
        node.output[:] = ["another" if name == "lapse_30d" else name for name in node.output]


def out_of_range(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.output[:] = ["before" if name == "lapse_30d" else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array(3, np.float32), "three"))
    model.graph.node.append(onnx.helper.make_node("Add", ["before", "three"], ["lapse_30d"]))


def another_shape(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.output[:] = ["before" if name == "lapse_30d" else name for name in node.output]
    model.graph.node.append(onnx.helper.make_node("Concat", ["before", "before"], ["lapse_30d"], axis=0))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "twice"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (renamed, "takes rows"),
        (other_output, "gives"),
        (out_of_range, r"outside \[0, 1\]"),
        (another_shape, "not finite"),
    ],
)
def test_a_model_with_other_ends_is_refused(change: Callable[[onnx.ModelProto], None], why: str) -> None:
    artifact = load_artifact(CHURN)
    model = onnx.load_from_string(artifact.model)
    change(model)
    raw = model.SerializeToString(deterministic=True)
    digest = hashlib.sha256(raw).hexdigest()
    card = artifact.card | {"digest": digest, "version": digest[:VERSION_DIGITS]}
    with pytest.raises(ArtifactError, match=why):
        Predictor(replace(artifact, card=card, model=raw))


NOTHING = np.zeros((1, 64), np.int8)
LEVELS: dict[str, Any] = {
    "output": "lapse_30d",
    "days": 30,
    "thresholds": {"watch": 0.3, "high": 0.5, "critical": 0.7},
    "promised": {"watch": 0.3, "high": 0.5, "critical": 0.7},
}


@pytest.mark.parametrize(
    ("card", "golden", "why"),
    [
        ({"task": "behaviour"}, {}, "not for 'churn'"),
        ({"outputs": ["lapse_30d"]}, {}, "outputs"),
        ({"reference": [0.0]}, {}, "reference row"),
        ({"upstream": {"behaviour": "0" * 64}}, {}, "other models"),
        ({"levels": {"output": "lapse_30d"}}, {}, "levels needs"),
        ({"levels": LEVELS | {"output": "purchase"}}, {}, "levels needs"),
        ({"likeness": {"power": 8}}, {}, "likeness needs"),
        ({"likeness": Likeness(3, "0" * 16, np.ones(64, np.int8), NOTHING).said()}, {}, "a power of"),
        ({"likeness": Likeness(8, "0" * 9, np.ones(64, np.int8), NOTHING).said()}, {}, "the digest"),
        # It has no names.
        ({"likeness": Likeness(8, "0" * 16, NOTHING[0], NOTHING).said()}, {}, "bytes of each"),
        ({"levels": LEVELS | {"thresholds": {"watch": 0.5, "high": 0.4, "critical": 0.7}}}, {}, "ascending"),
        ({}, {"golden": np.zeros((0, 28), np.float32)}, "as many answers"),
        ({}, {"golden": np.zeros((5, 28), np.float32)}, "as many answers"),
    ],
)
def test_a_card_or_golden_rows_of_something_else_are_refused(
    card: dict[str, Any], golden: dict[str, Any], why: str
) -> None:
    artifact = load_artifact(CHURN)
    files = replace(artifact, card=artifact.card | card, **golden).files()
    with pytest.raises(ArtifactError, match=why):
        Predictor(parse_artifact(CHURN, files, "it"))


def test_a_card_may_say_what_the_items_are_like_that_it_names() -> None:
    artifact, table = load_artifact(CHURN), np.arange(-128, 0, dtype=np.int8).reshape(2, 64)
    assert Predictor(artifact).likeness is None
    said = Likeness(8, "0123456789abcdef", table[1], table)
    files = replace(artifact, card=artifact.card | {"names": ["tea", "pot"], "likeness": said.said()}).files()
    found = Predictor(parse_artifact(CHURN, files, "it")).likeness
    assert found is not None
    assert (found.power, found.by) == (8, said.by)
    assert (found.middle == said.middle).all()
    assert (found.embeddings == table).all()


def test_a_folder_that_holds_another_version_is_refused(tmp_path: Path) -> None:
    store, one = Store(str(tmp_path)), variant(CHURN, 1.5)
    store.put("churn", one.files())
    (tmp_path / "churn" / one.version).rename(tmp_path / "churn" / "feedbeef0000")
    with pytest.raises(ArtifactError, match="holds version"):
        store.get("churn", "feedbeef0000")


def test_a_store_that_needs_something_says_what() -> None:
    with pytest.raises(ArtifactError, match="OFFERSTREAM_MODELS"):
        Store("nonsense://there")


def test_a_model_that_answers_otherwise_than_it_was_proven_is_refused(tmp_path: Path) -> None:
    from tests.models.variants import of_bytes

    one, other = variant(CHURN, 1.5), variant(CHURN, 0.5)
    lying = of_bytes(load_artifact(CHURN), other.model)
    lying.answers.update(one.answers)
    store = Store(str(tmp_path))
    store.put("churn", lying.files())
    with pytest.raises(ArtifactError, match="golden rows"):
        Shelf(store).model("churn", lying.version)


def test_a_model_that_is_not_finite_or_of_another_shape_is_refused(tmp_path: Path) -> None:
    from tests.models.variants import of_bytes

    artifact = load_artifact(CHURN)
    graph = onnx.load_from_string(artifact.model)
    for initializer in graph.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.dtype == np.float32 and values.ndim == 2:
            initializer.CopyFrom(numpy_helper.from_array(values * np.float32("nan"), initializer.name))
    store = Store(str(tmp_path))
    broken = of_bytes(artifact, graph.SerializeToString(deterministic=True))
    store.put("churn", broken.files())
    with pytest.raises(ArtifactError, match=r"not finite|golden rows"):
        Shelf(store).model("churn", broken.version)


def test_a_worker_of_another_package_goes_on_with_what_a_log_began_with(tmp_path: Path) -> None:
    """Each worker puts its own versions into the store; also one that was trained on other features is found there."""
    Shelf(Store(str(tmp_path))).keep_shipped()
    artifact = load_artifact(CHURN)
    fewer = replace(CHURN, features=CHURN.features[:-1])
    kept = Store(str(tmp_path)).get("churn", artifact.version)
    assert kept.task.features == CHURN.features
    older = parse_artifact(fewer, artifact.files(), "there")
    assert older.task.features == CHURN.features
    assert Predictor(older).score(older.golden)["lapse_30d"].shape == (len(older.golden),)
    with pytest.raises(ArtifactError, match="other features"):
        load_artifact(fewer, CHURN.folder)


def test_the_package_serves_without_a_store() -> None:
    shelf = Shelf()
    assert [shelf.model(t).version for t in shelf.tasks if shelf.shipped(t)] == [shelf.shipped(t.name) for t in SHIPPED]
    with pytest.raises(ArtifactError, match="OFFERSTREAM_MODELS"):
        shelf.model("churn", "feedbeef0000")


def test_versions_that_nobody_has_leave_memory_but_for_the_last_and_the_package_s(tmp_path: Path) -> None:
    """A worker that serves a new version each night would grow for ever."""
    shelf, names = Shelf(Store(str(tmp_path))), [variant(CHURN, scale).version for scale in (1.5, 1.6)]
    for scale in (1.5, 1.6):
        shelf.store.put("churn", variant(CHURN, scale).files())  # type: ignore[union-attr]
    shelf._last = deque(maxlen=1)
    first, own = weakref.ref(shelf.model("churn", names[0])), weakref.ref(shelf.model("churn"))
    assert shelf.model("churn", names[0]) is first()
    serving = shelf.model("churn", names[1])
    gc.collect()
    assert first() is None
    assert own() is shelf.model("churn")
    assert shelf.model("churn", names[0]).version == names[0]
    assert shelf.model("churn", names[1]) is serving

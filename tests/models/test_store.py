"""Versions never change once they are kept, and nothing that was not proven is handed out."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.artifact import ArtifactError, load_artifact
from models.registry import TASKS, task
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
    files = other.files()
    card = json.loads(files["card.json"])
    card["limits"] = "none at all"
    files["card.json"] = json.dumps(card).encode()
    with pytest.raises(ArtifactError, match="versions never change"):
        store.put("churn", files)


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
    assert kind == "name"
    return files | {"card.json": json.dumps(card | {"version": "v2"}).encode()}


@pytest.mark.parametrize(
    "kind",
    ["truncated", "tampered", "feature order", "card cut off", "golden rows cut off", "lacks limits", "name"],
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


def test_the_package_serves_without_a_store() -> None:
    shelf = Shelf()
    assert [shelf.model(t).version for t in shelf.tasks] == [shelf.shipped(t.name) for t in TASKS]
    with pytest.raises(ArtifactError, match="OFFERSTREAM_MODELS"):
        shelf.model("churn", "feedbeef0000")

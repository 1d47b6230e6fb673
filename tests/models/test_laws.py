"""Laws of every registered task, with no test code of its own per task."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.artifact import CARD_KEYS, FILES, ArtifactError, load_artifact
from models.predictor import BLOCK_NUMBERS, Predictor
from models.registry import SHIPPED, TASKS, task
from models.task import AtLeast, Task
from streams.entities.contents import find
from tests.worlds import shipped
from training.datasets import DATASETS

each_task = pytest.mark.parametrize("each", SHIPPED, ids=lambda t: t.name)


def predictor(each: Task) -> Predictor:
    return shipped().model(each.name)


@each_task
def test_every_feature_address_exists_with_its_width(each: Task) -> None:
    widths = {a: f.width for a, f in find(each.entity).catalogue.inputs.items()}
    widths |= {f"{t.name}.{output.name}": output.width for t in SHIPPED for output in t.outputs}
    assert [widths[address] for address in each.features] == list(load_artifact(each).widths)


@each_task
def test_the_card_is_complete_and_its_data_may_be_shipped(each: Task) -> None:
    card = load_artifact(each).card
    msgspec.json.decode((each.folder / "card.json").read_bytes())  # strict: NaN is no JSON
    assert set(CARD_KEYS) <= set(card)
    for source in card["data"]:
        assert DATASETS[source["name"]].ship
        assert source["licence"] == DATASETS[source["name"]].licence
        window = card["split"]["windows"][source["name"]]
        assert window["from"] < window["cut"] < window["to"]
    for output in each.outputs:
        found = [answers[output.name] for answers in card["metrics"].values() if output.name in answers]
        assert not output.scalar or any(m.get("curves") and m.get("importance") for m in found)
    assert card["largest_difference_to_keras"] <= each.tolerance


@each_task
def test_golden_rows_get_their_answers(each: Task) -> None:
    """The answers are those of the trained Keras model, so this is also: ONNX equals Keras."""
    artifact = load_artifact(each)
    scores = predictor(each).score(artifact.golden)
    for output in each.outputs:
        if output.kind != "ranking":
            answers = artifact.answers[output.name]
            np.testing.assert_allclose(scores[output.name], answers, rtol=each.tolerance, atol=each.tolerance)


@each_task
def test_a_row_gets_the_same_bits_alone_and_in_any_batch(each: Task) -> None:
    golden = load_artifact(each).golden
    many = min(1001, 2 * BLOCK_NUMBERS // predictor(each).width + 7)  # Of wide rows fewer are given to ONNX at once.
    rows = np.resize(golden, (many, golden.shape[1]))
    whole = predictor(each).score(rows)
    for size in (0, 1, 2, 3, 7, 64, many - 2, many - 1):
        some = predictor(each).score(rows[:size])
        for name in each.output_names:
            np.testing.assert_array_equal(some[name], whole[name][:size])
    for start in range(len(golden)):
        alone = predictor(each).score(rows[start : start + 1])
        for name in each.output_names:
            np.testing.assert_array_equal(alone[name][0], whole[name][start])


@each_task
def test_the_cold_start_is_finite_and_a_probability(each: Task) -> None:
    cold: dict[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]] = {
        a: np.full((1, f.width), f.cold_start, np.float32) for a, f in find(each.entity).catalogue.inputs.items()
    }
    for upstream in predictor(each).upstream:
        row = np.concatenate([cold[a] for a in upstream.features], axis=1)
        cold |= {f"{upstream.task}.{k}": v.reshape(1, -1).astype(np.float32) for k, v in upstream.score(row).items()}
    answers = predictor(each).score(np.concatenate([cold[a] for a in each.features], axis=1).astype(np.float32))
    for output in each.outputs:
        values = answers[output.name]
        assert np.isfinite(values).all()
        if output.kind in ("probability", "distribution"):
            assert ((values >= 0) & (values <= 1)).all()
        if output.kind == "distribution":
            assert values.sum() == pytest.approx(1, abs=1e-4)


@each_task
def test_an_artifact_is_small_enough_for_git(each: Task) -> None:
    assert sum(path.stat().st_size for path in each.folder.iterdir() if path.is_file()) < 2 << 20


def copy_of(each: Task, folder: Path) -> Path:
    for name in FILES:
        shutil.copy(each.folder / name, folder / name)
    return folder


@each_task
def test_a_changed_or_truncated_model_is_refused(each: Task, tmp_path: Path) -> None:
    folder = copy_of(each, tmp_path)
    model = (folder / "model.onnx").read_bytes()
    for broken in (model[:-10], model[:500] + b"\0" + model[501:], b""):
        (folder / "model.onnx").write_bytes(broken)
        with pytest.raises(ArtifactError, match="digest"):
            load_artifact(each, folder)


@each_task
def test_another_order_of_features_is_refused(each: Task, tmp_path: Path) -> None:
    folder = copy_of(each, tmp_path)
    card = json.loads((folder / "card.json").read_text())
    others = (*each.features[::-1], each.features[0])
    card["features"] = list(others)
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match="seal"):
        load_artifact(each, folder)
    with pytest.raises(ArtifactError, match="another order"):
        load_artifact(replace(each, features=others), each.folder)
    with pytest.raises(ArtifactError, match="trained to judge"):
        load_artifact(replace(each, population=(AtLeast("visits.events", 7),)), each.folder)


@each_task
def test_a_missing_artifact_says_how_to_make_it(each: Task, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"offerstream train {each.name}"):
        load_artifact(each, tmp_path)


@each_task
def test_contributions_are_zero_for_a_typical_shopper(each: Task) -> None:
    moved = predictor(each).contributions(load_artifact(each).reference[None])
    assert moved.shape == (1, len(each.features))
    assert not moved.any()


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="takes float32"):
        predictor(TASKS[0]).score(np.zeros((2, 3), np.float32))


def test_folder_and_registry_agree() -> None:
    folders = {p.name for p in TASKS[0].folder.parent.iterdir() if (p / "task.py").exists()}
    assert folders == {t.name for t in TASKS}
    with pytest.raises(KeyError, match="there are: behaviour, churn, promotion, value, ad, recommend"):
        task("nonsense")

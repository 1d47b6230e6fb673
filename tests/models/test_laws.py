"""Laws of every registered task, with no test code of its own per task."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from models.artifact import CARD_KEYS, ArtifactError, golden_rows, load_artifact
from models.predictor import Predictor
from models.registry import TASKS, task
from models.task import Task
from streams.features.catalogue import CATALOGUE

each_task = pytest.mark.parametrize("each", TASKS, ids=lambda t: t.name)


@each_task
def test_every_feature_address_exists(each: Task) -> None:
    assert set(each.features) <= set(CATALOGUE.features)


@each_task
def test_the_card_is_complete_and_its_data_may_be_shipped(each: Task) -> None:
    card = load_artifact(each).card
    assert set(CARD_KEYS) <= set(card)
    assert all(source["licence"] for source in card["data"])
    assert card["largest_difference_to_keras"] <= each.tolerance


@each_task
def test_golden_rows_get_their_answers(each: Task) -> None:
    rows, answers = golden_rows(each.folder)
    scores = Predictor(load_artifact(each)).score(rows)
    for name, expected in answers.items():
        np.testing.assert_allclose(scores[name], expected, atol=1e-6)


@each_task
def test_a_row_gets_the_same_bits_alone_and_in_any_batch(each: Task) -> None:
    rows, _ = golden_rows(each.folder)
    rows = np.tile(rows, (10, 1))
    predictor = Predictor(load_artifact(each))
    whole = predictor.score(rows)
    for size in (1, 2, 3, 7, 64, 999, 1000, 1001):
        some = predictor.score(rows[:size])
        for name in each.outputs:
            np.testing.assert_array_equal(some[name], whole[name][:size])


@each_task
def test_the_cold_start_is_finite_and_a_probability(each: Task) -> None:
    cold = np.array([[CATALOGUE.features[a].cold_start for a in each.features]], np.float32)
    for values in Predictor(load_artifact(each)).score(cold).values():
        assert np.isfinite(values).all()
        assert ((values >= 0) & (values <= 1)).all()


@each_task
def test_a_row_costs_no_more_than_its_budget(each: Task) -> None:
    rows, _ = golden_rows(each.folder)
    predictor = Predictor(load_artifact(each))
    spent = []
    for _ in range(20):
        began = time.process_time()
        predictor.score(rows[:256])
        spent.append((time.process_time() - began) / 256 * 1e6)
    assert min(spent) <= each.latency_us_per_row


@each_task
def test_an_artifact_is_small_enough_for_git(each: Task) -> None:
    assert sum(path.stat().st_size for path in each.folder.iterdir() if path.is_file()) < 2 << 20


def copy_of(each: Task, folder: Path) -> Path:
    for name in ("model.onnx", "card.json", "golden.npz"):
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
    card["features"] = card["features"][::-1]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match="another order"):
        load_artifact(each, folder)


@each_task
def test_a_missing_artifact_says_how_to_make_it(each: Task, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"offerstream train {each.name}"):
        load_artifact(each, tmp_path)


@each_task
def test_contributions_are_zero_for_a_typical_shopper(each: Task) -> None:
    artifact = load_artifact(each)
    moved = Predictor(artifact).contributions(artifact.reference[None])
    assert moved.shape == (1, len(each.features))
    assert not moved.any()


def test_rows_of_another_width_are_refused() -> None:
    predictor = Predictor(load_artifact(TASKS[0]))
    with pytest.raises(ValueError, match="takes float32"):
        predictor.score(np.zeros((2, 3), np.float32))


def test_folder_and_registry_agree() -> None:
    folders = {p.name for p in TASKS[0].folder.parent.iterdir() if (p / "task.py").exists()}
    assert folders == {t.name for t in TASKS}
    with pytest.raises(KeyError, match="there are: churn"):
        task("nonsense")

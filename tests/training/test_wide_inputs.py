"""Tasks that look at pictures and hear sounds: trained, exported, proven and served as any other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.artifact import GOLDEN_BYTES, Artifact, parse_artifact
from models.predictor import Predictor
from streams.agents.entity_log import EntityLog
from streams.agents.model_watch import drift_columns
from streams.entities.item import ITEM
from streams.features.payload.picture import Picture
from streams.metrics import Metrics
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.scoring import TaskScores, score
from streams.processing.serving import serve, shipped_stages
from streams.records import items as i
from tests.features.files import picture, quarters, tone, wav
from tests.items import item_logs, item_slices
from tests.shoppers import NOON
from tests.stubs import ItemModels
from tests.training.wide import BOTH, HEAR, LOOK, TASKS, given, listed, listings, train
from tests.worlds import EmptyTable
from training.errors import Misuse
from training.job import Job, upstream_of
from training.networks.inputs import rows_of

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
RED = picture(np.full((30, 30, 3), (230, 20, 20)))
HIGH = wav(0.3 * tone(2000, seconds=0.3))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("training")
    return {task.name: train(task, folder / task.name)[0] for task in TASKS}


@pytest.fixture(scope="module")
def models(trained: dict[str, Artifact]) -> dict[str, Predictor]:
    return {name: Predictor(artifact) for name, artifact in trained.items()}


def apply(said: list[tuple[str, i.ItemRecord]], *served: Predictor, cuts: Any = ()) -> dict[str, list[TaskScores]]:
    """What each task answered of records that came in so many slices."""
    found: dict[str, list[TaskScores]] = {model.task: [] for model in served}
    for q, log in item_logs({}, said).items():
        processor = PartitionProcessor(ITEM, q, Rules(), ItemModels(*served))
        for slice_ in item_slices(log, q, cuts):
            for scores in processor.apply(slice_).scores:
                found[scores.models[0].task].append(scores)
    return found


def refused(task: str, version: str, error: Exception) -> None:
    """No version may be."""
    raise AssertionError(f"{task} {version}") from error


def answered(scores: list[TaskScores], output: str) -> list[float]:
    return [round(float(v), 4) for s in scores for v, judged in zip(s.answers[output], s.judged, strict=True) if judged]


def test_they_learn_what_is_seen_and_heard(trained: dict[str, Artifact]) -> None:
    for task in TASKS:
        measured = trained[task.name].card["metrics"]["made up"][task.outputs[0].name]
        assert measured["segments"]["all"]["models"]["ours"]["auc"] > 0.9, task.name
    costs = dict(trained["both"].card["metrics"]["made up"]["either"]["importance"])
    assert costs["payload.picture"] > 0.02
    assert costs["payload.sound"] > 0.02


def test_an_artifact_stays_small_and_its_card_lists_no_points(trained: dict[str, Artifact]) -> None:
    for task in TASKS:
        artifact, files = trained[task.name], trained[task.name].files()
        assert len(files["golden.npz"]) <= GOLDEN_BYTES
        assert sum(map(len, files.values())) < 2 << 20
        assert len(files["card.json"]) < 20_000
        assert len(artifact.golden) >= 8
        again = parse_artifact(task, files, "the artifact")
        np.testing.assert_array_equal(again.golden, artifact.golden)
        assert len(again.reference) == sum(again.widths)
        assert all(not name.startswith(("payload.picture", "payload.sound")) for name in again.card["distributions"])
    assert "payload.has_sound" in trained["both"].card["distributions"]


def test_of_records_as_they_were_learnt_the_stream_answers_the_same(models: dict[str, Predictor]) -> None:
    records, _ = listings(30, 5)
    said: list[tuple[str, i.ItemRecord]] = [("catalog.items.v1", record) for record in records]
    for cuts in ((), (1, 2, 9)):
        found = apply(said, *models.values(), cuts=cuts)
        for task in TASKS:
            expected = models[task.name].score(given(task, records))[task.outputs[0].name]
            served = answered(found[task.name], task.outputs[0].name)
            assert sorted(served) == sorted(np.round(expected, 4).tolist())


def test_who_is_asked_of_what(models: dict[str, Predictor]) -> None:
    """Nothing there, or nothing that can be read: one who needs it is not asked, one who is told so is; the item's
    price and title count all the same."""
    cut_off = RED[:-20]
    records = [
        listed(0, RED, HIGH), listed(1, RED), listed(2, None, HIGH), listed(3), listed(4, cut_off, HIGH),
        listed(5, RED, b"no sound"),
    ]  # fmt: skip
    reviewed = i.ItemReviewed(event_id="r", item_id="item-0", event_time=NOON + 90, rating=5)
    shelf, inputs = ItemModels(*models.values()), ITEM.catalogue.inputs
    serving = serve(shelf, "item", inputs, shipped_stages(shelf, "item"), refused)
    places = ITEM.catalogue.places(["price.now", "listing.listed"])
    features = np.ones((8, 2), np.float32)
    found = score(serving, features, places, str, ITEM.catalogue, [*records, reviewed, None])
    judged = {task: np.flatnonzero(scores.judged).tolist() for task, scores in found.items()}
    assert judged == {"look": [0, 1, 5], "hear": [0, 2, 4], "both": [0, 1, 2, 3, 4, 5]}
    for scores in found.values():
        for values in scores.answers.values():
            assert np.isfinite(values[scores.judged]).all()
            assert np.isnan(values[~scores.judged]).all()
    columns = drift_columns(found["both"])
    assert columns["payload.has_picture"].tolist() == [1, 1, 0, 0, 0, 1]
    assert columns["payload.has_sound"].tolist() == [1, 0, 1, 0, 1, 0]
    answers = {"either", "embedding.length", "embedding.sector"}
    assert columns.keys() == {"price.now", "payload.has_picture", "payload.has_sound", "listing.listed", *answers}
    unreadable = {task: {a: list(told) for a, told in s.unreadable.items()} for task, s in found.items()}
    assert unreadable == {
        "look": {"payload.picture": ["l4"]},
        "hear": {"payload.sound": ["l5"]},
        "both": {"payload.picture": ["l4"], "payload.sound": ["l5"]},
    }
    reasons = found["both"].explained([0, 3], 6)
    assert {reason.feature for reason in reasons[0]} <= set(BOTH.features)

    (log,) = [log for log in item_logs({}, [("catalog.items.v1", records[4])]).values() if log]
    processor = PartitionProcessor(ITEM, 0, Rules(), shelf)
    (slice_,) = item_slices(log)
    result = processor.apply(slice_)
    assert (result.fates["applied"], result.dead) == (1, [])
    rows = processor.arena.rows.pick(np.array([0]))
    assert ITEM.catalogue.read(rows, np.array([NOON + 9]), ["price.now"])[0, 0] == 104


def test_a_worker_counts_what_cannot_be_read_and_says_of_one_which_it_is(
    models: dict[str, Predictor], caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    writer = SimpleNamespace(send=lambda *_: None, say=lambda *_, **__: None, poll=lambda: None)
    events = EntityLog(ITEM, "group", Rules(), ItemModels(*models.values()), EmptyTable(), writer, metrics, 1000)  # type: ignore[arg-type]
    records = [listed(k, RED[:-20] if k % 2 else RED, HIGH, item_id="item-1") for k in range(6)]
    (log,) = [log for log in item_logs({}, [("catalog.items.v1", record) for record in records]).values() if log]
    for slice_ in item_slices(log, cuts=[3]):
        events.handle(slice_, 0)
    events.models.watch()
    for task, n in (("look", 3), ("both", 3)):
        value = metrics.registry.get_sample_value(
            "offerstream_unreadable_inputs_total", {"task": task, "input": "payload.picture"}
        )
        assert value == n
    (said,) = [r.getMessage() for r in caplog.records if "passed over" in r.getMessage()]
    assert "payload.picture of record 'l1'" in said
    assert "damaged or cut off" in said
    labels = {"task": "look", "population": "record"}
    assert metrics.registry.get_sample_value("offerstream_unjudged_due_points_total", labels) == 3


def test_nothing_of_them_stays_in_a_row_or_beside_it(models: dict[str, Predictor]) -> None:
    def table(records: list[i.ItemListed]) -> dict[bytes, bytes | None]:
        (log,) = [log for log in item_logs({}, [("catalog.items.v1", record) for record in records]).values() if log]
        processor = PartitionProcessor(ITEM, 0, Rules(), ItemModels(*models.values()))
        for slice_ in item_slices(log, cuts=[1]):
            assert processor.apply(slice_).fates["applied"] == len(slice_)
        return processor.drain_changes()

    same: dict[str, Any] = {"item_id": "item-1"}
    with_both = table([listed(1, RED, HIGH, **same), listed(2, RED, **same), listed(3, RED[:-20], **same)])
    assert with_both == table([listed(n, **same) for n in (1, 2, 3)])


def test_pictures_are_made_only_when_asked_for_and_once(
    models: dict[str, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    original = Picture.of

    def counted(self: Picture, record: Any) -> Any:
        made.append(record.event_id)
        return original(self, record)

    monkeypatch.setattr(Picture, "of", counted)
    stock = i.StockCounted(event_id="s", item_id="item-1", event_time=NOON, on_hand=4)
    said: list[tuple[str, i.ItemRecord]] = [
        ("catalog.items.v1", listed(1, RED, HIGH)),
        ("catalog.items.v1", i.ItemDelisted(event_id="d", item_id="item-1", event_time=NOON + 9)),
        ("catalog.stock.v1", stock),
    ]
    apply(said)
    apply(said, models["hear"])
    assert made == []
    apply(said, models["look"], models["both"])
    assert made == ["l1"]


def test_many_pictures_are_given_to_a_model_some_at_a_time(models: dict[str, Predictor]) -> None:
    shelf, inputs = ItemModels(models["look"]), ITEM.catalogue.inputs
    serving = serve(shelf, "item", inputs, shipped_stages(shelf, "item"), refused)
    rng = np.random.default_rng(4)
    records = [listed(k, picture(rng.integers(0, 256, (4, 4, 3))) if k % 3 else None) for k in range(500)]
    sizes: list[int] = []
    original = Predictor.score

    def score_and_note(self: Predictor, x: Any) -> Any:
        sizes.append(len(x))
        return original(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predictor, "score", score_and_note)
        together = score(serving, np.zeros((500, 0), np.float32), {}, str, ITEM.catalogue, records)["look"]
    assert sum(sizes) == int(together.judged.sum()) == 333
    assert max(sizes) * 96 * 96 * 3 <= 1 << 22
    for k in (1, 2, 200, 499):
        alone = score(serving, np.zeros((1, 0), np.float32), {}, str, ITEM.catalogue, [records[k]])["look"]
        assert alone.answers["red"][0] == together.answers["red"][k]


def test_the_laws_of_every_model_hold_and_a_report_is_drawn(trained: dict[str, Artifact], tmp_path: Path) -> None:
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("streams", "models", "training", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    registry = tmp_path / "models/registry.py"
    text = registry.read_text().replace("PROMOTION,", "PROMOTION, LOOK, HEAR, BOTH,")
    for task in (LOOK, HEAR, BOTH):
        folder = tmp_path / "models/tasks" / task.name
        folder.mkdir()
        described = f"from models.task import Output, Task\n\n{task.name.upper()} = {task!r}\n"
        (folder / "task.py").write_text(f'"""A test."""\n\n{described}')
        line = f"from models.tasks.{task.name}.task import {task.name.upper()}\n"
        text = text.replace("from models.tasks.churn", f"{line}from models.tasks.churn", 1)
        for name, content in trained[task.name].files().items():
            (folder / name).write_bytes(content)
    registry.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    laws = run("pytest", "-q", "-p", "no:cacheprovider", "tests/models/test_laws.py", "-k", "look or hear or both")
    assert "30 passed" in laws
    run("streams", "report", "both", "--out", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert "40,452 numbers of 6 features" in page or "40452 numbers of 6 features" in page
    assert len(page) < 400_000


def test_what_training_cannot_give_is_said() -> None:
    with pytest.raises(ValueError, match=r"Features of both are \[1, 2\], not \[1, 0\]"):
        rows_of(BOTH, [listed(1)])
    with pytest.raises(Misuse, match=r"holds no records, of which payload\.picture are made"):
        Job(LOOK, (), 1).rows(None, ("payload.picture",))  # type: ignore[arg-type]
    assert upstream_of(BOTH) == ()


def test_quarters_are_what_the_stream_sees() -> None:
    """The row holds the picture as the task's shape says, row by row."""
    row = given(LOOK, [listed(0, picture(quarters(96)))])[0].reshape(96, 96, 3)
    assert row[10, 10].tolist() == [1, 0, 0]
    assert row[10, 80].tolist() == [0, 1, 0]
    assert row[80, 10].tolist() == [0, 0, 1]

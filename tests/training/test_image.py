"""The task that looks at pictures, trained on a made-up shop whose listings have them, and what it is measured with."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from models.artifact import Artifact
from models.predictor import Predictor
from models.registry import task
from streams.records.items import ItemListed
from streams.settings import Settings
from tests.features.files import picture
from tests.shoppers import DAY, NOON
from training.baselines.pictures import alike, colours, edges
from training.fit import Schedule
from training.halved import halve
from training.job import CutTold, Job
from training.labels.pictures import pictures, points
from training.networks.familiar import Familiar
from training.networks.inputs import rows_of
from training.networks.pictures import Shape, Variation, body, folded, pooled, varied
from training.source import of_name
from training.sureness import sure_from
from training.tasks import image

COLOURS = {"Tea": (40, 160, 60), "Cups": (60, 60, 200), "Lamps": (220, 200, 40)}
IMAGE = task("image")


def shop(n: int) -> list[ItemListed]:
    """Listings with a square of their category's colour, somewhere, on noise."""
    rng = np.random.default_rng(1)
    found = []
    for k in range(n):
        kind = list(COLOURS)[k % 3]
        seen = rng.integers(0, 90, (24, 24, 3))
        top, left = rng.integers(0, 12, 2)
        seen[top : top + 12, left : left + 12] = COLOURS[kind] + rng.integers(-20, 20, (12, 12, 3))
        found.append(
            ItemListed(event_id="l", item_id=f"i{k}", event_time=NOON + k * DAY // 8, title=f"Item {k}",
                       category_path=["Home", kind], image=picture(np.clip(seen, 0, 255)))
        )  # fmt: skip
    return found


def told(records: list[ItemListed], tmp_path: Path, cut_ms: int) -> CutTold:
    path = tmp_path / "catalogue.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    source = of_name(str(path), None, Settings(), "item")
    history, _ = source.load(tmp_path, lambda _n: None)
    return CutTold(source, history, cut_ms)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, CutTold]:
    tmp_path = tmp_path_factory.mktemp("shop")
    records = shop(240)
    records[7] = msgspec.structs.replace(records[7], image=b"no picture")
    records[8] = msgspec.structs.replace(records[8], image=None)
    given = told(records, tmp_path, NOON + 160 * DAY // 8)
    schedule = Schedule(epochs=6, batch=32, rate=1e-2, weight_decay=1e-2, average=0.8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "PHASES", ((32, schedule),))
        return image.train(Job(IMAGE, (), 1, tmp_path, own=True, told=(given,))), given


def test_it_learns_what_pictures_show_and_what_is_like_them(trained: tuple[Artifact, CutTold]) -> None:
    artifact, given = trained
    assert artifact.card["names"] == sorted(COLOURS)
    assert artifact.card["split"]["rows"]["catalogue.jsonl"] == {"trained on": 158, "tested on": 80}
    after = [
        r for r, at in zip(given.history.records, given.history.time_ms.tolist(), strict=True) if at >= given.cut_ms
    ]
    said = Predictor(artifact).score(rows_of(IMAGE, after))
    truth = np.array([sorted(COLOURS).index(r.category_path[-1]) for r in after])  # type: ignore[attr-defined]
    assert (said["shown"][:, 0] == truth).mean() > 0.9
    np.testing.assert_allclose(np.linalg.norm(said["embedding"], axis=1), 1, atol=1e-4)
    assert np.nanmean(alike(said["embedding"].astype(np.float32), truth)["recall"]) > 0.8
    models = artifact.card["metrics"]["catalogue.jsonl"]["shown"]["segments"]["all"]["models"]
    assert models["ours"]["top_1"] == pytest.approx((said["shown"][:, 0] == truth).mean(), abs=1e-4)
    assert set(models) == {"ours", "colours", "HOG", "HOG and colours"}


def test_its_weights_are_stored_in_half_and_answer_the_same(trained: tuple[Artifact, CutTold]) -> None:
    artifact, _ = trained
    assert len(artifact.model) <= 500_000
    kinds = [
        t.data_type for t in onnx.load_model_from_string(artifact.model).graph.initializer if np.prod(t.dims) > 999
    ]
    assert kinds
    assert set(kinds) == {onnx.TensorProto.FLOAT16}
    assert artifact.card["largest_difference_to_keras"] < 1e-4
    before = onnx.ModelProto.FromString(artifact.model)
    halve(before)
    assert before.SerializeToString(deterministic=True) == artifact.model  # nothing is left to halve


def test_of_a_picture_that_is_unlike_all_that_taught_it_names_no_class(trained: tuple[Artifact, CutTold]) -> None:
    artifact, _ = trained
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::2] = 255
    rng = np.random.default_rng(4)
    others = [picture(stripes), picture(rng.integers(0, 256, (96, 96, 3))), picture(np.full((20, 20, 3), 255))]
    records = [ItemListed(event_id="l", item_id="i", event_time=NOON, image=each) for each in others]
    said = Predictor(artifact).score(rows_of(IMAGE, [*records, shop(1)[0]]))
    assert (said["shown"][:3] == -1).all()
    assert not said["chance"][:3].any()
    assert not said["confidence"][:3].any()
    assert said["shown"][3, 0] >= 0
    tests = artifact.card["sure"]["tests"]["catalogue.jsonl"]
    assert 0.85 < tests["named"] <= 1
    assert tests["sure"] <= tests["named"]


def test_what_is_like_those_that_taught_is_told_from_the_rest() -> None:
    rng = np.random.default_rng(1)
    label = np.arange(300) % 3
    seen = (4 * np.eye(5)[label] + rng.normal(0, 0.5, (300, 5))).astype(np.float32)
    other = (4 * np.eye(5)[rng.integers(3, 5, 200)] + rng.normal(0, 0.5, (200, 5))).astype(np.float32)
    familiar = Familiar.of(seen[:200], label[:200], seen[200:])
    assert familiar.holds(seen[200:]).mean() == 0.95
    assert familiar.holds(7 * seen[200:]).mean() == 0.95  # how strong it is says nothing
    assert not familiar.holds(other).any()
    np.testing.assert_array_equal(np.asarray(familiar.known(seen))[:, 0], familiar.holds(seen))


def test_where_sure_says_what_came(trained: tuple[Artifact, CutTold]) -> None:
    sure = trained[0].card["sure"]
    assert sure["from"] is None or 0.2 <= sure["from"] < 1
    assert sure["tests"]["catalogue.jsonl"]["rows"] == 80
    rng = np.random.default_rng(2)
    confidence = rng.random(4_000)
    right = rng.random(4_000) < confidence
    least = sure_from(confidence, right, np.arange(4_000), 1, image.PROMISE)
    assert least is not None
    assert right[confidence >= least].mean() >= image.PROMISE.share
    assert sure_from(confidence, np.zeros(4_000, bool), np.arange(4_000), 1, image.PROMISE) is None


def test_of_an_item_the_first_picture_that_can_be_read_counts(tmp_path: Path) -> None:
    records = shop(6)
    records[1] = msgspec.structs.replace(records[1], image=b"\x89PNG cut off")
    records[2] = msgspec.structs.replace(records[2], image=None)
    records.append(msgspec.structs.replace(records[0], event_id="again", event_time=NOON + DAY, image=records[3].image))
    found = pictures(told(records, tmp_path, NOON + DAY).history)
    assert [record.item_id for record in found.found.records] == ["i0", "i3", "i4", "i5"]
    assert found.parent.tolist() == ["Home"] * 4
    seen = points(found.found.records)
    np.testing.assert_allclose(pooled(seen, 96).reshape(4, -1), rows_of(IMAGE, found.found.records), atol=1e-6)
    np.testing.assert_allclose(pooled(seen, 32)[0, 0, 0], seen[0, :3, :3].mean(axis=(0, 1)) / 255, atol=1e-6)


def test_pictures_are_varied_within_bounds_and_the_same_way_again() -> None:
    seen = np.random.default_rng(1).random((9, 32, 32, 3)).astype(np.float32)
    one, two = (varied(seen, Variation(), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.min() >= 0
    assert one.max() <= 1
    assert not np.allclose(one, seen)
    still = varied(seen, Variation(least=1.0, colour=0.0, light=0.0, hole=0.0), np.random.default_rng(5))
    for before, after in zip(seen, still, strict=True):
        assert min(np.abs(after - before).max(), np.abs(after - before[:, ::-1]).max()) < 1e-5


def test_beyond_its_edges_a_picture_is_black() -> None:
    seen = np.ones((200, 32, 32, 3), np.float32)
    how = Variation(least=1.0, beyond=0.125, colour=0.0, light=0.0, hole=0.0)
    black = varied(seen, how, np.random.default_rng(5))[..., 0] < 0.01
    lines = black.all(axis=2).sum(axis=1)  # of a picture that is moved by up to four points up or down
    assert set(lines.tolist()) == {1, 2, 3, 4}
    assert not black[:, 4:-4, 4:-4].any()


def test_a_deeper_network_answers_the_same_without_normalization() -> None:
    shape, rng = Shape(side=32, widths=(4, 6, 8), residual=(1, 2, 0)), np.random.default_rng(3)
    network = body(shape, 5)
    for w in network.weights:  # as half precision holds them, and norms that do something
        w.assign(rng.uniform(0.25, 1.0, w.shape) if len(w.shape) == 1 else rng.normal(0, 0.1, w.shape))
    seen = rng.random((4, 32, 32, 3)).astype(np.float32)
    with_norms, without = network(seen, training=False), folded(network, shape, 5)(seen)
    for one, other in zip(with_norms, without, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.02, atol=0.02)


def test_colours_and_edges_by_hand() -> None:
    seen = np.zeros((2, 16, 16, 3), np.uint8)
    seen[0, :8, :8] = (255, 0, 0)
    seen[1, :, 8:] = 255
    found = colours(seen)
    assert found[0, 48] == 1  # red fills the first quarter
    assert found[0, 64] == 1  # black the second
    np.testing.assert_allclose((found**2).sum(axis=1), 4, rtol=1e-5)
    strength = edges(seen)[1].reshape(4, 9).sum(axis=0)
    assert strength[0] > 0.99 * strength.sum()  # light grows to the right, nowhere else
    like = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1]], np.float32)
    near = alike(like, np.array([0, 0, 1, 1, 2]), 1)
    assert near["recall"][:4].tolist() == [1, 1, 1, 1]
    assert np.isnan(near["recall"][4])

"""The task of what there is of an item, trained on a made-up shop: a picture tells one half, a sound the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import Artifact
from models.predictor import Predictor
from models.registry import task
from streams.records.items import ItemListed
from tests.features.files import picture, tone, wav
from tests.shoppers import DAY, NOON
from tests.training.test_image import told
from training.fit import Schedule
from training.job import CutTold, Job
from training.labels.modalities import POOLED, listings, modalities
from training.networks.inputs import rows_of
from training.tasks import multimodal

MULTIMODAL = task("multimodal")
KINDS = [f"{colour}-{pitch}" for colour in ("Green", "Blue") for pitch in ("Low", "High")]
COLOURS = {"Green": (40, 200, 60), "Blue": (60, 60, 220)}
PITCHES = {"Low": 400, "High": 3000}


def shop(n: int) -> list[ItemListed]:
    """Listings whose title names their kind in half of cases, another one in the others."""
    rng = np.random.default_rng(1)
    found = []
    for k in range(n):
        kind = KINDS[k % 4]
        colour, pitch = kind.split("-")
        seen = rng.integers(0, 60, (16, 16, 3))
        seen[4:12, 4:12] = COLOURS[colour] + rng.integers(-20, 20, (8, 8, 3))
        sound = 0.3 * tone(PITCHES[pitch], 8000, 0.3) + 0.01 * rng.normal(size=2400)
        named = kind if rng.random() < 0.5 else KINDS[rng.integers(4)]
        found.append(
            ItemListed(event_id="l", item_id=f"i{k}", event_time=NOON + k * DAY // 8,
                       title=f"Thing {named.replace('-', '')}", category_path=["Home", kind],
                       image=picture(np.clip(seen, 0, 255)), audio=wav(sound, 8000))
        )  # fmt: skip
    return found


class First:
    """A model that finds every item of the first kind, and all alike."""

    names = tuple(sorted(KINDS))

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        n = len(x)
        like, made_of = np.eye(1, 64).repeat(n, axis=0), np.ones((n, 3))
        first = np.tile([0.0, 1.0, 2.0], (n, 1))
        return {"confidence": np.ones(n), "shown": first, "chance": first / 9, "embedding": like, "made_of": made_of}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, CutTold]:
    tmp_path = tmp_path_factory.mktemp("shop")
    given = told(shop(320), tmp_path, NOON + 220 * DAY // 8)
    schedule = Schedule(epochs=24, batch=32, rate=6e-3, weight_decay=1e-2, average=0.8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multimodal, "PHASES", ((32, schedule),))
        job = Job(MULTIMODAL, (), 1, tmp_path, own=True, champion=First(), told=(given,))  # type: ignore[arg-type]
        return multimodal.train(job), given


def models_of(artifact: Artifact, pattern: str) -> dict[str, Any]:
    found: dict[str, Any] = artifact.card["metrics"]["catalogue.jsonl"]["shown"]["segments"][pattern]["models"]
    return found


def test_together_it_knows_what_no_branch_knows_alone(trained: tuple[Artifact, CutTold]) -> None:
    artifact, given = trained
    assert artifact.card["names"] == sorted(KINDS)
    after = [
        r for r, at in zip(given.history.records, given.history.time_ms.tolist(), strict=True) if at >= given.cut_ms
    ]
    truth = np.array([sorted(KINDS).index(r.category_path[-1]) for r in after])  # type: ignore[attr-defined]
    said = Predictor(artifact).score(rows_of(MULTIMODAL, after))
    right = float((said["shown"][:, 0] == truth).mean())
    measured = models_of(artifact, "all")
    assert measured["ours"]["top_1"] == pytest.approx(right, abs=0.02)  # of what is exported, too
    alone = max(measured[f"{name} alone"]["top_1"] for name in ("text", "picture", "sound"))
    assert right > 0.85 > alone + 0.1
    assert measured["ours"]["recall_10"] > max(
        measured[f"{name} alone"]["recall_10"] for name in ("text", "picture", "sound")
    )
    assert (said["made_of"].mean(axis=0) > 0.8).all()  # of what is like those that taught
    assert measured["champion"]["top_1"] == pytest.approx(0.25, abs=0.02)
    assert "champion" not in models_of(artifact, "30% missing")


def test_what_is_missing_says_nothing(trained: tuple[Artifact, CutTold]) -> None:
    artifact, _ = trained
    predictor, record = Predictor(artifact), shop(1)[0]
    fields = {"title": record.title, "image": record.image, "audio": record.audio}
    widths = artifact.widths
    assert sum(widths) == rows_of(MULTIMODAL, [record]).shape[1]
    for code in range(8):
        some = {name: value if code >> k & 1 else None for k, (name, value) in enumerate(fields.items())}
        part = ItemListed(event_id="l", item_id="i", event_time=NOON, **some)  # type: ignore[arg-type]
        (made_of,) = predictor.score(rows_of(MULTIMODAL, [part]))["made_of"]
        assert made_of.tolist() == [float(code >> k & 1) for k in range(3)]
    nothing = predictor.score(np.zeros((1, sum(widths)), np.float32))
    assert not nothing["embedding"].any()
    assert nothing["confidence"][0] == 0
    assert (nothing["shown"] == -1).all()
    found = models_of(artifact, "picture")
    assert found["text alone"]["top_1"] == found["sound alone"]["recall_10"] == 0
    assert found["picture alone"]["top_1"] > 0.3


def test_what_is_unlike_all_that_taught_counts_as_not_there(trained: tuple[Artifact, CutTold]) -> None:
    artifact, _ = trained
    predictor, rng = Predictor(artifact), np.random.default_rng(4)
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::2] = 255
    hiss = wav(0.4 * rng.normal(size=8_000), 8000)
    other = ItemListed(event_id="l", item_id="i", event_time=NOON, image=picture(stripes), audio=hiss)
    known = shop(1)[0]
    both = ItemListed(event_id="l", item_id="i", event_time=NOON, image=known.image, audio=hiss)
    said = predictor.score(rows_of(MULTIMODAL, [other, both, known]))
    assert said["made_of"].tolist() == [[0, 0, 0], [0, 1, 0], [1, 1, 1]]
    assert said["shown"][:, 0].tolist()[0] == -1
    assert (said["shown"][1:, 0] >= 0).all()
    assert said["confidence"][0] == 0
    assert not said["chance"][0].any()
    assert not said["embedding"][0].any()
    tests = artifact.card["sure"]["tests"]["catalogue.jsonl"]
    assert tests["named"] > 0.9
    assert artifact.card["sure"]["named_from"].keys() == {"picture", "sound"}


def test_its_card_says_it_for_every_subset_and_of_how_many_it_is_sure(trained: tuple[Artifact, CutTold]) -> None:
    artifact, _ = trained
    segments = artifact.card["metrics"]["catalogue.jsonl"]["shown"]["segments"]
    assert set(segments) == {
        "all", "text", "picture", "sound", "text and picture", "text and sound", "picture and sound", "30% missing",
        "50% missing",
    }  # fmt: skip
    for segment in segments.values():
        assert {"late fusion", "best that is there"} < set(segment["models"])
        for metric in ("top_1", "recall_10"):
            low, high = segment[f"{metric}_95"]["ours"]
            assert low <= segment["models"]["ours"][metric] <= high
    whole, half = (segments[name]["models"]["ours"]["top_1"] for name in ("all", "50% missing"))
    assert half < whole
    sure = artifact.card["sure"]
    assert set(sure["tests"]) == {"catalogue.jsonl", "catalogue.jsonl, 30% missing", "catalogue.jsonl, 50% missing"}
    assert len(artifact.model) <= 512_000
    assert artifact.card["largest_difference_to_keras"] < 1e-4


def test_what_is_left_out_leaves_one_where_there_is_any() -> None:
    from training.networks.modalities import left_out

    has = np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 0, 1]], np.bool_)
    for seed in range(40):
        kept = left_out(has, 0.9, np.random.default_rng(seed))
        assert not (kept & ~has).any()
        assert kept.any(axis=1).tolist() == has.any(axis=1).tolist()
    many = left_out(np.ones((20_000, 3), np.bool_), 0.5, np.random.default_rng(1))
    # A half of each, and one of three more of those of which nothing was left.
    assert many.mean() == pytest.approx(0.5 + 0.125 / 3, abs=0.01)


def test_listings_are_the_first_of_which_anything_can_be_read(tmp_path: Path) -> None:
    records = shop(4)
    records[0] = ItemListed(event_id="l", item_id="i0", event_time=NOON, image=b"none", category_path=["A"])
    records[1] = ItemListed(event_id="l", item_id="i1", event_time=NOON + 1, title="Tea", audio=b"RIFF")
    records[2] = ItemListed(event_id="l", item_id="i2", event_time=NOON + 2)
    found = listings(told(records, tmp_path, NOON + DAY).history)
    assert [record.item_id for record in found.found.records] == ["i1", "i3"]
    made = modalities(found.found.records)
    assert made.has.tolist() == [[True, False, False], [True, True, True]]
    row = rows_of(MULTIMODAL, found.found.records)[1]
    sound = row[-200 * 64 :].reshape(200 // POOLED, POOLED, 64 // POOLED, POOLED).mean(axis=(1, 3))
    np.testing.assert_allclose(made.sounds[1], sound, atol=1e-6)
    np.testing.assert_array_equal(row[1:321], made.grams[1])


def test_sounds_are_varied_within_bounds_and_the_same_way_again() -> None:
    from training.networks.modalities import LATER, varied_sounds

    sounds = np.zeros((50, 100, 32), np.float32)
    sounds[:, 0:20] = 0.5
    one, two = (varied_sounds(sounds, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.min() >= 0
    assert one.max() <= 1
    assert not one[:, 20 + LATER :].any()
    assert not np.array_equal(one, sounds)

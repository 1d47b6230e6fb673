"""Votes of readers as labels, and the task that learns from them, trained on a made-up shop."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.predictor import Predictor
from models.registry import task
from streams.records.items import ItemReviewed
from streams.settings import Settings
from tests.shoppers import NOON
from training.job import CutTold, Job
from training.labels.helpful import LEAST, voted
from training.needs import TooLittle
from training.networks.inputs import rows_of
from training.source import of_files
from training.tasks import train
from training.tasks.review import HELD_OUT, drawn, length, many_of
from training.told import Told


def reviewed(n: int, item: str, votes: int | None, text: str = "so soft") -> ItemReviewed:
    return ItemReviewed(event_id=f"r{n}", item_id=item, event_time=NOON + n, rating=4, text=text, helpful_votes=votes)


def given(records: list[ItemReviewed], folder: Path) -> CutTold:
    """A history cut where seven in ten of its reviews have come."""
    path = folder / "reviews.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    source = of_files(path, Settings().rules(), "item")
    history, _ = source.load(folder, lambda _n: None)
    assert isinstance(history, Told)
    return CutTold(source, history, NOON + int(0.7 * len(records)))


def test_reviews_are_compared_with_those_of_the_same_item_only(tmp_path: Path) -> None:
    votes = {"popular": [90, 80, 70, 60, 50], "new": [0, 0, 0, 0, 1], "few": [1] * (LEAST - 1)}
    records = [reviewed(n, item, each) for item, all_ in votes.items() for n, each in enumerate(all_)]
    records += [reviewed(8, "popular", None), reviewed(9, "new", 9, text="")]
    found = voted(given(records, tmp_path).history)
    said = sorted(
        (record.item_id, record.helpful_votes, label) for record, label in zip(found.records, found.label, strict=True)
    )
    assert said == sorted(
        [("popular", n, float(n > 70)) for n in votes["popular"]] + [("new", n, float(n > 0)) for n in votes["new"]]
    )


def test_own_votes_teach_what_readers_like(tmp_path: Path) -> None:
    rng = random.Random(3)
    records = []
    for n in range(600):
        liked = rng.random() < 0.5
        text = " ".join(rng.choices(("measured", "waist", "compared") if liked else ("wow", "great", "nice"), k=4))
        records.append(
            reviewed(n, f"i{n % 30}", rng.randint(3, 9) if liked else rng.randint(0, 2), f"{text} w{n % 50}")
        )
    history = given(records, tmp_path)
    artifact = train(Job(task("review"), (), 3, tmp_path, own=True, told=(history,)))
    assert artifact.files()
    segments = artifact.card["metrics"][history.name]["helpful"]["segments"]
    assert segments["all"]["models"]["ours"]["auc"] > 0.9
    assert segments["all"]["models"]["length"]["auc"] < 0.6
    held = drawn(voted(history.history), "held out", HELD_OUT)
    rows = artifact.card["split"]["rows"][history.name]
    assert rows["trained on"] == int((~held & (voted(history.history).at_ms < history.cut_ms)).sum())
    assert rows["trained on"] + rows["tested on"] == len(records)
    model = Predictor(artifact)
    good, bad = (reviewed(1, "new", None, text) for text in ("measured waist compared waist", "wow great nice wow"))
    chance = model.score(rows_of(task("review"), [good, bad]))["helpful"]
    assert chance[0] > 0.7 > 0.3 > chance[1]


def test_votes_that_are_all_alike_teach_nothing(tmp_path: Path) -> None:
    history = given([reviewed(n, f"i{n % 9}", 1) for n in range(99)], tmp_path)
    with pytest.raises(TooLittle, match="nothing to tell apart"):
        train(Job(task("review"), (), 3, tmp_path, own=True, told=(history,)))


def test_the_length_of_a_row_is_how_many_grams_it_has() -> None:
    x = np.zeros((3, 320), np.float32)
    x[1, :89], x[2] = 7, 7
    assert length(many_of(x)).round(2).tolist() == [-4.5, 0.0, 1.27]


def test_a_told_review_keeps_its_votes(tmp_path: Path) -> None:
    told = given([reviewed(1, "a", 3), reviewed(2, "a", None)], tmp_path).history
    assert [record.helpful_votes for record in told.records if isinstance(record, ItemReviewed)] == [3, None]

"""Photos with titles and spoken digits: no title and no digit is a class's alone, and what tests was never heard."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from streams.records.items import ItemListed
from tests.features.files import picture, wav
from training.datasets.grocery_listings import GROCERY_LISTINGS, SPEAKERS, SWAPPED, TAKES, digits, titled

CLASSES = {"Fuji": "Apple", "Pink-Lady": "Apple", "Lime": "Lime", "Banana": "Banana"}
EACH = {"train": 60, "val": 10, "test": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    photos, clips = path / "grocery_store", path / "fsdd_subset"
    photos.mkdir()
    clips.mkdir()
    with (photos / "classes.csv").open("w", newline="") as table:
        out = csv.writer(table)
        out.writerow(["Class Name (str)", "Class ID (int)", "Coarse Class Name (str)", "Coarse Class ID (int)"])
        out.writerows([name, n, coarse, 0] for n, (name, coarse) in enumerate(CLASSES.items()))
    with (photos / "descriptions.csv").open("w", newline="") as table:
        out = csv.writer(table)
        out.writerow(["class_id", "class", "coarse", "iconic", "description", "information"])
        out.writerows(
            [n, name, coarse, "", f"{name.replace('-', ' ')} of sort{'abcd'[n]} sweet juicy, 180 g.", ""]
            for n, (name, coarse) in enumerate(CLASSES.items())
        )
    for part, many in EACH.items():
        lines = ["path,fine,coarse"]
        for n in range(many):
            where = Path("img96") / part / "Fruit" / f"{part}_{n}.jpg"
            (photos / where).parent.mkdir(parents=True, exist_ok=True)
            (photos / where).write_bytes(picture(np.full((4, 4, 3), 9), "JPEG"))
            lines.append(f"{where},{n % 4},0")
        (photos / f"{part}.csv").write_text("\n".join(lines) + "\n")
    (clips / "SOURCE.txt").write_text("made up")
    for digit in range(10):
        for speaker in SPEAKERS:
            for take in range(10):
                clip = wav(np.full(20, digit / 10), 8000) + f"{digit} {speaker} {take}".encode()
                (clips / f"{digit}_{speaker}_{take}.wav").write_bytes(clip)
    return path


def read(folder: Path) -> list[ItemListed]:
    return list(GROCERY_LISTINGS.read(folder))


def test_a_listing_has_all_three_and_the_same_each_time(folder: Path) -> None:
    found = read(folder)
    assert len(found) == sum(EACH.values())
    assert all(r.title and r.image and r.audio for r in found)
    assert found == read(folder)


def test_clips_that_test_taught_nothing_and_digits_are_shared(folder: Path) -> None:
    takes: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    said: dict[str, set[str]] = {}
    for r in read(folder):
        digit, _, take = (r.audio or b"").split(b"\0")[-1][-20:].decode("latin-1").rsplit(" ", 2)
        takes[list(EACH).index(r.item_id.split("-")[1])].add(int(take))
        said.setdefault((r.category_path or [""])[-1], set()).add(digit[-1])
    assert {day: set(some) <= set(TAKES[day]) for day, some in takes.items()} == dict.fromkeys(takes, True)
    assert not takes[0] & takes[2]
    assert all(len(each) == 1 for each in said.values())
    assert max(Counter(digits(81)).values()) == 9


def test_titles_are_of_another_class_as_often_as_is_said() -> None:
    words = {"Fuji": ["crisp"], "Pink-Lady": ["sweet"]}
    rng = np.random.default_rng(1)
    made = [titled(words, ["Fruit", "Apple", "Fuji"], ["Pink-Lady"], rng).lower().split() for _ in range(2_000)]
    assert np.mean(["sweet" in each for each in made]) == pytest.approx(SWAPPED, abs=0.03)
    assert all(("crisp" in each) != ("sweet" in each) for each in made)
    assert np.mean(["apple" in each for each in made]) == pytest.approx(0.5, abs=0.04)


def test_of_a_class_that_is_a_kind_alone_the_kind_is_not_said() -> None:
    rng = np.random.default_rng(2)
    made = [titled({"Lime": ["sour"], "Fuji": ["x"]}, ["Fruit", "Lime", "Lime"], ["Fuji"], rng) for _ in range(500)]
    named = np.mean(["lime" in each.lower() for each in made])
    assert named == pytest.approx((1 - SWAPPED) * 0.3, abs=0.06)

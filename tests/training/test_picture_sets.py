"""Data sets of pictures, from files as they come: what teaches is listed before what tests."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from streams.features.payload.picture import points
from tests.features.files import picture
from training.datasets import fashion_mnist
from training.datasets.dataset import DatasetError
from training.datasets.fashion_mnist import FASHION_MNIST
from training.datasets.grocery_store import DAY_MS, FIRST_MS, GROCERY_STORE

PHOTO = picture(np.full((8, 8, 3), [9, 200, 9]), "JPEG")


def test_photos_of_groceries_are_listed_by_part(tmp_path: Path) -> None:
    folder = tmp_path / "grocery_store"
    folder.mkdir()
    (folder / "classes.csv").write_text(
        "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int)\nFuji,0,Apple,0\nLeek,1,Leek,1\n"
    )
    for part, rows in {
        "train": [(0, "Fruit"), (1, "Vegetables")],
        "val": [(0, "Fruit")],
        "test": [(1, "Vegetables")],
    }.items():
        lines = []
        for n, (fine, kind) in enumerate(rows):
            path = Path("img96") / part / kind / f"{part}_{n}.jpg"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(PHOTO)
            lines.append(f"{path},{fine},{fine}")
        (folder / f"{part}.csv").write_text("\n".join(["path,fine,coarse", *lines]) + "\n")
    found = list(GROCERY_STORE.read(tmp_path))
    assert [(r.event_time - FIRST_MS) // DAY_MS for r in found] == [0, 0, 1, 2]
    assert {r.item_id: r.category_path for r in found} == {
        "photo-train-train_0": ["Fruit", "Apple", "Fuji"],
        "photo-train-train_1": ["Vegetables", "Leek", "Leek"],
        "photo-val-val_0": ["Fruit", "Apple", "Fuji"],
        "photo-test-test_0": ["Vegetables", "Leek", "Leek"],
    }
    assert {r.image for r in found} == {PHOTO}
    with pytest.raises(DatasetError, match="--data"):
        GROCERY_STORE.files(None)


def test_grey_pictures_of_clothes_come_as_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fashion_mnist"
    folder.mkdir()
    seen = np.random.default_rng(1).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    for part, some in (("train", slice(0, 2)), ("t10k", slice(2, 3))):
        of = np.arange(3, dtype=np.uint8)[some]
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as out:
            out.write(struct.pack(">IIII", 2051, len(of), 28, 28) + seen[some].tobytes())
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz", "wb") as out:
            out.write(struct.pack(">II", 2049, len(of)) + of.tobytes())
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "not installed")
    found = list(FASHION_MNIST.read(tmp_path))
    assert [r.category_path[-1] for r in found] == ["T-shirt", "Trousers", "Pullover"]
    assert [(r.event_time - fashion_mnist.FIRST_MS) // DAY_MS for r in found] == [0, 0, 1]
    for record, picture_ in zip(found, seen, strict=True):
        read = points(record.image, 28)
        np.testing.assert_array_equal(read, np.repeat(picture_[:, :, None], 3, axis=2))

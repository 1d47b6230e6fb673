"""Grocery Store: 5,421 photos of fruit, vegetables and packages of 81 kinds, taken in shops, with official parts.

The data say no times: of each part of the official lists a photo is taken to be listed a second after the one before,
in an order that is drawn once; the part that teaches on one day, the one that chooses on the next, and the one that
tests on the third.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from streams.records.items import ItemListed
from training.datasets.dataset import Dataset, folder_of

FIRST_MS = int(datetime(2019, 1, 1, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
PARTS = ("train", "val", "test")
SEED = 1


def files(data_dir: Path | None) -> list[Path]:
    """The lists; the photos stand beside them."""
    return [folder_of(data_dir, "grocery_store", f"{name}.csv") for name in (*PARTS, "classes")]


def read(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Every photo as the listing of an item of its own; ``category_path``: fruit, vegetables or packages, the coarse
    class, the fine class."""
    *lists, classes = files(data_dir)
    with classes.open(newline="") as table:
        named = {
            int(row["Class ID (int)"]): (row["Class Name (str)"], row["Coarse Class Name (str)"])
            for row in csv.DictReader(table)
        }
    for day, path in enumerate(lists):
        with path.open(newline="") as table:
            rows = list(csv.DictReader(table))
        for n, i in enumerate(np.random.default_rng([SEED, day]).permutation(len(rows)).tolist()):
            where = Path(rows[i]["path"])
            fine, coarse = named[int(rows[i]["fine"])]
            yield ItemListed(
                event_id="listed",
                item_id=f"photo-{where.parts[1]}-{where.stem}",
                event_time=FIRST_MS + day * DAY_MS + 1000 * n,
                category_path=[where.parts[2], coarse, fine],
                image=(path.parent / where).read_bytes(),
            )


GROCERY_STORE = Dataset(
    name="grocery_store",
    meaning="5,421 photos of groceries of 81 kinds, taken in shops (copies of 96 by 96 points)",
    licence="MIT",
    ship=True,
    currency="USD",
    read=read,
    files=files,
    events=5_421,
    about="item",
)

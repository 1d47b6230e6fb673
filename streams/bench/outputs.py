"""Whether two contestants said the same: their score records, read back from the broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from streams.access import Access
from streams.bench.clickstream import number_of
from streams.outside.reading import Reader
from streams.topics import SCORES

#: (shopper, event, task, name of the score) → the score.
Scores = Mapping[tuple[str, str, str, str], float]
#: Scores are rounded to four digits, and what is read in another order of additions may round the other way.
CLOSE = 2e-3


def scores_at(broker: str) -> Scores:
    """What was said about shoppers when an event made them due."""
    with Reader(Access(broker)) as reader:
        return scores_of(record.value for record in reader.whole(SCORES.name))


def scores_of(values: Iterable[bytes | None]) -> Scores:
    """The scores in records of that topic; what times made due, and what is about others than shoppers, or is no
    number, is left out."""
    found: dict[tuple[str, str, str, str], float] = {}
    for value in filter(None, values):
        said = msgspec.json.decode(value)
        if said["entity"] == "shopper" and said["due"]["kind"] == "event":
            for task, answer in said["answers"].items():
                numbers = {name: score for name, score in answer["scores"].items() if not isinstance(score, list)}
                found |= {(said["key"], said["due"]["ref"], task, name): score for name, score in numbers.items()}
    return found


def agreement(said: Scores, other: Scores, records: int) -> float:
    """The share of all scores after the first so many ``records`` of the clickstream that two said alike, but for
    rounding; who was not due with one of them was not said alike."""
    other = {at: score for at, score in other.items() if number_of(at[1]) < records}
    same = sum(at in other and abs(score - other[at]) <= CLOSE * max(1.0, abs(score)) for at, score in said.items())
    return same / max(1, len(said.keys() | other.keys()))

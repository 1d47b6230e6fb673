"""What the worker answers: a line per system. The key ``systems`` of the numbers, the terminal and the page follow it.

A system that is a task has its answers counted in ``scores.v1``; any other one says no ``task``, and the records of its
topic are counted. Whatever is to be shown as its example is a record of its topic.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from streams.decisions.churn_alert import OUTPUT, TASK
from streams.demo import of_run, samples
from streams.demo.recording import Judged, Recording
from streams.outside.reading import Place, Reader, Record
from streams.outside.similar import NoPicture, Pictures
from streams.processing.partitioning import homes
from streams.records import words
from streams.topics import (
    ADS,
    ALERTS,
    DESCRIBED,
    EFFECTS,
    EMBEDDED,
    ENRICHED,
    INVENTORY,
    ITEM_ALERTS,
    ITEM_PROFILES,
    OFFERS,
    PICTURED,
    PRICE_FORECASTS,
    PRICES_SUGGESTED,
    PROFILES,
    RECOMMENDATIONS,
    REVIEWED,
    SALES_FORECASTS,
    SCORES,
    SEARCH_RANKINGS,
    SHOPPER_PROFILES,
    Topic,
)


@dataclass(frozen=True, slots=True)
class System:
    """One line of the table."""

    name: str
    meaning: str
    topic: Topic
    """Where what it says for people and other systems goes."""
    task: str | None = None
    about: Literal["shopper", "item", "campaign"] = "shopper"
    """What its example is about."""
    example: str | None = None
    """Whom or what its example is to be about; None: as ``Example`` says."""


NEVER_MS = 1 << 62


class Example(NamedTuple):
    """Whom or what an example is to be about, and that it stands on a time up to ``until_ms``."""

    key: str
    until_ms: int


SYSTEMS = (
    System("churn", "how likely each shopper leaves, and who is alerted", ALERTS, task="churn"),
    System("behaviour", "who each shopper is and what they will do next", PROFILES, task="behaviour"),
    System("profile", "what each shopper is worth, and what they are like in words", SHOPPER_PROFILES, task="value"),
    System("recommend", "which items come next for each shopper, and why", RECOMMENDATIONS, task="recommend"),
    System("promotion", "whom campaigns made which offer, within their budgets", OFFERS),
    System("effect", "what each campaign brought beyond its holdout", EFFECTS, about="campaign"),
    System("items", "what each item sells, costs and has in (simulated) stock", ITEM_PROFILES, about="item"),
    System(
        "category", "which category each listing's words speak for, or that none is sure; shown of a sample listing",
        ENRICHED, "category", "item", samples.LISTING,
    ),
    System(
        "sentiment", "what reviews of an item say by their words; of sample reviews, for the data have none",
        ENRICHED, "sentiment", "item", samples.REVIEWED,
    ),
    System("sales", "what items that sell often will sell in 7 and 14 days", SALES_FORECASTS, "sales", "item"),
    System(
        "price_forecast", "what a unit of them will be paid with in the next two weeks",
        PRICE_FORECASTS, "price_forecast", "item",
    ),
    System(
        "price_optimize", "which price of theirs would bring most profit within guards, or why none is suggested",
        PRICES_SUGGESTED, "price_optimize", "item",
    ),
    System("inventory", "what to order of them, by (simulated) stock and how long it lasts", INVENTORY, about="item"),
    System(
        "image", "what a listing's picture shows, and which look like it; of sample photos, for the data have none",
        PICTURED, "image", "item", samples.PICTURED,
    ),
    System(
        "multimodal", "what an item is by its title, picture and sound together, and which are like it",
        EMBEDDED, "multimodal", "item", samples.PICTURED,
    ),
    System(
        "copy", "a title, a description and an offer text of listings with attributes; shown of a sample listing",
        DESCRIBED, "copy", "item", samples.DESCRIBED,
    ),
    System(
        "review", "what reviews of an item praise and criticise, and in which words; of the same sample reviews",
        REVIEWED, "review", "item", samples.REVIEWED,
    ),
    System("ad", "which ad each (simulated) visit is shown, at what a click is worth", ADS, task="ad"),
    System("search", "what (simulated) searches find in the catalogue", SEARCH_RANKINGS),
)  # fmt: skip


class _Due(msgspec.Struct):
    kind: str


class _Answer(msgspec.Struct):
    scores: dict[str, float | list[float]]


class _Scored(msgspec.Struct):
    outcome_id: str
    key: str
    event_time_ms: int
    due: _Due
    answers: dict[str, _Answer]


def ends(reader: Reader) -> dict[Place, int]:
    """Where ``scores.v1``, stock alerts and the systems' topics end now: what was there before is not of this run."""
    topics = {SCORES.name, ITEM_ALERTS.name, *(system.topic.name for system in SYSTEMS)}
    places = [(name, p) for name in sorted(topics) for p in range(reader.partitions(name))]
    return {place: reader.extent(place)[1] for place in places}


def read_answers(
    reader: Reader, starts: Mapping[Place, int], recording: Recording, tell: Callable[[int], None] = lambda _n: None
) -> None:
    """Count the answers of each task, and take those of the churn model."""
    decode, found = msgspec.json.Decoder(_Scored).decode, Counter[str]()
    for record in of_run.records(reader, starts, SCORES):
        said = decode(record.value or b"")
        if said.outcome_id in recording.scored:
            continue  # said again by a worker that was killed
        recording.scored.add(said.outcome_id)
        found.update(said.answers.keys())
        score = said.answers[TASK].scores[OUTPUT] if TASK in said.answers else None
        if isinstance(score, float):
            silence = said.due.kind == "silence"
            recording.judged.append(Judged(said.key, said.event_time_ms, score, silence))
    recording.answers = dict(found)


def answered(
    reader: Reader,
    starts: Mapping[Place, int],
    recording: Recording,
    examples: Mapping[str, Example],
    alike: Mapping[str, Pictures],
) -> dict[str, Any]:
    """Per system how many answers it gave, where, and one of them: the newest that is as ``examples`` says of what the
    system is about; where there is none, the newest of all. ``alike``: what items are like, by the system that says
    so."""
    found = {}
    for system in SYSTEMS:
        places = of_run.places(starts, system.topic)
        records = sum(reader.extent(place)[1] - start for place, start in places.items())
        wanted = examples.get(system.about) if system.example is None else Example(system.example, NEVER_MS)
        value = _example(reader, places, wanted)
        found[system.name] = {
            "answers": records if system.task is None else recording.answers.get(system.task, 0),
            "meaning": system.meaning,
            "topic": system.topic.name,
            "example": None if value is None else json.loads(value),
            "in_words": None if value is None else words.said(msgspec.json.decode(value, type=system.topic.records[0])),
        }
    for name, known in alike.items():
        found[name]["similar"] = similar(known, samples.PICTURED, 5)
    return found


def alike(reader: Reader, starts: Mapping[Place, int]) -> dict[str, Pictures]:
    """By system: what items are like, as its topic has them of this run."""
    found = {}
    for name, topic in (("image", PICTURED), ("multimodal", EMBEDDED)):
        decode, found[name] = msgspec.json.Decoder[Any](topic.records[0]).decode, Pictures()
        for record in of_run.records(reader, starts, topic):
            found[name].apply(decode(record.value or b""))
    return found


def similar(known: Pictures, item: str, many: int) -> list[dict[str, Any]]:
    """Items that are like one; none where nothing is known of it."""
    try:
        return [msgspec.to_builtins(one) for one in known.near(item, many)]
    except NoPicture:
        return []


def newest_about(reader: Reader, places: Mapping[Place, int], wanted: Example) -> bytes | None:
    """The newest record of a topic that is as wanted; None where there is none of this run. ``places``: the topic's
    partitions, and where this run begins in each."""
    key, until_ms = wanted.key.encode(), wanted.until_ms
    (topic,) = {topic for topic, _ in places}
    (home,) = homes([key], "murmur2", len(places)).tolist()  # as workers place them
    start = places[topic, home]
    found = reader.newest(
        [(topic, home)],
        lambda record: record.key == key and _of_run(record, start) and _time(record) <= until_ms,
        least=4096,
    )
    return _newest(found)


def _example(reader: Reader, places: Mapping[Place, int], wanted: Example | None) -> bytes | None:
    found = None if wanted is None else newest_about(reader, places, wanted)
    if found is not None:
        return found
    return _newest(
        reader.newest(places, lambda record: _of_run(record, places[record.topic, record.partition]), least=1)
    )


def _of_run(record: Record, start: int) -> bool:
    return record.value is not None and record.offset >= start


def _newest(found: Sequence[Record]) -> bytes | None:
    """Of those of one time, in a partition, the last one is the newest."""
    return max(found, key=lambda record: (_time(record), record.offset)).value if found else None


def _time(record: Record) -> int:
    said = json.loads(record.value or b"{}")
    return int(said.get("event_time_ms", record.time_ms))

"""What models make of an item's words: suggestions beside what its catalogue says, which nothing overwrites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from streams.columns.arrays import Floats, Hashes, Ints
from streams.columns.digest import START, digest
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import category_code
from streams.decisions.decider import Answered, Group, Names, Said
from streams.features.kinds.taste import code
from streams.records.enriched import Agreement, Candidate, ItemEnriched, Sentiment, SuggestedCategory
from streams.records.outcomes import ModelUsed, outcome_id
from streams.records.pictured import why_unsure

CATEGORY, SENTIMENT = "category", "sentiment"
LISTING = "listing.category"
#: Of the likeliest categories so many are remembered.
MOST = 3
#: A review weighs so much of the one after it.
FADES = 0.9
#: Chances are remembered in whole ten-thousandths.
UNIT = 10_000

PLACE = Column("enrichment/category", "u4", MOST)
"""Places among the names of the model that spoke, and one; 0: none."""
CHANCE = Column("enrichment/chance", "u4", MOST)
CATEGORY_MODEL = Column("enrichment/category_model", "u8")
"""The first 64 bits of the digest of the model whose names they are; 0: none spoke."""
REVIEWS = Column("enrichment/reviews", "i8")
WEIGHT = Column("enrichment/weight", "f8")
POSITIVE = Column("enrichment/positive", "f8")
NEWEST = Column("enrichment/newest", "u4")
SENTIMENT_MODEL = Column("enrichment/sentiment_model", "u8")
SAID = Column("enrichment/said", "u8")
"""A digest of what was said last; 0: nothing."""


class Enrichment:
    """Says ``ItemEnriched`` of items that models have read, when what they make of it changed; with it, ``rules``.

    It takes whichever of the tasks it knows answered, and remembers what each said last, because a listing and its
    reviews come at different times. What a model said that serves no more is not said again.
    """

    columns: tuple[Column, ...] = (
        PLACE, CHANCE, CATEGORY_MODEL, REVIEWS, WEIGHT, POSITIVE, NEWEST, SENTIMENT_MODEL, SAID,
    )  # fmt: skip
    reads = (LISTING,)

    def __init__(self, rules: str, names: Names) -> None:
        self._rules, self._names = rules, names

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        scores = group.seen.scores
        _take_category(state, group)
        _take_sentiment(state, group)
        speaker = {task: _speakers(scores.get(task)) for task in (CATEGORY, SENTIMENT)}
        listing = code(group.feature(LISTING))
        which = {
            task: _which(state, group.row, column, speaker[task])
            for task, column in ((CATEGORY, CATEGORY_MODEL), (SENTIMENT, SENTIMENT_MODEL))
        }
        some = np.flatnonzero((which[CATEGORY] >= 0) | (which[SENTIMENT] >= 0))
        if not len(some):
            return
        agreement = _agreements(state, group.row, which[CATEGORY], listing, speaker[CATEGORY])
        now = _digest(state, group.row[some], which, some, listing[some], agreement[some], speaker)
        cells = state.cells(SAID, group.row[some])
        changed = state.flat["u8"][cells] != now
        state.flat["u8"][cells] = now
        for i in some[changed].tolist():
            row = int(group.row[i])
            named = self._names.of_code(int(listing[i]), group.before[i])
            spoke = {task: speaker[task][which[task][i]] if which[task][i] >= 0 else None for task in which}
            yield (
                i,
                ItemEnriched(
                    outcome_id=outcome_id("item_enriched", group.key[i], group.ref(i), ""),
                    event_time_ms=int(group.now_ms[i]),
                    due=group.due[i],
                    item_id=group.key[i],
                    category=_category(state, row, spoke[CATEGORY], named, AGREEMENTS[agreement[i]]),
                    sentiment=_sentiment(state, row, spoke[SENTIMENT]),
                    rules=self._rules,
                ),
            )


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model that serves: how it is named, and what its answers stand for."""

    used: ModelUsed
    digest: int
    """The first 64 bits of it."""
    names: tuple[str, ...]
    codes: Ints
    """[m] the hashes of the names."""
    sure_from: float | None


@lru_cache(maxsize=16)
def _speaker(task: str, version: str, digest: str, names: tuple[str, ...], sure_from: float | None) -> Speaker:
    codes = np.array([category_code(name) for name in names], np.int64)
    used = ModelUsed(task=task, version=version, digest=digest[:16])
    return Speaker(used, int(digest[:16], 16) or 1, names, codes, sure_from)


def _speakers(scores: Answered | None) -> list[Speaker]:
    """Of the models that serve a task, live first."""
    models: Sequence[Any] = () if scores is None else scores.models
    return [_speaker(m.task, m.version, m.digest, tuple(m.names), m.sure.get("from")) for m in models]


def _digests(group: Group, scores: Answered, some: Ints) -> Hashes:
    """[k] of the model that spoke of each."""
    every = np.array([speaker.digest for speaker in _speakers(scores)], np.uint64)
    return every[scores.used[group.span][some]]


def _take_category(state: Rows, group: Group) -> None:
    """Remember what was answered of listings."""
    scores = group.seen.scores.get(CATEGORY)
    if scores is None:
        return
    some = np.flatnonzero(group.whole(CATEGORY))
    place, chance = (group.answer(CATEGORY, name)[some] for name in ("category", "chance"))
    row = group.row[some]
    for column, values in ((PLACE, place + 1), (CHANCE, np.round(chance * UNIT))):
        cells = state.cells(column, row)
        for k in range(MOST):
            state.flat["u4"][cells + k] = values[:, k].astype(np.uint32) if k < values.shape[1] else 0
    state.flat["u8"][state.cells(CATEGORY_MODEL, row)] = _digests(group, scores, some)


def _take_sentiment(state: Rows, group: Group) -> None:
    """Add what was answered of reviews."""
    scores = group.seen.scores.get(SENTIMENT)
    if scores is None:
        return
    some = np.flatnonzero(group.whole(SENTIMENT))
    row, chance = group.row[some], group.answer(SENTIMENT, "positive")[some]
    state.flat["i8"][state.cells(REVIEWS, row)] += 1
    for column, more in ((WEIGHT, 1.0), (POSITIVE, chance)):
        cells = state.cells(column, row)
        state.flat["f8"][cells] = FADES * state.flat["f8"][cells] + more
    state.flat["u4"][state.cells(NEWEST, row)] = np.round(chance * UNIT).astype(np.uint32)
    state.flat["u8"][state.cells(SENTIMENT_MODEL, row)] = _digests(group, scores, some)


def _which(state: Rows, row: Ints, column: Column, speakers: Sequence[Speaker]) -> Ints:
    """[k] which of the models that serve spoke last of each; -1: none of them."""
    held, found = state.flat["u8"][state.cells(column, row)], np.full(len(row), -1)
    for k, speaker in enumerate(speakers):
        found[held == np.uint64(speaker.digest)] = k
    return found


AGREEMENTS: tuple[Agreement, ...] = ("agrees", "differs", "unsure", "other_words", "not_said")
AGREES, DIFFERS, UNSURE, OTHER_WORDS, NOT_SAID = range(5)


def _agreements(state: Rows, row: Ints, which: Ints, listing: Ints, speakers: Sequence[Speaker]) -> Ints:
    """[k] places in ``AGREEMENTS``."""
    place = state.flat["u4"][state.cells(PLACE, row)].astype(np.int64) - 1
    chance = state.flat["u4"][state.cells(CHANCE, row)] / UNIT
    found = np.full(len(row), UNSURE)
    for k, speaker in enumerate(speakers):
        if speaker.sure_from is None:
            continue
        some = np.flatnonzero((which == k) & (place >= 0) & (chance >= speaker.sure_from))
        said = listing[some]
        right = speaker.codes[place[some]] == said
        found[some] = np.select(
            [said == 0, right, np.isin(said, speaker.codes)], [NOT_SAID, AGREES, DIFFERS], OTHER_WORDS
        )
    return found


def _digest(
    state: Rows, row: Ints, which: dict[str, Ints], some: Ints, listing: Ints, agreement: Ints,
    speaker: dict[str, list[Speaker]],
) -> Hashes:  # fmt: skip
    """[k] a digest, never 0, of all that would be said of each."""
    parts: list[Any] = [listing, agreement]
    for task, columns in (
        (CATEGORY, [(PLACE, k) for k in range(MOST)] + [(CHANCE, k) for k in range(MOST)]),
        (SENTIMENT, [(REVIEWS, 0), (POSITIVE, 0), (WEIGHT, 0), (NEWEST, 0)]),
    ):
        spoke = which[task][some]
        digests = np.array([0, *(each.digest for each in speaker[task])], np.uint64)
        parts.append(digests[spoke + 1])
        for column, k in columns:
            values = state.flat[column.code][state.cells(column, row) + k]
            bits = values.view(np.uint64) if column.code == "f8" else values.astype(np.uint64)
            parts.append(np.where(spoke >= 0, bits, np.uint64(0)))
    return digest(np.full(len(row), START), parts)


def _category(
    state: Rows, row: int, speaker: Speaker | None, catalogue: str | None, agreement: Agreement
) -> SuggestedCategory | None:
    if speaker is None:
        return None
    held = zip(state.data[PLACE.name][row].tolist(), state.data[CHANCE.name][row].tolist(), strict=True)
    candidates = [Candidate(category=speaker.names[place - 1], chance=chance / UNIT) for place, chance in held if place]
    confidence = candidates[0].chance if candidates else 0.0
    unsure = why_unsure(bool(candidates), confidence, speaker.sure_from)
    return SuggestedCategory(
        model=speaker.used,
        category=candidates[0].category if unsure is None else None,
        unsure=unsure,
        confidence=confidence,
        sure_from=speaker.sure_from,
        candidates=candidates,
        catalogue=catalogue,
        agreement=agreement,
    )


def _sentiment(state: Rows, row: int, speaker: Speaker | None) -> Sentiment | None:
    if speaker is None:
        return None
    mean: Floats = state.data[POSITIVE.name][row] / max(state.data[WEIGHT.name][row], 1e-9)
    return Sentiment(
        model=speaker.used,
        reviews=int(state.data[REVIEWS.name][row]),
        newest=int(state.data[NEWEST.name][row]) / UNIT,
        positive=round(float(mean), 4),
    )

"""A shopper's profile: who they are to the behaviour encoder, and what they will likely do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Names, Said
from streams.records.events import SHOPPER_EVENTS
from streams.records.outcomes import Due, LikelyCategory, ModelUsed, ProfileUpdated, outcome_id
from streams.records.tags import tag_of

TYPE_NAME: dict[int, str] = {TYPE_CODE[cls]: tag_of(cls) for cls in SHOPPER_EVENTS}
#: A next event less likely than this is left out.
LEAST = 0.01
#: A task that answers all of these says profiles.
NEEDED = {"embedding", "next_type", "next_category", "next_category_probability", "purchase_session", "purchase_7d"}


class Profiles:
    """One ``ProfileUpdated`` per due point from every task whose answers make one."""

    columns: tuple[Column, ...] = ()
    reads: tuple[str, ...] = ()

    def __init__(self, names: Names) -> None:
        self._names = names

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        seen = group.seen
        for task, scores in seen.scores.items():
            if not scores.answers.keys() >= NEEDED:
                continue
            answers = seen.once((task, "profile"), lambda scores=scores: Answers(scores.answers))  # type: ignore[misc]
            for i in np.flatnonzero(group.whole(task)).tolist():
                at = group.span.start + i
                known_as = outcome_id("profile", group.key[i], group.ref(i), task)
                names = self._names.of_buckets(answers.buckets[at], group.before[i])
                model, now = group.model(task, i), int(group.now_ms[i])
                yield i, profile(answers, at, known_as, group.key[i], now, group.due[i], model, names)


class Answers:
    """The answers of a slice as plain lists, made once."""

    def __init__(self, answers: Mapping[str, npt.NDArray[np.float64]]) -> None:
        self.embedding: list[list[float]] = answers["embedding"].tolist()
        self.types: list[dict[str, float]] = [{} for _ in self.embedding]
        types = answers["next_type"]
        for i, code in np.argwhere(types >= LEAST).tolist():
            if code in TYPE_NAME:
                self.types[i][TYPE_NAME[code]] = float(types[i, code])
        self.buckets: list[list[int]] = np.nan_to_num(answers["next_category"]).astype(np.int64).tolist()
        self.chances: list[list[float]] = answers["next_category_probability"].tolist()
        self.session: list[float] = answers["purchase_session"].tolist()
        self.week: list[float] = answers["purchase_7d"].tolist()


def profile(
    answers: Answers,
    at: int,
    known_as: str,
    shopper: str,
    now_ms: int,
    due: Due,
    model: ModelUsed,
    names: Sequence[str | None],
) -> ProfileUpdated:
    """The profile of a slice's due point ``at``; ``names`` are those of its likely categories, best first."""
    return ProfileUpdated(
        outcome_id=known_as,
        shopper_id=shopper,
        event_time_ms=now_ms,
        due=due,
        model=model,
        embedding=answers.embedding[at],
        next_type=answers.types[at],
        next_category=[
            LikelyCategory(category=name, probability=p)
            for bucket, name, p in zip(answers.buckets[at], names, answers.chances[at], strict=True)
            if bucket > 0 and p >= LEAST
        ],
        purchase_session=answers.session[at],
        purchase_7d=answers.week[at],
    )

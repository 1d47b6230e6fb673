"""Says what every model answered: one record per due point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Answered, Group, Said
from streams.records.outcomes import Answer, Scored, outcome_id

#: Kinds of outputs that are said here; embeddings and texts are for other topics.
SAID = ("probability", "number", "quantiles", "ranking")


def whole(scores: Answered) -> list[bool]:
    """[n] whether every answer of a task is finite: where one is not, nothing is said."""
    finite = [np.isfinite(values).reshape(len(scores.used), -1).all(axis=1) for values in scores.answers.values()]
    found: list[bool] = np.logical_and.reduce(finite).tolist()
    return found


class Scores:
    """One ``Scored`` per due point with the numbers of every task that could answer; none where no task could.
    ``entity``: whom or what they are about."""

    columns: tuple[Column, ...] = ()
    reads: tuple[str, ...] = ()

    def __init__(self, entity: str) -> None:
        self._entity = entity

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        seen = group.seen
        tasks = seen.once("scored", lambda: [_spoken(task, scores) for task, scores in seen.scores.items()])
        tasks = [spoken for spoken in tasks if spoken[1]]
        for i, at in enumerate(range(group.span.start, group.span.stop)):
            answers = {
                task: Answer(model=seen.used(task)[at], scores=dict(zip(names, rows[at], strict=True)))
                for task, names, speaks, rows in tasks
                if speaks[at]
            }
            if answers:
                yield (
                    i,
                    Scored(
                        outcome_id=outcome_id("scored", group.key[i], group.ref(i), ""),
                        entity=self._entity,
                        key=group.key[i],
                        event_time_ms=int(group.now_ms[i]),
                        due=group.due[i],
                        answers=answers,
                    ),
                )


def _spoken(task: str, scores: Answered) -> tuple[str, list[str], list[bool], list[tuple[Any, ...]]]:
    """A task, the names of its outputs that are said, whether it speaks of each row, and their values by row."""
    names = [o.name for o in scores.models[0].outputs if o.kind in SAID and (o.kind == "quantiles" or o.width == 1)]
    rows = list(zip(*(scores.answers[name].tolist() for name in names), strict=True)) if names else []
    return task, names, whole(scores), rows

"""Says what every model answered: one record per due point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said, Seen
from streams.records.outcomes import Answer, Scored, outcome_id

#: Kinds of outputs that are said here; embeddings and texts are for other topics.
SAID = ("probability", "number", "quantiles", "ranking")


class Scores:
    """One ``Scored`` per due point with the numbers of every task that could answer; none where no task could.
    ``entity``: whom or what they are about."""

    columns: tuple[Column, ...] = ()
    reads: tuple[str, ...] = ()

    def __init__(self, entity: str) -> None:
        self._entity = entity

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        seen, start = group.seen, group.span.start
        tasks = seen.once("scored", lambda: [_Spoken.of(seen, task) for task in seen.scores])
        tasks = [spoken for spoken in tasks if spoken.outputs]
        if not tasks:
            return
        some = np.logical_or.reduce([group.whole(spoken.task) for spoken in tasks])
        for i in np.flatnonzero(some).tolist():
            answers = {
                task: Answer(model=group.model(task, i), scores=dict(zip(outputs, told[start + i], strict=True)))
                for task, outputs, told in tasks
                if start + i in told
            }
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


class _Spoken(NamedTuple):
    """What a task says of a slice's due points."""

    task: str
    outputs: list[str]
    """The names of those that are said."""
    told: dict[int, tuple[Any, ...]]
    """Due point → their values; only of those that are answered whole."""

    @staticmethod
    def of(seen: Seen, task: str) -> _Spoken:
        said = [output for output in seen.scores[task].models[0].outputs if output.kind in SAID]
        outputs = [output.name for output in said if output.kind == "quantiles" or output.width == 1]
        some = np.flatnonzero(seen.whole(task))
        values = zip(*(seen.answer(task, name)[some].tolist() for name in outputs), strict=True)
        return _Spoken(task, outputs, dict(zip(some.tolist(), values, strict=False)))

"""Says what every model answered: one record per due point."""

from __future__ import annotations

from collections.abc import Iterable

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
        tasks = seen.once("scored", lambda: {task: told for task in seen.scores if (told := _told(seen, task))})
        if not tasks:
            return
        some = np.logical_or.reduce([group.whole(task) for task in tasks])
        for i in np.flatnonzero(some).tolist():
            at = start + i
            yield (
                i,
                Scored(
                    outcome_id=outcome_id("scored", group.key[i], group.ref(i), ""),
                    entity=self._entity,
                    key=group.key[i],
                    event_time_ms=int(group.now_ms[i]),
                    due=group.due[i],
                    answers={task: told[at] for task, told in tasks.items() if at in told},
                ),
            )


def _told(seen: Seen, task: str) -> dict[int, Answer]:
    """What a task says of a slice's due points, by their places: of those that are answered whole."""
    said = [output for output in seen.scores[task].models[0].outputs if output.kind in SAID]
    outputs = [output.name for output in said if output.kind == "quantiles" or output.width == 1]
    if not outputs:
        return {}
    some, used = np.flatnonzero(seen.whole(task)), seen.used(task)
    values = zip(*(seen.answer(task, name)[some].tolist() for name in outputs), strict=True)
    return {
        i: Answer(model=used[i], scores=dict(zip(outputs, told, strict=True)))
        for i, told in zip(some.tolist(), values, strict=True)
    }

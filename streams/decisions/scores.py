"""Says what every model answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Answered, Group, Said
from streams.records.outcomes import Scored, outcome_id


def whole(scores: Answered) -> list[bool]:
    """[n] whether every answer of a task is finite: where one is not, nothing is said."""
    finite = [np.isfinite(values).reshape(len(scores.used), -1).all(axis=1) for values in scores.answers.values()]
    found: list[bool] = np.logical_and.reduce(finite).tolist()
    return found


class Scores:
    """One ``Scored`` per task with outputs of one number, where the task could answer."""

    columns: tuple[Column, ...] = ()
    reads: tuple[str, ...] = ()

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        for task, scores in group.seen.scores.items():
            yield from self._of(task, scores, group)

    def _of(self, task: str, scores: Answered, group: Group) -> Iterator[Said]:
        seen = group.seen
        names = [output.name for output in scores.models[0].outputs if output.scalar]
        if not names:
            return
        speaks = seen.once((task, "whole"), lambda: whole(scores))
        rows = seen.once((task, "scalars"), lambda: np.stack([scores.answers[n] for n in names], axis=1).tolist())
        models = seen.used(task)
        for i, at in enumerate(range(group.span.start, group.span.stop)):
            if speaks[at]:
                shopper = group.shopper[i]
                yield (
                    i,
                    Scored(
                        outcome_id=outcome_id("scored", shopper, group.ref(i), task),
                        shopper_id=shopper,
                        event_time_ms=int(group.now_ms[i]),
                        due=group.due[i],
                        model=models[at],
                        scores=dict(zip(names, rows[at], strict=True)),
                    ),
                )

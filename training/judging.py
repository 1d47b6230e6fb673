"""What a version can judge: the languages of the records that taught it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.task import AtLeast, Task, Taught
from streams.entities.contents import find

#: A language was taught if so many records are in it, and one in so many of all.
LEAST_RECORDS, ONE_IN = 20, 100


def judging(task: Task, records: Sequence[Any]) -> Task:
    """The task with what the version is taught by records in each ``Taught`` of its population. Where none is taught,
    all that occurs is."""
    return replace(task, population=tuple(_of(task, each, records) for each in task.population))


def _of(task: Task, condition: AtLeast | Taught, records: Sequence[Any]) -> AtLeast | Taught:
    if isinstance(condition, AtLeast):
        return condition
    source = find(task.entity).catalogue.payloads[condition.address].source
    count = Counter(source.name(float(made[0])) for record in records if (made := source.of(record)) is not None)
    least = max(LEAST_RECORDS, len(records) / ONE_IN)
    names = [name for name, many in count.items() if many >= least] or list(count)
    return Taught(condition.address, tuple(sorted(names)))

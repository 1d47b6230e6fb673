"""The table of contents of all tasks. A new task is its folder, its training file, and a line here."""

from __future__ import annotations

from models.task import Task
from models.tasks.behaviour.task import BEHAVIOUR
from models.tasks.churn.task import CHURN

TASKS: tuple[Task, ...] = (BEHAVIOUR, CHURN)


def task(name: str) -> Task:
    """The task of that name. Raises ``KeyError`` that lists the names there are."""
    for found in TASKS:
        if found.name == name:
            return found
    raise KeyError(f"There is no task {name!r}; there are: {', '.join(t.name for t in TASKS)}.")

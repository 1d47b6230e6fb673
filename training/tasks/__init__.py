"""How each task is trained: one file per task, same name as in ``models/tasks``, with ``train(job) -> Artifact``."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from models.artifact import Artifact
from training.job import Job
from training.needs import Need


class Trainer(Protocol):
    """A file of this folder. It may also have ``ABOUT``, ``"item"`` where it learns of what was told about items
    (``job.told``) rather than of what shoppers did (``job.histories``); ``MEASURED``, like ``SHIPPED``: data sets that
    it is measured on and that may not be in an artifact; and ``enough(decided, cut_ms)``, where it learns of what
    campaigns decided: returns what there is less of than enough, in sentences, and raises ``TooLittle`` where nothing
    can be learned."""

    SHIPPED: dict[str, str]
    """What the package's own model is trained on: data set → its cut, ISO 8601."""
    NEEDS: tuple[Need, ...]
    """What a history must have."""

    def train(self, job: Job) -> Artifact:
        """Train on the job's histories, evaluate beside the baselines on the same split, export and prove."""


def trainer(task: str) -> Trainer:
    """The file of a task."""
    return cast(Trainer, import_module(f"training.tasks.{task}"))


def train(job: Job) -> Artifact:
    """Train, evaluate, export and prove; returns the artifact."""
    return trainer(job.task.name).train(job)

"""How each task is trained: one file per task, same name as in ``models/tasks``, with ``train(job) -> Artifact``."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from models.artifact import Artifact
from training.job import Job


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export, prove and write; returns the artifact."""
    return cast(Artifact, import_module(f"training.tasks.{job.task.name}").train(job))

"""How each task is trained: one file per task, same name as in ``models/tasks``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from models.artifact import Artifact
from training.tasks import churn


class Report(Protocol):
    """Told what is going on: a stage's name and how much of it is done (None when unknown)."""

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


TRAINERS: dict[str, Callable[[Path | None, int, Path, Report], Artifact]] = {"churn": churn.train}

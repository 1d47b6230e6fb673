"""Models of items that tests make up, and a shelf of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.task import Task
from streams.entities.item import ITEM
from streams.features.meaning import meanings


class ItemModel:
    """A model of a task about items: what it takes and answers is the task's; ``score`` is for the test to say."""

    levels: dict[str, Any] = {}  # noqa: RUF012
    tiers: dict[str, Any] = {}  # noqa: RUF012
    distributions: dict[str, Any] = {}  # noqa: RUF012
    codes: dict[str, int] = {}  # noqa: RUF012
    population = ()
    upstream = ()
    likeness = None

    def __init__(
        self, task: Task, version: str, names: tuple[str, ...] = (), sure: dict[str, Any] | None = None
    ) -> None:
        self.task, self.version, self.digest = task.name, version, f"{version}-{task.name}".encode().hex() * 4
        self.features, self.outputs, self.at = task.features, task.outputs, task.at
        self.widths = tuple(ITEM.catalogue.inputs[a].width for a in self.features)
        self.names, self.sure = names, sure or {}
        self.meanings = meanings(ITEM.catalogue.inputs, self.features)
        self.reference = np.zeros(sum(self.widths), np.float32)


class ItemModels:
    """A shelf of versions of tasks about items; of each task the first one is shipped."""

    def __init__(self, *models: Any) -> None:
        self._models = {(model.task, model.version): model for model in models}

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, _ in self._models)) if entity == "item" else ()

    def outputs(self, task: str) -> Any:
        return self.model(task).outputs

    def shipped(self, task: str) -> str:
        return next(version for known, version in self._models if known == task)

    def model(self, task: str, version: str | None = None) -> Any:
        return self._models[task, version or self.shipped(task)]

"""Scores the due points of a slice: every task's live model, its canary for some shoppers, its shadow beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streams.processing.batch import Bools, Floats
from streams.records.serving import Stages

Answers = dict[str, npt.NDArray[Any]]
#: Rounded before anything is decided: another CPU's last bits must not decide differently.
DECIMALS = 4


class Output(Protocol):
    """One named answer of a model."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def scalar(self) -> bool:
        """Whether it is one probability per row."""


class Model(Protocol):
    """A model as the stream sees it; ``models.predictor.Predictor`` is one."""

    task: str
    version: str
    digest: str
    features: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def distributions(self) -> Mapping[str, Mapping[str, list[float]]]:
        """Of training, by feature address or output: ``edges`` and the ``shares`` between them."""

    @property
    def outputs(self) -> Sequence[Output]:
        """What it answers; the first one's contributions can be told."""

    @property
    def upstream(self) -> Sequence[Model]:
        """The models whose outputs it takes by address ``TASK.OUTPUT``."""

    def score(self, x: npt.NDArray[np.float32]) -> dict[str, Floats]:
        """[n] or [n, width] per output, for float32 [n, sum of widths]; no row's answer depends on the others."""

    def contributions(self, x: npt.NDArray[np.float32]) -> Floats:
        """[n, len(features)] how far each feature moved the first output against a typical shopper."""


class Shelf(Protocol):
    """Where models come from; ``models.store.Shelf`` is one."""

    @property
    def tasks(self) -> Sequence[str]:
        """Every task that is served."""

    def model(self, task: str, version: str | None = None) -> Model:
        """A version, ready to score; of None, the one that came with the package. Raises when it must not serve."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The models of one task that score now."""

    stages: Stages
    live: Model
    canary: Model | None = None
    shadow: Model | None = None

    @property
    def staged(self) -> dict[str, Model]:
        """The models by stage: live, canary, shadow."""
        stages = (("live", self.live), ("canary", self.canary), ("shadow", self.shadow))
        return {stage: model for stage, model in stages if model is not None}


NO_STAGES = Stages(change_id="")


def serve(shelf: Shelf, stages: Mapping[str, Stages], refused: Callable[[str, str, Exception], None]) -> list[Serving]:
    """Every task's models as the stages want them. A version that cannot be loaded is told and does not serve:
    as live, the package's own model serves in its place."""

    def load(task: str, version: str | None) -> Model | None:
        try:
            return shelf.model(task, version)
        except Exception as error:
            refused(task, str(version), error)
            return None

    found = []
    for task in shelf.tasks:
        s = stages.get(task, NO_STAGES)
        live = (load(task, s.live) if s.live else None) or shelf.model(task)
        canary = load(task, s.canary) if s.canary else None
        shadow = load(task, s.shadow) if s.shadow else None
        found.append(Serving(s, live, canary, shadow))
    return found


@dataclass(slots=True)
class Compared:
    """A canary or shadow beside the live model, over the due points of a slice. Never part of an outcome."""

    stage: str
    model: Model
    live: Floats
    """[k] first output of the live model …"""
    other: Floats
    """… and of the other, for the same rows; NaN where it failed."""
    live_us_per_row: float
    other_us_per_row: float
    error: str = ""


@dataclass(slots=True)
class TaskScores:
    """What a task answered for n due points."""

    answers: Answers
    """By output; NaN where the model failed."""
    models: tuple[Model, ...]
    used: npt.NDArray[np.int64]
    """[n] which of ``models`` answered."""
    inputs: list[npt.NDArray[np.float32]]
    """Per model, the rows it was given (all n)."""
    seconds: float = 0.0
    compared: list[Compared] = field(default_factory=list)


class Inputs:
    """The feature columns of n due points, and what upstream models made of them, each run once."""

    def __init__(self, features: npt.NDArray[np.float32], places: Mapping[str, slice]) -> None:
        self._features, self._places = features, places
        self._answers: dict[tuple[str, str], Answers] = {}

    def of(self, model: Model) -> npt.NDArray[np.float32]:
        """[n, width] what a model takes."""
        return self.take(model.features, model.upstream)

    def take(self, addresses: Sequence[str], upstream: Sequence[Model] = ()) -> npt.NDArray[np.float32]:
        """[n, width of all addresses] features, and outputs ``TASK.OUTPUT`` of the upstream models, side by side."""
        blocks = []
        for address in addresses:
            if address in self._places:
                blocks.append(self._features[:, self._places[address]])
            else:
                task, _, output = address.partition(".")
                answers = self.answers(next(m for m in upstream if m.task == task))
                blocks.append(answers[output].astype(np.float32).reshape(len(self._features), -1))
        return np.concatenate(blocks, axis=1)

    def answers(self, model: Model) -> Answers:
        """What a model answers."""
        key = (model.task, model.digest)
        if key not in self._answers:
            self._answers[key] = model.score(self.of(model))
        return self._answers[key]


def score(
    serving: Sequence[Serving],
    features: npt.NDArray[np.float32],
    places: Mapping[str, slice],
    shopper: Callable[[int], str],
) -> dict[str, TaskScores]:
    """Every task's answers for n due points. ``shopper(i)`` names the i-th row's shopper.

    A live model that raises stops the worker. One that raises as canary or shadow is told; the live one answers.
    """
    rows = Inputs(features, places)
    found: dict[str, TaskScores] = {}
    n = len(features)
    for task in serving:
        t0 = time.perf_counter()
        live = rows.answers(task.live)
        spent = time.perf_counter() - t0
        chosen = TaskScores(dict(live), (task.live,), np.zeros(n, np.int64), [rows.of(task.live)], spent)
        first = task.live.outputs[0].name
        if task.canary is not None:
            mask = np.array([task.stages.in_canary(shopper(i)) for i in range(n)], np.bool_)
            answers, compared = _beside("canary", task.canary, rows, live[first], mask, spent)
            chosen.compared.append(compared)
            if answers is not None and mask.any():
                chosen.models += (task.canary,)
                chosen.inputs.append(rows.of(task.canary))
                chosen.used[mask] = 1
                for name, values in answers.items():
                    wide = mask if values.ndim == 1 else mask[:, None]
                    chosen.answers[name] = np.where(wide, values, chosen.answers[name])
        if task.shadow is not None:
            _, compared = _beside("shadow", task.shadow, rows, live[first], np.ones(n, np.bool_), spent)
            chosen.compared.append(compared)
        chosen.answers = {name: np.round(values, DECIMALS) for name, values in chosen.answers.items()}
        found[task.live.task] = chosen
    return found


def _beside(
    stage: str, model: Model, rows: Inputs, live: Floats, mask: Bools, live_seconds: float
) -> tuple[Answers | None, Compared]:
    n = len(mask)
    t0 = time.perf_counter()
    answers: Answers | None
    error = ""
    try:
        answers = rows.answers(model)
        other = answers[model.outputs[0].name][mask]
    except Exception as failure:
        answers, other, error = None, np.full(int(mask.sum()), np.nan), repr(failure)
    seconds = time.perf_counter() - t0
    per = 1e6 / max(1, n)
    return answers, Compared(stage, model, live[mask], other, live_seconds * per, seconds * per, error)

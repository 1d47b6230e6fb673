"""Scores the due points of a slice: every task's live model, its canary for some shoppers, its shadow beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streams.features.catalogue import CATALOGUE
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
    def width(self) -> int: ...
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

    @property
    def whole(self) -> bool:
        """Whether everything serves that was chosen."""
        wanted = {"live": self.stages.live, "canary": self.stages.canary, "shadow": self.stages.shadow}
        serving = {stage: model.version for stage, model in self.staged.items()}
        return all(version is None or serving.get(stage) == version for stage, version in wanted.items())


NO_STAGES = Stages(change_id="")


def widths(addresses: Sequence[str], upstream: Sequence[Model] = ()) -> list[int]:
    """How many numbers of a row each address takes: a feature's, or that of an output ``TASK.OUTPUT`` of an upstream
    model. Raises ``ValueError`` for one that is neither."""
    found = {address: feature.width for address, feature in CATALOGUE.features.items()}
    found |= {f"{model.task}.{output.name}": output.width for model in upstream for output in model.outputs}
    unknown = [address for address in addresses if address not in found]
    if unknown:
        raise ValueError(f"There is no feature {', '.join(unknown)}.")
    return [found[address] for address in addresses]


def load(shelf: Shelf, task: str, version: str | None) -> Model:
    """A version that fits this code's features. Raises ``ValueError``, and what the shelf raises."""
    model = shelf.model(task, version)
    here = widths(model.features, model.upstream)
    wrong = [a for a, ours, its in zip(model.features, here, model.widths, strict=True) if ours != its]
    if wrong:
        raise ValueError(
            f"{task} {model.version} was trained on {', '.join(wrong)} of another width than they have here. "
            f"Train it anew: offerstream train {task}"
        )
    return model


def serve(
    shelf: Shelf,
    stages: Mapping[str, Stages],
    refused: Callable[[str, str, Exception], None],
    before: Sequence[Serving] = (),
) -> list[Serving]:
    """Every task's models as the stages want them. A version that cannot be loaded is told and does not serve: as live,
    what served ``before`` goes on, after a restart what the log chose before, at last the package's own."""

    def loaded(task: str, version: str | None) -> Model | None:
        try:
            return load(shelf, task, version)
        except Exception as error:
            refused(task, str(version), error)
            return None

    served = {serving.live.task: serving.live for serving in before}
    found = []
    for task in shelf.tasks:
        s = stages.get(task, NO_STAGES)
        live = loaded(task, s.live) if s.live else None
        if s.live and live is None:
            live = served.get(task) or (loaded(task, s.previous) if s.previous else None)
        canary = loaded(task, s.canary) if s.canary else None
        shadow = loaded(task, s.shadow) if s.shadow else None
        found.append(Serving(s, live or load(shelf, task, None), canary, shadow))
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
    rows: int
    """Of so many rows the cost was measured."""
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
        self._seconds: dict[tuple[str, str], float] = {}

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
            x = self.of(model)
            began = time.perf_counter()
            self._answers[key] = model.score(x)
            self._seconds[key] = time.perf_counter() - began
        return self._answers[key]

    def seconds(self, model: Model) -> float:
        """How long a model took to answer, without what it takes from others."""
        return self._seconds.get((model.task, model.digest), 0.0)


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
        live = rows.answers(task.live)
        spent = rows.seconds(task.live)
        chosen = TaskScores(dict(live), (task.live,), np.zeros(n, np.int64), [rows.of(task.live)], spent)
        first = task.live.outputs[0].name
        if task.canary is not None:
            mask = np.array([task.stages.in_canary(shopper(i)) for i in range(n)], np.bool_)
            answers, finite, compared = _beside("canary", task.canary, rows, live[first], mask, spent)
            chosen.compared.append(compared)
            mask &= finite  # Where it fails, the live model answers.
            if answers is not None and mask.any():
                chosen.models += (task.canary,)
                chosen.inputs.append(rows.of(task.canary))
                chosen.used[mask] = 1
                for name, values in answers.items():
                    wide = mask if values.ndim == 1 else mask[:, None]
                    chosen.answers[name] = np.where(wide, values, chosen.answers[name])
        if task.shadow is not None:
            *_, compared = _beside("shadow", task.shadow, rows, live[first], np.ones(n, np.bool_), spent)
            chosen.compared.append(compared)
        chosen.answers = {name: np.round(values, DECIMALS) for name, values in chosen.answers.items()}
        found[task.live.task] = chosen
    return found


def _beside(
    stage: str, model: Model, rows: Inputs, live: Floats, mask: Bools, live_seconds: float
) -> tuple[Answers | None, Bools, Compared]:
    """What a canary or shadow answers, where all of it is finite, and how it compares on the rows of ``mask``."""
    n = len(mask)
    answers: Answers | None
    other, finite, error = np.full(n, np.nan), np.zeros(n, np.bool_), ""
    try:
        answers = rows.answers(model)
        finite = np.logical_and.reduce([np.isfinite(values.reshape(n, -1)).all(axis=1) for values in answers.values()])
        other[finite] = answers[model.outputs[0].name][finite]
    except Exception as failure:
        answers, error = None, repr(failure)
    per = 1e6 / max(1, n)
    compared = Compared(stage, model, live[mask], other[mask], live_seconds * per, rows.seconds(model) * per, n, error)
    return answers, finite, compared

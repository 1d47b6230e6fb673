"""One run of a trainer, and the rows it works on: features as serving reads them, labels, and their split in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task as find
from models.task import AtLeast, Task, Taught
from streams.columns.arrays import Ints
from streams.effects.decided import Joined
from streams.entities.contents import find as entity
from streams.features.catalogue import Catalogue
from streams.features.shopper import CATALOGUE
from streams.processing.scoring import Inputs
from training.errors import Misuse
from training.history import History
from training.items import TOLD_MS, replay_items
from training.parts import Workers, replayed, stood
from training.replay import Rows, replay, standing
from training.source import Source
from training.split import Leak, check_rows
from training.told import Told

Floats32 = npt.NDArray[np.float32]
Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class CutHistory:
    """A history, and the moment at which it is cut: what is before teaches, what is after tests."""

    source: Source
    history: History
    cut_ms: int
    """UTC milliseconds since 1970."""

    @property
    def name(self) -> str:
        """Of the history."""
        return self.source.name


@dataclass(frozen=True)
class CutTold:
    """What was told of items, and the moment at which it is cut: what is before teaches, what is after tests."""

    source: Source
    history: Told
    cut_ms: int
    """UTC milliseconds since 1970."""

    @property
    def name(self) -> str:
        """Of the history."""
        return self.source.name


def may_teach(source: Source) -> None:
    """Raises ``TrainingError`` for a history whose licence allows no artifact."""
    if not source.ship:
        raise Misuse(f"No model that was trained on {source.name} may be kept: {source.licence}.")


def upstream_of(task: Task) -> tuple[Predictor, ...]:
    """The shipped models whose outputs a task takes by address ``TASK.OUTPUT``."""
    known = entity(task.entity).catalogue.inputs
    names = dict.fromkeys(a.partition(".")[0] for a in task.features if a not in known)
    return tuple(Predictor(load_artifact(find(name))) for name in names)


@dataclass(frozen=True)
class Job:
    """What a trainer is told. ``work`` holds histories and unfinished trainings: a run cut off goes on from there.

    ``own``: the histories were chosen, they are not those of the model that ships. ``champion``: that model or the one
    that is live, where it can be loaded, to be measured beside the new one on the same rows, and what it is called;
    None where it is itself trained anew.
    ``measured``: histories that a model may be measured on but that may not be in an artifact.
    ``decided``: what campaigns decided and what followed, for a task that learns of that.
    ``embeds``: the model that says what items are like by their listings; None where none can be had.
    ``workers``: where histories are replayed by parts, with rows in canonical order; None: here, as they come.
    ``told``, ``told_measured``: the same of a task that learns of what was told about items, which has no histories of
    shoppers.
    """

    task: Task
    histories: tuple[CutHistory, ...]
    seed: int
    work: Path = Path("build/training")
    own: bool = False
    champion: Predictor | None = None
    champion_called: str = "the shipped model"
    measured: tuple[CutHistory, ...] = ()
    decided: Joined | None = None
    workers: Workers | None = None
    embeds: Predictor | None = None
    told: tuple[CutTold, ...] = ()
    told_measured: tuple[CutTold, ...] = ()
    tell: Tell = field(default=lambda _stage, _done, _total: None)

    def __post_init__(self) -> None:
        for given in self.given:
            may_teach(given.source)

    @property
    def given(self) -> tuple[CutHistory | CutTold, ...]:
        """What teaches, whatever it is about."""
        return (*self.histories, *self.told)

    @cached_property
    def upstream(self) -> tuple[Predictor, ...]:
        """The shipped models whose outputs the task takes by address ``TASK.OUTPUT``."""
        return upstream_of(self.task)

    @property
    def population(self) -> tuple[AtLeast | Taught, ...]:
        """Whom the task can judge: its own conditions, and those of the models whose outputs it takes."""
        return (*self.task.population, *(c for model in self.upstream for c in model.population))

    @property
    def kept_in(self) -> Path:
        """Where unfinished trainings of the task are kept until its run is over."""
        return self.work / self.task.name

    @property
    def data(self) -> list[dict[str, str]]:
        """What a card says of the histories that taught."""
        return [{"name": s.name, "licence": s.licence, "meaning": s.meaning} for s in (h.source for h in self.given)]

    def rows(self, given: CutHistory, features: Sequence[str], **how: object) -> FeatureRows:
        """Rows with these features and all that the task's upstream models need, of those whom the task can judge;
        ``how`` is for ``replay``.

        Raises ``Leak`` when a row changes with what follows it, or when an upstream model saw the data set beyond the
        cut that the rows will be split at.
        """
        catalogue = entity(self.task.entity).catalogue
        of_records = [a for a in features if a in catalogue.payloads]
        if of_records:
            raise Misuse(
                f"A history that was read holds no records, of which {', '.join(of_records)} are made: read the "
                "records and make rows of them with training.networks.inputs.rows_of."
            )
        name, history, cut_ms, rules = given.name, given.history, given.cut_ms, given.source.rules
        for model in self.upstream:
            window = model.artifact.card["split"]["windows"].get(name)
            if window is not None and datetime.fromisoformat(window["cut"]).timestamp() * 1000 > cut_ms:
                raise Leak(
                    f"{model.task} was trained on {name} up to {window['cut']}, beyond the cut of {self.task.name}. "
                    f"Move that cut, or train {model.task} anew with an earlier one."
                )
        wanted = [a for a in features if a in catalogue.features]
        wanted += [a for model in self.upstream for a in model.features]
        wanted += [condition.address for condition in self.population]
        addresses = tuple(dict.fromkeys(wanted))

        def tell(n: int) -> None:
            self.tell(f"replaying {name}", n, len(history))

        def take(some: History, tell: Callable[[int], None], how: dict[str, object]) -> Rows:
            if self.task.entity == "item":  # by one process: items are counted over all shoppers
                return replay_items(some, addresses, self.population, rules=rules, tell=tell)
            if self.workers is None:
                return replay(some, addresses, rules=rules, tell=tell, **how)  # type: ignore[arg-type]
            return replayed(some, addresses, self.workers, self.work, tell, rules=rules, **how)

        rows = take(history, tell, how)

        def again(early: History) -> Rows:
            return take(early, lambda _n: None, _up_to(how, early))

        # Half a history is enough to see whether a row changes with what follows it.
        names = history.item_ids if self.task.entity == "item" else history.shoppers
        rng = np.random.default_rng(self.seed)
        settled_ms = rules.allowed_lateness_ms + (TOLD_MS if self.task.entity == "item" else 0)
        check_rows(history, rows, again, rng, settled_ms, moments=1, names=names)
        found = FeatureRows(history, rows, addresses, self.upstream, catalogue)
        judged = np.ones(len(rows), np.bool_)
        for condition in self.population:
            judged &= condition.holds(found.matrix((condition.address,))[:, 0])
        return found.select(judged)

    def standing(self, given: CutHistory, shopper: Ints, at_ms: Ints, told: str = "replaying") -> Floats32:
        """[n, f] the task's features of some shoppers (index into the history's) as they stood at some moments, events
        at that time included: ``training.replay.standing``. ``told``: what is said of it while it goes on."""
        history, features, rules = given.history, self.task.features, given.source.rules

        def tell(n: int) -> None:
            self.tell(told, n, len(history))

        if self.workers is None:
            return standing(history, features, shopper, at_ms, rules=rules, tell=tell)
        return stood(history, features, shopper, at_ms, self.workers, self.work, tell, rules=rules)


def _up_to(how: dict[str, object], early: History) -> dict[str, object]:
    snapshots = how.get("snapshots_ms", ())
    return {**how, "snapshots_ms": [m for m in snapshots if m <= early.end_ms]}  # type: ignore[attr-defined]


@dataclass(frozen=True)
class FeatureRows:
    """Rows of a history, read by address."""

    history: History
    rows: Rows
    addresses: tuple[str, ...]
    upstream: tuple[Predictor, ...]
    catalogue: Catalogue = CATALOGUE

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.rows.x, self.catalogue.places(self.addresses))

    def matrix(self, addresses: Sequence[str]) -> Floats32:
        """[n, width] the very columns that the worker would give a model with these addresses."""
        return self._inputs.matrix(addresses, self.upstream)

    def select(self, chosen: npt.NDArray[np.bool_]) -> FeatureRows:
        """Some of the rows."""
        return FeatureRows(self.history, self.rows.select(chosen), self.addresses, self.upstream, self.catalogue)

"""The contract of every model: what it answers, what it takes, what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

#: What stands for a name in a feature.
Number = Callable[[str], float]
#: Why nothing tells of an embedding.
NO_TRUTH = "Where something lies among others is not right or wrong; what is made of it is held against what comes."
TASKS_DIR = Path(__file__).parent / "tasks"


@dataclass(frozen=True, slots=True)
class Grows:
    """What an answer is held against: how much a feature that only grows (``total``) grew within so many ``days`` after
    the due point. ``any``: whether it did; ``none``: whether it did not; ``sum``: by how much."""

    total: str
    days: float
    what: Literal["any", "none", "sum"] = "any"
    after_days: ClassVar[float] = 0

    @property
    def totals(self) -> tuple[str, ...]:
        """The features whose growth it is made of."""
        return (self.total,)

    def of(self, grown: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """[k] the label, of how much the totals grew [k, 1]."""
        if self.what == "sum":
            return grown[:, 0].astype(np.float64)
        return ((grown[:, 0] > 0) == (self.what == "any")).astype(np.float64)


@dataclass(frozen=True, slots=True)
class PerUnit:
    """What an answer is held against: by how much a feature that only grows (``total``) grew for each unit by which
    another one (``units``) did, from ``after_days`` to ``days`` after the due point. None where that did not grow."""

    total: str
    units: str
    days: float
    after_days: float = 0

    @property
    def totals(self) -> tuple[str, ...]:
        """The features whose growth it is made of."""
        return (self.total, self.units)

    def of(self, grown: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """[k] the label, of how much the totals grew [k, 2]; NaN for none.

        >>> PerUnit("sales.revenue", "sales.units", 7).of(np.array([[600, 3], [0, 0]])).tolist()
        [200.0, nan]
        """
        total, units = grown.T
        return np.where(units > 0, total / np.maximum(units, 1), np.nan)


@dataclass(frozen=True, slots=True)
class Next:
    """What an answer is held against: the first value that a sequence feature (newest first) gets after the due point;
    ``total`` counts what the sequence lists. ``names``: the places that a ranking lists are those of names of this
    kind, and the sequence has their hash buckets."""

    sequence: str
    total: str
    names: Literal["", "item", "category"] = ""
    days: ClassVar[None] = None
    after_days: ClassVar[float] = 0

    @property
    def totals(self) -> tuple[str, ...]:
        """The features whose growth it is made of."""
        return (self.total,)


@dataclass(frozen=True, slots=True)
class Output:
    """One named answer: ``width`` numbers per row.

    ``probability``: each in [0, 1]. ``distribution``: in [0, 1] and adding up to 1. ``number``: finite.
    ``quantiles``: finite and ascending, of the shares ``levels``. ``embedding``: finite numbers that other tasks may
    take by address ``TASK.OUTPUT``. ``ranking``: whole numbers, best first (hash buckets, or places in the ``names`` of
    the artifact). ``effects``: each in [-1, 1], how much likelier what stands at its place in the ``names`` of the
    artifact makes an outcome, 0 at places beyond them; NaN where it cannot tell of the row. ``text``: whole numbers,
    places in the ``names`` of the artifact, -1 after the end.
    """

    name: str
    kind: Literal["probability", "distribution", "number", "quantiles", "embedding", "ranking", "effects", "text"] = (
        "probability"
    )
    width: int = 1
    horizon_days: int | None = None
    """Of a chance that no record of the type ``event`` comes within so many days: it is recalibrated as the stream
    learns how many come."""
    event: str = ""
    label: Grows | PerUnit | Next | None = None
    """What it is held against once that is known; None: nothing tells …"""
    untold: str = ""
    """… and why."""
    levels: tuple[float, ...] = ()
    """Of quantiles: the share of outcomes that is to lie below each."""

    def __post_init__(self) -> None:
        if (self.kind == "quantiles") != bool(self.levels) or (self.levels and len(self.levels) != self.width):
            raise ValueError(f"{self.name}: quantiles, and they alone, have a level for each of their numbers.")
        chance = self.kind == "probability" and self.width == 1 and self.label is not None
        if self.event and not (chance and self.horizon_days):
            raise ValueError(f"{self.name}: only one probability with a label and a horizon can be recalibrated.")

    @property
    def recalibrated(self) -> bool:
        """Whether the stream corrects it by what its forecasts came to."""
        return bool(self.event)

    @property
    def scalar(self) -> bool:
        """Whether it is one probability or number per row: what drift is measured of."""
        return self.kind in ("probability", "number") and self.width == 1


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A condition on whom a task can judge: the feature ``address``, one number, is at least ``least``."""

    address: str
    least: float

    def __str__(self) -> str:
        return f"{self.address} >= {self.least:g}"

    @property
    def declared(self) -> AtLeast:
        """The condition as a task lists it."""
        return self

    def holds(self, values: npt.NDArray[np.float32], number: Number | None = None) -> npt.NDArray[np.bool_]:
        """[k] whether it holds of values of the feature."""
        return values >= self.least


@dataclass(frozen=True, slots=True)
class Taught:
    """A condition on what a task can judge: the feature ``address``, a language, is one of those that taught the
    version. A task lists no ``names``; the card of a version lists what it was taught."""

    address: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.address} in {', '.join(name or 'unknown' for name in self.names)}"

    @property
    def declared(self) -> Taught:
        """The condition as a task lists it."""
        return Taught(self.address)

    def holds(self, values: npt.NDArray[np.float32], number: Number | None = None) -> npt.NDArray[np.bool_]:
        """[k] whether it holds of values of the feature; ``number``: what stands for a name in it."""
        assert number is not None, f"{self.address} has no names."
        return np.isin(values, [number(name) for name in self.names])


@dataclass(frozen=True, slots=True)
class Task:
    """One question a model answers about a shopper (or another ``entity``), from what is known at one due point.

    ``population`` says of whom: those for whom all conditions hold. The model is trained on no others, and others get
    no answer (whoever never ordered cannot stop ordering; a review in a language that taught nothing says nothing).
    Empty: of everybody. A condition may be on what the record that made due says, such as ``payload.language``.

    ``features`` are addresses: of the stream's catalogue (``orders.count``; ``sequence.types`` is 32 numbers wide), of
    what the record that made due says (``payload.words``), or outputs of another task (``behaviour.embedding``). A row
    is their values in this order, float32. ``at``: types of the records that ask the question (``item_reviewed``), and
    ``day`` where the end of a day does; empty: every due point does.
    ``shipped``: whether a version comes with the package. Where none does, nothing is answered until a shop has trained
    and promoted its own.
    ``tolerance`` is how far the exported ONNX model may differ from the trained one, of numbers beyond 1 in proportion
    to them. ``latency_us_per_row`` is its budget, CPU microseconds in slices of 256: ``python -m streams.bench.models``
    measures it.
    """

    name: str
    question: str
    features: tuple[str, ...]
    outputs: tuple[Output, ...]
    owner: str
    entity: str = "shopper"
    population: tuple[AtLeast | Taught, ...] = ()
    at: tuple[str, ...] = ()
    shipped: bool = True
    tolerance: float = 1e-5
    latency_us_per_row: float = 10.0

    @property
    def folder(self) -> Path:
        """Where the shipped artifact lives: ``model.onnx``, ``card.json``, ``golden.npz``."""
        return TASKS_DIR / self.name

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

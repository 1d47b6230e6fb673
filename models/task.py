"""The contract of every model: what it answers, what it takes, what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TASKS_DIR = Path(__file__).parent / "tasks"


@dataclass(frozen=True, slots=True)
class Output:
    """One named answer: ``width`` numbers per row.

    ``probability``: each in [0, 1]. ``distribution``: in [0, 1] and adding up to 1. ``embedding``: finite numbers
    that other tasks may take by address ``TASK.OUTPUT``. ``ranking``: whole numbers, best first (hash buckets).
    """

    name: str
    kind: Literal["probability", "distribution", "embedding", "ranking"] = "probability"
    width: int = 1
    horizon_days: int | None = None
    """Of a chance that nothing happens within so many days: it is recalibrated as the stream learns what comes."""

    @property
    def scalar(self) -> bool:
        """Whether it is one probability per row: what ``scores.v1`` carries, and what drift is measured of."""
        return self.kind == "probability" and self.width == 1


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A condition on whom a task can judge: the feature ``address``, one number, is at least ``least``."""

    address: str
    least: float


@dataclass(frozen=True, slots=True)
class Task:
    """One question a model answers about a shopper (or another ``entity``), from what is known at one due point.

    ``population`` says of whom: those for whom all conditions hold. The model is trained on no others, and others get
    no answer (whoever never ordered cannot stop ordering). Empty: of everybody.

    ``features`` are addresses: of the stream's catalogue (``orders.count``; ``sequence.types`` is 32 numbers wide),
    or outputs of another task (``behaviour.embedding``). A row is their values in this order, float32.
    ``tolerance`` is how far the exported ONNX model may differ from the trained one. ``latency_us_per_row`` is its
    budget in slices of 256.
    """

    name: str
    question: str
    features: tuple[str, ...]
    outputs: tuple[Output, ...]
    owner: str
    entity: str = "shopper"
    population: tuple[AtLeast, ...] = ()
    tolerance: float = 1e-5
    latency_us_per_row: float = 10.0

    @property
    def folder(self) -> Path:
        """Where the shipped artifact lives: ``model.onnx``, ``card.json``, ``golden.npz``."""
        return TASKS_DIR / self.name

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

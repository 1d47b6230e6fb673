"""The contract of every model: what it answers, what it takes, what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TASKS_DIR = Path(__file__).parent / "tasks"


@dataclass(frozen=True, slots=True)
class Task:
    """One question a model answers about a shopper, from their features at one due point.

    ``outputs`` are names of the scores, each in [0, 1]; the first one drives decisions. ``tolerance`` is how far
    the exported ONNX model may differ from the trained one. ``latency_us_per_row`` is its budget in slices of 256.
    """

    name: str
    question: str
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    owner: str
    tolerance: float = 1e-5
    latency_us_per_row: float = 10.0

    @property
    def folder(self) -> Path:
        """Where the shipped artifact lives: ``model.onnx``, ``card.json``, ``golden.npz``."""
        return TASKS_DIR / self.name

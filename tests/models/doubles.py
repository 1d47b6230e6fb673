"""Models that behave badly, with everything else as a real one says it."""

from __future__ import annotations

from typing import Any

import numpy as np

STATED = (
    "task",
    "features",
    "widths",
    "outputs",
    "upstream",
    "distributions",
    "population",
    "at",
    "meanings",
    "codes",
    "names",
    "levels",
    "tiers",
    "sure",
    "reference",
)


class Double:
    """Says of itself what a live model says, under a version of its own, and answers as it does."""

    task: str
    features: Any
    widths: Any
    outputs: Any
    upstream: Any
    distributions: Any
    population: Any
    at: Any
    meanings: Any
    codes: Any
    names: Any
    levels: Any
    tiers: Any
    sure: Any
    reference: Any

    def __init__(self, live: Any, version: str, digest: str) -> None:
        self.live, self.version, self.digest = live, version, digest
        for name in STATED:
            setattr(self, name, getattr(live, name))

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The live model's answers."""
        found: dict[str, np.ndarray] = self.live.score(x)
        return found

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """The live model's contributions."""
        found: np.ndarray = self.live.contributions(x)
        return found

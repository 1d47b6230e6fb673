"""Logistic regression on a few RFM numbers: recency, frequency, monetary value, and the shopper's own gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.networks.blend import probabilities

Floats = npt.NDArray[np.float64]
RFM = ("orders.days_since_last", "orders.count", "orders.average_value", "orders.gap_mean", "orders.overdue")


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted regression: standardized log inputs, weights, intercept first."""

    mean: Floats
    scale: Floats
    weights: Floats

    def predict(self, x: npt.NDArray[np.float32]) -> Floats:
        """[n] probabilities."""
        return probabilities(self.logits(x))

    @property
    def straight(self) -> tuple[Floats, float]:
        """The slopes over logarithms as they are, not standardized, and where they start."""
        slopes = self.weights[1:] / self.scale
        return slopes, float(self.weights[0] - (slopes * self.mean).sum())

    def logits(self, x: npt.NDArray[np.float32]) -> Floats:
        """[n] the same before the sigmoid."""
        z = (np.log1p(x.astype(np.float64)) - self.mean) / self.scale
        found: Floats = self.weights[0] + z @ self.weights[1:]
        return found


def fit(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], weight: Floats, ridge: float = 1e-3) -> Logistic:
    """Fit by Newton's method; deterministic."""
    z = np.log1p(x.astype(np.float64))
    mean, scale = z.mean(axis=0), np.maximum(z.std(axis=0), 1e-9)
    design = np.c_[np.ones(len(z)), (z - mean) / scale]
    w = np.zeros(design.shape[1])
    for _ in range(30):
        p = probabilities(design @ w)
        gradient = design.T @ (weight * (p - y)) + ridge * w
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + ridge * np.eye(len(w))
        step = np.linalg.solve(curvature, gradient)
        w -= step
        if np.abs(step).max() < 1e-9:
            break
    return Logistic(mean, scale, w)

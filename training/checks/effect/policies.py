"""Logs of a policy that explores, and what another one is really worth on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.effects.off_policy import Logged, evaluate

Floats = npt.NDArray[np.float64]
ARMS = 3
#: Profit of each arm in cents: with nothing known, and per unit of each feature.
BASE = np.array([20.0, 30.0, 25.0])
SLOPE = np.array([[40.0, 0.0, -40.0], [0.0, 25.0, 10.0]])
LOG_SCORE = np.array([[0.8, -0.4, -0.4], [0.0, 0.5, -0.5]])
WANTED = np.array([[2.0, 0.0, -2.0], [0.0, 1.0, 0.5]])


def policy_log(rng: np.random.Generator, n: int) -> tuple[Logged, Floats, Floats, float]:
    """A log of ``n`` rows, another policy (n, 3), features (n, 2), and that policy's value in cents over all shoppers.

    The log explores a tenth evenly. Profit is zero for six in ten, skewed for the others, and not linear in the
    features.
    """
    features = rng.normal(size=(n, 2))
    logged = 0.9 * _softmax(features @ LOG_SCORE) + 0.1 / ARMS
    policy = _softmax(features @ WANTED)
    arm = (rng.random(n)[:, None] > np.cumsum(logged, 1)[:, :-1]).sum(1)
    rows = np.arange(n)
    mean = expected(features)[rows, arm]
    bought = rng.random(n) < 0.4
    reward = np.rint(np.where(bought, mean / 0.4 * rng.gamma(2.0, 0.5, n), 0.0))
    log = Logged(arm, reward, logged[rows, arm], rows.astype(np.int64), logged)
    return log, policy, features, _truth()


def expected(features: Floats) -> Floats:
    """(n, 3) mean profit of every arm."""
    return BASE + features @ SLOPE + 5 * features[:, :1] ** 2


def _truth() -> float:
    """Over the features' distribution, by quadrature."""
    points, weight = np.polynomial.hermite_e.hermegauss(60)
    grid = np.stack([each.ravel() for each in np.meshgrid(points, points)], 1)
    mass = np.outer(weight, weight).ravel()
    mass /= mass.sum()
    return float((mass * (_softmax(grid @ WANTED) * expected(grid)).sum(1)).sum())


def _softmax(score: Floats) -> Floats:
    top = np.exp(score - score.max(1, keepdims=True))
    return top / top.sum(1, keepdims=True)


@dataclass(frozen=True, slots=True)
class PolicyCoverage:
    """Share of 95% intervals that hold the truth, and their mean half widths in cents, by estimator."""

    rows: int
    effective: float
    held: dict[str, float]
    width: dict[str, float]


def coverage(seed: int, rows: int, runs: int) -> PolicyCoverage:
    """Of ``runs`` logs of ``rows`` rows."""
    found: dict[str, list[tuple[bool, float]]] = {"ips": [], "snips": [], "dr": []}
    sizes = []
    for run in range(runs):
        log, policy, features, truth = policy_log(np.random.default_rng([seed, run]), rows)
        told = evaluate(log, policy, features)
        sizes.append(told.effective)
        for name, some in found.items():
            low, high = getattr(told, name).interval
            some.append((low <= truth <= high, (high - low) / 2))
    return PolicyCoverage(
        rows,
        float(np.mean(sizes)),
        {name: float(np.mean([held for held, _ in some])) for name, some in found.items()},
        {name: float(np.mean([width for _, width in some])) for name, some in found.items()},
    )

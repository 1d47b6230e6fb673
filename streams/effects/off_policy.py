"""What another policy would have earned on shoppers that a logged one decided for, from receipts with propensities.

Three estimators: IPS weighs each reward by how much likelier the other policy chooses that arm (unbiased, wide); SNIPS
divides by the weights' sum (Swaminathan and Joachims 2015); DR predicts every arm's reward and weighs only what the
prediction missed (Dudik, Langford and Li 2011), predictions made by folds that have not seen the row (cross-fitted:
Chernozhukov and others 2018). Intervals are normal, of the rows' influence values summed by shopper. Where the log
does not say what the other policy would do, no estimator helps: ``evaluate`` refuses, and says what would.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from streams.columns.arrays import Floats, Ints
from streams.effects.boundaries import once

LEAST_ROWS = 50.0
"""Effective sample size below which nothing is said."""
LARGEST_WEIGHT = 0.2
"""Share of all weight that one shopper may have."""


class SupportError(ValueError):
    """The log does not hold what the policy would do; says which part, and what to do."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What was decided and what came of it, ``n`` rows, ``k`` arms."""

    arm: Ints
    """(n,) which arm was chosen, 0 to k - 1; "no offer" is an arm as well."""
    reward: Floats
    """(n,) what came of it, such as profit in cents."""
    propensity: Floats
    """(n,) how likely the arm was to be chosen when it was, in (0, 1]."""
    shopper: Ints
    """(n,) who it was; rows of one shopper are not independent, and stay in one fold."""
    propensities: Floats | None = None
    """(n, k) of all arms, where receipts have them: then support is checked exactly."""


@dataclass(frozen=True, slots=True)
class Value:
    """Reward per row under a policy, with standard error and 95% interval."""

    mean: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95%, normal."""
        return self.mean - once(0.05) * self.error, self.mean + once(0.05) * self.error


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy would have earned per row by each estimator, beside what was earned; ``dr`` is the one to use."""

    logged: Value
    ips: Value
    snips: Value
    dr: Value
    gain: Value
    """``dr`` less ``logged`` (or less that of another policy), with the error of the difference: rows are the same."""
    effective: float
    """Rows that as many equal weights would be worth: (sum w)^2 / sum w^2."""


def evaluate(
    log: Logged, policy: Floats, features: Floats, folds: int = 5, against: Floats | None = None
) -> Evaluation:
    """Of a policy that chooses arm j for row i with probability ``policy[i, j]``, (n, k), rows adding up to 1.
    ``against``: another one, whose value ``gain`` is beyond; None: what was logged.

    ``features``: (n, d) float64, known before each decision. Raises ``SupportError`` where the log cannot tell,
    ``ValueError`` for arrays that do not fit.
    """
    _fitting(log, policy, features)
    weight = weights(log, policy)
    supported(log, policy, weight)
    predicted = predict(log, policy.shape[1], features, folds)
    who = np.unique(log.shopper, return_inverse=True)[1]
    rows = doubly_robust(log, policy, predicted)
    share = weight / weight.mean()
    ips = weight * log.reward
    snips = float((share * log.reward).mean())
    return Evaluation(
        logged=_value(log.reward, who),
        ips=_value(ips, who),
        snips=Value(snips, _value(share * (log.reward - snips), who).error),
        dr=_value(rows, who),
        gain=_value(rows - (log.reward if against is None else doubly_robust(log, against, predicted)), who),
        effective=effective(weight),
    )


def weights(log: Logged, policy: Floats) -> Floats:
    """(n,) how much likelier the policy chooses what was chosen."""
    found: Floats = policy[np.arange(len(log.arm)), log.arm] / log.propensity
    return found


def effective(weight: Floats) -> float:
    """How many equal weights these are worth.

    >>> effective(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    square = float((weight**2).sum())
    return float(weight.sum()) ** 2 / square if square else 0.0


def doubly_robust(log: Logged, policy: Floats, predicted: Floats) -> Floats:
    """(n,) of each row, the predicted reward of the policy and what the prediction of the chosen arm missed,
    weighed."""
    chosen = predicted[np.arange(len(log.arm)), log.arm]
    found: Floats = (policy * predicted).sum(1) + weights(log, policy) * (log.reward - chosen)
    return found


def supported(log: Logged, policy: Floats, weight: Floats) -> None:
    """Raise ``SupportError`` where the policy does what the log does not hold, or so little that an estimate is
    chance."""
    if log.propensities is not None:
        never = (log.propensities <= 0) & (policy > 0)
        mass = float(np.where(never, policy, 0.0).sum(1).mean())
        if mass > 0:
            worst = int(np.where(never, policy, 0.0).sum(0).argmax())
            raise SupportError(
                f"The policy puts {mass:.1%} of its choices where the log had none, most of them arm {worst}. Let the "
                "campaign explore that arm there (exploration share above 0), or take it out of the policy."
            )
    size = effective(weight)
    if size < LEAST_ROWS:
        raise SupportError(
            f"{len(weight):,} rows are worth {size:.1f} for this policy, {LEAST_ROWS:.0f} are needed: it hardly ever "
            "does what was done. Log more, explore more, or evaluate a policy nearer to the one that ran."
        )
    by_shopper = np.bincount(np.unique(log.shopper, return_inverse=True)[1], weight)
    if by_shopper.max() > LARGEST_WEIGHT * weight.sum():
        raise SupportError(
            f"One shopper has {by_shopper.max() / weight.sum():.0%} of all weight: the estimate would be theirs. "
            "Explore with a larger least propensity, or evaluate a policy nearer to the one that ran."
        )
    mean = _value(weight, np.unique(log.shopper, return_inverse=True)[1])
    # The weights' mean is 1 if propensities are right and every arm was possible.
    if abs(mean.mean - 1) > 4 * mean.error + 1e-9:
        raise SupportError(
            f"Weights average {mean.mean:.3f} instead of 1 (standard error {mean.error:.3f}): the policy does what was "
            "never possible, or propensities are not those that chose. Check what receipts log, or leave out such arms."
        )


def predict(log: Logged, arms: int, features: Floats, folds: int, ridge: float = 1.0) -> Floats:
    """(n, k) reward of every arm for every row, by folds that hold none of the row's shopper.

    A ridge regression per arm on standardised features, drawn to the arm's mean; an arm that the other folds do not
    hold gets the mean of all. Any prediction leaves DR unbiased; a good one makes it narrow.
    """
    fold = _mixed(log.shopper) % np.uint64(folds)
    scale = features.std(0)
    x = np.c_[np.ones(len(features)), (features - features.mean(0)) / np.where(scale > 0, scale, 1.0)]
    penalty = np.diag(np.r_[1e-9, np.full(x.shape[1] - 1, ridge)])
    predicted = np.zeros((len(x), arms))
    for each in range(folds):
        here, rest = fold == each, fold != each
        middle = float(log.reward[rest].mean()) if rest.any() else 0.0
        predicted[here] = middle
        for arm in range(arms):
            rows = rest & (log.arm == arm)
            if rows.any():
                some = x[rows]
                slope = np.linalg.solve(some.T @ some + penalty, some.T @ (log.reward[rows] - middle))
                predicted[here, arm] = middle + x[here] @ slope
    return predicted


def _value(rows: Floats, who: Ints) -> Value:
    """Mean of rows, its error from the sums by shopper (0 to m - 1)."""
    n, mean = len(rows), float(rows.mean())
    sums = np.bincount(who, rows - mean)
    m = len(sums)
    return Value(mean, sqrt(float((sums**2).sum()) * m / max(m - 1, 1)) / n)


def _mixed(shopper: Ints) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Well-mixed bits of ids (SplitMix64), so that folds do not follow their order."""
    z = shopper.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _fitting(log: Logged, policy: Floats, features: Floats) -> None:
    n, k = policy.shape
    for name, values in (
        ("arm", log.arm),
        ("reward", log.reward),
        ("propensity", log.propensity),
        ("shopper", log.shopper),
    ):
        if values.shape != (n,):
            raise ValueError(f"{name} has the shape {values.shape}, the policy {policy.shape}: a row each.")
    if features.ndim != 2 or len(features) != n or (log.propensities is not None and log.propensities.shape != (n, k)):
        raise ValueError(f"features are (n, d), propensities (n, k), with n, k = {policy.shape}.")
    if not (np.isfinite(log.reward).all() and np.isfinite(features).all()):
        raise ValueError(
            "Rewards and features are finite numbers: leave out rows without an outcome yet, fill features."
        )
    if n and (log.arm.min() < 0 or log.arm.max() >= k):
        raise ValueError(f"Arms are 0 to {k - 1}, the log has {log.arm.min()} to {log.arm.max()}.")
    if (log.propensity <= 0).any() or (log.propensity > 1).any():
        raise ValueError("Propensities lie in (0, 1]: what was chosen had a chance. Check what receipts log.")
    if (policy < 0).any() or (abs(policy.sum(1) - 1) > 1e-6).any():
        raise ValueError("Each row of the policy is a distribution over arms: nothing below 0, together 1.")

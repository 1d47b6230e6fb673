"""What each arm does with people, learned of those who got arms with known chances: the same for every task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.fit import Schedule, Tell, fit, seed_everything
from training.networks import effects

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Networks that each miss a part of the people, to be calibrated by it; and networks that miss nobody, and answer.
FOLDS, WHOLE = 5, 2
#: Chosen on other splits of Hillstrom's customers than those that are reported.
SCHEDULE = Schedule(epochs=20, batch=1024, rate=1e-2, weight_decay=1e-2, average=0.995)
#: Few people are gone through more often: a network needs so many steps.
LEAST_STEPS = 300
#: ``effects.loss_of``; likewise.
SHRINK = 0.3
#: A row counts at most so many times as much as the average one of its arm.
MOST_WEIGHT = 10.0


@dataclass(frozen=True)
class Tried:
    """n people (or due points) and what came of the arm that each got."""

    x: Rows32
    """[n, f] what was known before."""
    arm: Ints
    """[n] 0: no offer."""
    y: Floats
    """[n] 0 or 1: what is to become likelier."""
    propensity: Floats
    """[n, 1 + arms] how likely each arm was for each."""
    group: Ints
    """[n] who it was: rows of one person stay together."""

    @property
    def arms(self) -> int:
        """How many there are besides no offer."""
        return self.propensity.shape[1] - 1

    @property
    def got(self) -> Floats:
        """[n] how likely the arm was that each got."""
        found: Floats = self.propensity[np.arange(len(self.arm)), self.arm]
        return found


@dataclass(frozen=True)
class Learned(effects.Part):
    """What came of a training."""

    def raw(self, x: Rows32) -> Floats:
        """[n, arms] what the networks say, before it is calibrated."""
        chance = effects.chances(_logits(self.trained, x))
        found: Floats = (chance[:, self.folds :, 1:] - chance[:, self.folds :, :1]).mean(axis=1)
        return found

    def uplift(self, x: Rows32) -> Floats:
        """[n, arms] how much likelier each arm makes the outcome."""
        return self.calibration.apply(self.raw(x))


def weights(tried: Tried) -> Floats:
    """[n] how much each row counts, so that those who got an arm stand for everybody: one over how likely it was,
    capped, 1 on average for each arm."""
    found = 1 / tried.got
    for arm in range(tried.arms + 1):
        mine = tried.arm == arm
        if mine.any():
            some = found[mine] / found[mine].mean()
            some = np.minimum(some, MOST_WEIGHT)
            found[mine] = some / some.mean()
    return found


def folds(group: Ints, seed: int) -> Ints:
    """[n] which fold each row is in; rows of one person are in one."""
    names, place = np.unique(group, return_inverse=True)
    found: Ints = np.random.default_rng([seed, len(names)]).permutation(len(names))[place] % FOLDS
    return found


def learn(
    tried: Tried,
    *,
    seed: int,
    kept_in: Path,
    tell: Tell = lambda _stage, _done, _total: None,
    schedule: Schedule = SCHEDULE,
    shrink: float = SHRINK,
) -> Learned:
    """Train on people who got arms with known chances, and calibrate on what each network has not seen."""
    seed_everything(seed)
    fold = folds(tried.group, seed)
    nobody = tried.arm == 0
    rate = float(np.clip(tried.y[nobody].mean() if nobody.any() else tried.y.mean(), 1e-3, 1 - 1e-3))
    trained = effects.network(tried.x, rate, tried.arms, members=FOLDS + WHOLE)
    counts = (weights(tried)[:, None] * (fold[:, None] != np.arange(FOLDS + WHOLE))).astype(np.float32)
    arms = (tried.arm[:, None] == np.arange(1, tried.arms + 1)).astype(np.float32)
    arrays = (tried.x, tried.y.astype(np.float32), arms, counts)
    examples: Callable[[np.random.Generator], Any] = lambda _rng: arrays  # noqa: E731
    epochs = max(schedule.epochs, -(-LEAST_STEPS // max(1, len(tried.x) // schedule.batch)))
    schedule = replace(schedule, epochs=epochs)
    fit(trained, examples, effects.loss_of(shrink), schedule, seed=seed, kept_in=kept_in, tell=tell)
    unseen = effects.chances(_logits(trained, tried.x))[np.arange(len(fold)), fold]
    return Learned(trained, FOLDS, effects.calibrate(unseen, tried.arm, tried.y, tried.propensity), tried.x)


def _logits(trained: Any, x: Rows32) -> Floats:
    return np.asarray(trained.predict(x, batch_size=8192, verbose=0), np.float64)

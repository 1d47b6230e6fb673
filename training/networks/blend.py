"""A network beside a regression: how much each weighs, and by how much both are off, say the newest rows.

A network finds what a regression cannot say, and follows what was so for a while; where seasons change, the plainer one
may foretell better. So both are taught on earlier rows, and the newest ones choose. They also say how often what is
foretold happens of late: one number, added to the logits. A slope is not learned from them: it would keep the order of
the answers, but where the newest rows are few it may leave next to nothing of what tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: What the network may weigh; the rest is the regression's.
SHARES = (0.0, 0.5, 1.0)
#: So many rows are taken to have come as foretold, as of orders (docs/decisions/0011-…).
AS_FORETOLD = 50.0
#: Newton's steps, of which a few are enough.
STEPS = 50


@dataclass(frozen=True, slots=True)
class Blend:
    """``share``: what the network weighs. ``shift`` is added to the logits. ``rows`` chose both, ``losses``: their
    log-loss by share, shifted."""

    share: float
    shift: float
    rows: int
    losses: dict[float, float]

    def mixed(self, network: Floats, regression: Floats) -> Floats:
        """[n] logits of both, not shifted."""
        return self.share * network + (1 - self.share) * regression


def probabilities(logits: Floats) -> Floats:
    """[n] of logits."""
    found: Floats = 1 / (1 + np.exp(-np.clip(logits, -40, 40)))
    return found


def logits_of(p: Floats) -> Floats:
    """[n] of probabilities."""
    some = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(some) - np.log1p(-some)


def shift_of(logits: Floats, y: npt.NDArray[Any]) -> float:
    """What is to be added to [n] logits for as many to be foretold as came, ``AS_FORETOLD`` rows as they were.

    >>> round(shift_of(np.zeros(100_000), np.arange(100_000) % 4 == 0), 2)
    -1.1
    """
    foretold = probabilities(logits).mean()
    weight = len(y) / (len(y) + AS_FORETOLD)
    wanted, shift = weight * float(np.mean(y)) + (1 - weight) * foretold, 0.0
    for _ in range(STEPS):
        p = probabilities(logits + shift)
        shift += float(np.clip((wanted - p.mean()) / max((p * (1 - p)).mean(), 1e-9), -1, 1))
    return shift


def log_losses(logits: Floats, y: npt.NDArray[Any]) -> Floats:
    """[n] log-loss of each row."""
    found: Floats = np.logaddexp(0, np.where(y > 0.5, -logits, logits))
    return found


def chosen(network: Floats, regression: Floats, y: npt.NDArray[Any]) -> Blend:
    """What the newest rows say, of [n] logits of both, taught on earlier rows."""
    found = []
    for share in SHARES:
        logits = Blend(share, 0.0, len(y), {}).mixed(network, regression)
        shift = shift_of(logits, y)
        found.append((float(log_losses(logits + shift, y).mean()), share, shift))
    losses = {share: round(loss, 4) for loss, share, _ in found}
    _, share, shift = min(found)
    return Blend(share, shift, len(y), losses)


def straight(slopes: Floats, start: float) -> Callable[[Any], Any]:
    """[n, f] rows, none of them negative → [n, 8] a logit that is straight in their logarithms (of 1 more), eight times
    (see ``answering``)."""
    import keras

    ops, unused = keras.ops, -len(slopes) % 8
    weights = np.repeat(np.pad(slopes, (0, unused))[:, None], 8, axis=1).astype(np.float32)

    def logit(row: Any) -> Any:
        return ops.matmul(ops.log(1.0 + ops.pad(row, ((0, 0), (0, unused)))), weights) + np.float32(start)

    return logit


def answering(parts: Sequence[tuple[float, Callable[[Any], Any]]], shift: float, features: int, output: str) -> Any:
    """[n, features] → [n, 1] in (0, 1): what each of the parts says, weighed, and shifted. A part makes [n, 8] of one
    logit each, all the same, for ONNX Runtime takes functions eight at a time (see ``tabular``)."""
    import keras

    def answer(row: Any) -> Any:
        found = sum(np.float32(share) * logit(row) for share, logit in parts)
        return keras.ops.sigmoid(found + np.float32(shift))[:, :1]

    inputs = keras.Input((features,), name="features", dtype="float32")
    return keras.Model(inputs, keras.layers.Lambda(answer, name=output, output_shape=(1,))(inputs))

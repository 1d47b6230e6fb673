"""What an item sells within 7 and 14 days: means and quantiles over a feature row, as multiples of its own pace.

Quantiles are steps on top of each other, and those of 14 days are those of 7 with more on top; nothing is below 0. So
nothing contradicts itself, and one network serves items that sell one a day and thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.tasks.sales.task import HORIZONS, LEVELS
from training.networks.tabular import member, scaled_row
from training.ranges import NONE, Ranges

#: Numbers that a member gives of a row and horizon: mean, then quantiles.
MEAN, QUANTILES = 0, slice(1, 1 + len(LEVELS))
NUMBERS = 1 + len(LEVELS)
#: A step between quantiles of less than this share of the pace is none.
NOTHING = 0.01
#: Heads are a whole number of eights wide: ONNX Runtime takes exponentials eight at a time (see ``scaled_row``).
_HEADS = 16
#: At the end of a day a window of 30 days holds the 29 that are over and the one that begins.
PACE_DAYS = 29.0
MIDDLE = 1 + len(LEVELS) // 2


def demand(
    x: npt.NDArray[np.float32],
    units_30d: int,
    *,
    members: int = 3,
    hidden: tuple[int, ...] = (64, 32),
    dropout: float = 0.1,
    ranges: Ranges = NONE,
    horizons: Sequence[int] = HORIZONS,
) -> tuple[Any, Any]:
    """(network that is trained, network that is exported), sharing their weights.

    ``x`` gives means and spreads; ``units_30d`` is the column of the units of 30 days; ``horizons``: days, ascending,
    at most two. The first answers [n, members, horizons, 6]; the second, with its ``ranges`` corrected, the outputs of
    the task.
    """
    import keras

    ops, layers = keras.ops, keras.layers
    inputs, row = scaled_row(x)
    bias = np.zeros(_HEADS, np.float32)
    for h in range(len(horizons)):
        bias[h * NUMBERS : (h + 1) * NUMBERS] = 0.0, -0.8, -1.0, -1.4, -1.4, -0.5
    pace = layers.Lambda(lambda u: ops.maximum(u[:, units_30d], 1.0) * (7.0 / PACE_DAYS), name="pace")(inputs)

    def answers(values: list[Any]) -> Any:
        u, own = values
        u = ops.clip(u, -8.0, 6.0)
        exponential = ops.exp(u)
        soft = ops.relu(ops.log(1.0 + exponential) - NOTHING)
        found, before = [], [0.0] * NUMBERS
        for h in range(len(horizons)):
            at = h * NUMBERS
            total = [before[MEAN] + own * exponential[:, at]]
            step: Any = 0.0
            for k in range(1, NUMBERS):
                step = step + own * soft[:, at + k]
                total.append(before[k] + step)
            before = total
            found.append(ops.stack(total, axis=1))
        return ops.stack(found, axis=1)

    found = []
    for m in range(members):
        v = member(row, m, hidden, dropout)
        start = keras.initializers.Constant(bias)
        heads = layers.Dense(_HEADS, kernel_initializer="zeros", bias_initializer=start, name=f"heads_{m}")(v)
        found.append(layers.Lambda(answers, name=f"answers_{m}")([heads, pace]))

    at, factors = np.log(np.array(ranges.pace, np.float32)), np.array(ranges.factors, np.float32)

    def corrected(values: list[Any]) -> Any:
        *said, own = values
        mean_of = sum(said) * (1.0 / len(said))
        # Eight times the same: see ``_HEADS``.
        eights = ops.log(ops.repeat(own[:, None], 8, axis=1))
        steps = ops.clip((eights[:, :1] - at[:-1]) / np.diff(at), 0.0, 1.0)
        by = ops.matmul(steps, np.diff(factors.reshape(len(at), -1), axis=0)) + factors.reshape(len(at), -1)[:1]
        found = []
        for h in range(len(horizons)):
            middle = mean_of[:, h, MIDDLE]
            found.append(mean_of[:, h, MEAN])
            for k in range(len(LEVELS)):
                far = mean_of[:, h, 1 + k] - middle
                found.append(ops.relu(middle + far * by[:, h * len(LEVELS) + k]))
        return ops.stack(found, axis=1)

    whole = layers.Lambda(corrected, name="corrected")([*found, pace])
    told = []
    for h, days in enumerate(horizons):
        at_h = h * NUMBERS
        told.append(layers.Lambda(lambda v, p=at_h: v[:, p], name=f"units_{days}d")(whole))
        told.append(layers.Lambda(lambda v, p=at_h: v[:, p + 1 : p + NUMBERS], name=f"units_{days}d_quantiles")(whole))
    stacked = layers.Lambda(lambda values: ops.stack(values, axis=1), name="members")(found)
    return keras.Model(inputs, stacked), keras.Model(inputs, told)

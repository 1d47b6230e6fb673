"""What a shopper brings in a time: chance to order, orders, mean and quantiles of revenue, over a feature row.

Orders are a chance to order at all times how many if so; revenue is orders times the shopper's own average order,
corrected; quantiles are multiples of the mean, one on top of the other. So nothing contradicts itself: orders are never
fewer than their chance, quantiles ascend, nothing is below 0. And money has the scale of the shopper's own orders,
which lets one network serve a shop of groceries and a wholesaler. What an earlier network got wrong is corrected last
(``training.corrections``), which keeps all of that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.corrections import NONE, Correction
from training.networks.tabular import member, scaled_row

#: Numbers that a member gives of a row: chance, orders, mean, three quantiles.
CHANCE, ORDERS, MEAN, QUANTILES = 0, 1, 2, slice(3, 6)
#: A step between quantiles of less than this share of the mean is none.
NOTHING = 0.02
#: Heads are eight wide though six are used: ONNX Runtime takes exponentials eight at a time (see ``scaled_row``).
_HEADS = 8


def spending(
    x: npt.NDArray[np.float32],
    average_value: int,
    start: tuple[float, float],
    *,
    members: int = 4,
    hidden: tuple[int, ...] = (64, 32),
    dropout: float = 0.1,
    correction: Correction = NONE,
) -> tuple[Any, Any]:
    """(network that is trained, network that is exported), sharing their weights.

    ``x`` gives means and spreads; ``average_value`` is the column of the average order in cents; ``start``: share of
    rows with an order, and orders of those, to start from. The first answers [n, members, 6], the second, with the
    ``correction``, ``revenue_90d`` [n], ``revenue_90d_quantiles`` [n, 3], ``orders_90d`` [n] and ``active_90d`` [n].
    """
    import keras

    ops, layers = keras.ops, keras.layers
    inputs, row = scaled_row(x)
    share, more = start
    bias = np.zeros(_HEADS, np.float32)
    bias[:6] = np.log(share / (1 - share)), np.log(max(more - 1, 0.1)), 0.0, -2.0, -0.5, 0.0
    basket = layers.Lambda(lambda u: ops.maximum(u[:, average_value], 1.0), name="average_order")(inputs)

    def answers(values: list[Any]) -> Any:
        u, own = values
        u = ops.clip(u, -12.0, 8.0)
        exponential = ops.exp(u)
        # Many bring nothing at all, which a quantile must be able to say.
        soft = ops.relu(ops.log(1.0 + exponential) - NOTHING)
        chance = ops.clip(ops.sigmoid(u)[:, 0], 1e-6, 1 - 1e-6)
        orders = chance * (1.0 + exponential[:, 1])
        mean = orders * own * exponential[:, 2]
        low = mean * soft[:, 3]
        middle = low + mean * soft[:, 4]
        high = middle + mean * soft[:, 5]
        return ops.stack([chance, orders, mean, low, middle, high], axis=1)

    found = []
    for m in range(members):
        v = member(row, m, hidden, dropout)
        start_at = keras.initializers.Constant(bias)
        deep = layers.Dense(_HEADS, kernel_initializer="zeros", bias_initializer=start_at, name=f"heads_{m}")(v)
        straight = layers.Dense(_HEADS, use_bias=False, kernel_initializer="zeros", name=f"straight_{m}")(row)
        heads = layers.Add(name=f"added_{m}")([deep, straight])
        found.append(layers.Lambda(answers, name=f"answers_{m}")([heads, basket]))

    at, factors = np.array(correction.chance, np.float32), np.array(correction.factors, np.float32)

    def corrected(values: list[Any]) -> Any:
        mean_of = sum(values) * (1.0 / len(values))
        steps = ops.clip((mean_of[:, :1] - at[:-1]) / np.diff(at), 0.0, 1.0)
        by = ops.matmul(steps, np.diff(factors, axis=0)) + factors[:1]
        low, middle, high = mean_of[:, 3], mean_of[:, 4], mean_of[:, 5]
        wide_low = ops.relu(middle - (middle - low) * by[:, 1])
        wide_high = middle + (high - middle) * by[:, 2]
        mean = mean_of[:, MEAN] * by[:, 0]
        return ops.stack([mean_of[:, CHANCE], mean_of[:, ORDERS], mean, wide_low, middle, wide_high], axis=1)

    whole = layers.Lambda(corrected, name="corrected")(found)
    parts = {"revenue_90d": MEAN, "revenue_90d_quantiles": QUANTILES, "orders_90d": ORDERS, "active_90d": CHANCE}
    told = [layers.Lambda(lambda v, part=part: v[:, part], name=name)(whole) for name, part in parts.items()]
    stacked = layers.Lambda(lambda values: ops.stack(values, axis=1), name="members")(found)
    return keras.Model(inputs, stacked), keras.Model(inputs, told)

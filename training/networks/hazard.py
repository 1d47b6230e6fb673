"""How long until the next order: a discrete-time hazard over a feature row, several small networks averaged.

For each bin of days a logit says how likely the order comes in it, given that it did not come before (Gensheimer and
Narasimhan, 2019). Lapse within a horizon is the product of not ordering in its bins, so a longer horizon is never
more likely to lapse than a shorter one, and rows whose 90 days are not over yet still teach the first bins.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from training.networks.tabular import member, scaled_row


def hazard(
    x: npt.NDArray[np.float32],
    rates: npt.NDArray[np.float64],
    horizons: dict[str, int],
    *,
    members: int = 4,
    hidden: tuple[int, ...] = (64, 32),
    dropout: float = 0.1,
) -> tuple[Any, Any]:
    """(network that is trained, network that is exported), sharing their weights.

    ``x`` gives means and spreads; ``rates`` [bins] how often an order comes in each bin, to start from. ``horizons``:
    output → how many bins it covers. The first network answers logits [n, members, bins], the second a chance of no
    order [n] per horizon.
    """
    import keras

    ops, layers = keras.ops, keras.layers
    inputs, row = scaled_row(x)
    bins = len(rates)
    start = keras.initializers.Constant(np.log(rates / (1 - rates)).astype(np.float32))
    logits = []
    for m in range(members):
        v = member(row, m, hidden, dropout)
        deep = layers.Dense(bins, kernel_initializer="zeros", bias_initializer=start, name=f"bins_{m}")(v)
        straight = layers.Dense(bins, use_bias=False, kernel_initializer="zeros", name=f"straight_{m}")(row)
        logits.append(layers.Add(name=f"logits_{m}")([deep, straight]))

    def lapse(values: list[Any], covered: int) -> Any:
        silent = []
        for u in values:
            later = ops.sigmoid(-u)  # no order in the bin, given none before
            product = later[:, 0]
            for b in range(1, covered):
                product = product * later[:, b]
            silent.append(product)
        # Never exactly 0 or 1: a bin that no history reached teaches nothing, not certainty.
        return ops.clip(sum(silent) * (1.0 / len(silent)), 1e-6, 1 - 1e-6)

    answers = [layers.Lambda(partial(lapse, covered=covered), name=name)(logits) for name, covered in horizons.items()]
    stacked = layers.Lambda(lambda values: ops.stack(values, axis=1), name="members")(logits)
    return keras.Model(inputs, stacked), keras.Model(inputs, answers)

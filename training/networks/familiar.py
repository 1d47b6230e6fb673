"""Which pictures, sounds and texts are like those that taught a network, and which are like none of them.

How likely a network finds its likeliest class says little of that: one that knows groceries is sure of clothes. What
its last layers see of a thing of another kind points elsewhere than what they see of any class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]
#: So many of those that are held out are taken to be like none: the price of telling others.
SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Familiar:
    """What is seen of each class, and how far from all of them is too far."""

    directions: Rows
    """[k, classes] of length 1: where the mean of what taught each class points."""
    least: float
    """The cosine with the nearest from which on a thing is like what taught."""

    @staticmethod
    def of(seen: Rows, label: npt.NDArray[np.int64], held: Rows, share: float = SHARE) -> Familiar:
        """Of what is ``seen`` [n, k] of things that taught classes ``label`` [n], so that it holds of all but a share
        of those ``held`` out [m, k]."""
        each = unit(seen)
        means = np.stack([each[label == k].mean(axis=0) for k in np.unique(label).tolist()])
        directions = unit(means).T.astype(np.float16).astype(np.float32)
        return Familiar(directions, float(np.float32(np.quantile((unit(held) @ directions).max(axis=1), share))))

    def holds(self, seen: Rows) -> npt.NDArray[np.bool_]:
        """[n] of which it holds."""
        return np.asarray((unit(seen) @ self.directions).max(axis=1) >= self.least)

    def known(self, seen: Any) -> Any:
        """[n, 1] the same in a network: 1 where it holds, else 0."""
        from keras import ops

        length = ops.sqrt(ops.sum(seen * seen, axis=1, keepdims=True))
        cosine = ops.matmul(seen / ops.maximum(length, 1e-6), ops.convert_to_tensor(self.directions))
        return ops.cast(ops.max(cosine, axis=1, keepdims=True) >= self.least, "float32")


def unit(rows: Rows) -> Rows:
    """[n, k] of length 1; 0 stays 0.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).round(2).tolist()
    [[0.6..., 0.8...], [0.0, 0.0]]
    """
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def likeliest(chances: Any, listed: int, known: Any = None) -> list[Any]:
    """In a network: of chances [n, classes] the highest [n, 1], the places of the ``listed`` highest, -1 where there
    are fewer classes, and these chances. Where ``known`` [n, 1] is 0 none is named, and none is likely."""
    from keras import ops

    best, place = ops.top_k(chances, min(listed, chances.shape[1]))
    place, lacking = ops.cast(place, "float32"), listed - min(listed, chances.shape[1])
    if lacking:
        best = ops.pad(best, ((0, 0), (0, lacking)))
        place = ops.pad(place, ((0, 0), (0, lacking)), constant_values=-1.0)
    if known is not None:
        best, place = best * known, (place + 1) * known - 1
    return [best[:, :1], place, best]

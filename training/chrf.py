"""chrF2 (Popović 2015): how alike texts are by their runs of 1 to 6 characters, spaces left out, recall counting twice.

Of several texts counts are added up; precision and recall are averaged over the lengths of runs that occur on both
sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training import redraws

LONGEST, BETA = 6, 2.0


def counts(texts: Sequence[str], references: Sequence[str]) -> npt.NDArray[np.int64]:
    """[n, 6, 3] of each text and its reference, by length of runs: those of both, of the text, of the reference."""
    found = np.zeros((len(texts), LONGEST, 3), np.int64)
    for i, (text, reference) in enumerate(zip(texts, references, strict=True)):
        one, other = "".join(text.split()), "".join(reference.split())
        for n in range(1, LONGEST + 1):
            ours, theirs = (Counter(t[k : k + n] for k in range(len(t) - n + 1)) for t in (one, other))
            found[i, n - 1] = (ours & theirs).total(), ours.total(), theirs.total()
    return found


def chrf(counted: npt.NDArray[np.int64]) -> float:
    """0 to 100, of the counts of some texts [n, 6, 3].

    >>> chrf(counts(["green tea"], ["green tea"])), chrf(counts(["abc"], ["xyz"]))
    (100.0, 0.0)
    """
    both, ours, theirs = counted.sum(axis=0).T.astype(np.float64)
    there = (ours > 0) & (theirs > 0)
    if not there.any():
        return 0.0
    precision, recall = (both[there] / ours[there]).mean(), (both[there] / theirs[there]).mean()
    weight = BETA**2
    return float(100 * (1 + weight) * precision * recall / max(weight * precision + recall, 1e-12))


def intervals(
    counted: dict[str, npt.NDArray[np.int64]], group: npt.NDArray[np.int64], seed: int, rounds: int = 500
) -> dict[str, tuple[float, float]]:
    """95% bootstrap intervals of each, and of ``ours - NAME`` for each other; groups are redrawn whole."""
    _, place = np.unique(group, return_inverse=True)
    sums = {name: np.zeros((place.max() + 1, LONGEST, 3), np.int64) for name in counted}
    for name, each in counted.items():
        np.add.at(sums[name], place, each)
    drawn: dict[str, list[float]] = {name: [] for name in counted}
    for some in redraws.of_rows(int(place.max()) + 1, seed, rounds):
        for name in counted:
            drawn[name].append(chrf(sums[name][some]))
    return redraws.intervals(drawn, digits=2)

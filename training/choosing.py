"""What a training of ``recommend`` chooses by itself, on its own last rows: a discount, and how much two towers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streams.columns.arrays import Ints
from streams.features.kinds.bought import whole
from training.history import History
from training.ranking import LISTED
from training.recommending import Catalogue, Examples, Tell, lists, schedule_of, train, vectors

#: What may be taken off the weights of explored items (as logs); by which share of the rows it is chosen, and how many.
DISCOUNTS, HELD_BACK, JUDGED = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0), 0.2, 4_000
#: How much the towers' logits may count for known items, and what recall has to gain by it: they cost a row 12 µs.
SHARES, GAIN = (0.1, 0.2, 0.3, 0.5, 0.8), 0.001
#: Shops of more items have none: their tables would be too large.
TASTED, WIDTH = 8_192, 64


def learned(
    history: History, found: Examples, rows: Ints, catalogue: Catalogue, events: Ints, explored: int, seed: int,
    kept_in: Path, tell: Tell,
) -> tuple[Any, dict[str, float]]:  # fmt: skip
    """A recommender of some rows with a next event, from vectors of some events, and what was chosen for it."""
    from training.networks.towers import Taste

    less, share = _chosen(history, found, rows, catalogue, events, explored, seed, kept_in, tell)
    start = vectors(history, catalogue, events, seed)
    network = train(found, rows, catalogue, start, explored, schedule_of(len(rows)), seed, kept_in, tell)
    network.less.assign(less)
    if share:
        network.taste = Taste.of(_towers(found, rows, catalogue, seed, kept_in, "two towers"), share)
    return network, {"discount": less, "towers": share}


def _chosen(
    history: History, found: Examples, rows: Ints, catalogue: Catalogue, events: Ints, explored: int, seed: int,
    kept_in: Path, tell: Tell,
) -> tuple[float, float]:  # fmt: skip
    """By how much weights of explored items (as logs) are too large: vectors remember who bought what, so training, in
    which what comes next is among it, trusts them too much. And the share of what two towers say, for the same
    reason. Chosen on the rows whose next event is among the last fifth, by networks that learned, with their vectors,
    from what was before it: the least that finds most among 20."""
    from training.networks.towers import Taste

    following = history.time_ms[found.following[rows]]
    since = int(np.quantile(following, 1 - HELD_BACK))
    early, late = rows[following < since], rows[following >= since]
    late = np.sort(np.random.default_rng(seed).permutation(late)[:JUDGED])
    if not len(early) or not len(late):
        return 0.0, 0.0
    start = vectors(history, catalogue, events[history.time_ms[events] < since], seed)
    schedule = schedule_of(len(early))
    network = train(found, early, catalogue, start, explored, schedule, seed, kept_in, tell, "training beforehand")
    wanted = [row[row > 0] for row in found.of(catalogue, late)]

    def recall() -> float:
        best, _ = lists(network, found.x[late], LISTED)
        return float(np.mean([np.isin(row, best[i]).mean() for i, row in enumerate(wanted) if len(row)]))

    recalls = []
    for less in DISCOUNTS:
        network.less.assign(less)
        recalls.append(recall())
    less = DISCOUNTS[int(np.argmax(np.round(recalls, 4)))]
    if len(catalogue) > TASTED:
        return less, 0.0
    network.less.assign(less)
    towers = _towers(found, early, catalogue, seed, kept_in, "two towers beforehand")
    gains = []
    for share in SHARES:
        network.taste = Taste.of(towers, share)
        gains.append(recall() - max(recalls))
    best = int(np.argmax(np.round(gains, 4)))
    return less, SHARES[best] if gains[best] >= GAIN else 0.0


def known_places(catalogue: Catalogue, x: Any) -> Ints:
    """[n, 96] places + 1 of the items that rows know."""
    from training.networks.recommender import parts_of

    given = parts_of(x)
    return catalogue.places(np.concatenate([whole(given["bought_code"]), whole(given["seen_code"])], axis=1))


def _towers(found: Examples, rows: Ints, catalogue: Catalogue, seed: int, kept_in: Path, stage: str) -> Any:
    from training.networks.towers import towers_of

    x, wanted = found.x[rows], found.of(catalogue, rows).astype(np.int32)
    places = known_places(catalogue, x)
    return towers_of(x, places, wanted, len(catalogue), seed=seed, kept_in=kept_in, width=WIDTH, stage=stage)

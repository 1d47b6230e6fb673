"""How good lists of items are: the same code for ours and every baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Hashes
from training.redraws import ends

Floats = npt.NDArray[np.float64]
LISTED = 20
_DISCOUNT = 1 / np.log2(np.arange(2, LISTED + 2))
ROUNDS = 1_000


def measure(best: Hashes, truth: Sequence[Hashes], own: Sequence[Hashes]) -> dict[str, Floats]:
    """Of lists [n, 20] (0: nothing), what truly came of each shopper, and what they had bought before: recall of the
    first 10 and 20, NDCG and hits among 20; recall of what was bought before (``repeat``) and of what was not
    (``explore``), NaN where there was none. [n] each."""
    found = {
        name: np.full(len(truth), np.nan)
        for name in ("recall_10", "recall_20", "ndcg_20", "hit_20", "repeat", "explore")
    }
    for i, came in enumerate(truth):
        hit = np.isin(best[i], came)
        found["recall_10"][i] = hit[:10].sum() / len(came)
        found["recall_20"][i] = hit.sum() / len(came)
        found["hit_20"][i] = hit.any()
        found["ndcg_20"][i] = (hit * _DISCOUNT).sum() / _DISCOUNT[: min(LISTED, len(came))].sum()
        known = np.isin(came, own[i])
        for name, some in (("repeat", came[known]), ("explore", came[~known])):
            if len(some):
                found[name][i] = np.isin(some, best[i]).mean()
    return found


def measured(lists: Mapping[str, Hashes], truth: Sequence[Hashes], own: Sequence[Hashes], seed: int) -> dict[str, Any]:
    """Of all lists on the same shoppers: the means, how many different items are listed (``coverage``), and 95%
    bootstrap intervals of recall among 20 and of what ours has more of it; whole shoppers are redrawn."""
    each = {name: measure(best, truth, own) for name, best in lists.items()}
    models = {}
    for name, values in each.items():
        models[name] = {"rows": len(truth)} | {
            what: round(float(np.nanmean(v)), 4) if np.isfinite(v).any() else 0.0 for what, v in values.items()
        }
        models[name]["coverage"] = len(np.unique(lists[name][lists[name] != 0]))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(truth), (ROUNDS, len(truth)))
    interval = {}
    for name, values in each.items():
        recall = values["recall_20"]
        interval[name] = ends(recall[drawn].mean(axis=1))
        if name != "ours" and "ours" in each:
            interval[f"ours - {name}"] = ends((each["ours"]["recall_20"] - recall)[drawn].mean(axis=1))
    return {"models": models, "recall_20_95": interval}

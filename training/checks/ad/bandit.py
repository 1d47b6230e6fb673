"""What would be clicked if ads were chosen by a model: off-policy, on logs that the model has not seen.

The model is each item's click rate, drawn to the mean: 38 to 69 clicks of a log teach no more than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.effects.off_policy import Evaluation, Logged, SupportError, Value, evaluate
from training.datasets.dataset import folder_of, read_table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Shops of the data set, and how many items each has to choose from.
SHOPS = {"all": 80, "men": 34, "women": 46}
RANDOM, THOMPSON = "random", "bts"
#: Views that an item's click rate is drawn to the mean of all by.
PRIOR_VIEWS = 50.0
#: A policy shows the best so many, each as often.
BEST = (1, 10)
#: With fewer clicks on what a policy would show, an interval of them tells nothing.
LEAST_CLICKS = 10
KNOWN = tuple(f"user_feature_{i}" for i in range(4))


@dataclass(frozen=True)
class Log:
    """n impressions: which item, whether it was clicked, who saw it (hashed names as codes) and how likely it was."""

    item: Ints
    click: Floats
    propensity: Floats
    who: Floats
    """[n, m] a column for each name."""


def read(data: Path, name: str, shop: str) -> Log:
    """A log of a policy in a shop."""
    table: Any = read_table(folder_of(data, "open_bandit", f"{name}_{shop}.parquet"))
    codes = [np.unique(table[column].to_numpy(), return_inverse=True)[1] for column in KNOWN]
    who = np.concatenate([np.eye(int(code.max()) + 1)[code][:, 1:] for code in codes], axis=1)
    item, click, chance = (table[c].to_numpy() for c in ("item_id", "click", "propensity_score"))
    return Log(item.astype(np.int64), click.astype(np.float64), chance.astype(np.float64), who)


def rates(log: Log, items: int) -> Floats:
    """[items] how often each is clicked, drawn to the mean of all."""
    clicks, views = np.bincount(log.item, log.click, items), np.bincount(log.item, minlength=items)
    found: Floats = (clicks + PRIOR_VIEWS * log.click.mean()) / (views + PRIOR_VIEWS)
    return found


def showing(score: Floats, best: int, n: int) -> Floats:
    """[n, items] the policy that shows the best so many, each as often."""
    chosen = np.argsort(-score, kind="stable")[:best]
    policy = np.zeros(len(score))
    policy[chosen] = 1 / best
    return np.tile(policy, (n, 1))


def told(found: Evaluation) -> str:
    """The cells of a row."""
    return f"{_per_mille(found.dr)} | {_per_mille(found.snips)} | {_per_mille(found.gain)} | {found.effective:,.0f} |"


def _per_mille(value: Value) -> str:
    low, high = value.interval
    return f"{1e3 * value.mean:+.1f} ({1e3 * low:+.1f} to {1e3 * high:+.1f})"


def measured(data: Path, _work: Path, _repeats: int) -> Iterator[str]:
    """A Markdown table: clicks in 1,000 views, with 95% intervals."""
    yield from ("", "Clicks in 1,000 views; a model of one log, valued on the other.", "")
    yield "| shop | valued on | policy | doubly robust | SNIPS | beyond what was logged | worth so many rows |"
    yield "|---" * 7 + "|"
    for shop, items in SHOPS.items():
        logs = {name: read(data, name, shop) for name in (RANDOM, THOMPSON)}
        for on, other in ((RANDOM, THOMPSON), (THOMPSON, RANDOM)):
            log, taught = logs[on], logs[other]
            rows = np.arange(len(log.item))
            logged = Logged(log.item, log.click, log.propensity, rows)
            mean, half = log.click.mean(), 1.96 * log.click.std() / len(rows) ** 0.5
            ran = f"{1e3 * mean:+.1f} ({1e3 * (mean - half):+.1f} to {1e3 * (mean + half):+.1f})"
            yield f"| {shop} | {on} | the one that ran | {ran} | | | {len(rows):,} |"
            policies = {"any item": showing(np.zeros(items), items, len(rows))} if on == THOMPSON else {}
            score = rates(taught, items)
            policies |= {f"best {n} by click rate": showing(score, n, len(rows)) for n in BEST}
            for name, policy in policies.items():
                clicks = int(log.click[policy[rows, log.item] > 0].sum())
                if clicks < LEAST_CLICKS:
                    yield f"| {shop} | {on} | {name} | not told: {clicks} clicks on what it would show | | | |"
                    continue
                try:
                    cells = told(evaluate(logged, policy, log.who))
                except SupportError as error:
                    cells = f"not told: {str(error).partition(':')[0]} | | | |"
                yield f"| {shop} | {on} | {name} | {cells}"

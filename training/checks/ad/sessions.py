"""Does a session end in a purchase? Three sets of inputs, three learners, the same folds and metric code."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.registry import task
from streams.monitoring.quality import auc, expected_calibration_error
from training.baselines import boosting, logistic
from training.datasets import DATASETS
from training.datasets.dataset import folder_of, read_table
from training.datasets.online_shoppers import MONTHS
from training.evaluate import auc_interval
from training.fit import Schedule
from training.labels.visits import visits
from training.networks.blend import log_losses, logits_of, probabilities, shift_of
from training.networks.factors import Shape
from training.quiet import without_notes
from training.replay import standing
from training.source import of_dataset
from training.tasks import ad

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows32 = npt.NDArray[np.float32]

SEED, FOLDS = 20_261_129, 5
#: Columns whose numbers are names.
NAMES = ("Month", "OperatingSystems", "Browser", "Region", "TrafficType", "VisitorType")
LATE = ("Nov", "Dec")
#: For the columns of the data set; chosen on two folds of one split.
SCHEDULE = Schedule(epochs=10, batch=256, rate=1e-2, weight_decay=0.1, average=0.99)
SHAPE = Shape(bins=24, width=6, hidden=24, members=4, dropout=0.3)
OURS, TREES, REGRESSION = "ours", "lightgbm", "logistic"
Learner = Callable[[Ints, Ints, int], Floats]


@dataclass(frozen=True)
class Inputs:
    """What is known of n sessions."""

    what: str
    x: Rows32
    """[n, f] numbers, and codes of names."""
    names: tuple[int, ...]
    """The columns that are codes of names."""
    plain: Rows32
    """[n, m] the same with a column for each name, for a network or a regression."""
    y: Rows32
    at: Ints
    """[n] in which order they came."""
    late: npt.NDArray[np.bool_]
    """[n] of November or December."""
    schedule: Schedule
    shape: Shape


def read(data: Path, work: Path) -> list[Inputs]:
    """The sessions: all columns; without PageValues; and as the stream knows them."""
    table: Any = read_table(folder_of(data, "online_shoppers", "online_shoppers_intention.csv"))
    y, late = table["Revenue"].to_numpy().astype(np.float32), table["Month"].isin(LATE).to_numpy()
    codes = {name: np.unique(table[name].to_numpy(), return_inverse=True)[1] for name in NAMES}
    at = table["Month"].map(MONTHS.index).to_numpy() * len(y) + np.arange(len(y))
    found = []
    for what, left_out in (("all columns", ()), ("without PageValues", ("PageValues",))):
        numbers = [c for c in table.columns if c not in (*NAMES, *left_out, "Revenue")]
        x = np.stack([table[c].to_numpy().astype(np.float32) for c in numbers], axis=1)
        named = np.stack([codes[name] for name in NAMES], axis=1).astype(np.float32)
        each = [np.eye(int(code.max()) + 1, dtype=np.float32)[code] for code in codes.values()]
        plain, both = np.concatenate([x, *each], axis=1), np.concatenate([x, named], axis=1)
        names = tuple(range(x.shape[1], both.shape[1]))
        found.append(Inputs(what, both, names, plain, y, at, late, SCHEDULE, SHAPE))
    source = of_dataset(DATASETS["online_shoppers"], data)
    history, _ = source.load(work, lambda _n: None)
    every = visits(history)
    taught = every.at_ms >= int(history.time_ms[0]) + ad.WARM_UP_DAYS * 86_400_000
    shopper, at_ms = every.shopper[taught], every.at_ms[taught]
    x = standing(history, task("ad").features, shopper, at_ms, rules=source.rules)
    session = np.array([int(history.shoppers[i].rpartition("-")[2]) for i in shopper.tolist()])
    knows = "what the stream knows"
    found.append(Inputs(knows, x, (), x, every.ordered[taught], at_ms, late[session], ad.SCHEDULE, ad.SHAPE))
    return found


def newest(train: Ints) -> int:
    """How many of some rows, the last of them, choose and calibrate."""
    return int(len(train) * ad.NEWEST_SHARE)


def learners(given: Inputs) -> dict[str, Learner]:
    """What each says of test rows, given training rows (the newest of them last) and a seed: logits."""

    def ours(train: Ints, test: Ints, seed: int) -> Floats:
        last = np.arange(len(train)) >= len(train) - newest(train)
        with tempfile.TemporaryDirectory() as folder, without_notes():
            network, _ = ad.taught(
                given.plain[train], given.y[train], ~last, last, "p", seed=seed, kept_in=Path(folder),
                schedule=given.schedule, shape=given.shape,
            )  # fmt: skip
            p = np.asarray(network.predict(given.plain[test], batch_size=8192, verbose=0), np.float64)[:, 0]
        return logits_of(p)

    def trees(train: Ints, test: Ints, seed: int) -> Floats:
        return boosting.Tuned(given.x[train], given.y[train], newest(train), given.names, seed).logits(given.x[test])

    def regression(train: Ints, test: Ints, _seed: int) -> Floats:
        fitted = logistic.fit(given.plain[train], given.y[train], np.ones(len(train)), ridge=1.0)
        return fitted.logits(given.plain[test])

    return {OURS: ours, TREES: trees, REGRESSION: regression}


def calibrated(learner: Learner, given: Inputs) -> Learner:
    """The same, shifted as ours is: by what one taught on all but the newest rows says of these."""

    def shifted(train: Ints, test: Ints, seed: int) -> Floats:
        last = train[-newest(train) :]
        shift = shift_of(learner(train[: -len(last)], last, seed), given.y[last])
        return learner(train, test, seed) + shift

    return shifted


def folds(y: Rows32, seed: int) -> list[Ints]:
    """Test rows of each of five folds, with as many purchases in each."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(y), np.int64)
    for side in (0, 1):
        mine = rng.permutation(np.flatnonzero((y > 0.5) == side))
        fold[mine] = np.arange(len(mine)) % FOLDS
    return [np.flatnonzero(fold == k) for k in range(FOLDS)]


def crossed(given: Inputs, repeats: int) -> dict[str, Floats]:
    """By learner, [repeats, n] logits of each session from when it was not seen."""
    found = {name: np.zeros((repeats, len(given.y))) for name in learners(given)}
    rng = np.random.default_rng(SEED)
    for repeat in range(repeats):
        began = time.monotonic()
        for k, test in enumerate(folds(given.y, SEED + repeat)):
            train = rng.permutation(np.setdiff1d(np.arange(len(given.y)), test))
            for name, learner in learners(given).items():
                found[name][repeat, test] = learner(train, test, SEED + repeat * FOLDS + k)
        said = f"{given.what}: repeat {repeat + 1} of {repeats}, {time.monotonic() - began:.0f} s"
        print(said, file=sys.stderr, flush=True)
    return found


def table_of(what: str, y: Rows32, said: dict[str, Floats]) -> Iterator[str]:
    """A row per learner: log-loss, AUC, calibration error, and ours less it with 95% intervals."""
    sessions = np.arange(len(y))
    between = auc_interval(y, {name: each[0] for name, each in said.items()}, sessions, SEED)
    own = np.mean([log_losses(z, y) for z in said[OURS]], axis=0)
    for name, each in said.items():
        loss, area = np.mean([log_losses(z, y) for z in each], axis=0), np.mean([auc(y, z) for z in each])
        error = np.mean([expected_calibration_error(y, probabilities(z)) for z in each])
        row = f"| {what} | {name} | {loss.mean():.4f} | {area:.4f} | {error:.3f} |"
        if name == OURS:
            low, high = between[OURS]
            yield f"{row} | ({low:.3f} to {high:.3f}) |"
        else:
            apart = own - loss
            half = 1.96 * apart.std(ddof=1) / len(apart) ** 0.5
            low, high = between[f"ours - {name}"]
            yield (
                f"{row} {apart.mean():+.4f} ({apart.mean() - half:+.4f} to {apart.mean() + half:+.4f}) "
                f"| {low:+.3f} to {high:+.3f} |"
            )


def measured(data: Path, work: Path, repeats: int) -> Iterator[str]:
    """Markdown tables: five folds, repeated; and November and December after the months before."""
    every = read(data, work)
    head = "| inputs | learner | log-loss | AUC | calibration error | ours less this: log-loss | AUC |"
    yield from (f"Five folds, {repeats} times; {len(every[0].y):,} sessions.", "", head, "|---" * 7 + "|")
    for given in every:
        yield from table_of(given.what, given.y, crossed(given, repeats))
    yield from ("", "Trained up to October, tested on November and December.", "", head, "|---" * 7 + "|")
    for given in every:
        train, test = np.flatnonzero(~given.late), np.flatnonzero(given.late)
        train = train[np.argsort(given.at[train], kind="stable")]
        known = learners(given)
        known |= {f"{name}, calibrated": calibrated(known[name], given) for name in (TREES, REGRESSION)}
        said = {name: learner(train, test, SEED)[None] for name, learner in known.items()}
        yield from table_of(given.what, given.y[test], said)

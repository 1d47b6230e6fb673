"""``python -m training.checks.uplift``: learners of uplift on Hillstrom's experiment, by one metric code.

25 splits, 60% of the customers to train on and 40% to test, each arm and answer split alike; every learner sees both
e-mails. Prints a JSON object per figure and the tables of ``docs/promotion.md``. Twenty minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training import effects, uplift
from training.baselines import uplift as baselines
from training.checks.uplift import hillstrom
from training.checks.uplift.hillstrom import ARMS, WOMENS, Trial
from training.command import check_installed
from training.quiet import without_notes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SEED, TEST = 20_261_129, 0.4
#: Costs of an e-mail, in visits.
COSTS = (0.02, 0.04, 0.06, 0.08)
OURS, RAW, RULE = "ours", "ours, not calibrated", "womens == 1"


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.uplift", description=__doc__)
    asked.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds hillstrom/")
    asked.add_argument("--splits", type=int, default=25)
    asked.add_argument("--only", nargs="*", help="these learners, and ours")
    given = asked.parse_args()
    trial = hillstrom.read(given.data)
    if trial is None:
        raise SystemExit(f"{given.data} holds no hillstrom/hillstrom_data.csv: name its folder by --data.")
    learners = {name: learner for name, learner in baselines.LEARNERS.items() if not given.only or name in given.only}
    if "causal forest" in learners and not baselines.has_forest():
        learners.pop("causal forest")
        print(
            "econml is not installed: the causal forest is left out (pip install econml, in an environment of its own)."
        )
    check_installed()
    figures: dict[str, dict[str, list[float]]] = {}
    verdicts: list[list[bool]] = []
    strata = trial.arm * 2 + trial.visit.astype(np.int64)
    for k, (train, test) in enumerate(uplift.splits(strata, TEST, given.splits, SEED)):
        began = time.monotonic()
        for name, said in _answers(trial, train, test, learners, k, verdicts):
            for what, figure in _measured(trial, test, said, k):
                figures.setdefault(what, {}).setdefault(name, []).append(figure)
        for what, name, figure in _plain(trial, test):
            figures.setdefault(what, {}).setdefault(name, []).append(figure)
        print(f"split {k + 1} of {given.splits}: {time.monotonic() - began:.0f} s", flush=True)
    for what, by in figures.items():
        print(what, json.dumps({name: [round(v, 5) for v in values] for name, values in by.items()}))
    for a, arm in enumerate(ARMS[1:]):
        some = [found[a] for found in verdicts]
        print(f"{arm}: people differ, as far as can be told, in {sum(some)} of {len(some)} splits")
    for line in _tables({what: {n: np.array(v) for n, v in by.items()} for what, by in figures.items()}):
        print(line)


def _answers(
    trial: Trial,
    train: Ints,
    test: Ints,
    learners: dict[str, Callable[..., Floats]],
    k: int,
    verdicts: list[list[bool]],
) -> Iterator[tuple[str, Floats]]:
    """Each learner's name, and what it says of the test's customers, [n, e-mails]."""
    x, arm, y = trial.x[train], trial.arm[train], trial.visit[train]
    shares = np.tile(np.bincount(arm) / len(arm), (len(arm), 1))
    with tempfile.TemporaryDirectory() as folder, without_notes():
        tried = effects.Tried(x, arm, y, shares, train)
        learned = effects.learn(tried, seed=SEED + k, kept_in=Path(folder))
    verdicts.append([learned.calibration.heterogeneous(a) for a in range(tried.arms)])
    yield OURS, learned.uplift(trial.x[test])
    yield RAW, learned.raw(trial.x[test])
    for name, learner in learners.items():
        yield name, learner(x.astype(np.float64), arm, y, trial.x[test].astype(np.float64), SEED + k)
    # What each e-mail did with the customers who bought womens' goods, and with the others.
    rule = np.zeros((len(test), len(ARMS) - 1))
    for side in (0, 1):
        mine = x[:, WOMENS] == side
        means = [y[mine & (arm == a)].mean() for a in range(len(ARMS))]
        rule[trial.x[test][:, WOMENS] == side] = np.array(means[1:]) - means[0]
    yield RULE, rule


def _measured(trial: Trial, test: Ints, said: Floats, k: int) -> Iterator[tuple[str, float]]:
    """(what is measured, figure) of a learner in a split."""
    arm, y = trial.arm[test], trial.visit[test]
    for a, name in enumerate(ARMS[1:], 1):
        both = (arm == 0) | (arm == a)
        u, treated, outcome = said[both, a - 1], arm[both] == a, y[both]
        yield f"{name}: normalised Qini", uplift.qini(u, treated, outcome)
        for share in (0.3, 0.5):
            times = uplift.in_best(u, treated, outcome, share, np.random.default_rng([SEED, k]))
            yield f"{name}: times the average effect in the best {share:.0%}", times
        for cost in COSTS:
            choice = np.where(u > cost, 1, 0)
            worth = uplift.value(choice, treated.astype(np.int64), outcome, np.array([0.0, cost]))
            yield f"{name} at {cost}", worth - float(outcome[~treated].mean())
    for cost in COSTS:
        costs = np.array([0.0, cost, cost])
        worth = uplift.value(uplift.choose(said, costs), arm, y, costs)
        yield f"both e-mails at {cost}", worth - float(y[arm == 0].mean())


def _plain(trial: Trial, test: Ints) -> Iterator[tuple[str, str, float]]:
    """(what is measured, policy, figure) of policies without a model: an e-mail to everybody. No one is 0."""
    arm, y = trial.arm[test], trial.visit[test]
    gain = [float(y[arm == a].mean() - y[arm == 0].mean()) for a in range(len(ARMS))]
    for cost in COSTS:
        for a, name in enumerate(ARMS[1:], 1):
            yield f"{name} at {cost}", "everyone", gain[a] - cost
            yield f"both e-mails at {cost}", f"{name} to all", gain[a] - cost


def _tables(figures: dict[str, dict[str, Floats]]) -> Iterator[str]:
    """Markdown: what each learner reaches, and how ours differs from it in the same splits."""
    for what, by in figures.items():
        money, digits = " at " in what, 3 if "times" in what else 4
        policies = {"no one": np.zeros(len(by[OURS]))} | by if money else by
        yield ""
        yield f"**{what}**"
        yield ""
        yield "| learner | mean ± deviation | ours less this | over splits, 95% | for other people, 95% |"
        yield "|---|---|---|---|---|"
        for name, values in policies.items():
            own, apart = uplift.spread(values, TEST), uplift.spread(by[OURS] - values, TEST)
            told = f"| {name} | {own.mean:.{digits}f} ± {own.deviation:.{digits}f} |"
            if name != OURS:
                told += f" {apart.mean:+.{digits}f} | {_range(apart.over_splits, digits)} |"
                told += f" {_range(apart.over_people, digits)} |"
            else:
                told += f"  |  | ({_range(own.over_people, digits)}) |"
            yield told


def _range(ends: tuple[float, float], digits: int) -> str:
    return f"{ends[0]:+.{digits}f} to {ends[1]:+.{digits}f}"


if __name__ == "__main__":
    main()

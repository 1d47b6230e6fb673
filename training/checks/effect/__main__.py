"""``python -m training.checks.effect``: measure all that ``docs/effect.md`` says, print it, and draw its plot.

Ten minutes on one core. ``--data`` names the folder that holds ``hillstrom/``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from training.checks.effect import experiment, looking, mismatch, plot, policies
from training.checks.effect.shops import Shop, hillstrom, resampled, shops

SEED = 20_261_129
SHOPPERS, EVERY = 20_000, 10
REAL = "Hillstrom"
PARTS = ("hillstrom", "looking", "coverage", "mismatch", "policies")


def main() -> None:
    """Measure, print a JSON object per line, and draw the plot."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.effect", description=__doc__)
    asked.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds hillstrom/")
    asked.add_argument("--plot", type=Path, help="where the plot goes (SVG)")
    asked.add_argument("--only", choices=PARTS, help="one part of it")
    asked.add_argument("--quick", action="store_true", help="a tenth of the runs")
    given = asked.parse_args()
    parts, runs = (given.only,) if given.only else PARTS, 100 if given.quick else 1_000
    subjects, real = shops(), hillstrom(given.data)
    if real is not None:
        control = real[0][real[1] == experiment.CONTROL]
        draw = resampled(control)
        subjects.append(Shop(REAL, "real customers without an e-mail", draw, control[:, 3].mean(), 0.5))
        if "hillstrom" in parts:
            say("hillstrom", [asdict(each) for each in experiment.effects(*real)])
    else:
        print(f"{given.data} holds no hillstrom/hillstrom_data.csv: what is real is left out (--data).", flush=True)
    if "looking" in parts:
        curves = looked(subjects, runs)
        if given.plot:
            plot.draw(given.plot, curves, np.arange(EVERY, SHOPPERS + 1, EVERY))
    if "coverage" in parts:
        covered(subjects, 2 * runs)
    if "mismatch" in parts:
        for i, share in enumerate((0.01, 0.02, 0.05, 0.1, 0.5)):
            say("mismatch", [asdict(mismatch.measure(np.random.default_rng([SEED, 3, i]), share, 0.02, runs))])
    if "policies" in parts:
        for rows in (500, 2_000):
            say("policies", [asdict(policies.coverage(SEED + rows, rows, 2 * runs))])


def looked(subjects: list[Shop], runs: int) -> dict[str, dict[str, Any]]:
    """By shop, the share of campaigns of whom an interval has ever missed the truth so far, look by look: without an
    effect (what is returned), and with one of a fifth."""
    curves: dict[str, dict[str, Any]] = {}
    for i, shop in enumerate(subjects):
        for lift in (1.0,) if shop.name == REAL else (1.0, 1.2):
            rng, truth = np.random.default_rng([SEED, 1, i, round(100 * lift)]), shop.margin * (lift - 1)
            some = [looking.campaign(rng, shop.draw, SHOPPERS, shop.holdout, lift, EVERY, truth) for _ in range(runs)]
            missed = {which: looking.ever(some, which) for which in ("ours", "ours_unadjusted", "naive")}
            ends = {which: float(curve[-1]) for which, curve in missed.items()}
            said = {"shop": shop.name, "holdout": shop.holdout, "lift": lift, "campaigns": runs, **ends}
            say("looking", [said])
            if lift == 1:
                curves[shop.name] = missed
    return curves


def covered(subjects: list[Shop], runs: int) -> None:
    """Intervals of one look: how many hold the truth, by shop, holdout and lift."""
    for i, shop in enumerate(subjects):
        real = shop.name == REAL
        for holdout in (0.5,) if real else (0.1, 0.5):
            for lift in (1.0,) if real else (1.0, 1.05, 1.2):
                rng = np.random.default_rng([SEED, 2, i, round(100 * holdout), round(100 * lift)])
                truth = shop.margin * (lift - 1)
                found = looking.coverage(rng, shop.draw, SHOPPERS // 2, holdout, lift, truth, runs)
                say("coverage", [{"shop": shop.name, "holdout": holdout, "lift": lift, **asdict(found)}])


def say(what: str, rows: list[dict[str, Any]]) -> None:
    """A line each, as soon as it is known."""
    for row in rows:
        print(what, json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()

"""``python -m training.checks.promotion``: a campaign that learns from its own holdout and exploration, week by week.

Shoppers are simulated, so what each offer really does with each is known; all else is the code that serves and trains.
Prints a JSON object per week, and draws the plot of ``docs/promotion.md``. Minutes per run on one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from models.store import Store
from training.checks.promotion import plot
from training.checks.promotion.shop import Shoppers
from training.checks.promotion.weeks import Shop, Week, play
from training.command import check_installed
from training.quiet import without_notes

SEED = 20_261_129


def main() -> None:
    """Play, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.promotion", description=__doc__)
    asked.add_argument("--plot", type=Path, help="where the plot goes (SVG)")
    asked.add_argument("--shoppers", type=int, default=24_000)
    asked.add_argument("--weeks", type=int, default=12)
    asked.add_argument("--runs", type=int, default=3)
    given = asked.parse_args()
    check_installed()
    runs = []
    for run in range(given.runs):
        shoppers = Shoppers.drawn(np.random.default_rng([SEED + run, 1]), given.shoppers, given.weeks)

        def tell(week: Week, run: int = run) -> None:
            said = {name: round(v, 1) if isinstance(v, float) else v for name, v in asdict(week).items()}
            print(json.dumps({"run": run, **said}), flush=True)

        with tempfile.TemporaryDirectory() as folder, without_notes():
            shop = Shop(Store(f"{folder}/models"))
            runs.append(play(shoppers, shop, Path(folder), SEED + run, tell))
    if given.plot:
        plot.draw(given.plot, runs)


if __name__ == "__main__":
    main()

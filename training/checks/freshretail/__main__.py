"""``python -m training.checks.freshretail --data DIR``: what fresh goods sell, ours beside others, under stock-outs.

The last 7 of 90 days are foretold on the morning of the first; days in stock are judged by the published measures. The
calendar, prices and promotions of a day are known before it; its real weather stands for a forecast (``--no-weather``:
without). What a mean is multiplied by, and how wide ranges are, is said by a network that had learned up to 28 days
before and was asked about the four weeks since. With ``--before`` only that network is judged: choices are made there.
A JSON object per line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

from training.checks.freshretail import network
from training.checks.freshretail.data import DAYS, Floats, read
from training.checks.freshretail.judged import Judge
from training.checks.freshretail.rows import AHEAD, OF_WEATHER, History, Rows
from training.command import check_installed
from training.progress import progress
from training.ranges import Judged, Ranges, ranges

BEFORE_DAYS = 28


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.freshretail", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder that holds freshretailnet/")
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--no-weather", action="store_true", help="do not take the weather of the day ahead")
    asked.add_argument("--before", action="store_true", help="judge the weeks before the cut only")
    options = asked.parse_args()
    check_installed()
    s, cut = read(options.data), DAYS - AHEAD
    history = History(s, cut)
    earlier = cut - BEFORE_DAYS
    with progress(Console(file=sys.stderr)) as tell, tempfile.TemporaryDirectory() as kept:

        def told(cut_at: int, mornings: range, stage: str) -> tuple[Rows, dict[str, Floats], Floats]:
            of = network.taught(s, history, cut_at, options.seed)
            rows = history.rows(mornings, range(1, AHEAD + 1))
            left: tuple[str, ...] = OF_WEATHER if options.no_weather else ()
            for each in (of.rows, rows):
                each.x[:, each.columns(left)] = 0.0
            ours, quantiles = network.said_by(network.network_of(of, options.seed, Path(kept), tell, stage), rows)
            trees = network.trees(of, rows, left, options.seed)
            answers = {
                "ours": ours,
                "lightgbm_on_our_features": trees,
                "ours_and_lightgbm": (ours + trees) / 2,
                "lightgbm_on_recovered_sales": network.trees(
                    network.taught(s, history, cut_at, options.seed, recovered=True), rows, left, options.seed
                ),
                "lightgbm": network.trees(of, rows, {*left, *network.of_lost(rows)}, options.seed),
                "mean_of_7_days": rows.x[:, rows.names.index("sold_7d")].astype(np.float64),
            }
            return rows, answers, quantiles

        rows, answers, quantiles = told(earlier, range(earlier, cut, AHEAD), "training four weeks earlier")
        judge = Judge(s, rows)
        _print("before", judge, answers, quantiles, options.seed)
        scale = {name: judge.scale(answer) for name, answer in answers.items()}
        print(json.dumps({"scale": {name: round(v, 4) for name, v in scale.items()}}), flush=True)
        if options.before:
            return
        found = ranges(
            [Judged(_pace(rows)[judge.kept], quantiles[judge.kept][:, None], judge.came[:, None])], network.LEVELS
        )
        rows, answers, quantiles = told(cut, range(cut, cut + 1), "training")
        answers |= {f"{name}_scaled": answers[name] * scale[name] for name in list(answers)}
        _print("test", Judge(s, rows), answers, _widened(quantiles, _pace(rows), found), options.seed)


def _pace(rows: Rows) -> Floats:
    return np.maximum(rows.x[:, rows.names.index("units_30d")], 1.0).astype(np.float64) * (7 / 29)


def _widened(quantiles: Floats, pace: Floats, by: Ranges) -> Floats:
    """As the network of ``sales`` corrects its ranges when it is exported."""
    at = np.log(by.pace)
    factors = np.array(by.factors)[:, 0]
    own = np.stack([np.interp(np.log(pace), at, column) for column in factors.T], axis=1)
    middle = quantiles[:, len(network.LEVELS) // 2, None]
    return np.maximum(middle + (quantiles - middle) * own, 0.0)


def _print(when: str, judge: Judge, answers: dict[str, Floats], quantiles: Floats, seed: int) -> None:
    for name, measured in judge.measure(answers, seed).items():
        print(json.dumps({"when": when, "rows": len(judge.came), "model": name, **measured}), flush=True)
    print(json.dumps({"when": when, "model": "ours", "within": judge.coverage(quantiles)}), flush=True)


if __name__ == "__main__":
    main()

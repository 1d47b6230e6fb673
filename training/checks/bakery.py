"""``python -m training.checks.bakery --package ddop-0.7.6.tar.gz``: how much to bake, ours beside others.

Demand of 105 products of bakeries by day (``pip download ddop==0.7.6 --no-deps``; MIT). How much to bake of each is
decided the evening before, knowing what was sold up to then, and of the next day the calendar, promotions and weather
(the real one, in place of a forecast). What is left is thrown away. At a critical ratio *q* a unit short costs *q*,
one that is left *1 − q*. Asked are the network of the task ``sales``, trained here on such rows; LightGBM's quantiles
on the same rows; and sample average approximation: the quantile of the same weekday's demand in so many weeks before,
as many as cost least before the test. The last quarter of all days tests. A JSON object per line.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from training.baselines import boosting
from training.checks.freshretail.network import SCHEDULE, Taught, network_of, said_by
from training.checks.freshretail.rows import Rows
from training.command import check_installed
from training.progress import progress
from training.redraws import ends, how_often

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVELS = (0.25, 0.5, 0.75, 0.9, 0.95)
RATIOS = (0.5, 0.75, 0.9)
TEST_SHARE = 0.25
#: Days before the test on which choices are made, and that teach nothing until they are made.
JUDGED_DAYS = 84
#: Weeks that sample average approximation may look back.
LOOKS = (4, 8, 13, 26, 52)
WARM_UP = 28
FLAGS = (
    "is_schoolholiday", "is_holiday", "is_holiday_next2days", "promotion_currentweek", "promotion_lastweek", "rain",
    "temperature",
)  # fmt: skip
DRAWS, TREES, EPOCHS = 1_000, 400, 24


def read(package: Path) -> tuple[Ints, Ints, Floats, dict[str, Floats]]:
    """[n] series, days since 1970, demand and what is known of each day, ascending by series and day."""
    with tarfile.open(package) as archive:

        def table(name: str) -> list[dict[str, str]]:
            (member,) = (each for each in archive.getmembers() if each.name.endswith(f"/data/{name}.csv"))
            held = archive.extractfile(member)
            assert held is not None
            return list(csv.DictReader(io.TextIOWrapper(held, "utf-8")))

        told, demand = table("bakery_data"), np.array([float(row["demand"]) for row in table("bakery_target")])
    day = np.array([row["date"] for row in told], "datetime64[D]").astype(np.int64)
    key = np.array([int(row["store"]) * 1_000 + int(row["product"]) for row in told])
    series, order = np.unique(key, return_inverse=True)[1].astype(np.int64), np.lexsort((day, key))
    known = {name: np.array([float(row[name]) for row in told])[order] for name in FLAGS}
    return series[order], day[order], demand[order], known


def rows_of(series: Ints, day: Ints, demand: Floats, known: dict[str, Floats]) -> Rows:
    """A row of each day of a series but its first ``WARM_UP``: what was sold before, and what is known of the day."""
    found, kept = list[npt.NDArray[np.float32]](), list[Ints]()
    names: tuple[str, ...] = ()
    for one in np.unique(series):
        rows = np.flatnonzero(series == one)
        sold, weekday = demand[rows], day[rows] % 7
        until = np.r_[0.0, sold.cumsum()]
        here = np.arange(WARM_UP, len(rows))
        mean = {n: (until[here] - until[here - n]) / n for n in (1, 3, 7, 14, WARM_UP)}
        same = np.zeros((len(here), 8))
        for k in range(7):
            of_day, at = np.flatnonzero(weekday == k), np.flatnonzero(weekday[here] == k)
            place = np.searchsorted(of_day, here[at])
            past = np.stack([sold[of_day[np.maximum(place - back, 0)]] for back in range(1, 9)], axis=1)
            same[at] = past
        pace = np.maximum(mean[WARM_UP], 0.05)
        columns = {"units_30d": mean[WARM_UP] * 30, "pace": pace}
        columns |= {f"mean_{n}": value for n, value in mean.items()} | {f"rate_{n}": v / pace for n, v in mean.items()}
        for n in (1, 2, 4, 8):
            columns |= {f"same_{n}": same[:, :n].mean(axis=1), f"same_rate_{n}": same[:, :n].mean(axis=1) / pace}
        columns["same_spread"] = same.std(axis=1) / pace
        columns |= {f"weekday_{k}": (weekday[here] == k).astype(np.float64) for k in range(7)}
        year = 2 * np.pi * day[rows][here] / 365.25
        columns |= {"sine": np.sin(year), "cosine": np.cos(year)} | {name: known[name][rows][here] for name in FLAGS}
        columns["gap"] = np.minimum(day[rows][here] - day[rows][here - 1], 7).astype(np.float64)
        names = tuple(columns)
        found.append(np.stack(list(columns.values()), axis=1).astype(np.float32))
        kept.append(rows[here])
    every = np.concatenate(kept)
    return Rows(np.concatenate(found), series[every], every, names)


def by_weekday(series: Ints, day: Ints, demand: Floats, asked: Ints, ratio: float, weeks: int) -> Floats:
    """[asked] the quantile of what the series sold on the same weekday in so many weeks before."""
    found = np.zeros(len(asked))
    for one in np.unique(series[asked]):
        for k in range(7):
            mine = np.flatnonzero((series == one) & (day % 7 == k))
            for place in np.flatnonzero((series[asked] == one) & (day[asked] % 7 == k)):
                at = np.searchsorted(day[mine], day[asked[place]])
                past = demand[mine[max(0, at - weeks) : at]]
                found[place] = np.quantile(past, ratio, method="inverted_cdf") if len(past) else 0.0
    return found


def cost(demand: Floats, baked: Floats, ratio: float) -> Floats:
    """[n] units short weighed by the ratio and units left by the rest."""
    short = demand - baked
    return np.maximum(ratio * short, (ratio - 1) * short)


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.bakery", description=__doc__)
    asked.add_argument("--package", type=Path, required=True, help="ddop-0.7.6.tar.gz")
    asked.add_argument("--seed", type=int, default=7)
    options = asked.parse_args()
    check_installed()
    series, day, demand, known = read(options.package)
    rows = rows_of(series, day, demand, known)
    at, place = day[rows.day], rows.day
    cut = int(np.quantile(np.unique(day), 1 - TEST_SHARE))
    test, judged = at >= cut, (at >= cut - JUDGED_DAYS) & (at < cut)
    with progress(Console(file=sys.stderr)) as tell, tempfile.TemporaryDirectory() as kept:
        teach = np.flatnonzero(at < cut)
        part = Rows(rows.x[teach], rows.series[teach], rows.day[teach], rows.names)
        # The network weighs rows by the root of their pace; what is left or lacking costs by the unit.
        pace = rows.x[teach, rows.names.index("pace")].astype(np.float64)
        of = Taught(part, demand[place[teach]], np.sqrt(pace / pace.mean()))
        network = network_of(of, options.seed, Path(kept), tell, "training", LEVELS, replace(SCHEDULE, epochs=EPOCHS))
        tested = Rows(rows.x[test], rows.series[test], rows.day[test], rows.names)
        quantiles = said_by(network, tested)[1]
        for ratio in RATIOS:
            tell(f"others at {ratio}", 0, None)
            weeks = min(
                LOOKS,
                key=lambda w, r=ratio: cost(  # type: ignore[misc]
                    demand[place[judged]], by_weekday(series, day, demand, place[judged], r, w), r
                ).sum(),
            )
            ours, beside = (
                quantiles[:, LEVELS.index(ratio)],
                trees(rows, demand, teach, judged, test, ratio, options.seed),
            )
            answers = {
                "ours": ours,
                "lightgbm": beside,
                "mean of both": (ours + beside) / 2,
                f"same weekday of {weeks} weeks": by_weekday(series, day, demand, place[test], ratio, weeks),
            }
            for line in compared(rows.series[test], demand[place[test]], answers, ratio, options.seed):
                print(json.dumps(line), flush=True)


def trees(rows: Rows, demand: Floats, teach: Ints, judged: Any, test: Any, ratio: float, seed: int) -> Floats:
    """[test] LightGBM's quantile in multiples of the pace, each row counted by it; rounds chosen before the test."""
    import lightgbm

    pace = rows.x[:, rows.names.index("pace")].astype(np.float64)
    share = demand[rows.day] / pace
    settings = boosting.SETTINGS | {
        "objective": "quantile", "alpha": ratio, "num_leaves": 31, "learning_rate": 0.1, "seed": seed,
    }  # fmt: skip
    early = teach[~judged[teach]]
    first = lightgbm.Dataset(rows.x[early], share[early], weight=pace[early], free_raw_data=False)
    held = lightgbm.Dataset(rows.x[judged], share[judged], weight=pace[judged], reference=first)
    stop = lightgbm.early_stopping(boosting.PATIENCE, verbose=False)
    best = lightgbm.train(settings, first, TREES, valid_sets=[held], callbacks=[stop]).best_iteration
    whole = lightgbm.train(settings, lightgbm.Dataset(rows.x[teach], share[teach], weight=pace[teach]), max(20, best))
    return np.asarray(whole.predict(rows.x[test]), np.float64) * pace[test]


def compared(series: Ints, demand: Floats, answers: dict[str, Floats], ratio: float, seed: int) -> list[dict[str, Any]]:
    """What each cost, which share of days it served whole, and ours less it in percent with 95% over series."""
    found, n = [], int(series.max()) + 1
    often = how_often(n, seed, DRAWS)
    sums = {name: np.bincount(series, cost(demand, baked, ratio), n) for name, baked in answers.items()}
    ours = sums["ours"]
    for name, baked in answers.items():
        less = 100 * (often @ ours / (often @ sums[name]) - 1)
        found.append({
            "critical_ratio": ratio, "model": name, "rows": len(demand), "series": len(np.unique(series)),
            "cost": round(float(sums[name].sum())), "served_whole": round(float((demand <= baked).mean()), 4),
            "ours_less_percent": round(float(100 * (ours.sum() / sums[name].sum() - 1)), 1),
            "ours_less_percent_95": ends(less, 1),
        })  # fmt: skip
    return found


if __name__ == "__main__":
    main()

"""How well the rules read reviews, on pieces that were read by hand: ``python -m training.checks.aspects``.

Macro-F1 over the aspects praised and criticised of which three pieces or more speak, with 95% intervals (pieces are
redrawn); beside the rules those with the shipped model ``sentiment`` asked where a clause names an aspect and the rules
do not know what is thought of it. From which chances on it counts is chosen on a third of the sample and told on the
rest. With ``--data DIR`` also whether more is praised than criticised where a review recommends its item, by AUC.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.columns.arrays import Bools
from streams.features.payload.language import readable
from streams.monitoring.quality import auc
from streams.records.items import ItemReviewed
from streams.records.reviewed import ASPECTS
from streams.reviews.aspects import read, signs, thought
from streams.reviews.clauses import clauses
from training.datasets.aspects import sample
from training.datasets.reviews import CLOTHES
from training.networks.inputs import rows_of
from training.redraws import ends, of_rows

Floats = npt.NDArray[np.float64]
SEED, LEAST, REVIEWS = 7, 3, 4_000


def f1(wanted: Bools, said: Bools) -> Floats:
    """[answers] twice what is both wanted and said, over what is wanted and what is said; 0 where nothing is.

    >>> f1(np.array([[True], [True], [False]]), np.array([[True], [False], [False]])).round(2).tolist()
    [0.67]
    """
    found: Floats = 2.0 * (wanted & said).sum(axis=0) / np.maximum(wanted.sum(axis=0) + said.sum(axis=0), 1)
    return found


def interval(measured: Callable[[npt.NDArray[np.int64]], float], n: int, rounds: int = 1000) -> tuple[float, float]:
    """95% bootstrap interval of what is measured of n pieces."""
    return ends([measured(rows) for rows in of_rows(n, SEED, rounds)])


def by_rules(records: Iterable[ItemReviewed]) -> Bools:
    """[n, 2 * aspects] what the rules say is praised, then what is criticised."""
    return _table([(each.aspect, each.praised) for each in read(r.title, r.text, r.language).told] for r in records)


def _table(told: Iterable[list[tuple[str, bool]]]) -> Bools:
    rows = [[(a, side) in said for side in (True, False) for a in ASPECTS] for said in map(set, told)]
    return np.array(rows, np.bool_)


def with_sentiment(records: list[ItemReviewed]) -> Callable[[float, float], Bools]:
    """The same where sentiment says what is thought of aspects that a clause only names: good from the second chance
    on, bad up to the first."""
    said = [list(clauses(readable(record.text or ""))) for record in records]
    flat = [clause for each in said for clause in each]
    texts = [ItemReviewed(event_id="c", item_id="i", event_time=1, rating=3, text=clause) for clause in flat]
    chance = Predictor(load_artifact(task("sentiment"))).score(rows_of(task("sentiment"), texts))["positive"]

    def at(bad: float, good: float) -> Bools:
        found, scores = [], iter(chance.tolist())
        for each in said:
            told = []
            for clause, score in zip(each, scores, strict=False):
                known = thought(clause)
                told += [(aspect, sign > 0) for aspect, sign in known.items()]
                if score >= good or score <= bad:
                    named = {name.partition(".")[0] for name in signs(clause.casefold())} - {"any"}
                    told += [(aspect, score >= good) for aspect in named - set(known)]
            found.append(told)
        return _table(found)

    return at


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, help="a folder that holds womens_clothing_reviews/")
    folder = asked.parse_args().data
    pieces = sample()
    rules, filled = by_rules(pieces.records), with_sentiment(pieces.records)
    choose = ~pieces.test
    often = pieces.both[choose].sum(axis=0) >= LEAST
    pairs = list(itertools.product((0.02, 0.05, 0.1, 0.2, 0.3, 0.4), (0.6, 0.7, 0.8, 0.9, 0.95, 0.98)))
    best = max(pairs, key=lambda pair: f1(pieces.both[choose], filled(*pair)[choose])[often].mean())
    other = filled(*best)
    print(f"sentiment counts up to {best[0]} and from {best[1]} on, chosen on {int(choose.sum())} pieces")
    languages = (("all", pieces.test), ("en", pieces.test & pieces.english), ("zh", pieces.test & ~pieces.english))
    for name, some in languages:
        often = pieces.both[some].sum(axis=0) >= LEAST
        wanted, told, more = (table[some][:, often] for table in (pieces.both, rules, other))

        def of_rules(rows: Any, wanted: Bools = wanted, told: Bools = told) -> float:
            return float(f1(wanted[rows], told[rows]).mean())

        def ahead(rows: Any, wanted: Bools = wanted, told: Bools = told, more: Bools = more) -> float:
            return float((f1(wanted[rows], more[rows]) - f1(wanted[rows], told[rows])).mean())

        n, every = len(wanted), np.arange(len(wanted))
        low, high = interval(of_rules, n)
        worse, better = interval(ahead, n)
        right = (wanted & told).sum()
        print(
            f"{name}: {n} pieces, rules {of_rules(every):.3f} [{low:.3f}, {high:.3f}] "
            f"(precision {right / told.sum():.2f}, recall {right / wanted.sum():.2f}); "
            f"with sentiment {ahead(every):+.3f} [{worse:+.3f}, {better:+.3f}]"
        )
    if folder is not None:
        found = [record for record in CLOTHES.read(folder) if isinstance(record, ItemReviewed)][-REVIEWS:]
        counts = by_rules(found).astype(np.int64)
        balance = counts[:, : len(ASPECTS)].sum(axis=1) - counts[:, len(ASPECTS) :].sum(axis=1)
        good = np.array([record.rating > 3 for record in found])
        print(f"{CLOTHES.name}: {len(found):,} reviews, AUC {auc(good, balance.astype(np.float64)):.3f}")


if __name__ == "__main__":
    main()

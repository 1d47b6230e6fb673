"""Measures ``category`` where the card does not: whole products held out, titles at random, and few labels.

``python -m training.checks.category --data DIR`` prints, for each way to split PriceRunner, the share of titles whose
first category is right, ours and the baselines', with 95% intervals (what is held out together is redrawn together).
With few labels, the merchants that test are those of the card, and ours also learns of the titles that have no label;
``--validate`` tests that on merchants before the card's cut instead, three times a quarter of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from models.registry import task
from training.baselines import words
from training.datasets.pricerunner import PRICERUNNER
from training.evaluate import share_interval
from training.labels.listings import listings
from training.networks.inputs import rows_of
from training.tasks.category import MOST_UNKNOWN, SHIPPED, taught
from training.times import parse_time
from training.told import told_by

SEED = 7
Mask: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]


class Split(NamedTuple):
    """Which titles teach, which test, what is redrawn together, and which teach without their labels."""

    teach: Mask
    test: Mask
    group: Ints
    unknown: Ints | None = None


def splits(at_ms: Ints, product: Ints, seller: Ints) -> dict[str, Split]:
    """By name."""
    rng, n = np.random.default_rng(SEED), len(at_ms)
    held = np.isin(product, rng.permutation(np.unique(product))[: len(np.unique(product)) // 5])
    some = rng.random(n) < 0.2
    before = at_ms < parse_time(SHIPPED["pricerunner"])
    made: dict[str, Split] = {}
    order = rng.permutation(np.flatnonzero(before))
    for few in (200, 1000):
        chosen = np.zeros(n, np.bool_)
        chosen[order[:few]] = True
        made[f"{few:,} titles, merchants held out"] = Split(chosen, ~before, seller)
        unknown = order[few : few + MOST_UNKNOWN]
        made[f"{few:,} titles and others without labels, merchants held out"] = Split(chosen, ~before, seller, unknown)
    made |= {
        "a fifth of the products held out": Split(~held, held, product),
        "a fifth of the titles, at random": Split(~some, some, np.arange(n)),
    }
    return made


def choosing(at_ms: Ints, seller: Ints) -> dict[str, Split]:
    """By name; of titles before the cut alone."""
    before = np.flatnonzero(at_ms < parse_time(SHIPPED["pricerunner"]))
    made: dict[str, Split] = {}
    for draw in (10, 12, 13):
        rng = np.random.default_rng(draw)
        sellers = rng.permutation(np.unique(seller[before]))
        held = np.isin(seller, sellers[: len(sellers) // 4])
        order = rng.permutation(before[~held[before]])
        teach, test = np.isin(np.arange(len(at_ms)), order[:200]), held & (at_ms < parse_time(SHIPPED["pricerunner"]))
        made[f"draw {draw}, 200 titles"] = Split(teach, test, seller)
        made[f"draw {draw}, and others without labels"] = Split(teach, test, seller, order[200 : 200 + MOST_UNKNOWN])
    return made


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--validate", action="store_true", help="on merchants before the cut, by which was chosen")
    given = parser.parse_args()
    found = listings(told_by(PRICERUNNER.read(given.data)))
    names, label = np.unique(found.label.astype(str), return_inverse=True)
    product = np.array([int(record.attributes["product"]) for record in found.records])
    texts = np.array([record.title for record in found.records], object)
    x = rows_of(task("category"), found.records)
    parts = choosing(found.at_ms, found.group) if given.validate else splits(found.at_ms, product, found.group)
    for name, (teach, test, group, unknown) in parts.items():
        more = None if unknown is None else x[unknown]
        with tempfile.TemporaryDirectory() as folder:
            model = taught(x[teach], label[teach], len(names), seed=SEED, kept_in=Path(folder), unknown=more)
        hit = {"ours": model.logits(x[test])[:, : len(names)].argmax(axis=1) == label[test]}
        for kind in ("characters", "words"):
            said = words.machine(kind, texts[teach].tolist(), label[teach], texts[test].tolist())
            hit[kind] = said == label[test]
        between = share_interval(hit, group[test], SEED)
        told = (f"{each} {right.mean():.4f} {list(between[each])}" for each, right in hit.items())
        print(f"{name} ({teach.sum():,} teach, {test.sum():,} test): {'; '.join(told)}", flush=True)


if __name__ == "__main__":
    main()

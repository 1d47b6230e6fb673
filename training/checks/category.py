"""Measures ``category`` where the card does not: whole products held out, titles at random, and few labels.

``python -m training.checks.category --data DIR`` prints, for each way to split PriceRunner, the share of titles whose
first category is right, ours and the baselines', with 95% intervals (what is held out together is redrawn together).
With few labels, the merchants that test are those of the card.
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
from training.tasks.category import SHIPPED, taught
from training.times import parse_time
from training.told import told_by

SEED = 7
Mask: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]


class Split(NamedTuple):
    """Which titles teach, which test, and what is redrawn together."""

    teach: Mask
    test: Mask
    group: Ints


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
    made |= {
        "a fifth of the products held out": Split(~held, held, product),
        "a fifth of the titles, at random": Split(~some, some, np.arange(n)),
    }
    return made


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    found = listings(told_by(PRICERUNNER.read(parser.parse_args().data)))
    names, label = np.unique(found.label.astype(str), return_inverse=True)
    product = np.array([int(record.attributes["product"]) for record in found.records])
    texts = np.array([record.title for record in found.records], object)
    x = rows_of(task("category"), found.records)
    for name, (teach, test, group) in splits(found.at_ms, product, found.group).items():
        with tempfile.TemporaryDirectory() as folder:
            model = taught(x[teach], label[teach], len(names), seed=SEED, kept_in=Path(folder))
        hit = {"ours": model.logits(x[test])[:, : len(names)].argmax(axis=1) == label[test]}
        for kind in ("characters", "words"):
            said = words.machine(kind, texts[teach].tolist(), label[teach], texts[test].tolist())
            hit[kind] = said == label[test]
        between = share_interval(hit, group[test], SEED)
        told = (f"{each} {right.mean():.4f} {list(between[each])}" for each, right in hit.items())
        print(f"{name} ({teach.sum():,} teach, {test.sum():,} test): {'; '.join(told)}", flush=True)


if __name__ == "__main__":
    main()

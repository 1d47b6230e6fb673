"""Measures ``copy`` where the card does not: texts under any plan, and by how many listings taught.

``python -m training.checks.copy --data DIR`` first writes of every product of Icecat with enough attributes, in each
language, under plans that are drawn, holds what is written to the checks, and counts values that no attribute says.
Then it prints chrF of titles and offer texts of the products after the card's cut, by how many listings before it
taught, beside the template of the card.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from models.artifact import load_artifact
from models.registry import task
from models.tasks.copy.task import LISTED
from streams.copy.checking import check
from streams.copy.languages import LANGUAGES
from streams.copy.slots import MOST
from streams.copy.writing import Plan, planned, write
from training.chrf import intervals
from training.datasets.icecat import ICECAT
from training.labels.copy import Written, written
from training.networks.slots import network
from training.tasks.copy import SHIPPED, asked, counts_of, targets, taught, template, texts_of
from training.times import parse_time
from training.told import told_by

SEED = 7
FEW = (200, 2_000, 20_000)
#: So many of the products after the cut are written of.
TESTED = 2_000


def drawn(some: Written) -> None:
    """Print what is invented in texts of all products under drawn plans."""
    rng = np.random.default_rng(SEED)
    found, coverage, texts = Counter[str](), list[float](), 0
    for known in some.slots:
        title, offer = (tuple(rng.permutation(MOST)[: rng.integers(0, LISTED + 1)].tolist()) for _ in range(2))
        plan = Plan(title, offer, commas=bool(rng.integers(2)))
        for language in LANGUAGES:
            made = write(known, plan, language)
            texts += len(made)
            for closed in (False, True):
                checked = check(made, known, language, closed=closed)
                found.update(fault.kind for fault in checked.faults)
            coverage.append(checked.coverage)
    share = float(np.mean(coverage))
    print(f"{len(coverage):,} times written, {texts:,} texts: faults {dict(found) or 'none'}, coverage {share:.4f}")


def few(some: Written) -> None:
    """Print chrF by how many listings taught."""
    cut_ms = parse_time(SHIPPED["icecat"])
    before, after = some.take(some.at_ms < cut_ms), some.take(some.at_ms >= cut_ms)
    rng = np.random.default_rng(SEED)
    after = after.take(np.sort(rng.permutation(len(after))[:TESTED]))
    least = load_artifact(task("copy")).card["least"]
    x, y = before.x, targets(before)
    fixed = counts_of(texts_of(after, template(after, (2, 0), True)), after)
    order = rng.permutation(len(before))
    for many in FEW:
        chosen = np.sort(order[:many])
        with tempfile.TemporaryDirectory() as folder:
            chooser = taught(x[chosen], y[chosen], seed=SEED, kept_in=Path(folder))
        model = network(task("copy"), chooser, LISTED, (least["title"], least["offer"]))
        ours = counts_of(texts_of(after, planned(after.slots, asked(model, after.x))), after)
        for name in ("title", "offer"):
            between = intervals({"ours": ours[name], "template": fixed[name]}, np.arange(len(after)), SEED)
            print(f"{len(chosen):,} listings, {name}: {between}", flush=True)


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    some = written(told_by(ICECAT.read(parser.parse_args().data)))
    drawn(some)
    few(some)


if __name__ == "__main__":
    main()

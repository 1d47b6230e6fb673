"""``python -m training.checks.demographics``: can a household's age and size be told from what a worker knows of it?

Complete Journey says both of 801 households. Ours: the embedding of ``behaviour`` and what profiles are made of, as a
worker has them at the end of the history, in a multinomial logistic regression; its strength, and whether shares of
spending stand beside, are chosen on folds within each training part. Beside it: groups of recency, frequency and value
(k-means), a regression on shares of spending whose classes are weighed alike, and LightGBM on all that ours may take.
Five folds that keep the classes' shares, five times, the same for all; macro-F1 of all households at once, its mean
over the five times, and intervals of differences by redrawing households. A JSON object per answer and learner; a
quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.decisions.shopper_profile import OUTPUTS, ShopperProfiles
from streams.features.shopper import CATALOGUE
from training.command import check_installed
from training.datasets import DATASETS
from training.datasets.complete_journey import files, lines_of
from training.datasets.dataset import read_table
from training.job import FeatureRows
from training.progress import progress
from training.redraws import ends, of_rows
from training.replay import SNAPSHOT, replay
from training.source import of_dataset

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: (x of the training part, its classes, x of the rest) → chances of the rest [n, classes]
Learner = Callable[[dict[str, Floats], Ints, dict[str, Floats]], Floats]

DATA = "complete_journey"
ANSWERS = ("age", "household_size")
FOLDS, TIMES, REDRAWS = 5, 5, 500
SEED = 20_261_130
STRENGTHS = (0.003, 0.01, 0.03, 0.1)
INPUTS = (("embedding", "profile"), ("embedding", "profile", "shares"))
GROUPS = 12
RFM = ("orders.days_since_last", "orders.count", "orders.net_spend")


def main() -> None:
    """Measure, and print a JSON object per answer and learner."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.demographics", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder that holds complete_journey/; default: the package's own")
    asked.add_argument("--work", type=Path, default=Path("build/training"))
    given = asked.parse_args()
    check_installed()
    with progress(Console(file=sys.stderr)) as tell:
        x, classes = households(given.data, given.work, tell)
        for name in ANSWERS:
            names, y = np.unique(classes[name], return_inverse=True)
            found = {learner: foretold(learn, x, y, learner, name, tell) for learner, learn in LEARNERS.items()}
            for said in compared(y, found):
                print(json.dumps({"answer": name, "classes": len(names), "households": len(y), **said}), flush=True)


def households(data: Path | None, work: Path, tell: Any) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Of the households whose answers are known: inputs [n, d] by kind, and answers [n] by name."""
    source = of_dataset(DATASETS[DATA], data)
    history, _ = source.load(work, lambda n: tell(f"reading {DATA}", n, None))
    encoder, worth = (Predictor(load_artifact(task(name))) for name in ("behaviour", "value"))
    profile = [a for a in ShopperProfiles.reads if CATALOGUE.features[a].unit not in ("code", "bucket")]
    addresses = tuple(dict.fromkeys((*profile, *RFM, *encoder.features, *worth.features)))
    rows = replay(history, addresses, snapshots_ms=(history.end_ms,), due_points=False, rules=source.rules)
    assert (rows.why == SNAPSHOT).all()
    seen = FeatureRows(history, rows, addresses, (encoder, worth))
    folder = files(data)[0].parent
    told = read_table(folder / "demographics.parquet").sort_values("household_id")
    place = {shopper: i for i, shopper in enumerate(history.shoppers)}
    at = np.array([place[f"household-{i}"] for i in told["household_id"].tolist()])
    row = np.argsort(rows.shopper)[at]
    known = [*profile, *(f"value.{output}" for output in OUTPUTS)]
    lines = lines_of({name: read_table(folder / f"{name}.parquet") for name in ("transactions", "products")})
    spent = lines.pivot_table("paid", "household_id", "product_category", "sum", fill_value=0)
    spent = spent.reindex(told["household_id"]).to_numpy(np.float64)
    x = {
        "embedding": seen.matrix(("behaviour.embedding",))[row].astype(np.float64),
        "profile": np.log1p(np.maximum(seen.matrix(known)[row].astype(np.float64), 0.0)),
        "rfm": np.log1p(seen.matrix(RFM)[row].astype(np.float64)),
        "shares": np.sqrt(spent / np.maximum(spent.sum(axis=1, keepdims=True), 1.0)),
    }
    return x, {name: told[name].astype(str).to_numpy() for name in ANSWERS}


def folds(y: Ints, seed: int, count: int = FOLDS) -> Ints:
    """[n] the fold of each row; each has the classes' shares."""
    rng, found = np.random.default_rng(seed), np.zeros(len(y), np.int64)
    for k in range(int(y.max()) + 1):
        (mine,) = np.nonzero(y == k)
        found[rng.permutation(mine)] = (np.arange(len(mine)) + rng.integers(count)) % count
    return found


def foretold(learn: Learner, x: dict[str, Floats], y: Ints, learner: str, name: str, tell: Any) -> Floats:
    """[times, n, classes] chances that a learner gives each household from the other folds."""
    found = np.zeros((TIMES, len(y), int(y.max()) + 1))
    for r in range(TIMES):
        fold = folds(y, SEED + r)
        for f in range(FOLDS):
            tell(f"{learner} of {name}", r * FOLDS + f, TIMES * FOLDS)
            rest = fold == f
            found[r, rest] = learn(_some(x, ~rest), y[~rest], _some(x, rest))
    return found


def _some(x: dict[str, Floats], which: npt.NDArray[Any]) -> dict[str, Floats]:
    return {kind: values[which] for kind, values in x.items()}


def decided(chances: Floats, y: Ints) -> Ints:
    """[n] the class that is likelier by most than it is at large: rare ones are told as well, which macro-F1 asks."""
    found: Ints = (chances / np.bincount(y, minlength=chances.shape[1])).argmax(axis=1)
    return found


def macro_f1(y: Ints, said: Ints, classes: int) -> float:
    """The mean over classes of the harmonic mean of precision and recall.

    >>> macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    0.6666666666666666
    """
    hit = np.bincount(y[said == y], minlength=classes)
    both = np.bincount(y, minlength=classes) + np.bincount(said, minlength=classes)
    return float(np.mean(2 * hit / np.maximum(both, 1)))


def _regression(x: Floats, y: Ints, rest: Floats, strength: float, alike: bool) -> Floats:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    weight = "balanced" if alike else None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight=weight, max_iter=500))
    found: Floats = model.fit(x, y).predict_proba(rest)
    return found


def ours(x: dict[str, Floats], y: Ints, rest: dict[str, Floats]) -> Floats:
    """The regression whose strength and inputs tell most on folds within the training part, by log-loss."""
    fold = folds(y, SEED, 3)
    losses = {
        (kinds, strength): _loss(_joined(x, kinds), y, fold, strength) for kinds in INPUTS for strength in STRENGTHS
    }
    kinds, strength = min(losses, key=losses.__getitem__)
    return _regression(_joined(x, kinds), y, _joined(rest, kinds), strength, alike=False)


def _joined(x: dict[str, Floats], kinds: tuple[str, ...]) -> Floats:
    return np.concatenate([x[kind] for kind in kinds], axis=1)


def _loss(x: Floats, y: Ints, fold: Ints, strength: float) -> float:
    loss = 0.0
    for f in range(int(fold.max()) + 1):
        chances = _regression(x[fold != f], y[fold != f], x[fold == f], strength, alike=False)
        loss -= float(np.log(chances[np.arange(len(chances)), y[fold == f]]).sum())
    return loss


def shares(x: dict[str, Floats], y: Ints, rest: dict[str, Floats]) -> Floats:
    """A regression on shares of spending; classes weigh alike."""
    found = _regression(x["shares"], y, rest["shares"], 1.0, alike=True) * np.bincount(y)
    normal: Floats = found / found.sum(axis=1, keepdims=True)
    return normal


def groups(x: dict[str, Floats], y: Ints, rest: dict[str, Floats]) -> Floats:
    """How often each class is among the household's group by recency, frequency and value."""
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x["rfm"])
    model = KMeans(GROUPS, n_init=10, random_state=SEED).fit(scaler.transform(x["rfm"]))
    count = np.ones((GROUPS, int(y.max()) + 1))
    np.add.at(count, (model.labels_, y), 1)
    found: Floats = (count / count.sum(axis=1, keepdims=True))[model.predict(scaler.transform(rest["rfm"]))]
    return found


def trees(x: dict[str, Floats], y: Ints, rest: dict[str, Floats]) -> Floats:
    """LightGBM, small."""
    import lightgbm

    both = [_joined(part, INPUTS[-1]) for part in (x, rest)]
    model = lightgbm.LGBMClassifier(
        n_estimators=60, num_leaves=7, learning_rate=0.05, min_child_samples=20, feature_fraction=0.3,
        random_state=SEED, n_jobs=1, verbose=-1, deterministic=True,
    )  # fmt: skip
    found: Floats = np.asarray(model.fit(both[0], y).predict_proba(both[1]), np.float64)
    return found


LEARNERS: dict[str, Learner] = {"ours": ours, "shares": shares, "groups": groups, "lightgbm": trees}


def compared(y: Ints, found: dict[str, Floats]) -> list[dict[str, Any]]:
    """By learner: macro-F1, how far chances are off, and what ours is ahead by, with its 95% interval."""
    classes = int(y.max()) + 1
    said = {name: [decided(one, y) for one in each] for name, each in found.items()}
    drawn = list(of_rows(len(y), SEED, REDRAWS))

    def score(name: str, some: Ints) -> float:
        return float(np.mean([macro_f1(y[some], one[some], classes) for one in said[name]]))

    redrawn = {name: np.array([score(name, some) for some in drawn]) for name in found}
    told = []
    for name, each in found.items():
        sure, hit = each.max(axis=2), each.argmax(axis=2) == y
        told.append(
            {
                "learner": name,
                "macro_f1": round(score(name, np.arange(len(y))), 4),
                "accuracy": round(float(hit.mean()), 4),
                "majority": round(float(np.bincount(y).max() / len(y)), 4),
                "log_loss": round(float(-np.log(each[:, np.arange(len(y)), y]).mean()), 4),
                "over_confident": round(float(sure.mean() - hit.mean()), 4),
                "ours_less_this": round(score("ours", np.arange(len(y))) - score(name, np.arange(len(y))), 4),
                "ours_less_this_95": list(ends(redrawn["ours"] - redrawn[name])),
            }
        )
    return told


if __name__ == "__main__":
    main()

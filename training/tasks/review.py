"""Trains ``review``: whether readers find a review more helpful than most reviews of its item.

What ships learned from reviews of women's clothes and the votes of their readers: a logistic regression on the grams
and on how many there are, its strength chosen on items among those that teach. One in five items teaches nothing, so
that the card can say what it knows of items that are new to it. What a review says of which aspect is no model's
answer: rules read that (``streams/reviews``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from xxhash import xxh32_intdigest

from models.artifact import Artifact
from streams.columns.arrays import Bools
from streams.monitoring.quality import auc
from streams.reviews.aspects import read
from training import export
from training.baselines import words
from training.evaluate import compare, importance
from training.fit import seed_everything
from training.job import Job
from training.judging import judging
from training.labels.helpful import voted
from training.labels.listings import Labelled
from training.needs import Need, TooLittle
from training.networks.bag import Bag, Rounded, chances, even, rarity, texts_of
from training.networks.inputs import rows_of
from training.split import window
from training.told import Told

Rows32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

ABOUT = "item"
#: Four in five reviews teach.
SHIPPED = {"womens_clothing_reviews": "2019-01-13T13:48:00+00:00"}
SIZE = 1 << 17
#: One in so many items teaches nothing.
HELD_OUT = 5
#: Of the others, one in so many chooses.
CHOOSES = 6
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
FEW = "Measured with some 14,000 only."


def voted_before(told: Told, cut_ms: int) -> int:
    """Reviews with votes before the cut."""
    return int((voted(told).at_ms < cut_ms).sum())


def voted_after(told: Told, cut_ms: int) -> int:
    """Reviews with votes after the cut."""
    return int((voted(told).at_ms >= cut_ms).sum())


NEEDS = (
    Need("reviews with helpful_votes, of items with five or more, before the cut", voted_before, 500, 10_000, FEW),
    Need("reviews with helpful_votes, of items with five or more, after the cut", voted_after, 100, 2_000, FEW),
)


def drawn(found: Labelled, salt: str, one_in: int) -> Bools:
    """[k] whether a review is of one of the items that are drawn, one in so many."""
    return np.array([xxh32_intdigest(salt + record.item_id) % one_in == 0 for record in found.records], np.bool_)


def length(many: npt.NDArray[np.int64]) -> Floats:
    """[n] the logarithm of how many grams a review has, about 0 of a usual one."""
    return np.log1p(many.astype(np.float64)) - 4.5


def many_of(x: Rows32) -> npt.NDArray[np.int64]:
    """[n] how many grams."""
    return np.asarray((x > 0).sum(axis=1), np.int64)


def _chance() -> Any:
    import keras
    from keras import ops

    class Chance(keras.layers.Layer):  # type: ignore[misc]
        """What the grams say and ``by_length`` [width + 1], what each number of grams says, as a chance. Looked up: a
        logarithm has other last bits alone than in a batch."""

        def __init__(self, by_length: Rows32, **more: Any) -> None:
            super().__init__(**more)
            self._by_length = by_length

        def call(self, said: Any, row: Any) -> Any:
            many = ops.sum(ops.cast(row > 0, "int32"), axis=1, keepdims=True)
            return ops.sigmoid(said + ops.take(ops.convert_to_tensor(self._by_length), many, axis=0))

    return Chance


@dataclass(frozen=True)
class Fitted:
    """A logistic regression on a review's grams, each as it weighs, and on how many there are."""

    weight: Rows32
    """[SIZE + 1] how much each place counts."""
    table: Floats
    """[SIZE + 1] what it says."""
    longer: float
    bias: float

    def logit(self, x: Rows32) -> Floats:
        """[n] what it says of reviews."""
        found: Floats = (
            texts_of(x, self.weight, by_count=True) @ self.table + self.longer * length(many_of(x)) + self.bias
        )
        return found


def fitted(x: Rows32, y: Floats, strength: float) -> Fitted:
    """The regression; ``strength``: how strongly its weights may speak (scikit-learn's C)."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    weight = even(rarity(x, SIZE), x)
    texts = sparse.hstack([texts_of(x, weight, by_count=True), length(many_of(x))[:, None]]).tocsr()
    found = LogisticRegression(C=strength, max_iter=500).fit(texts, y > 0.5)
    return Fitted(weight, found.coef_[0, :-1], float(found.coef_[0, -1]), float(found.intercept_[0]))


def network(found: Fitted, width: int) -> Any:
    """The one that is proven and exported: [n, width] → [n, 1] how likely a review is found helpful."""
    import keras

    row = keras.Input((width,), name="features", dtype="float32")
    bag = Bag(found.weight, 1, 0.0, by_count=True)
    bag(row)
    bag.table.assign(found.table[:, None].astype(np.float32))
    by_length = found.longer * length(np.arange(width + 1)) + found.bias
    chance = _chance()(by_length.astype(np.float32), name="helpful")
    return keras.Model(row, chance(Rounded(bag)(row), row))


def train(job: Job) -> Artifact:
    """Train on the reviews before the cut of items that may teach, measure on all others beside the baselines, export
    and prove."""
    seed_everything(job.seed)
    job.tell("reading reviews", 0, None)
    parts = [(given, voted(given.history)) for given in job.told]
    found = [each for _, each in parts]
    x = [rows_of(job.task, each.records) for each in found]
    teaches = [
        (each.at_ms < given.cut_ms) & ~drawn(each, "held out", HELD_OUT)
        for (given, _), each in zip(parts, found, strict=True)
    ]
    chooses = np.concatenate(
        [drawn(each.take(some), "chooses", CHOOSES) for each, some in zip(found, teaches, strict=True)]
    )
    taught = np.concatenate([rows[some] for rows, some in zip(x, teaches, strict=True)])
    label = np.concatenate([each.label[some] for each, some in zip(found, teaches, strict=True)])
    if min(label.sum(), len(label) - label.sum()) < 1:
        raise TooLittle("No review before the cut has more votes than others: there is nothing to tell apart.")
    strength = _chosen(job, taught, label, chooses)
    job.tell("fitting a regression", 0, None)
    model = network(fitted(taught, label, strength), taught.shape[1])
    answer = partial(chances, model)
    metrics, tests = {}, []
    widths = list(zip(job.task.features, export.widths(job.task), strict=True))
    for (given, each), rows, some in zip(parts, x, teaches, strict=True):
        test = ~some
        scores = {"ours": answer(rows[test]).astype(np.float64)}
        if job.champion is not None:
            scores["champion"] = job.champion.score(rows[test])["helpful"]
        job.tell("fitting baselines", 0, None)
        scores |= baselines(each, some)
        new = {"other items": drawn(each, "held out", HELD_OUT)[test]}
        compared = compare(each.label[test], scores, each.group[test], new, job.seed)
        compared["importance"] = importance(answer, rows[test], each.label[test], widths, job.seed)
        metrics[given.name] = {"helpful": compared}
        tests.append(rows[test])
    taught_by = [record for each, some in zip(found, teaches, strict=True) for record in each.take(some).records]
    task = judging(job.task, taught_by)
    golden = np.concatenate(tests)
    golden = golden[np.random.default_rng(job.seed).permutation(len(golden))[:96]]
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on reviews before the cut, but for those of one in five items, drawn by their ids; "
            f"tested on all others; strength C = {strength:g}, chosen on one in six of the items that teach",
            "windows": {given.name: window(given.history, given.cut_ms) for given, _ in parts},
            "rows": {
                given.name: {"trained on": int(some.sum()), "tested on": int((~some).sum())}
                for (given, _), some in zip(parts, teaches, strict=True)
            },
        },
        "seed": job.seed,
        "metrics": metrics,
        "baselines": "Logistic regressions on the logarithm of the number of words; on that and how many aspects the "
        "rules find praised and criticised; on TF-IDF of words and pairs of words.",
        "intended_use": "Which reviews of an item are quoted first. No reason to hide a review.",
        "limits": "Learned from English reviews of clothes, whose votes grow with the time that a review was there, "
        "which the data do not say. Of other trades it mostly goes by length; reviews in other languages are not "
        "judged.",
    }
    onnx = export.to_onnx(model, job.task)
    return export.proven(task, onnx, lambda rows: {"helpful": answer(rows)}, golden, taught, card)


def _chosen(job: Job, x: Rows32, y: Floats, chooses: Bools) -> float:
    """How strongly weights may speak: by the AUC on items that choose; the middle where none can."""
    if min(len(np.unique(y[chooses])), len(np.unique(y[~chooses]))) < 2:
        return STRENGTHS[len(STRENGTHS) // 2]
    scores = []
    for k, strength in enumerate(STRENGTHS):
        job.tell("choosing", k, len(STRENGTHS))
        scores.append(auc(y[chooses], fitted(x[~chooses], y[~chooses], strength).logit(x[chooses])))
    return STRENGTHS[int(np.argmax(scores))]


def baselines(found: Labelled, teaches: Bools) -> dict[str, Floats]:
    """What regressions say of the reviews that do not teach."""
    from sklearn.linear_model import LogisticRegression

    texts = ["\n".join(text for text in (r.title, r.text) if text) for r in found.records]
    many = np.log1p([len(text.split()) for text in texts])[:, None]
    told = [len(read(r.title, r.text, r.language).told) for r in found.records]
    scores = {}
    for name, of in (("length", many), ("length and aspects", np.column_stack([many, told]))):
        fitted = LogisticRegression().fit(of[teaches], found.label[teaches] > 0.5)
        scores[name] = fitted.predict_proba(of[~teaches])[:, 1]
    taught = [text for text, some in zip(texts, teaches.tolist(), strict=True) if some]
    tests = [text for text, some in zip(texts, teaches.tolist(), strict=True) if not some]
    scores["TF-IDF of words"] = words.chance("words", taught, found.label[teaches], tests, False)
    return scores

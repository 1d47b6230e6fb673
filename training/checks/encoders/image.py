"""Pictures: what linear classifiers say of an encoder's vectors, beside the network that ships."""

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
from streams.settings import Settings
from training.baselines.pictures import alike
from training.checks.image import SETS, divided
from training.evaluate import share_interval
from training.labels.pictures import pictures, points
from training.source import of_name

DATA = "grocery_store"
#: How little a support vector machine is held back; the pictures that choose say how much.
FREEDOM = (0.1, 1.0, 10.0)
Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def shown_by(folder: Path, encoder: Encoder, seed: int) -> Iterator[dict[str, Any]]:
    """On Grocery Store's own lists: the share of classes, and of coarse ones, that are right first."""
    told, _ = of_name(DATA, folder, Settings(), "item").load(Path("build/training"), lambda _: None)
    shown = pictures(told)
    names, label, teach, choose, test = divided(shown, SETS[DATA].cut)
    seen = points(shown.found.records)
    # As what ships looks: at each picture and its mirror image.
    vectors = encoder.pictures(seen) + encoder.pictures(seen[:, :, ::-1])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    right = {
        each: float((machine(vectors[teach], label[teach], vectors[choose], each) == label[choose]).mean())
        for each in FREEDOM
    }
    best = max(right, key=lambda each: right[each])
    yield {"encoder": encoder.name, "right_of_those_that_choose": {f"{c:g}": round(r, 4) for c, r in right.items()}}
    learned = np.concatenate([teach, choose])
    said = {
        "ours": shipped(seen[test], names),
        encoder.name: machine(vectors[learned], label[learned], vectors[test], best),
    }
    above = dict(zip(label.tolist(), shown.parent.tolist(), strict=True))
    coarse = np.unique([above[i] for i in range(len(names))], return_inverse=True)[1]
    for which, of in (("fine", np.arange(len(names))), ("coarse", coarse)):
        truth = _among(of, label[test])
        hit = {name: _among(of, each) == truth for name, each in said.items()}
        yield {
            "classes": which,
            "rows": len(test),
            "right": {name: round(float(each.mean()), 4) for name, each in hit.items()},
            "right_95": share_interval(hit, np.arange(len(test)), seed),
        }
    yield {"recall_10": round(float(np.nanmean(alike(vectors[test], label[test])["recall"])), 4)}


def _among(coarse: Ints, place: Ints) -> Ints:
    """[n] the class above each, -1 of those that are of none."""
    return np.where(place >= 0, coarse[np.maximum(place, 0)], -1)


def machine(teach: Vectors, label: Ints, asked: Vectors, freedom: float) -> Ints:
    """[n] the class that a linear support vector machine gives each."""
    from sklearn.svm import LinearSVC

    return np.asarray(LinearSVC(C=freedom, max_iter=2000).fit(teach, label).predict(asked), np.int64)


def shipped(seen: npt.NDArray[np.uint8], names: list[str]) -> Ints:
    """[n] the place among ``names`` of what the network that ships says; -1 where it says nothing, or another."""
    model = Predictor(load_artifact(task("image")))
    rows = seen.reshape(len(seen), -1).astype(np.float32) / np.float32(255)
    place = {name: i for i, name in enumerate(names)}
    first = model.score(rows)["shown"][:, 0].astype(np.int64)
    return np.array([place.get(model.names[each], -1) if each >= 0 else -1 for each in first.tolist()], np.int64)

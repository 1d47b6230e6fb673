"""Trains ``image``: what the picture of a listing shows, and what it is like.

What ships learned photos of groceries, on the official lists: those that teach and choose are before the cut, those
that test after it. The last tenth before the cut teaches nothing: it chooses by what logits are divided, from which
confidence on the network is sure, and how unlike what taught it a picture must be for it to name no class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.task import Task
from models.tasks.image.task import LISTED
from training import export
from training.baselines import pictures as baselines
from training.evaluate import compare, importance, share_interval, top_k
from training.fit import Schedule, Tell, fit, seed_everything
from training.job import CutTold, Job
from training.labels.listings import Shown
from training.labels.pictures import pictures, points
from training.needs import Need, TooLittle
from training.networks.familiar import Familiar
from training.networks.inputs import rows_of
from training.networks.pictures import Shape, Variation, answering, body, folded, pooled, varied
from training.split import before_and_after, window
from training.sureness import Promise, names_of, sure_from, sureness, temperature
from training.told import Told

Rows32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ABOUT = "item"
SHIPPED = {"grocery_store": "2019-01-03"}
#: Clothes that only test whether it names no class.
MEASURED = {"fashion_mnist": "2017-08-02"}
#: A version knows at most so many classes, those with most pictures, each of so many pictures at least.
MOST_CLASSES, LEAST_PICTURES = 200, 5
#: The last so many of the pictures before the cut choose.
VALIDATION_SHARE = 0.1
PROMISE = Promise(share=0.6, least_rows=20, first=10, rounds=400)
#: Small pictures first, of which an epoch costs a ninth; then larger ones.
PHASES = (
    (32, Schedule(epochs=30, batch=64, rate=3e-3, weight_decay=5e-2, average=0.99)),
    (48, Schedule(epochs=20, batch=64, rate=2e-3, weight_decay=5e-2, average=0.99)),
    (96, Schedule(epochs=8, batch=64, rate=1e-3, weight_decay=5e-2, average=0.99)),
)
#: How much of what a picture shows is given to the classes beside its own, and to all.
BESIDE, ANYTHING = 0.15, 0.05
#: Linear classifiers learn at most so many pictures.
LINEAR_ROWS = 6_000
GOLDEN = 12
FEW = "With 33 photos of a class some 6 in 10 are right first (docs/models.md)."


def known(told: Told, cut_ms: int) -> int:
    """Pictures before the cut whose class is known."""
    return pictures(told).found.known(cut_ms)


def tested(told: Told, cut_ms: int) -> int:
    """Pictures after it."""
    return pictures(told).found.tested(cut_ms)


NEEDS = (
    Need("items listed before the cut with picture and category", known, 100, 5_000, FEW, together=True),
    Need(
        "items first pictured after the cut, with category", tested, 50, 500,
        "With 100 the share that is right is sure to 0.1.", together=True,
    ),
)  # fmt: skip


def targets(label: Ints, parent: npt.NDArray[Any], classes: int) -> Rows32:
    """[classes, classes] what is to be said of a picture of each class: some of it falls to the classes that stand
    beside it under one category, some to all."""
    above = np.array(["" for _ in range(classes)], object)
    above[label] = parent
    beside = (above[:, None] == above[None]) & (above != "")[None] | np.eye(classes, dtype=bool)
    found = BESIDE * beside / beside.sum(axis=1, keepdims=True) + ANYTHING / classes
    return (found + (1 - BESIDE - ANYTHING) * np.eye(classes)).astype(np.float32)


def taught(
    seen: npt.NDArray[np.uint8], label: Ints, wanted: Rows32, *, seed: int, kept_in: Path,
    tell: Tell = lambda _stage, _done, _total: None, shape: Shape = Shape(), how: Variation = Variation(),  # noqa: B008
    phases: tuple[tuple[int, Schedule], ...] | None = None, after: Callable[[Any, int], None] = lambda _n, _side: None,
) -> Any:  # fmt: skip
    """A network of pictures [n, 96, 96, 3] and places of classes, ``folded``. ``wanted``: see ``targets``.
    ``after(network, side)`` is called after each epoch, which pictures of so many points a side taught."""
    import tensorflow as tf

    seed_everything(seed)
    network = body(shape, len(wanted))
    soft = wanted[label]

    def loss(answers: Any, _x: Any, soft: Any) -> Any:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(soft, answers[0]))

    for side, schedule in phases or PHASES:
        small = pooled(seen, side)
        fit(
            network, lambda rng, small=small: (varied(small, how, rng), soft), loss, schedule,  # type: ignore[misc]
            seed=seed, kept_in=kept_in, tell=tell, stage=f"training on {side} points",
            after=lambda _epochs, side=side: after(network, side),  # type: ignore[misc]
        )  # fmt: skip
    return folded(network, shape, len(wanted))


def looked(plain: Any, seen: npt.NDArray[np.uint8], shape: Shape) -> tuple[Floats, Rows32]:
    """(logits [n, classes], what is seen [n, k]) of pictures, the mean of each and its mirror image."""
    small = pooled(seen, shape.side)
    one, other = (plain.predict(x, batch_size=256, verbose=0) for x in (small, small[:, :, ::-1]))
    return (one[0].astype(np.float64) + other[0]) / 2, (one[2] + other[2]) / 2


@dataclass(frozen=True)
class Part:
    """A history's pictures. ``label`` [k]: places of classes; -1: one that no answer can name."""

    given: CutTold
    shown: Shown
    label: Ints

    @property
    def before(self) -> Bools:
        return np.asarray(self.shown.found.at_ms < self.given.cut_ms)

    def take(self, chosen: Any) -> Part:
        """Some of them."""
        return replace(self, shown=self.shown.take(chosen), label=self.label[chosen])


def part_of(given: CutTold, shown: Shown, names: list[str]) -> Part:
    """What was given of the classes ``names``, and what came after its cut of others."""
    place = {name: i for i, name in enumerate(names)}
    label = np.array([place.get(name, -1) for name in shown.found.label.tolist()], np.int64)
    part = Part(given, shown, label)
    return part.take((label >= 0) | (~part.before & (shown.found.label != "")))


def divided(parts: Sequence[Part], classes: int) -> tuple[list[Part], list[Part], Rows32]:
    """What was before the cuts: what teaches, the last tenth of each part, which chooses, and what is to be said of
    each class (``targets``)."""
    teach, choose, before = list[Part](), list[Part](), [np.flatnonzero(part.before) for part in parts]
    for part, some in zip(parts, before, strict=True):
        held = len(some) - int(len(some) * VALIDATION_SHARE)
        teach.append(part.take(some[:held]))
        choose.append(part.take(some[held:]))
    label = np.concatenate([part.label[some] for part, some in zip(parts, before, strict=True)])
    parent = np.concatenate([part.shown.parent[some] for part, some in zip(parts, before, strict=True)])
    return teach, choose, targets(label, parent, classes)


def train(job: Job) -> Artifact:
    """Train on what was listed before the cut, measure on what came after it beside the baselines, export and prove."""
    shape = Shape()
    read = [(given, pictures(given.history)) for given in job.told]
    early = np.concatenate([shown.found.label[shown.found.at_ms < given.cut_ms] for given, shown in read])
    names = names_of(early, MOST_CLASSES, LEAST_PICTURES)
    if len(names) < 2:
        raise TooLittle("Before the cut there are fewer than two classes of 5 pictures: there is nothing to choose.")
    parts = [part_of(given, shown, names) for given, shown in read]
    teach, choose, wanted = divided(parts, len(names))
    seen = np.concatenate([points(part.shown.found.records) for part in teach])
    label = np.concatenate([part.label for part in teach])
    plain = taught(seen, label, wanted, seed=job.seed, kept_in=job.kept_in, tell=job.tell, shape=shape)
    held_seen = np.concatenate([points(part.shown.found.records) for part in choose])
    held_label = np.concatenate([part.label for part in choose])
    logits, held_look = looked(plain, held_seen, shape)
    by, familiar = temperature(logits, held_label), Familiar.of(looked(plain, seen, shape)[1], label, held_look)
    network = answering(plain, job.task, shape, LISTED, by, familiar)
    answer = partial(answer_of, network, job.task)
    said = asked(answer, job.task, [r for part in choose for r in part.shown.found.records])
    held_group = np.concatenate([part.shown.found.group for part in choose])
    least = sure_from(
        said["confidence"].astype(np.float64), said["shown"][:, 0] == held_label, held_group, job.seed, PROMISE
    )
    metrics, sure, golden = {}, dict[str, Any](), list[Any]()
    for part in parts:
        after = part.take(~part.before)
        job.tell(f"measuring on {part.given.name}", 0, None)
        metrics[part.given.name], sure[part.given.name] = _measured(job, answer, names, (seen, label), after, least)
        golden += after.shown.found.records
    for given in job.told_measured:
        job.tell(f"measuring on {given.name}", 0, None)
        sure[given.name] = foreign(answer, job, given, pictures(given.history), least)
    order = np.random.default_rng(job.seed).permutation(len(golden))
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on pictures listed before the cut, of which the last tenth only chose; tested on those "
            "listed after it",
            "windows": {part.given.name: window(part.given.history, part.given.cut_ms) for part in parts},
            "rows": {part.given.name: before_and_after(part.before) for part in parts},
        },
        "seed": job.seed,
        "metrics": metrics,
        "baselines": "Linear classifiers (ridge regression, its penalty chosen left one out) on a histogram of 64 "
        "colours by quarters, on HOG (cells of 8 points, nine directions), and on both, taught by the same pictures; "
        "of similar pictures the cosine of the same numbers.",
        "intended_use": "A second look at what a listing says it shows, and similar items to show beside one. Below "
        "the confidence from which it is sure it says unsure. It overwrites nothing.",
        "limits": "It knows the classes of its names and no others. Of a picture that is unlike all that taught it, it "
        "names none; most pictures of other things are, not all (sure, named), and some of its own. It was taught by "
        "photos taken in shops, not by those of catalogues on white. Its embedding compares pictures of one version "
        "only.",
        "names": names,
        "sure": {
            "from": least,
            "promised": PROMISE.share,
            "temperature": round(by, 4),
            "named_from": round(familiar.least, 6),
            "tests": sure,
        },
    }
    onnx = export.to_onnx(network, job.task, half=True)
    rows = rows_of(job.task, [golden[i] for i in order[:GOLDEN].tolist()])
    typical = rows_of(job.task, teach[0].shown.found.records[:200])
    return export.proven(job.task, onnx, answer, rows, typical, card)


def answer_of(network: Any, task: Task, rows: Rows32) -> dict[str, Rows32]:
    """What a network answers of rows, by output."""
    found = network.predict(rows, batch_size=64, verbose=0)
    named = dict(zip(task.output_names, found, strict=True))
    return named | {"confidence": named["confidence"].reshape(-1)}


def asked(answer: Any, task: Task, records: list[Any]) -> dict[str, Rows32]:
    """What is answered of records, some at a time: a row of a picture takes 108 KiB."""
    found = [answer(rows_of(task, records[at : at + 500])) for at in range(0, len(records), 500)]
    return {name: np.concatenate([each[name] for each in found]) for name in task.output_names}


def foreign(answer: Any, job: Job, given: CutTold, shown: Shown, least: float | None) -> dict[str, Any]:
    """What a card says of things after a cut that are of none of the classes: of how many it was sure, and of how many
    it named a class."""
    some = shown.take(shown.found.at_ms >= given.cut_ms).found
    said = asked(answer, job.task, some.records)
    confidence, named = said["confidence"].astype(np.float64), said["shown"][:, 0] >= 0
    return sureness(confidence, None, some.group, least, job.seed, named)


def _measured(
    job: Job, answer: Any, names: list[str], teach: tuple[npt.NDArray[np.uint8], Ints], after: Part, least: float | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a card says of a history after its cut: metrics, and of how many it was sure."""
    found, wanted = after.shown.found, after.label
    said, test = asked(answer, job.task, found.records), points(found.records)
    place = said["shown"] == wanted[:, None]
    ranks = {"ours": np.where(place.any(axis=1), place.argmax(axis=1), -1)}
    like = {"ours": said["embedding"]}
    champion = job.champion
    if champion is not None and list(champion.names) == names:
        theirs = asked(champion.score, job.task, found.records)
        ranks["champion"] = np.where(theirs["shown"][:, 0] == wanted, 0, -1)
        like["champion"] = theirs["embedding"]
    some = np.random.default_rng(job.seed).permutation(len(teach[1]))[:LINEAR_ROWS]
    for called, kind in baselines.KINDS.items():
        job.tell(f"fitting a linear classifier on {called}", 0, None)
        like[called] = kind(test)
        ranks[called] = np.where(baselines.linear(kind(teach[0][some]), teach[1][some], like[called]) == wanted, 0, -1)
    alike = {name: baselines.alike(values, wanted) for name, values in like.items()}
    shown: dict[str, dict[str, float]] = {}
    for name, rank in ranks.items():
        # Three classes are listed, of what is not ours one.
        first = top_k(rank)
        shown[name] = {"rows": first["rows"], "top_1": first["top_1"]}
        if name == "ours":
            shown[name]["top_3"] = first["top_5"]
        shown[name]["recall_10"] = round(float(np.nanmean(alike[name]["recall"])), 4)
    right, confidence = ranks["ours"] == 0, said["confidence"].astype(np.float64)
    hit = {name: rank == 0 for name, rank in ranks.items()}
    told = sureness(confidence, right, found.group, least, job.seed, said["shown"][:, 0] >= 0)
    confident = compare(right.astype(np.float64), {"ours": confidence}, found.group, {}, job.seed)
    rows = rows_of(job.task, found.records[:200])
    widths = list(zip(job.task.features, export.widths(job.task), strict=True))
    confident["importance"] = importance(
        lambda x: answer(x)["confidence"], rows, right[:200].astype(np.float64), widths, job.seed
    )
    shares = share_interval(hit, found.group, job.seed)
    classes = {"segments": {"all": {"models": shown, "top_1_95": shares}}}
    return {"shown": classes, "confidence": confident}, told

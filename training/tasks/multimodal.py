"""Trains ``multimodal``: what an item is and what it is like, by what there is of its words, picture and sound.

What ships learned photos of groceries with titles and spoken digits that were paired with them (``grocery_listings``
says how), on the official lists. The last tenth before the cut chooses how much each branch counts, from which
confidence on the network is sure, with three in ten modalities missing, and how unlike what taught it a picture or
sound must be for it to count as not there. It is measured beside branches that were taught alone, and beside these
fused late: their chances multiplied, their embeddings side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.multimodal.task import LISTED, MODALITIES
from training import export
from training.baselines.pictures import alike
from training.evaluate import compare, importance, share_interval
from training.fit import Schedule, Tell, fit, seed_everything
from training.job import Job
from training.labels.modalities import Modalities, listings, modalities
from training.needs import Need, TooLittle
from training.networks.inputs import rows_of
from training.networks.pictures import pooled
from training.split import before_and_after, window
from training.sureness import Promise, names_of, sure_from, sureness
from training.tasks.image import Part, answer_of, asked, divided, foreign, part_of
from training.told import Told

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ABOUT = "item"
SHIPPED = {"grocery_listings": "2019-01-03"}
#: Pictures of clothes, and titles of electronics, that only test whether it names no class.
MEASURED = {"fashion_mnist": "2017-08-02", "pricerunner": "2019-08-16"}
MOST_CLASSES, LEAST_LISTINGS = 200, 5
PROMISE = Promise(share=0.8, least_rows=20, first=10, rounds=400)
#: Small pictures first, as ``image`` learns.
PHASES = (
    (32, Schedule(epochs=30, batch=64, rate=3e-3, weight_decay=5e-2, average=0.99)),
    (48, Schedule(epochs=15, batch=64, rate=2e-3, weight_decay=5e-2, average=0.99)),
    (96, Schedule(epochs=5, batch=64, rate=1e-3, weight_decay=5e-2, average=0.99)),
)
#: How often all that there is of a listing teaches together; else each is left out with a chance of a half.
WHOLE, LEFT_OUT = 0.4, 0.5
#: How much it counts what branches say together, beside what each says alone: a picture that taught is known by heart,
#: so that beside it words and sounds would learn nothing.
TOGETHER = 0.3
#: Shares of modalities that are missing where weights and threshold are chosen, and in the tests of ``MISSING``.
CHOSEN_MISSING, MISSING = 0.3, (0.3, 0.5)
#: So many draws of what is missing.
DRAWS = 5
GOLDEN = 16
FEW = "With 33 listings of a class some 9 in 10 are right first where nothing is missing (docs/models.md)."


def known(told: Told, cut_ms: int) -> int:
    """Listings before the cut whose class is known."""
    return listings(told).found.known(cut_ms)


def tested(told: Told, cut_ms: int) -> int:
    """Listings after it."""
    return listings(told).found.tested(cut_ms)


NEEDS = (
    Need(
        "items listed before the cut with category and a title, picture or sound", known, 100, 5_000, FEW, together=True
    ),
    Need(
        "items first listed after the cut, with category", tested, 50, 500,
        "With 100 the share that is right is sure to 0.1.", together=True,
    ),
)  # fmt: skip


def taught(
    x: Modalities, label: Ints, wanted: Rows32, *, seed: int, kept_in: Path, called: str = "training",
    some: tuple[int, ...] = (0, 1, 2), tell: Tell = lambda _stage, _done, _total: None,
    phases: tuple[tuple[int, Schedule], ...] | None = None,
) -> Any:  # fmt: skip
    """A ``Taught`` of listings and places of classes. ``wanted``: see ``image.targets``; ``some``: the modalities that
    it knows."""
    import tensorflow as tf

    from training.networks.modalities import PICTURE, Taught, branches, left_out, rows

    seed_everything(seed)
    learned = branches(x, len(wanted), some)
    soft = wanted[label]
    mine = np.zeros(x.has.shape[1], np.bool_)
    mine[list(some)] = True
    has = x.has & mine
    there = has[:, list(some)].astype(np.float32)

    def loss(answers: Any, _x: Any, soft: Any, there: Any) -> Any:
        of = [tf.nn.softmax_cross_entropy_with_logits(soft, logits) for logits in answers]
        alone = sum(there[:, k] * each for k, each in enumerate(of[1:]))
        return tf.reduce_mean(TOGETHER * of[0] + alone)

    def examples(small: Rows32, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        kept = np.where(rng.random((len(x), 1)) < WHOLE, has, left_out(has, LEFT_OUT, rng))
        return rows(x, kept, small, some, rng), soft, there

    for side, schedule in phases or PHASES:
        small = pooled(x.points, side) if PICTURE in some else np.zeros((0,), np.float32)
        network = learned.learning(x.grams.shape[1], side)
        fit(
            network, partial(examples, small), loss, schedule, seed=seed, kept_in=kept_in, tell=tell,
            stage=f"{called} on {side} points",
        )  # fmt: skip
    return Taught.of(learned)


@dataclass(frozen=True)
class Judge:
    """What says of listings, of which some modalities are kept, which class they are and what they are like."""

    logits: npt.NDArray[np.float64]
    """[n, classes]; all 0 where nothing is known."""
    like: Rows32
    """[n, k]; all 0 where nothing is known."""


def together(model: Any, said: Rows32, kept: Bools) -> Judge:
    """What a network says of listings by what its branches ``said`` [n, 3, k] of those ``kept`` [n, 3]."""
    some = said * kept[:, :, None]
    return Judge(model.logits(some), some.sum(axis=1))


def late(alone: list[Any], said: list[Rows32], kept: Bools) -> Judge:
    """The same of branches that were taught alone: their chances multiplied, their embeddings side by side."""
    logits = np.zeros((len(kept), alone[0].directions.shape[1]))
    like = []
    for m, (model, each) in enumerate(zip(alone, said, strict=True)):
        one = together(model, each, kept & (np.arange(kept.shape[1]) == m))
        surprise = np.log(np.exp(one.logits - one.logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
        logits += one.logits - one.logits.max(axis=1, keepdims=True) - surprise
        like.append(one.like / np.maximum(np.linalg.norm(one.like, axis=1, keepdims=True), 1e-9))
    return Judge(logits, np.concatenate(like, axis=1))


def patterns(has: Bools, seed: int) -> dict[str, Bools]:
    """By name, what is kept [n, 3] of what there is: all, each subset, and with shares missing."""
    names, found = list(MODALITIES), {"all": has}
    for code in range(1, (1 << len(names)) - 1):
        mine = np.array([code >> m & 1 for m in range(len(names))], np.bool_)
        found[" and ".join(name for name, is_mine in zip(names, mine, strict=True) if is_mine)] = has & mine
    from training.networks.modalities import left_out

    for share in MISSING:
        found[f"{share:.0%} missing"] = left_out(has, share, np.random.default_rng([seed, int(100 * share)]))
    return found


def train(job: Job) -> Artifact:
    """Train on what was listed before the cut, measure on what came after it beside the baselines, export and prove."""
    read = [(given, listings(given.history)) for given in job.told]
    early = np.concatenate([shown.found.label[shown.found.at_ms < given.cut_ms] for given, shown in read])
    names = names_of(early, MOST_CLASSES, LEAST_LISTINGS)
    if len(names) < 2:
        raise TooLittle("Before the cut there are fewer than two classes of 5 listings: there is nothing to choose.")
    parts = [part_of(given, shown, names) for given, shown in read]
    teach, choose, wanted = divided(parts, len(names))
    x, label = _records(teach), np.concatenate([part.label for part in teach])
    learn = partial(taught, x, label, wanted, seed=job.seed, kept_in=job.kept_in, tell=job.tell)
    held_x, held_label = _records(choose), np.concatenate([part.label for part in choose])
    held_group = np.concatenate([part.shown.found.group for part in choose])
    ours = _weighed(learn().knowing(x, label, held_x), held_x, held_label, job.seed)
    alone = [
        _weighed(learn(some=(m,), called=f"training {name} alone"), held_x, held_label, job.seed)
        for m, name in enumerate(MODALITIES)
    ]
    kept = [_chosen(held_x.has, job.seed, k) for k in range(DRAWS)]
    said = ours.said(held_x)
    judged = [together(ours, said, each) for each in kept]
    confidence = np.concatenate([_chances(each).max(axis=1) for each in judged])
    right = np.concatenate([each.logits.argmax(axis=1) == held_label for each in judged])
    least = sure_from(confidence, right, np.tile(held_group, DRAWS), job.seed, PROMISE)
    # The best of what is there, where only one may say something: by what each was right of.
    best = sorted(range(len(alone)), key=lambda m: -_right(alone[m], held_x, held_label))
    network = ours.network(job.task, LISTED)
    answer = partial(answer_of, network, job.task)
    metrics, sure, golden = {}, dict[str, Any](), list[Any]()
    for part in parts:
        after = part.take(~part.before)
        job.tell(f"measuring on {part.given.name}", 0, None)
        metrics[part.given.name], tests = _measured(job, answer, names, ours, alone, best, after, least)
        sure |= tests
        golden += after.shown.found.records
    for given in job.told_measured:
        job.tell(f"measuring on {given.name}", 0, None)
        sure[given.name] = foreign(answer, job, given, listings(given.history), least)
    order = np.random.default_rng(job.seed).permutation(len(golden))
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on items listed before the cut, of which the last tenth only chose; tested on those "
            "listed after it",
            "windows": {part.given.name: window(part.given.history, part.given.cut_ms) for part in parts},
            "rows": {part.given.name: before_and_after(part.before) for part in parts},
        },
        "seed": job.seed,
        "metrics": metrics,
        "baselines": "Branches of the same shape, each taught alone; late fusion of these (chances multiplied, each by "
        "its own weight; embeddings of length 1 side by side); and of what is there the best branch alone. "
        "What is not there, a branch alone gets wrong.",
        "intended_use": "Similar items to show beside one, also where only its title, picture or sound is known, so of "
        "items that nobody has bought yet; and a second look at what a listing says it is. Below the confidence from "
        "which it is sure it says unsure. It overwrites nothing.",
        "limits": "Photos, titles and spoken digits of what ships were paired: titles are drawn from the words of the "
        "class's name and description, three in ten from those of a sibling class; the digit is the last of a made-up "
        "article number, shared by some eight classes, spoken by voices that taught, in takes that did not. Given the "
        "class the three are drawn apart from each other, which sellers' slips need not be: what is gained over one "
        "branch is at its highest so. It knows the classes of its names and no others: a picture or sound that is "
        "unlike all that taught it counts as not there, and where nothing is left it names none (sure, named). Its "
        "embedding compares items of one version only.",
        "names": names,
        "sure": {
            "from": least,
            "promised": PROMISE.share,
            "weights": ours.weights,
            "named_from": {
                name: round(each.least, 6) for name, each in zip(MODALITIES, ours.familiar, strict=True) if each
            },
            "tests": sure,
        },
    }
    onnx = export.to_onnx(network, job.task, half=True)
    rows = rows_of(job.task, [golden[i] for i in order[:GOLDEN].tolist()])
    typical = rows_of(job.task, teach[0].shown.found.records[:200])
    return export.proven(job.task, onnx, answer, without(job, rows), typical, card)


def without(job: Job, rows: Rows32) -> Rows32:
    """Rows of a task, of which each lacks others of the modalities."""
    found, widths, at = rows.copy(), export.widths(job.task), 0
    for m in range(len(MODALITIES)):
        width = widths[2 * m] + widths[2 * m + 1]
        lacking = [i for i in range(len(rows)) if not (i % 7 + 1) >> m & 1]
        found[lacking, at : at + width] = 0
        at += width
    return found


def _records(parts: list[Part]) -> Modalities:
    return modalities([record for part in parts for record in part.shown.found.records])


def _chosen(has: Bools, seed: int, draw: int) -> Bools:
    from training.networks.modalities import left_out

    return left_out(has, CHOSEN_MISSING, np.random.default_rng([seed, 7, draw]))


def _weighed(model: Any, x: Modalities, label: Ints, seed: int) -> Any:
    """The model with weights of its branches, chosen where it is told anything."""
    mine = np.isin(np.arange(x.has.shape[1]), model.some)
    kept = np.concatenate([_chosen(x.has, seed, k) & mine for k in range(DRAWS)])
    some = kept.any(axis=1)
    said = np.tile(model.said(x), (DRAWS, 1, 1)) * kept[:, :, None]
    return model.weighed(said[some], np.tile(label, DRAWS)[some]) if some.any() else model


def _right(model: Any, x: Modalities, label: Ints) -> float:
    judged = together(model, model.said(x), x.has)
    return float((judged.logits.argmax(axis=1) == label)[x.has[:, model.some[0]]].mean())


def _chances(judged: Judge) -> Floats:
    chances = np.exp(judged.logits - judged.logits.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True), np.float64)


def _measured(
    job: Job,
    answer: Any,
    names: list[str],
    ours: Any,
    alone: list[Any],
    best: list[int],
    after: Part,
    least: float | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a card says of a history after its cut: metrics by what is missing, and of how many it was sure."""
    found, label, x = after.shown.found, after.label, _records([after])
    said, apart, champion = ours.said(x), [model.said(x) for model in alone], job.champion
    segments, sure = {}, dict[str, Any]()
    for name, kept in patterns(x.has, job.seed).items():
        judges = {"ours": together(ours, said, kept), "late fusion": late(alone, apart, kept)}
        for m, called in enumerate(MODALITIES):
            judges[f"{called} alone"] = together(alone[m], apart[m], kept & (np.arange(3) == m))
        first = np.array([next((m for m in best if row[m]), best[0]) for row in kept])
        judges["best that is there"] = late(alone, apart, kept & (np.arange(3) == first[:, None]))
        hit = {who: _first(judge, label) for who, judge in judges.items()}
        recall = {who: _recall(judge, label) for who, judge in judges.items()}
        if name == "all" and champion is not None and list(champion.names) == names:
            theirs = asked(champion.score, job.task, found.records)
            hit["champion"] = theirs["shown"][:, 0] == label
            recall["champion"] = np.nan_to_num(alike(theirs["embedding"].astype(np.float32), label)["recall"])
        segments[name] = {
            "models": {
                who: {
                    "rows": len(label),
                    "top_1": round(float(hit[who].mean()), 4),
                    "recall_10": round(float(recall[who].mean()), 4),
                }
                for who in hit
            },
            "top_1_95": share_interval(hit, found.group, job.seed),
            "recall_10_95": share_interval(recall, found.group, job.seed),
        }
        confidence = _chances(judges["ours"]).max(axis=1)
        named = (judges["ours"].like != 0).any(axis=1)
        told = sureness(np.where(named, confidence, 0.0), hit["ours"], found.group, least, job.seed, named)
        if name == "all" or name.endswith("missing"):
            sure[after.given.name if name == "all" else f"{after.given.name}, {name}"] = told
    whole = together(ours, said, x.has)
    confidence, right = _chances(whole).max(axis=1), whole.logits.argmax(axis=1) == label
    confident = compare(right.astype(np.float64), {"ours": confidence}, found.group, {}, job.seed)
    rows = rows_of(job.task, found.records[:200])
    widths = list(zip(job.task.features, export.widths(job.task), strict=True))
    confident["importance"] = importance(
        lambda some: answer(some)["confidence"], rows, right[:200].astype(np.float64), widths, job.seed
    )
    return {"shown": {"segments": segments}, "confidence": confident}, sure


def _first(judge: Judge, label: Ints) -> Bools:
    """[n] whether the first class is right; not of a listing of which nothing is known."""
    return np.asarray((judge.logits.argmax(axis=1) == label) & (judge.like != 0).any(axis=1))


def _recall(judge: Judge, label: Ints) -> Floats:
    """[n] of the ten most alike, how many are of the class; 0 of a listing of which nothing is known."""
    found = np.nan_to_num(alike(judge.like, label)["recall"])
    return np.where((judge.like != 0).any(axis=1), found, 0.0)

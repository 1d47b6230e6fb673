"""Trains ``category``: which category a listing belongs to, by its title and description.

What ships learned PriceRunner's titles of some merchants and is tested on those of others. Goods of none of its
categories (gifts) teach it that there are other things: a row's chances add up to less than 1 where it looks like them.
A linear support vector machine on the grams gives the network its start, which is then taught with grams left out. From
which confidence on it is sure is chosen on merchants that taught nothing. Where few listings have a category, those
without one teach as well, by what is guessed of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.task import Task
from models.tasks.category.task import LISTED
from training import export
from training.baselines import words
from training.evaluate import compare, importance, share_interval, top_k
from training.fit import Schedule, Tell, fit, seed_everything
from training.guessed import guessed
from training.job import CutTold, Job
from training.labels.listings import Labelled, listings
from training.needs import Need, TooLittle
from training.networks.bag import Bag, Rounded, machine, rarity
from training.networks.familiar import likeliest
from training.networks.inputs import rows_of
from training.split import before_and_after, window
from training.sureness import Promise, names_of, sure_from, sureness, temperature
from training.told import Told

Rows32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ABOUT = "item"
#: Merchants who list after the cut test, a quarter of the titles; gifts that are first sold after it as well.
SHIPPED = {"pricerunner": "2019-08-16", "online_retail_items": "2011-09-01"}
#: Groceries that only test whether it is unsure.
MEASURED = {"complete_journey_items": "2017-01-01T01:00:00+00:00"}
#: Data sets of goods of none of the categories.
OTHERS = ("online_retail_items",)
#: A version knows at most so many categories, those with most listings, each of so many listings at least.
MOST_CATEGORIES, LEAST_LISTINGS = 100, 5
#: Of listings without a category the newest so many teach by what is guessed of them.
MOST_UNKNOWN = 8_000
#: Buckets that have numbers of their own.
SIZE = 1 << 16
#: So many of the sellers (or items) before the cut choose the temperature and the threshold.
VALIDATION_SHARE = 0.25
PROMISE = Promise(share=0.98, least_rows=50, first=20, rounds=200)
SCHEDULE = Schedule(epochs=4, batch=128, rate=3e-3, weight_decay=0.0, average=0.99)
DROPOUT, SCALE = 0.4, 5.0
#: How much rare grams count, and of fewer listings than so many, which say less of how rare they are.
POWER, POWER_OF_FEW, FEW_LISTINGS = 2.0, 1.5, 2_000
FEW = "Of ten categories 86 in 100 suggestions are right after 200 listings, 91 after 1,000, 98 after 26,000."


def known(told: Told, cut_ms: int) -> int:
    """Items listed before the cut with a title and a category."""
    return listings(told).known(cut_ms)


def tested(told: Told, cut_ms: int) -> int:
    """Items listed first after it."""
    return listings(told).tested(cut_ms)


def categories(told: Told, cut_ms: int) -> int:
    """Categories with enough of them before the cut."""
    found = listings(told)
    return len(names_of(found.label[found.at_ms < cut_ms], MOST_CATEGORIES, LEAST_LISTINGS))


_UNSURE = "With 100 the share that is right is sure to 0.05."
NEEDS = (
    Need("items listed before the cut with title and category", known, 200, 2_000, FEW, together=True),
    Need("items first listed after the cut with title and category", tested, 50, 500, _UNSURE, together=True),
    Need(
        "categories of 5 listings or more before the cut", categories, 2, 2, "Of one there is no choice.", together=True
    ),
)


@dataclass(frozen=True)
class Taught:
    """A network and what its logits are divided by."""

    bag: Any
    categories: int
    temperature: float = 1.0

    def network(self, width: int) -> Any:
        """The one that is proven and exported: [n, width] → confidence, categories, chances."""
        import keras

        row = keras.Input((width,), name="features", dtype="float32")
        return keras.Model(row, _answers()(self.categories, self.temperature)(Rounded(self.bag, packed=True)(row)))

    def logits(self, x: Rows32) -> Floats:
        """[n, categories + 1]; the last: none of them."""
        import keras

        row = keras.Input((x.shape[1],), name="features", dtype="float32")
        return np.asarray(
            keras.Model(row, Rounded(self.bag, packed=True)(row)).predict(x, batch_size=1024, verbose=0), np.float64
        )


def _answers() -> Any:
    import keras
    from keras import ops

    class Answers(keras.layers.Layer):  # type: ignore[misc]
        """Logits, the last of none of the categories, as the task's outputs."""

        def __init__(self, categories: int, temperature: float, **more: Any) -> None:
            super().__init__(**more)
            self._categories, self._temperature = categories, temperature

        def call(self, logits: Any) -> list[Any]:
            chances = ops.softmax(logits / self._temperature, axis=1)[:, : self._categories]
            return likeliest(chances, LISTED)

    return Answers


def taught(
    x: Rows32, label: Ints, categories: int, *, seed: int, kept_in: Path,
    tell: Tell = lambda _stage, _done, _total: None, schedule: Schedule = SCHEDULE, size: int = SIZE,
    unknown: Rows32 | None = None,
) -> Taught:  # fmt: skip
    """Of rows and places of categories (``categories``: none of them). ``unknown``: rows of which nobody said any."""
    import keras
    import tensorflow as tf

    seed_everything(seed)
    power = POWER if len(x) >= FEW_LISTINGS else POWER_OF_FEW
    if unknown is not None:
        tell("guessing categories", 0, None)
        guess = guessed(x, label, unknown, seed)
        x, label = np.concatenate([x, unknown[: len(guess)]]), np.concatenate([label, guess])
    row = keras.Input((x.shape[1],), name="features", dtype="float32")
    bag = Bag(rarity(x, size, power), categories + 1, DROPOUT)
    network = keras.Model(row, bag(row))
    tell("fitting a support vector machine", 0, None)
    start, bias = machine(x, label, bag.weight, categories + 1)
    bag.table.assign(SCALE * start)
    bag.bias.assign(SCALE * bias)

    def loss(logits: Any, _x: Any, wanted: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits))

    fit(network, lambda _rng: (x, label.astype(np.int32)), loss, schedule, seed=seed, kept_in=kept_in, tell=tell)
    return Taught(bag, categories)


@dataclass(frozen=True)
class Part:
    """A history with what is made of it. ``label`` [k]: places of categories; their number: none of them; -1: one that
    came after the cut, or is too rare, which no answer can name."""

    given: CutTold
    found: Labelled
    label: Ints
    x: Rows32
    unknown: Rows32
    """[u, width] of the newest listings before the cut without a category."""

    @property
    def before(self) -> npt.NDArray[np.bool_]:
        return self.found.at_ms < self.given.cut_ms

    @property
    def other(self) -> bool:
        """Whether it is of goods of none of the categories."""
        return _is_other(self.given)


def _is_other(given: CutTold) -> bool:
    return given.name in OTHERS or given.name in MEASURED


def _part(task: Task, given: CutTold, found: Labelled, names: Sequence[str]) -> Part:
    place = {name: i for i, name in enumerate(names)}
    other = _is_other(given)
    label = np.array([len(names) if other else place.get(name, -1) for name in found.label.tolist()], np.int64)
    kept = (label >= 0) | ((found.label != "") & (found.at_ms >= given.cut_ms))
    some = found.take(kept)
    unknown = found.take(
        np.flatnonzero((found.label == "") & (found.at_ms < given.cut_ms) & (not other))[-MOST_UNKNOWN:]
    )
    return Part(given, some, label[kept], rows_of(task, some.records), rows_of(task, unknown.records))


def train(job: Job) -> Artifact:
    """Train on what was listed before the cut, measure on what came after it beside the baselines, export and prove."""
    read = [(given, listings(given.history)) for given in job.told]
    own = [found.label[found.at_ms < given.cut_ms] for given, found in read if given.name not in OTHERS]
    names = names_of(np.concatenate(own), MOST_CATEGORIES, LEAST_LISTINGS)
    if len(names) < 2:
        raise TooLittle("Before the cut there are fewer than two categories of 5 listings: there is nothing to choose.")
    job.tell("reading titles", 0, None)
    parts = [_part(job.task, given, found, names) for given, found in read]
    besides = [_part(job.task, given, listings(given.history), names) for given in job.told_measured]
    x = np.concatenate([part.x[part.before] for part in parts])
    label = np.concatenate([part.label[part.before] for part in parts])
    group = np.concatenate([part.found.group[part.before] for part in parts])
    held = np.concatenate([_held(part, job.seed) for part in parts])
    unknown = np.concatenate([part.unknown for part in parts])
    learn = partial(taught, categories=len(names), seed=job.seed, kept_in=job.kept_in, tell=job.tell, unknown=unknown)
    first = learn(x[~held], label[~held])
    logits, truth = first.logits(x[held]), label[held]
    by = temperature(logits, truth)
    whole = learn(x, label)
    model = Taught(whole.bag, len(names), by)
    network = model.network(x.shape[1])
    chosen = truth < len(names)
    confidence, right = _first(Taught(first.bag, len(names), by), x[held][chosen], truth[chosen])
    least = sure_from(confidence, right, group[held][chosen], job.seed, PROMISE)

    def answer(rows: Rows32) -> dict[str, Rows32]:
        confidence, place, chance = network.predict(rows, batch_size=1024, verbose=0)
        return {"confidence": confidence.reshape(-1), "category": place, "chance": chance}

    metrics, sure, golden = {}, dict[str, Any](), []
    texts = [_text(r) for part in parts for r in part.found.take(part.before).records]
    for part in (*parts, *besides):
        rows, wanted = part.x[~part.before], part.label[~part.before]
        said = answer(rows)
        confidence, right = said["confidence"].astype(np.float64), said["category"][:, 0] == wanted
        after = part.found.take(~part.before)
        sure[part.given.name] = sureness(confidence, None if part.other else right, after.group, least, job.seed)
        if part.other:
            continue
        golden.append(rows)
        job.tell("fitting baselines", 0, None)
        measured = {"category": _shares(job, names, (texts, label), after, wanted, said)}
        if 0 < right.sum() < len(right):  # else there is nothing that a confidence could tell apart
            measured["confidence"] = _confidence(answer, rows, confidence, right, after.group, job)
        metrics[part.given.name] = measured
    tests = np.concatenate(golden)
    some = tests[np.random.default_rng(job.seed).permutation(len(tests))[:64]]
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on items listed before the cut, tested on those first listed after it; of PriceRunner "
            "these are of other merchants",
            "windows": {part.given.name: window(part.given.history, part.given.cut_ms) for part in parts},
            "rows": {part.given.name: before_and_after(part.before) for part in parts},
        },
        "seed": job.seed,
        "metrics": metrics,
        "baselines": "Linear support vector machines on TF-IDF: of characters within words (2 to 5), of words and "
        "pairs of words; taught by the same titles, C = 1.",
        "intended_use": "A suggestion for listings without a category, and a second look at those whose category "
        "differs; below the confidence from which it is sure it says unsure. It overwrites nothing.",
        "limits": "It knows the categories of its names and no others, in the words of the shops that taught it; a "
        "title of a thing of another kind is most often called unsure, not always (sure, below). Descriptions taught "
        "nothing where the data have none. A model code alone says little of a brand that it has not seen.",
        "names": names,
        "sure": {"from": least, "promised": PROMISE.share, "temperature": round(by, 4), "tests": sure},
    }
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, answer, some, x, card)


def _held(part: Part, seed: int) -> npt.NDArray[np.bool_]:
    """[k] of what is before the cut, what chooses: whole groups, drawn."""
    group = part.found.group[part.before]
    groups = np.random.default_rng([seed, 1]).permutation(np.unique(group))
    return np.isin(group, groups[: int(len(groups) * VALIDATION_SHARE)])


def _first(model: Taught, x: Rows32, label: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    logits = model.logits(x) / model.temperature
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    best = chances[:, : model.categories]
    return best.max(axis=1), best.argmax(axis=1) == label


def _text(record: Any) -> str:
    return "\n".join(text for text in (record.title, record.description) if text)


def _shares(
    job: Job, names: list[str], teach: tuple[list[str], Ints], after: Labelled, wanted: Ints, said: dict[str, Rows32]
) -> dict[str, Any]:
    """How often the first category is right, ours and the baselines', taught by the same."""
    texts, label = teach
    test = [_text(record) for record in after.records]
    place = (said["category"] == wanted[:, None]).astype(int)
    ranks = {"ours": np.where(place.any(axis=1), place.argmax(axis=1), -1)}
    champion = job.champion
    if champion is not None and list(champion.names) == names:
        answers = champion.score(rows_of(job.task, after.records))["category"]
        ranks["champion"] = np.where(answers[:, 0] == wanted, 0, -1)
    for called, kind in (("TF-IDF of characters", "characters"), ("TF-IDF of words", "words")):
        ranks[called] = np.where(words.machine(kind, texts, label, test) == wanted, 0, -1)
    hit = {name: rank == 0 for name, rank in ranks.items()}
    shown = {name: top_k(rank) for name, rank in ranks.items()}
    for name in shown.keys() - {"ours"}:
        shown[name] = {key: shown[name][key] for key in ("rows", "top_1")}
    shares = share_interval(hit, after.group, job.seed)
    return {"segments": {"all": {"models": shown, "top_1_95": shares}}}


def _confidence(
    answer: Any, rows: Rows32, confidence: Floats, right: npt.NDArray[np.bool_], group: Ints, job: Job
) -> dict[str, Any]:
    """Whether the confidence tells what is right from what is not."""
    found = compare(right.astype(np.float64), {"ours": confidence}, group, {}, job.seed)
    widths = list(zip(job.task.features, export.widths(job.task), strict=True))
    found["importance"] = importance(
        lambda x: answer(x)["confidence"], rows, right.astype(np.float64), widths, job.seed
    )
    return found

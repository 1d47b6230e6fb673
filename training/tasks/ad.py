"""Trains ``ad``: does the visit in which an advertisement is asked for end in a purchase?

What ships learned from the sessions of Online Shoppers up to October and is tested on November and December. A row is a
visit as it stood at the last view before its order, or before its end. What the stream cannot know of a visit is no
input: Google's PageValues (made of what was bought), bounce and exit rates of pages, browser, region and traffic. What
that costs says ``training/checks/ad``.

A factorization machine with a deep part and a regression are taught; the newest visits before the cut say what each of
them weighs, and how many visits end in a purchase of late (``training/networks/blend.py``).
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from streams.features.kinds.decay import DAY_MS
from training import export, needs
from training.baselines import boosting, logistic
from training.baselines.logistic import Logistic
from training.evaluate import compare, importance, measure
from training.fit import Schedule, fit, seed_everything
from training.history import History
from training.job import CutHistory, Job, Tell
from training.labels.visits import Visits, visits
from training.needs import Need, TooLittle
from training.networks.blend import Blend, answering, chosen, logits_of, probabilities, straight
from training.networks.factors import Shape, factors, mean_logit
from training.split import Leak, window

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: What ships is trained on visits that were over by then.
SHIPPED = {"online_shoppers": "2017-11-01"}
FEW = "With 100 purchases an AUC of 0.75 is sure to 0.05."


def bought(history: History, cut_ms: int) -> int:
    """Visits up to the cut that ended in a purchase."""
    found = visits(history)
    return int(found.ordered[found.known_ms <= cut_ms].sum())


def bought_after(history: History, cut_ms: int) -> int:
    """Visits after the cut that ended in a purchase."""
    found = visits(history)
    return int(found.ordered[found.at_ms >= cut_ms].sum())


NEEDS = (
    Need("shoppers with an event before the cut", needs.shoppers_before, 100, 2_000, FEW),
    Need("visits with a view that ended in a purchase, before the cut", bought, 100, 500, FEW),
    Need("visits with a view that ended in a purchase, after the cut", bought_after, 20, 100, FEW),
)
#: Whether somebody came before is known of nobody in a shop's first month: its visits do not teach.
WARM_UP_DAYS = 30
#: The best of eight on folds of the visits before the cut; those after it were seen as well (docs/ads.md).
SCHEDULE = Schedule(epochs=30, batch=256, rate=1e-2, weight_decay=0.1, average=0.99)
SHAPE = Shape(bins=12, width=4, hidden=16, members=4, dropout=0.2)
#: How much the regression's slopes are drawn to nothing; the best of eight on months before the cut, each foretold by
#: those before it.
RIDGE = 100.0
#: Of the visits before the cut, the newest share: they choose between network and regression, say how many visits end
#: in a purchase of late, and choose LightGBM's number of trees.
NEWEST_SHARE = 0.15


def taught(
    x: Rows32,
    y: Rows32,
    earlier: Mask,
    newest: Mask,
    output: str,
    *,
    seed: int,
    kept_in: Path,
    schedule: Schedule = SCHEDULE,
    shape: Shape = SHAPE,
    tell: Tell = lambda _stage, _done, _total: None,
) -> tuple[Any, Blend]:
    """Our network beside a regression, both taught on all rows; what each weighs, and by how much both are off, say the
    ``newest`` rows, of which those taught on the ``earlier`` ones knew nothing."""

    def network(some: Mask, stage: str) -> Any:
        import tensorflow as tf

        seed_everything(seed)
        logits = factors(x[some], shape)

        def loss(answers: Any, _x: Any, wanted: Any) -> Any:
            each = tf.broadcast_to(wanted[:, None], tf.shape(answers))
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(each, answers))

        fit(logits, lambda _rng: (x[some], y[some]), loss, schedule, seed=seed, kept_in=kept_in, tell=tell, stage=stage)
        return logits

    def regression(some: Mask) -> Logistic:
        return logistic.fit(x[some], y[some], np.ones(int(some.sum())), RIDGE)

    said = network(earlier, "training on earlier visits").predict(x[newest], batch_size=8192, verbose=0)
    blend = chosen(said.mean(axis=1).astype(np.float64), regression(earlier).logits(x[newest]), y[newest])
    every = np.ones(len(x), np.bool_)
    parts = []
    if blend.share > 0:
        parts.append((blend.share, mean_logit(network(every, "training"), x, shape)))
    if blend.share < 1:
        parts.append((1 - blend.share, straight(*regression(every).straight)))
    return answering(parts, blend.shift, x.shape[1], output), blend


def _rows(job: Job, given: CutHistory) -> tuple[Visits, Rows32]:
    found = visits(given.history)
    if (found.known_ms <= found.at_ms).any():
        raise Leak("A visit was over at its own row's time: then its purchase is no label.")
    x = job.standing(given, found.shopper, found.at_ms, f"replaying {given.name}")
    place = job.task.features.index(job.population[0].address)
    judged = job.population[0].holds(x[:, place])
    judged &= found.at_ms >= int(given.history.time_ms[0]) + WARM_UP_DAYS * DAY_MS
    kept = Visits(found.shopper[judged], found.at_ms[judged], found.ordered[judged], found.known_ms[judged])
    return kept, x[judged]


def _answer(network: Any, x: Rows32) -> Rows32:
    return np.asarray(network.predict(x, batch_size=8192, verbose=0), np.float32).reshape(-1)


def baselines(x: Rows32, y: Rows32, test: Rows32, seed: int) -> dict[str, Floats]:
    """What LightGBM (its number of trees chosen on the last of the rows) and a logistic regression say of ``test``."""
    held = len(x) - int(len(x) * NEWEST_SHARE)
    rounds = boosting.rounds(x[:held], y[:held], x[held:], y[held:], seed)
    trees = boosting.fit(x, y, rounds, seed)
    regression = logistic.fit(x, y, np.ones(len(x)), ridge=1.0)
    return {"lightgbm": np.asarray(trees.predict(test), np.float64), "logistic": regression.predict(test)}


def train(job: Job) -> Artifact:
    """Train on the visits before the cut, measure on those after it beside the baselines, export and prove."""
    output = job.task.outputs[0].name
    parts = [(given, *_rows(job, given)) for given in job.histories]
    before = [found.known_ms <= given.cut_ms for given, found, _ in parts]
    x, y, at, known = (
        np.concatenate(each)
        for each in zip(
            *(
                (rows[some], f.ordered[some], f.at_ms[some] - given.cut_ms, f.known_ms[some] - given.cut_ms)
                for (given, f, rows), some in zip(parts, before, strict=True)
            ),
            strict=True,
        )
    )
    order = np.argsort(at, kind="stable")
    x, y, at, known = x[order], y[order], at[order], known[order]
    if min(y.sum(), len(y) - y.sum()) < 1:
        raise TooLittle("Visits before the cut all ended alike: there is nothing to tell apart.")
    first = len(x) - int(len(x) * NEWEST_SHARE)
    earlier, newest = known <= at[first], np.arange(len(x)) >= first
    network, blend = taught(x, y, earlier, newest, output, seed=job.seed, kept_in=job.kept_in, tell=job.tell)
    answer = partial(_answer, network)
    metrics, calibrated, tested, rows = {}, {}, [], {}
    widths = list(zip(job.task.features, export.widths(job.task), strict=True))
    for given, found, all_rows in parts:
        test = found.at_ms >= given.cut_ms
        scores = {"ours": answer(all_rows[test]).astype(np.float64)}
        if job.champion is not None:
            scores["champion"] = job.champion.score(all_rows[test])[output]
        scores |= baselines(x, y, all_rows[test], job.seed)
        told = compare(found.ordered[test], scores, found.shopper[test], {}, job.seed)
        told["importance"] = importance(answer, all_rows[test], found.ordered[test], widths, job.seed)
        metrics[given.name] = {output: told}
        calibrated[given.name] = {
            "before": measure(found.ordered[test], probabilities(logits_of(scores["ours"]) - blend.shift)),
            "after": measure(found.ordered[test], scores["ours"]),
        }
        tested.append(all_rows[test])
        rows[given.name] = {"trained on": int((found.known_ms <= given.cut_ms).sum()), "tested on": int(test.sum())}
    golden = np.concatenate(tested)
    golden = golden[np.random.default_rng(job.seed).permutation(len(golden))[:500]]
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on visits that were over at the cut; tested on those that began after it",
            "windows": {given.name: window(given.history, given.cut_ms) for given, _, _ in parts},
            "rows": rows,
        },
        "seed": job.seed,
        "metrics": metrics,
        "calibrated": {**asdict(blend), "measured": calibrated},
        "baselines": "LightGBM on the same inputs, its number of trees chosen on the last visits before the cut; a "
        "logistic regression on their logarithms; both as they were learned, not calibrated."
        + (f" Beside them {job.champion_called}." if job.champion is not None else ""),
        "intended_use": "What a click on an advertisement is worth in the visit in which it is asked for, beside other "
        f"visits of the same shop. In it the network weighs {blend.share:g}, a regression the rest: so the newest "
        "visits before the cut chose.",
        "limits": "Learned from one shop's sessions as they stood at their last view: asked earlier, it foretells "
        "fewer purchases than come. It says how likely a purchase is, not how much likelier an advertisement makes it. "
        "Another shop and another season have other base rates: train it on your own history.",
    }
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, lambda rows: {output: answer(rows)}, golden, x, card)

"""Trains ``churn``: how likely is it that a shopper places no order in the next 30, 60 and 90 days.

One network for three shops that differ much (weekly groceries, wholesale every few weeks, CDs bought once or twice);
each weighs the same in training, and everything is reported per shop. The test is that of the churn literature: all
who ordered before a cut, as they stand at the cut, and whether they order in the days after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from streams.features.kinds.decay import DAY_MS
from training import export
from training.baselines import bg_nbd, boosting, logistic
from training.datasets import CDNOW, COMPLETE_JOURNEY, ONLINE_RETAIL, Dataset
from training.evaluate import compare, importance
from training.fit import Schedule, fit, seed_everything
from training.job import FeatureRows, Job
from training.labels.horizons import Labels, lapsed_within, order_hazard, orders_of
from training.networks.hazard import hazard
from training.replay import SILENCE, SNAPSHOT
from training.split import Split, split, window

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]

HORIZONS = (30, 60, 90)
#: Bins of the hazard, in days: an output of h days covers the bins up to h.
EDGES = (0, 15, 30, 45, 60, 75, 90)
#: data set → the cut, and how many days lie between two training snapshots.
SHOPS: dict[Dataset, tuple[datetime, int]] = {
    COMPLETE_JOURNEY: (datetime(2017, 10, 1, tzinfo=UTC), 7),
    ONLINE_RETAIL: (datetime(2011, 9, 10, tzinfo=UTC), 7),
    CDNOW: (datetime(1998, 4, 1, tzinfo=UTC), 28),
}
#: Nobody's rhythm is known in a shop's first month.
WARM_UP_DAYS = 30
#: LightGBM's number of trees is chosen on labels that became known in the last weeks before the cut.
VALIDATION_DAYS = 28
#: Fewer due points after the cut than this are not reported.
LEAST_ROWS = 500
#: Chosen by hand at earlier cuts.
SCHEDULE = Schedule(epochs=8, batch=512, rate=2e-3, weight_decay=5e-2, average=0.995)


@dataclass(frozen=True)
class Shop:
    """The rows of one data set, labels and parts."""

    dataset: Dataset
    cut_ms: int
    table: FeatureRows
    x: Rows32
    """[n, f] what our network takes."""
    lapse: Labels
    bins: Labels
    parts: Split
    bin_parts: Split

    @property
    def test(self) -> npt.NDArray[np.bool_]:
        """Everybody who ordered before the cut, at the cut."""
        rows = self.table.rows
        return (rows.why == SNAPSHOT) & (rows.at_ms == self.cut_ms)


def _shop(job: Job, dataset: Dataset) -> Shop:
    cut, every_days = SHOPS[dataset]
    cut_ms = int(cut.timestamp() * 1000)
    history = job.history(dataset)
    first = int(history.time_ms[0]) + WARM_UP_DAYS * DAY_MS
    moments = range(cut_ms, first, -every_days * DAY_MS)
    features = tuple(dict.fromkeys((*job.task.features, *logistic.RFM, "orders.count")))
    whole = job.rows(history, dataset.name, features, cut_ms=cut_ms, snapshots_ms=moments)
    # Only shoppers who ever ordered can lapse.
    buyers = whole.take(("orders.count",))[:, 0] > 0
    table = whole.select(buyers & (whole.rows.at_ms >= first))
    lapse, bins = lapsed_within(history, table.rows, HORIZONS), order_hazard(history, table.rows, EDGES)
    return Shop(
        dataset,
        cut_ms,
        table,
        table.take(job.task.features),
        lapse,
        bins,
        split(table.rows, lapse, cut_ms, VALIDATION_DAYS * DAY_MS),
        split(table.rows, bins, cut_ms, VALIDATION_DAYS * DAY_MS),
    )


def _network(job: Job, shops: list[Shop]) -> Any:
    """Our network, trained on every bin that was known at its shop's cut."""
    import tensorflow as tf

    used = [(s, (s.bin_parts.fit | s.bin_parts.validate)) for s in shops]
    rows = [mask.any(axis=1) for _, mask in used]
    x = np.concatenate([s.x[r] for (s, _), r in zip(used, rows, strict=True)])
    came = np.concatenate([np.nan_to_num(s.bins.value[r]) for (s, _), r in zip(used, rows, strict=True)])
    asked = np.concatenate([m[r].astype(np.float32) for (_, m), r in zip(used, rows, strict=True)])
    each = np.concatenate([np.full(int(r.sum()), 1 / r.sum()) for r in rows])
    asked *= (each / each.mean()).astype(np.float32)[:, None]
    # A bin that no history reached starts at one in two, and stays there.
    rates = (came * asked).sum(axis=0, dtype=np.float64) + 0.5
    rates /= asked.sum(axis=0, dtype=np.float64) + 1.0

    def loss(logits: Any, _x: Any, came: Any, asked: Any) -> Any:
        off = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(came[:, None], tf.shape(logits)), logits)
        return tf.reduce_sum(off * asked[:, None]) / (tf.reduce_sum(asked) * logits.shape[1])

    seed_everything(job.seed)
    horizons = {o.name: EDGES.index(days) for o, days in zip(job.task.outputs, HORIZONS, strict=True)}
    trained, answering = hazard(x, rates, horizons)
    fit(trained, lambda _rng: (x, came, asked), loss, SCHEDULE, seed=job.seed, kept_in=job.kept_in, tell=job.tell)
    return answering


def _baselines(job: Job, shops: list[Shop], k: int) -> dict[str, dict[str, Floats]]:
    """dataset → baseline that is fitted per horizon → [test rows] its answer for the k-th."""
    found: dict[str, dict[str, Floats]] = {}
    for s in shops:
        fitted, held = s.parts.fit[:, k], s.parts.validate[:, k]
        y, one = s.lapse.value[:, k], np.ones(len(s.x))
        rounds = boosting.rounds(s.x[fitted], y[fitted], s.x[held], y[held], job.seed)
        known, rfm = fitted | held, s.table.take(logistic.RFM)
        trees = boosting.fit(s.x[known], y[known], rounds, job.seed)
        regression = logistic.fit(rfm[known], y[known], one[known])
        found[s.dataset.name] = {
            "lightgbm": np.asarray(trees.predict(s.x[s.test]), np.float64),
            "rfm_logistic": regression.predict(rfm[s.test]),
        }
    return found


def _bg_nbd(s: Shop) -> list[Floats]:
    """Per horizon, [test rows] the answer of one BG/NBD model: it does not depend on the horizon."""
    history, orders = s.table.history, orders_of(s.table.history)
    summary = bg_nbd.summary(history.shopper[orders], history.time_ms[orders], s.cut_ms, len(history.shoppers))
    fitted = bg_nbd.fit(summary[np.isfinite(summary[:, 0])])
    standing = summary[s.table.rows.shopper[s.test]]
    return [fitted.lapse(standing, days) for days in HORIZONS]


def _evaluate(job: Job, shops: list[Shop], network: Any) -> dict[str, Any]:
    metrics: dict[str, Any] = {s.dataset.name: {} for s in shops}
    ours = {s.dataset.name: _answers(network, s.x[s.test]) for s in shops}
    customers = {s.dataset.name: _bg_nbd(s) for s in shops}
    widths = list(zip(job.task.features, export.widths(job.task, job.upstream), strict=True))
    for k, output in enumerate(job.task.output_names):
        job.tell("evaluating", k, len(HORIZONS))
        others = _baselines(job, shops, k)
        for s in shops:
            name, label = s.dataset.name, s.lapse.value[s.test][:, k]
            orders = s.table.take(("orders.count",))[s.test][:, 0]
            scores = {"ours": ours[name][output].astype(np.float64), **others[name], "bg_nbd": customers[name][k]}
            segments = {"one order so far": orders < 2, "two to five orders": (orders >= 2) & (orders < 6)}
            segments["more than five orders"] = orders >= 6
            found = compare(label, scores, s.table.rows.shopper[s.test], segments, job.seed)
            answer = partial(_answer, network, output)
            found["importance"] = importance(answer, s.x[s.test], label, widths, job.seed)
            metrics[name][output] = found
        _due_points(job, shops, network, k, metrics)
    job.tell("evaluating", len(HORIZONS), len(HORIZONS))
    return metrics


def _due_points(job: Job, shops: list[Shop], network: Any, k: int, metrics: dict[str, Any]) -> None:
    """Where the stream asks: due points after the cut, apart those that silence made due."""
    for s in shops:
        rows = s.table.rows
        asked = s.parts.test[:, k] & (rows.why != SNAPSHOT)
        if int(asked.sum()) >= LEAST_ROWS:
            scores = {"ours": _answers(network, s.x[asked])[job.task.output_names[k]].astype(np.float64)}
            segments = {"due by silence": rows.why[asked] == SILENCE}
            found = compare(s.lapse.value[asked, k], scores, rows.shopper[asked], segments, job.seed)
            metrics.setdefault(f"{s.dataset.name}, due points after the cut", {})[job.task.output_names[k]] = found


def _answers(network: Any, x: Rows32) -> dict[str, Rows32]:
    answers = network.predict(x, batch_size=8192, verbose=0)
    return {name: np.asarray(a).reshape(-1) for name, a in zip(network.output_names, answers, strict=True)}


def _answer(network: Any, output: str, x: Rows32) -> Rows32:
    return _answers(network, x)[output]


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export, prove and write; returns the artifact."""
    shops = [_shop(job, dataset) for dataset in SHOPS]
    network = _network(job, shops)
    metrics = _evaluate(job, shops, network)
    card = {
        "data": [{"name": d.name, "licence": d.licence, "meaning": d.meaning} for d in SHOPS],
        "split": {
            "rule": "trained on what was known at the cut; tested on all who had ordered by then, as they stood at it",
            "windows": {s.dataset.name: window(s.table.history, s.cut_ms) for s in shops},
            "rows": {
                s.dataset.name: {
                    "trained on": int((s.bin_parts.fit | s.bin_parts.validate).any(axis=1).sum()),
                    "tested on": int(s.test.sum()),
                }
                for s in shops
            },
        },
        "seed": job.seed,
        "metrics": metrics,
        "baselines": "BG/NBD (lifetimes); logistic regression on recency, frequency, average value, mean gap and "
        "overdue ratio; LightGBM on our features, its rounds chosen before the cut. Each is fitted to its shop alone, "
        "ours is one network for all three.",
        "intended_use": "Ranking the shoppers of one shop by how likely they stop buying, to alert and to offer.",
        "limits": "No order in 90 days is not lost for ever: many come back later. Learned from groceries in the US, "
        "gifts in Britain and CDs of 1997: retrain on your own history before you act on the probability itself. "
        "A season not seen in training moves the base rate: in Online Retail's autumn more return than foretold.",
    }
    tested = [s.x[s.test] for s in shops]
    rows = np.concatenate([x[:: max(1, len(x) // 700)] for x in tested])
    rows = np.random.default_rng(job.seed).permutation(rows)
    training_rows = np.concatenate([s.x[s.parts.fit.any(axis=1)][::7] for s in shops])
    onnx = export.to_onnx(network, job.task)
    return export.ship(job.task, onnx, lambda x: _answers(network, x), rows, training_rows, card, job.out, job.upstream)

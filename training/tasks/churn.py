"""Trains ``churn``: how likely is it that a shopper places no order in the next 15, 30, 60 and 90 days.

One network for all shops; each weighs the same in training, and everything is reported per shop. What ships is trained
on three that differ much: weekly groceries, wholesale every few weeks, CDs bought once or twice. The test is that of
the churn literature: all who ordered before a cut, as they stand at the cut, and whether they order in the days after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from streams.decisions.churn_alert import LEVELS
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.alert_truth import Orders
from training import export, needs
from training.alerts import Points, Validation, choose, recalibrated, told
from training.baselines import bg_nbd, boosting, logistic
from training.evaluate import LEAST_OF_EACH, compare, importance, measure
from training.fit import Schedule, fit, seed_everything
from training.job import CutHistory, FeatureRows, Job
from training.labels.horizons import Labels, lapsed_within, order_hazard, orders_of
from training.needs import Need
from training.networks.hazard import hazard
from training.networks.tabular import answers_of
from training.replay import EVENT, SILENCE, SNAPSHOT
from training.split import Split, split, window

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]

#: Days of each output, in the order of the task's outputs.
HORIZONS = (30, 60, 90, 15)
#: Bins of the hazard, in days: an output of h days covers the bins up to h.
EDGES = (0, 15, 30, 45, 60, 75, 90)
#: What ships is trained on these data sets up to these cuts.
SHIPPED = {"complete_journey": "2017-10-01", "online_retail": "2011-09-10", "cdnow": "1998-04-01"}
#: What it costs to have less (measured: docs/training.md).
FEWER = "100 instead of 1,000 cost up to 0.02 of AUC, 50 up to 0.05."
SHORTER = "120 instead of 240 cost 0.01 to 0.04 of AUC, for less is known of each shopper; promises rest on few alerts."
UNTESTED = "Chances of more days than that are trained but not tested."
UNSURE = "With 100 an AUC of 0.9 is sure to 0.04, with 20 to 0.09."
#: What a history must have.
NEEDS = (
    Need("shoppers who ordered before the cut", needs.buyers, 100, 1_000, FEWER),
    Need("days before the cut", needs.days_before, 120, 240, SHORTER),
    Need("days after the cut", needs.days_after, 30, 90, UNTESTED),
    Need("shoppers who ordered before the cut and within 30 days after it", needs.stayed, 20, 100, UNSURE),
    Need("shoppers who ordered before the cut and not within 30 days after it", needs.lapsed, 20, 100, UNSURE),
)
#: Nobody's rhythm is known in a shop's first month, so no snapshot is taken. Its due points are scored, so they teach:
#: everybody looks new in a young log, and few of them are.
WARM_UP_DAYS = 30
#: All shoppers of a shop stand together in a snapshot, each so many weeks that they make at most so many rows.
SNAPSHOT_ROWS = 450_000
#: Of each shop so many rows teach in an epoch, drawn anew; all that there are when there are fewer.
ROWS_PER_EPOCH = 200_000
#: Alerts are validated on what models said that were trained so many days before the cut, each until the next one;
#: where the shortest history has little before its cut, at most so large a part of it.
EARLIER_DAYS = ((150, 0.56), (90, 0.34))
#: LightGBM's number of trees is chosen on labels that became known in the last weeks before the cut.
VALIDATION_DAYS = 28
#: Fewer due points after the cut than this are not reported.
LEAST_ROWS = 500
#: Chosen by hand at earlier cuts.
SCHEDULE = Schedule(epochs=8, batch=512, rate=2e-3, weight_decay=5e-2, average=0.995)


@dataclass(frozen=True)
class Shop:
    """The rows of one history, labels and parts."""

    given: CutHistory
    table: FeatureRows
    x: Rows32
    """[n, f] what our network takes."""
    lapse: Labels
    bins: Labels
    parts: Split
    bin_parts: Split

    @property
    def name(self) -> str:
        """Of the history."""
        return self.given.name

    @property
    def cut_ms(self) -> int:
        """Its cut."""
        return self.given.cut_ms

    def known_bins(self, days: int) -> npt.NDArray[np.bool_]:
        """[n, bins] what was known so many days before the cut."""
        return np.isfinite(self.bins.value) & (self.bins.known_ms <= self.cut_ms - days * DAY_MS)

    @property
    def test(self) -> npt.NDArray[np.bool_]:
        """Everybody who ordered before the cut, at the cut."""
        rows = self.table.rows
        return (rows.why == SNAPSHOT) & (rows.at_ms == self.cut_ms)


def _moments(given: CutHistory) -> range:
    """The cut, and moments some whole weeks apart before it."""
    first = int(given.history.time_ms[0]) + WARM_UP_DAYS * DAY_MS
    weeks = max(1, (given.cut_ms - first) // (7 * DAY_MS))
    apart = max(1, -(-weeks * len(given.history.shoppers) // SNAPSHOT_ROWS))
    return range(given.cut_ms, min(first, given.cut_ms - 1), -7 * apart * DAY_MS)


def _shop(job: Job, given: CutHistory) -> Shop:
    history, cut_ms = given.history, given.cut_ms
    features = tuple(dict.fromkeys((*job.task.features, *logistic.RFM, "orders.count")))
    whole = job.rows(given, features, snapshots_ms=_moments(given))
    # Only shoppers who ever ordered can lapse.
    buyers = whole.matrix(("orders.count",))[:, 0] > 0
    table = whole.select(buyers)
    lapse, bins = lapsed_within(history, table.rows, HORIZONS), order_hazard(history, table.rows, EDGES)
    return Shop(
        given,
        table,
        table.matrix(job.task.features),
        lapse,
        bins,
        split(table.rows, lapse, cut_ms, VALIDATION_DAYS * DAY_MS),
        split(table.rows, bins, cut_ms, VALIDATION_DAYS * DAY_MS),
    )


def _network(job: Job, shops: list[Shop], known_days: int = 0) -> Any:
    """Our network, trained on every bin that was known ``known_days`` before its shop's cut."""
    import tensorflow as tf

    used = [(s, known) for s in shops if (known := s.known_bins(known_days)).any()]
    there = [np.flatnonzero(mask.any(axis=1)) for _, mask in used]

    def examples(rows: list[npt.NDArray[np.int64]]) -> tuple[Rows32, Rows32, Rows32]:
        """Features, what came in each bin, and how much each bin counts: the same for every shop in all."""
        parts = [(s, mask, some) for (s, mask), some in zip(used, rows, strict=True)]
        x = np.concatenate([s.x[some] for s, _, some in parts])
        came = np.concatenate([np.nan_to_num(s.bins.value[some]) for s, _, some in parts])
        asked = np.concatenate([mask[some] * np.float32(len(x) / len(parts) / len(some)) for _, mask, some in parts])
        return x, came, asked

    def drawn(rng: np.random.Generator) -> tuple[Rows32, Rows32, Rows32]:
        return examples([np.sort(rng.permutation(some)[:ROWS_PER_EPOCH]) for some in there])

    x, came, asked = examples(there)
    # A bin that no history reached starts at one in two, and stays there.
    rates = (came * asked).sum(axis=0, dtype=np.float64) + 0.5
    rates /= asked.sum(axis=0, dtype=np.float64) + 1.0

    def loss(logits: Any, _x: Any, came: Any, asked: Any) -> Any:
        off = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(came[:, None], tf.shape(logits)), logits)
        return tf.reduce_sum(off * asked[:, None]) / (tf.reduce_sum(asked) * logits.shape[1])

    seed_everything(job.seed)
    horizons = {o.name: EDGES.index(days) for o, days in zip(job.task.outputs, HORIZONS, strict=True)}
    trained, answering = hazard(x, rates, horizons)
    stage = f"training as of {known_days} days before the cut" if known_days else "training"
    fit(trained, drawn, loss, SCHEDULE, seed=job.seed, kept_in=job.kept_in, tell=job.tell, stage=stage)
    return answering


def _both(label: Rows32) -> bool:
    """Whether there is enough of either answer to fit anything to."""
    return min(int((label > 0.5).sum()), int((label <= 0.5).sum())) >= LEAST_OF_EACH


def _baselines(job: Job, s: Shop, k: int) -> dict[str, Floats]:
    """Baseline that is fitted per horizon → [test rows] its answer for the k-th; those that the history is long enough
    for."""
    found: dict[str, Floats] = {}
    fitted, held = s.parts.fit[:, k], s.parts.validate[:, k]
    y, known, rfm = s.lapse.value[:, k], fitted | held, s.table.matrix(logistic.RFM)
    if _both(y[fitted]) and _both(y[held]):
        rounds = boosting.rounds(s.x[fitted], y[fitted], s.x[held], y[held], job.seed)
        trees = boosting.fit(s.x[known], y[known], rounds, job.seed)
        found["lightgbm"] = np.asarray(trees.predict(s.x[s.test]), np.float64)
    if _both(y[known]):
        regression = logistic.fit(rfm[known], y[known], np.ones(int(known.sum())))
        found["rfm_logistic"] = regression.predict(rfm[s.test])
    return found


def _bg_nbd(s: Shop) -> list[dict[str, Floats]]:
    """Per horizon, [test rows] the answer of one BG/NBD model: it does not depend on the horizon. Nothing of a history
    that it fits under no penalizer."""
    history, orders = s.table.history, orders_of(s.table.history)
    summary = bg_nbd.summary(history.shopper[orders], history.time_ms[orders], s.cut_ms, len(history.shoppers))
    try:
        fitted = bg_nbd.fit(summary[np.isfinite(summary[:, 0])])
    except bg_nbd.NotConverged:
        return [{} for _ in HORIZONS]
    standing = summary[s.table.rows.shopper[s.test]]
    return [{"bg_nbd": fitted.lapse(standing, days)} for days in HORIZONS]


def _evaluate(job: Job, shops: list[Shop], network: Any) -> dict[str, Any]:
    metrics: dict[str, Any] = {s.name: {} for s in shops}
    ours = {s.name: _answers(network, s.x[s.test]) for s in shops}
    champion = {s.name: job.champion.score(s.x[s.test]) if job.champion else {} for s in shops}
    customers = {s.name: _bg_nbd(s) for s in shops}
    widths = list(zip(job.task.features, export.widths(job.task, job.upstream), strict=True))
    for k, output in enumerate(job.task.output_names):
        job.tell("evaluating", k, len(HORIZONS))
        for s in shops:
            label = s.lapse.value[s.test][:, k]
            if not np.isfinite(label).all():
                continue  # the history ends before so many days after the cut
            orders = s.table.matrix(("orders.count",))[s.test][:, 0]
            scores = {"ours": ours[s.name][output].astype(np.float64)}
            if output in champion[s.name]:
                scores["champion"] = champion[s.name][output]
            scores |= _baselines(job, s, k) | customers[s.name][k]
            segments = {"one order so far": orders < 2, "two to five orders": (orders >= 2) & (orders < 6)}
            segments["more than five orders"] = orders >= 6
            found = compare(label, scores, s.table.rows.shopper[s.test], segments, job.seed)
            answer = partial(_answer, network, output)
            found["importance"] = importance(answer, s.x[s.test], label, widths, job.seed)
            metrics[s.name][output] = found
        _due_points(job, shops, network, k, metrics)
    job.tell("evaluating", len(HORIZONS), len(HORIZONS))
    return metrics


def _due_points(job: Job, shops: list[Shop], network: Any, k: int, metrics: dict[str, Any]) -> None:
    """Where the stream asks: due points after the cut, apart those that silence made due."""
    for s in shops:
        rows = s.table.rows
        asked = s.parts.test[:, k] & (rows.why != SNAPSHOT)
        if int(asked.sum()) >= LEAST_ROWS:
            output = job.task.output_names[k]
            scores = {"ours": _answers(network, s.x[asked])[output].astype(np.float64)}
            if job.champion is not None:
                scores["champion"] = job.champion.score(s.x[asked])[output]
            segments = {"due by silence": rows.why[asked] == SILENCE}
            found = compare(s.lapse.value[asked, k], scores, rows.shopper[asked], segments, job.seed)
            metrics.setdefault(f"{s.name}, due points after the cut", {})[output] = found


def _levels(job: Job, shops: list[Shop], network: Any) -> dict[str, Any]:
    """Thresholds of alerts, what they promise, and what became of the alerts; all by recalibrated scores."""
    horizons = dict(zip(job.task.output_names, HORIZONS, strict=True))
    alerted = job.task.outputs[0].name
    shortest = min((s.cut_ms - int(s.table.history.time_ms[0])) / DAY_MS for s in shops)
    ago = [min(days, int(part * shortest)) for days, part in EARLIER_DAYS]
    earlier = {days: _network(job, shops, days) for days in ago}
    job.tell("choosing from which scores on to alert", 0, None)
    points: dict[str, Points] = {}
    validations: dict[str, Validation] = {}
    for s in shops:
        due = s.table.rows.why != SNAPSHOT
        points[s.name] = _points(s, due, s.table.history.end_ms)
        at, known = s.table.rows.at_ms[due], s.table.rows.at_ms[due] <= s.cut_ms
        answers = _answers(earlier[ago[0]], s.x[due])
        for days in ago[1:]:
            later = at >= s.cut_ms - days * DAY_MS
            newer = _answers(earlier[days], s.x[due])
            answers = {name: np.where(later, newer[name], values) for name, values in answers.items()}
        until_cut = _points(s, due, s.cut_ms).select(known)
        then = {name: values[known].astype(np.float64) for name, values in answers.items()}
        score = recalibrated(until_cut, then, {alerted: horizons[alerted]})
        from_ms = s.cut_ms - ago[0] * DAY_MS
        validations[s.name] = Validation(until_cut, score[alerted], from_ms)
    policy, promised = choose(validations)
    found: dict[str, Any] = {
        "output": alerted,
        "days": horizons[alerted],
        "thresholds": {name: getattr(policy, name) for name in LEVELS[1:]},
        "promised": {name: min(shop[name] for shop in promised.values()) for name in LEVELS[1:]},
    }
    parts: dict[str, dict[str, Any]] = {}
    calibrated: dict[str, Any] = {}
    for s in shops:
        name, due = s.name, s.table.rows.why != SNAPSHOT
        foretold = {output: v.astype(np.float64) for output, v in _answers(network, s.x[due]).items()}
        scores = recalibrated(points[name], foretold, horizons)
        rfm = s.table.matrix(logistic.RFM)
        fitted = (s.parts.fit | s.parts.validate)[:, 0]
        regression = logistic.fit(rfm[fitted], s.lapse.value[fitted, 0], np.ones(int(fitted.sum())))
        parts[name] = told(
            points[name], policy, promised[name], scores[alerted], regression.predict(rfm[due]), s.cut_ms
        )
        after = s.parts.test[due]
        calibrated[name] = {
            output: {
                label: measure(s.lapse.value[due][after[:, k], k], values[output][after[:, k]])
                for label, values in (("as foretold", foretold), ("recalibrated", scores))
            }
            for k, output in enumerate(job.task.output_names)
            if int(after[:, k].sum()) >= LEAST_ROWS
        }
    found["shops"] = {name: part["whole"]["levels"] for name, part in parts.items()}
    found["shops_after_cut"] = {name: part["after_cut"]["levels"] for name, part in parts.items()}
    for key in ("base_rate", "foretold", "alerts_per_shopper_month"):
        found[key] = {name: part["whole"][key] for name, part in parts.items()}
        found[f"{key}_after_cut"] = {name: part["after_cut"][key] for name, part in parts.items()}
    return {"levels": found, "recalibration": calibrated}


def _points(s: Shop, due: npt.NDArray[np.bool_], end_ms: int) -> Points:
    """A shop's due points, judged by the orders up to a time."""
    rows, history = s.table.rows, s.table.history
    placed = orders_of(history) & (history.time_ms <= end_ms)
    who, when = history.shopper[placed], history.time_ms[placed]
    key = (rows.shopper[due] << 48) + rows.at_ms[due]
    ordered = (rows.why[due] == EVENT) & np.isin(key, (who << 48) + when)
    return Points(rows.shopper[due], rows.at_ms[due], ordered, Orders(who, when, end_ms))


def _answers(network: Any, x: Rows32) -> dict[str, Rows32]:
    return {name: answers.reshape(-1) for name, answers in answers_of(network, x).items()}


def _answer(network: Any, output: str, x: Rows32) -> Rows32:
    return _answers(network, x)[output]


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export and prove; returns the artifact."""
    shops = [_shop(job, given) for given in job.histories]
    network = _network(job, shops)
    levels = _levels(job, shops, network)
    metrics = _evaluate(job, shops, network)
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on what was known at the cut; tested on all who had ordered by then, as they stood at it",
            "windows": {s.name: window(s.table.history, s.cut_ms) for s in shops},
            "rows": {
                s.name: {
                    "trained on": int((s.bin_parts.fit | s.bin_parts.validate).any(axis=1).sum()),
                    "tested on": int(s.test.sum()),
                }
                for s in shops
            },
        },
        "seed": job.seed,
        "metrics": metrics,
        **levels,
        **_said(job),
    }
    tested = [s.x[s.test] for s in shops]
    rows = np.concatenate([x[:: max(1, len(x) // 700)] for x in tested])
    rows = np.random.default_rng(job.seed).permutation(rows)
    training_rows = np.concatenate([s.x[s.parts.fit.any(axis=1)][::7] for s in shops])
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, lambda x: _answers(network, x), rows, training_rows, card, job.upstream)


def _said(job: Job) -> dict[str, str]:
    """What a card says in words."""
    baselines = (
        "BG/NBD (lifetimes); logistic regression on recency, frequency, average value, mean gap and overdue ratio; "
        "LightGBM on our features, its rounds chosen before the cut."
    )
    found = {
        "baselines": f"{baselines} Each is fitted to its shop alone, ours is one network for all three.",
        "intended_use": "Ranking the shoppers of one shop by how likely they stop buying, to alert and to offer.",
        "limits": "No order in 90 days is not lost for ever: many come back later. Learned from groceries in the US, "
        "gifts in Britain and CDs of 1997: retrain on your own history before you act on the probability itself. "
        "A season not seen in training moves the base rate: in Online Retail's autumn more return than foretold. "
        "Levels are promised for scores that are recalibrated from late labels.",
    }
    if job.own:
        found["baselines"] = f"{baselines} Each is fitted to its shop alone."
        found["limits"] = (
            "No order in 90 days is not lost for ever: many come back later. Another shop, and a season not seen "
            "before the cut, have other base rates. Levels are promised for scores that are recalibrated from late "
            "labels."
        )
        if job.champion is not None:
            found["baselines"] += f" Beside them {job.champion_called}."
    return found

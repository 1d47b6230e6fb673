"""Drift, canaries and late labels are judged from what really happened."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.task import Output
from streams.agents.model_watch import drift_columns
from streams.columns.arrays import TYPE_CODE
from streams.columns.shopper_events import category_code
from streams.decisions.churn_alert import HORIZON_DAYS
from streams.entities.shopper import SHOPPER
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.recent import BUCKETS
from streams.monitoring.canary import CanaryPolicy, CanaryWatch, Compared
from streams.monitoring.drift import FromTraining, distribution, psi
from streams.monitoring.judged import Judged
from streams.monitoring.late_labels import Labels
from streams.monitoring.quality import Calibration
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import CartItemAdded, ItemViewed, OrderPlaced
from streams.records.outcomes import encode_outcome
from tests.laws.test_features import in_time_order
from tests.shoppers import NOON, carted, log_of, ordered, random_history, slice_of, viewed
from tests.worlds import cut, run_plain, shipped

RNG = np.random.default_rng(5)


def beside(live: np.ndarray, other: np.ndarray, cost: float = 1.0, error: str = "") -> Compared:
    return Compared("canary", shipped().model("churn"), live, other, abs(live - other), 1.0, cost, len(live), error)


def verdict(*compared: Compared, **more: Calibration) -> str | None:
    watch = CanaryWatch()
    for each in compared:
        watch.observe(each)
    found = watch.verdict(CanaryPolicy(), **more)
    return found and found[0]


def test_a_canary_that_says_much_the_same_goes_on() -> None:
    live = RNG.random(5000)
    other = np.clip(live + RNG.normal(0, 0.03, 5000), 0, 1)
    calm = {"live_calibration": Calibration(900, 0.04, 0.02, 0.005), "calibration": Calibration(900, 0.06, 0.02, 0.005)}
    assert verdict(*(beside(live[i::10], other[i::10], 1.2) for i in range(10)), **calm) is None


def test_a_canary_is_rolled_back_for_each_kind_of_harm() -> None:
    live = RNG.random(2000)
    failing = np.where(RNG.random(2000) < 0.02, np.nan, live)
    assert verdict(beside(live, failing, error="boom")) == "errors"
    assert verdict(*(beside(live[:400], live[:400], 90.0) for _ in range(6))) == "latency"
    assert verdict(beside(live, live**4)) == "score_drift"
    right, wrong = Calibration(900, 0.02, 0.02, 0.005), Calibration(900, 0.12, 0.02, 0.005)
    worse = {"live_calibration": right, "calibration": wrong}
    assert verdict(beside(live, live), **worse) == "calibration"


def test_little_evidence_rolls_nothing_back_but_failures_do() -> None:
    live = RNG.random(100)
    assert verdict(beside(live, live**4)) is None
    assert verdict(beside(live, np.full(100, np.nan))) == "errors"
    few, many = Calibration(20, 0.3, 0.02, 0.0), Calibration(900, 0.02, 0.02, 0.0)
    for both in ((many, few), (few, Calibration(900, 0.3, 0.02, 0.0))):
        told = dict(zip(("live_calibration", "calibration"), both, strict=True))
        assert verdict(*(beside(live, live) for _ in range(20)), **told) is None


def judged(kind: str = "probability", width: int = 1, levels: tuple[float, ...] = ()) -> Judged:
    return Judged(Output("p", kind, width, levels=levels))  # type: ignore[arg-type]


def labels(answer: np.ndarray, label: np.ndarray) -> Labels:
    return Labels(answer.reshape(len(answer), -1), label.astype(float), np.zeros(len(answer), np.int64))


def test_every_kind_of_answer_is_judged_by_its_labels() -> None:
    one, rng = np.ones(4), np.random.default_rng(1)
    for kind, width, levels, answer, label, expected in (
        ("number", 1, (), 2 * one, one, {"mean_absolute_error": 1.0, "weighted_error": 1.0, "bias": 1.0}),
        (
            "ranking",
            2,
            (),
            np.array([[3, 1], [5, 6]]),
            np.array([1, 9]),
            {"hit_rate": 0.5, "mean_reciprocal_rank": 0.25},
        ),
        ("distribution", 2, (), np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([1, 1]), {"hit_rate": 0.5}),
        ("quantiles", 2, (0.1, 0.9), np.array([[0, 2], [0, 2]]), np.array([1, 3]), {"coverage": 0.5, "pinball": 0.35}),
        ("embedding", 2, (), rng.random((2, 2)), one[:2], {}),
    ):
        held = judged(kind, width, levels)
        assert held.measures() == {}
        held.observe(labels(np.asarray(answer, float), np.asarray(label)))
        measured = held.measures()
        assert {name: round(measured[name], 6) for name in expected} == expected, kind
        assert bool(measured) is bool(expected)


def test_a_canary_whose_probabilities_are_right_is_not_rolled_back_by_chance() -> None:
    """Labels come in by the hundred and the verdict is asked each time, for as long as it lasts."""
    rolled_back = dict.fromkeys(("right", "wrong"), 0)
    for kind in rolled_back:
        for seed in range(100):
            rng, live, canary, watch = np.random.default_rng(seed), judged(), judged(), CanaryWatch()
            watch.observe(beside(np.full(1000, 0.5), np.full(1000, 0.5)))
            for _ in range(40):
                p, q = rng.beta(2, 2, 400), rng.beta(2, 2, 100)
                live.observe(labels(p, rng.random(400) < p))
                canary.observe(labels(q, rng.random(100) < (q if kind == "right" else q**2)))
                if watch.verdict(CanaryPolicy(), live.calibration(), canary.calibration()):
                    rolled_back[kind] += 1
                    break
    assert rolled_back["right"] == 0
    assert rolled_back["wrong"] == 100


def test_cost_is_judged_by_the_rows_it_was_measured_on() -> None:
    for rows, expected in ((100, "latency"), (5, None)):
        five, model = np.full(5, 0.5), shipped().model("churn")
        few = [Compared("canary", model, five, five, five * 0, 1.0, 90.0, rows) for _ in range(200)]
        assert verdict(*few) == expected


def test_rows_like_those_of_training_do_not_differ_from_it_and_others_do() -> None:
    training = RNG.gamma(2.0, 3.0, 20_000)
    drift = FromTraining({"orders.count": distribution(training)})
    for _ in range(100):
        drift.observe({"orders.count": RNG.gamma(2.0, 3.0, 60), "not.on.the.card": np.ones(60)})
    assert drift.psi()["orders.count"] < 0.02
    for _ in range(1000):
        drift.observe({"orders.count": RNG.gamma(2.0, 9.0, 60)})
    assert drift.psi()["orders.count"] > 0.5


def test_what_drift_looks_at_is_like_all_that_was_scored() -> None:
    """Silences, then shoppers with few due points come first in a slice: the first rows are not like the rest."""
    log = random_history(43, 6000, 400, hostile=False)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    model = processor.in_force.models[1]
    assert model.task == "churn"
    seen = FromTraining(model.distributions)
    every: dict[str, list[np.ndarray]] = {}
    for slice_ in cut(log, range(1000, len(log), 1000)):
        columns = drift_columns(next(s for s in processor.apply(slice_).scores if s.models[0].task == "churn"))
        seen.observe(columns)
        for name, column in columns.items():
            every.setdefault(name, []).append(column)
    for name, blocks in every.items():
        edges = np.array(model.distributions[name]["edges"])
        counts = np.bincount(np.searchsorted(edges, np.concatenate(blocks)), minlength=len(edges) + 1)
        assert psi(counts, seen._counts[name]) < 0.15, name


@pytest.mark.parametrize("size", [13, 200])
def test_late_labels_are_what_a_plain_loop_finds(size: int) -> None:
    """Every due point that waits gets the label that the log gives it, once, whether its shopper came back or not."""
    log = random_history(41, 2500, 40, hostile=False)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    told: list[tuple[float, bool]] = []
    scores: dict[str, list[tuple[int, float]]] = {}
    for slice_ in cut(log, range(size, len(log), size)):
        for outcome in processor.apply(slice_).outcomes:
            said = json.loads(encode_outcome(outcome))
            if "churn" in said.get("answers", {}):
                score = said["answers"]["churn"]["scores"]["lapse_30d"]
                scores.setdefault(said["key"], []).append((said["event_time_ms"], score))
        known = processor.known().labels.get(("churn", "lapse_30d"))
        if known is not None:
            told += zip(known.answer[:, 0].tolist(), (known.label > 0).tolist(), strict=True)
    orders: dict[str, list[int]] = {}
    for at, event in in_time_order(log):
        if isinstance(event, OrderPlaced):
            orders.setdefault(event.shopper_id, []).append(at)
    horizon, expected = HORIZON_DAYS * DAY_MS, []
    for shopper, points in scores.items():
        waiting: tuple[int, float] | None = None
        for at, score in [*points, (processor.watermark_ms + 1, -1.0)]:
            if waiting and waiting[0] + horizon < at:
                due = waiting[0]
                expected.append((waiting[1], not any(due < o <= due + horizon for o in orders.get(shopper, []))))
                waiting = None
            if waiting is None:
                waiting = (at, score)
    assert len(told) > 50
    assert sorted(told) == sorted(expected)


def test_the_waiting_due_points_are_in_the_row_however_the_log_is_cut() -> None:
    log = random_history(42, 1200, 30)
    whole, parts = run_plain(cut(log, [])), run_plain(cut(log, range(50, 1200, 50)))
    assert whole.rows == parts.rows


def test_what_came_next_is_the_label_of_what_was_said_to_come_next() -> None:
    """The event after the due point counts, not the one that makes due again; no category is no label."""
    log = log_of(
        ordered("s1", NOON, "o1"), viewed("s1", NOON + 1, "v1", category="tea"), viewed("s1", NOON + 2, "v2"),
        carted("s1", NOON + 3, "c1", category="milk"), carted("s1", NOON + 4, "c2", category="tea"),
    )  # fmt: skip
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    processor.apply(slice_of(log))
    known = processor.known().labels
    types = known["behaviour", "next_type"].label.tolist()
    assert types == [TYPE_CODE[ItemViewed], TYPE_CODE[CartItemAdded]]
    buckets = known["behaviour", "next_category"].label.tolist()
    assert buckets == [category_code(name) % BUCKETS["category"] + 1 for name in ("tea", "tea")]

"""Drift, canaries and late labels are judged from what really happened."""

from __future__ import annotations

import json
from dataclasses import replace

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
from streams.monitoring import kinds
from streams.monitoring.canary import Beside, CanaryPolicy, CanaryWatch, Compared, worse
from streams.monitoring.drift import FromTraining, distribution, psi
from streams.monitoring.judged import Judged, Quality
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


def beside(
    live: np.ndarray, other: np.ndarray, cost: float = 1.0, error: str = "", kind: str = "probability"
) -> Compared:
    """Both models' answers to the first output, of a slice; NaN where the other failed."""
    levels = (0.1, 0.5, 0.9) if kind == "quantiles" else ()
    output = Output("p", kind, live.shape[1] if live.ndim > 1 else 1, levels=levels)  # type: ignore[arg-type]
    model = shipped().model("churn")
    known = np.isfinite(other.reshape(len(other), -1)).all(axis=1)
    one, two = (kinds.numbers(output, values[known]) for values in (live, other))
    numbers = {name: Beside(one[name], two[name], kind in kinds.CHANCES) for name in one}
    return Compared(
        "canary", model, model, len(live), numbers if kind in kinds.SAME_MEANING else {},
        {"p": kinds.distance(kind, live[known], other[known])}, 1.0, cost, len(live), int((~known).sum()), error,
    )  # fmt: skip


def verdict(*compared: Compared) -> str | None:
    watch = CanaryWatch()
    for each in compared:
        watch.observe(each)
    found = watch.verdict(CanaryPolicy())
    return found and found[0]


def off_by(error: float, labels: int = 900, floor: float = 0.02) -> Quality:
    return Quality(labels, 0.1, 0.01, Calibration(labels, error, floor, 0.005))


def test_a_canary_that_says_much_the_same_goes_on() -> None:
    live = RNG.random(5000)
    other = np.clip(live + RNG.normal(0, 0.03, 5000), 0, 1)
    assert verdict(*(beside(live[i::10], other[i::10], 1.2) for i in range(10))) is None
    assert worse(CanaryPolicy(), "p", off_by(0.04), off_by(0.06)) is None


def test_a_canary_is_rolled_back_for_each_kind_of_harm() -> None:
    live = RNG.random(2000)
    failing = np.where(RNG.random(2000) < 0.02, np.nan, live)
    assert verdict(beside(live, failing, error="boom")) == "errors"
    assert verdict(*(beside(live[:400], live[:400], 90.0) for _ in range(6))) == "latency"
    assert verdict(beside(live, live**4)) == "score_drift"
    assert (worse(CanaryPolicy(), "p", off_by(0.02), off_by(0.12)) or "")[0] == "calibration"


def test_little_evidence_rolls_nothing_back_but_failures_do() -> None:
    live = RNG.random(100)
    assert verdict(beside(live, live**4)) is None
    assert verdict(beside(live, np.full(100, np.nan))) == "errors"
    for both in ((off_by(0.02), off_by(0.3, 20)), (off_by(0.3, 20), off_by(0.3))):
        assert worse(CanaryPolicy(), "p", *both) is None


def lists(rows: int, first: int) -> np.ndarray:
    """Rankings of five of ten places from ``first`` on."""
    return np.argsort(np.random.default_rng(rows).random((rows, 10)), axis=1)[:, :5].astype(float) + first


def turned(values: np.ndarray) -> np.ndarray:
    """The same embeddings seen from another side."""
    found: np.ndarray = values @ np.linalg.qr(np.random.default_rng(2).standard_normal((values.shape[1],) * 2))[0]
    return found


AMOUNT, CHANCES, TASTE = RNG.gamma(2.0, 500.0, 2000), RNG.dirichlet(np.ones(5), 2000), RNG.standard_normal((2000, 8))
RANGE = np.sort(RNG.gamma(2.0, 500.0, (2000, 3)), axis=1)


@pytest.mark.parametrize(
    ("kind", "live", "like", "unlike", "reason"),
    [
        ("number", AMOUNT, AMOUNT * 1.05, AMOUNT * 100, "score_drift"),
        ("number", np.full(2000, 3.0), np.full(2000, 3.0000001), np.full(2000, 300.0), "score_drift"),
        ("quantiles", RANGE, RANGE * 1.05, RANGE * 100, "score_drift"),
        ("quantiles", RANGE, RANGE * 1.05, RANGE.mean(axis=1, keepdims=True) + np.zeros(3), "score_drift"),
        ("distribution", CHANCES, CHANCES * 0.9 + 0.02, np.eye(5)[np.zeros(2000, int)], "score_drift"),
        ("ranking", lists(2000, 1), lists(2000, 1)[:, ::-1], lists(2000, 100), "distance"),
        ("text", lists(2000, 1), np.c_[lists(2000, 1)[:, :4], np.full(2000, -1.0)], lists(2000, 100), "distance"),
        ("embedding", TASTE, turned(TASTE) * 3, RNG.standard_normal((2000, 8)), "distance"),
        ("embedding", TASTE, TASTE + 0.1, np.ones((2000, 8)), "distance"),
    ],
)  # fmt: skip
def test_a_canary_of_any_kind_of_answer_is_rolled_back_where_it_says_something_else(
    kind: str, live: np.ndarray, like: np.ndarray, unlike: np.ndarray, reason: str
) -> None:
    for other, expected in ((like, None), (unlike, reason)):
        assert verdict(*(beside(live[i::10], other[i::10], kind=kind) for i in range(10))) == expected


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


def answers(kind: str, rng: np.random.Generator, n: int, wrong: bool) -> tuple[np.ndarray, np.ndarray]:
    """(answers, labels) of one who is right, or who is wrong."""
    if kind == "probability":
        p = rng.beta(2, 2, n)
        return p, rng.random(n) < (p**2 if wrong else p)
    if kind in ("number", "quantiles"):
        label = rng.lognormal(3.0, 1.0, n)
        scale = np.exp(rng.normal(0, 0.9 if wrong else 0.3, n))
        return (label * scale)[:, None] * np.array([0.7, 1.0, 1.4] if kind == "quantiles" else [1.0]), label
    chance = rng.dirichlet(np.ones(4), n)
    label = (rng.random(n)[:, None] > np.cumsum(chance, axis=1)).sum(axis=1)
    told = chance[:, ::-1] if wrong else chance
    return (told if kind == "distribution" else np.argsort(-told, axis=1)[:, :2]), label


@pytest.mark.parametrize("kind", ["probability", "number", "quantiles", "distribution", "ranking"])
def test_a_canary_that_is_right_is_not_rolled_back_by_chance_and_one_that_is_wrong_is(kind: str) -> None:
    """Labels come in by the hundred and the verdict is asked each time, for as long as it lasts."""
    rolled_back, width = dict.fromkeys((False, True), 0), {"quantiles": 3, "distribution": 4, "ranking": 2}.get(kind, 1)
    output = Output("p", kind, width, levels=(0.1, 0.5, 0.9) if kind == "quantiles" else ())  # type: ignore[arg-type]
    for wrong in rolled_back:
        for seed in range(30):
            rng, watch = np.random.default_rng(seed), CanaryWatch((1, 2), rows=1000)
            for _ in range(40):
                for code, n in ((1, 400), (2, 100)):
                    answer, label = answers(kind, rng, n, wrong and code == 2)
                    watch.judge(output, replace(labels(answer, label), model=np.full(n, code)))
                if watch.verdict(CanaryPolicy()):
                    rolled_back[wrong] += 1
                    break
    assert rolled_back == {False: 0, True: 30}


def test_what_was_foretold_before_a_canary_began_is_not_held_against_it() -> None:
    """A season in which all are wrong is one for both."""
    watch, rng, output = CanaryWatch((1, 2), rows=1000), np.random.default_rng(0), Output("p", "number")
    for code, n, wrong in ((1, 900, False), (2, 400, True), (1, 400, True)):
        answer, label = answers("number", rng, n, wrong)
        watch.judge(output, replace(labels(answer, label), model=np.full(n, code)))
    assert [held.count for held in watch.judged["p"]] == [400, 400]
    assert watch.verdict(CanaryPolicy()) is None


def test_cost_is_judged_by_the_rows_it_was_measured_on() -> None:
    for rows, expected in ((100, "latency"), (5, None)):
        five = np.full(5, 0.5)
        few = [replace(beside(five, five, 90.0), rows=rows) for _ in range(200)]
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
        assert psi(counts, seen.counts[name]) < 0.15, name


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

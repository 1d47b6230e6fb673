"""Alerts in training are those of serving, and thresholds keep what they promise."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from streams.decisions.churn_alert import LEVELS, ChurnAlertPolicy
from streams.entities.shopper import SHOPPER
from streams.monitoring.alert_truth import Orders, truth
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import ShopperEvent, decode_event
from streams.records.outcomes import ChurnAlerted
from tests.models.doubles import Double
from tests.shoppers import DAY, NOON, log_of, random_history, slice_of
from tests.worlds import shipped
from training.alerts import JUDGED_OUTPUT, TO_KEEP, Points, Validation, alerts_of, as_many, choose, recalibrated, turns
from training.history import history_of
from training.labels.horizons import orders_of
from training.replay import EVENT, replay


def test_turns_take_everybody_in_order_and_nobody_twice() -> None:
    shopper = np.random.default_rng(0).integers(0, 9, 200)
    seen: list[int] = []
    for some in turns(shopper):
        assert len(set(shopper[some].tolist())) == len(some)
        seen += some.tolist()
    assert sorted(seen) == list(range(200))
    for who in range(9):
        mine = [i for i in seen if shopper[i] == who]
        assert mine == sorted(mine)


class Unjudged(Double):
    """The shipped model without the answer that the stream learns from, so that nothing corrects it."""

    def __init__(self, live: Any, version: str, digest: str) -> None:
        super().__init__(live, version, digest)
        self.outputs = tuple(output for output in live.outputs if output.name != JUDGED_OUTPUT)

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """All but that answer."""
        return {name: values for name, values in super().score(x).items() if name != JUDGED_OUTPUT}


def test_alerts_of_a_replay_are_those_that_the_stream_makes() -> None:
    log = random_history(17, 3000, 60, hostile=False)
    events = [event for _, value in log if isinstance(event := decode_event(value or b""), ShopperEvent)]
    events.sort(key=lambda e: e.event_time)
    history, live = history_of(events, "USD"), shipped().model("churn")
    # What the policy makes of scores is held against the stream; what corrects them is another test's.
    model = Unjudged(live, live.version, live.digest)
    shelf: Any = SimpleNamespace(
        tasks_of=lambda _entity: ("churn",),
        outputs=lambda _task: model.outputs,
        shipped=lambda _task: live.version,
        model=lambda _task, _version=None: model,
    )
    rows = replay(history, model.features)
    rows = rows.select(rows.x[:, model.features.index("orders.count")] >= 1)  # of others the stream says nothing
    score = model.score(rows.x)[model.outputs[0].name].round(4)
    placed = orders_of(history)
    who, when = history.shopper[placed], history.time_ms[placed]
    ordered = (rows.why == EVENT) & np.isin((rows.shopper << 48) + rows.at_ms, (who << 48) + when)
    policy = replace(ChurnAlertPolicy(), **model.levels["thresholds"])
    made = alerts_of(policy, Points(rows.shopper, rows.at_ms, ordered, Orders(who, when, history.end_ms)), score)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shelf)
    found = []
    log = log_of(*events)
    for a in range(0, len(log), 500):
        for outcome in processor.apply(slice_of(log[a : a + 500], a)).outcomes:
            if isinstance(outcome, ChurnAlerted):
                found.append((outcome.shopper_id, outcome.event_time_ms, outcome.level, outcome.score))
    ours = [
        (history.shoppers[w], at, LEVELS[level], s)
        for w, at, level, s in zip(
            *(v.tolist() for v in (made.shopper, made.at_ms, made.level, made.score)), strict=True
        )
    ]
    assert sorted(ours) == sorted(found)
    assert len(ours) > 20


def right_scores(seed: int, flatter: float = 1.0) -> tuple[Points, np.ndarray]:
    """Silences of shoppers who order within a month by chance, 1 less their score (to the power of ``flatter``)."""
    rng = np.random.default_rng(seed)
    n = 8000
    score = rng.random(n).round(4)
    at = NOON + np.zeros(n, np.int64)
    orders = np.flatnonzero(rng.random(n) > score**flatter)
    when = NOON + rng.integers(DAY, 29 * DAY, len(orders))
    points = Points(np.arange(n), at, np.zeros(n, np.bool_), Orders(orders, when, NOON + 40 * DAY))
    return points, score


def test_thresholds_keep_what_they_promise_in_every_shop_with_as_many_alerts_as_that_allows() -> None:
    points, score = right_scores(1)
    worse, its_score = right_scores(2, flatter=1.3)
    for shops in ({"one": (points, score)}, {"one": (points, score), "worse": (worse, its_score)}):
        policy, promised = choose({name: Validation(*shop, 0) for name, shop in shops.items()})
        assert policy.watch < policy.high < policy.critical < 1
        for name, (its_points, its) in shops.items():
            known = truth(alerts_of(policy, its_points, its), its_points.orders)
            for level, least in TO_KEEP.items():
                assert promised[name][level] >= least
                low, high = known[level]["interval"]
                assert low - 0.05 <= promised[name][level] <= high + 0.05
    assert policy.critical > 0.65  # the worse shop decides


def test_another_score_gets_as_many_alerts() -> None:
    points, score = right_scores(3)
    made = as_many(points, score**2, 500, 0)
    assert 500 <= len(made) <= 520
    assert len(as_many(points, score, len(score) + 1, 0)) <= len(score)  # as many as there can be
    assert not len(as_many(points, score, 500, NOON + DAY))  # none of them is that late


def test_recalibrated_answers_of_a_day_are_those_of_what_was_known_then() -> None:
    rng = np.random.default_rng(4)
    n = 4000
    shopper, at = rng.integers(0, 200, n), np.sort(NOON + rng.integers(0, 100 * DAY, n))
    ordered = rng.random(n) < 0.3
    points = Points(shopper, at, ordered, Orders(shopper[ordered], at[ordered], NOON + 200 * DAY))
    answers = {"lapse_15d": rng.random(n) * 0.9, "lapse_30d": rng.random(n) * 0.8}
    whole = recalibrated(points, answers, {"lapse_30d": 30})["lapse_30d"]
    early = at < NOON + 50 * DAY
    known = recalibrated(points.select(early), {k: v[early] for k, v in answers.items()}, {"lapse_30d": 30})
    np.testing.assert_array_equal(known["lapse_30d"], whole[early])
    assert np.abs(whole - answers["lapse_30d"]).max() > 0.01

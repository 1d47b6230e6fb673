"""Recalibration in the stream: a function of the log before each day, in any cut, after any crash."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.task import Grows, Output
from streams.decisions.churn_alert import TASK
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.monitoring.calibration import ORDERED
from streams.processing.partition import PartitionProcessor
from streams.processing.recalibrating import Recalibrated, Recalibrating
from streams.processing.rules import Rules
from streams.records.events import encode_event
from streams.records.serving import ModelsChosen, Stages
from streams.state.keys import TALLY
from tests.models.doubles import Double
from tests.models.variants import variant
from tests.monitoring.test_watching import CHURN, shelf  # noqa: F401 (fixture)
from tests.shoppers import DAY, NOON, Log, log_of, ordered
from tests.worlds import DictTier, World, cut, run_plain, shipped
from training.alerts import JUDGED_OUTPUT


def busy(shoppers: int = 100, days: int = 110) -> Log:
    """Shoppers who order every few days, far more often than the model foretells of those it has just met."""
    rng = np.random.default_rng(3)
    times = [
        (NOON + int(at * DAY), shopper)
        for shopper in range(shoppers)
        for at in np.cumsum(rng.exponential(6.0, 40))
        if at < days
    ]
    return log_of(*(ordered(f"s{shopper}", at, f"o{at}-{shopper}") for at, shopper in sorted(times)))


def shelf_with(*tasks: str) -> Any:
    """The model of churn under the names of several tasks, each with a digest of its own."""
    live = shipped().model(TASK)
    doubles = {}
    for i, task in enumerate(tasks):
        doubles[task] = Double(live, live.version, live.digest if task == TASK else f"{i:x}" + live.digest[1:])
        doubles[task].task = task
    return SimpleNamespace(
        tasks_of=lambda _entity: tasks,
        outputs=lambda _task: live.outputs,
        shipped=lambda _task: live.version,
        model=lambda task, _version=None: doubles[task],
    )


def learning(processor: PartitionProcessor, task: str = TASK) -> Recalibrated:
    assert isinstance(processor.side, ShopperSide)
    return processor.side.recalibrating.tasks[task]


def sums(processor: PartitionProcessor, task: str = TASK) -> dict[int, list[int]]:
    return {day: found.tolist() for day, found in learning(processor, task).waiting.sums().days.items() if found.any()}


@pytest.mark.parametrize("size", [1, 97, 600])
def test_what_was_known_of_each_day_corrects_what_is_said_however_the_log_is_cut(size: int) -> None:
    log = busy(30, 75) if size == 1 else busy()
    whole = run_plain(cut(log, []))
    assert run_plain(cut(log, range(size, len(log), size))).outcomes == whole.outcomes
    said = [found["answers"][TASK] for found in map(json.loads, whole.outcomes.values()) if "answers" in found]
    days = {found["model"]["recalibrated"] for found in said}
    assert len(days) > 50
    assert None not in days


def test_orders_that_come_more_often_than_foretold_make_lapses_less_likely() -> None:
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    log = busy()
    early, late = (processor.apply(slice_) for slice_ in cut(log, [len(log) - 200]))
    scores = next(scores for scores in late.scores if scores.models[0].task == TASK)
    assert (scores.answers["lapse_30d"] <= scores.foretold["lapse_30d"]).all()
    assert learning(processor).learned(processor.today).exponent(30) > 1.1
    # In the first days nothing is known, and nothing is corrected.
    first = next(scores for scores in early.scores if scores.models[0].task == TASK)
    assert first.learned_day is not None
    young = first.learned_day <= first.learned_day.min() + 15
    np.testing.assert_array_equal(first.answers["lapse_90d"][young], first.foretold["lapse_90d"][young])


@pytest.mark.parametrize(("seed", "tasks"), [(0, [TASK]), (1, [TASK]), (2, ["quiet", TASK]), (3, ["quiet", TASK])])
def test_after_a_crash_nothing_is_counted_twice_and_nothing_is_missing(seed: int, tasks: list[str]) -> None:
    """Sums are written before rows: whatever of a flush arrived, they are there whenever a row is."""
    log, rng, models = busy(40, 70), random.Random(seed), shelf_with(*tasks)
    whole = PartitionProcessor(SHOPPER, 0, Rules(), models)
    world, expected = World(), World()
    expected.take_result(whole.apply(cut(log, [])[0]))
    tier, start = DictTier(), 0
    while start < len(log):
        processor = PartitionProcessor(SHOPPER, 0, Rules(), models, tier=tier)
        assert processor.next_offset == start
        slice_ = cut(log, [])[0].cut(start, min(len(log), start + rng.randint(1, 120)))
        world.take_result(processor.apply(slice_))
        changes = list(processor.drain_changes().items())
        arrived = rng.choice([len(changes), rng.randint(0, len(changes))])
        tier.write(dict(changes[:arrived]))
        start = processor.next_offset if arrived == len(changes) else start
    assert world.outcomes == expected.outcomes
    again = PartitionProcessor(SHOPPER, 0, Rules(), models, tier=tier)
    assert all(sums(again, task) == sums(whole) for task in tasks)


def test_only_sums_that_may_still_change_are_written_again() -> None:
    processor, tier = PartitionProcessor(SHOPPER, 0, Rules(), shipped()), DictTier()
    written: list[int] = []
    for slice_ in cut(busy(60, 100), range(50, 1000, 50)):
        processor.apply(slice_)
        changes = processor.drain_changes()
        written.append(sum(key[:1] == TALLY for key in changes))
        tier.write(changes)
    kept = sum(key[:1] == TALLY for key in tier.held)
    assert kept > 60
    assert sum(written) == kept + len(written) - 1  # each final day once, the others together each time
    assert not any(key[:1] == TALLY for key in processor.drain_changes())


def test_what_was_learned_of_one_model_is_not_held_against_another(shelf: Any) -> None:  # noqa: F811
    processor, log = PartitionProcessor(SHOPPER, 0, Rules(), shelf), busy(60, 90)
    half = len(log) // 2
    chosen = ModelsChosen(stages={TASK: Stages(change_id="c", live=variant(CHURN, 1.01).version)})
    processor.apply(cut(log[:half], [])[0])
    before = learning(processor).model
    assert learning(processor).learned(processor.today).exponent(30) != 1
    (choice, after) = cut([(None, encode_event(chosen)), *log[half:]], [1])
    for slice_ in (choice, after):
        moved = type(slice_)(
            slice_.topic, 0, [o + half for o in slice_.offsets], slice_.timestamps_ms, slice_.keys, slice_.values
        )
        found = processor.apply(moved)
    scores = next(scores for scores in found.scores if scores.models[0].task == TASK)
    np.testing.assert_array_equal(scores.answers[JUDGED_OUTPUT][:20], scores.foretold[JUDGED_OUTPUT][:20])
    assert learning(processor).model != before
    assert all(day[ORDERED] >= 0 for day in sums(processor).values())


def answers(outcomes: dict[str, bytes], task: str) -> list[Any]:
    said = [found["answers"] for found in map(json.loads, outcomes.values()) if "answers" in found]
    return [[found[task]["scores"], found[task]["model"]["recalibrated"]] for found in said if task in found]


def test_whatever_tasks_declare_a_chance_that_nothing_comes_each_is_recalibrated_as_if_alone() -> None:
    log = busy(20, 60)
    churn = answers(run_plain(cut(log, [])).outcomes, TASK)
    assert len(churn) > 100
    assert all(learned for _, learned in churn)
    together = run_plain(cut(log, []), shelf=shelf_with("quiet", TASK)).outcomes
    assert answers(together, "quiet") == answers(together, TASK) == churn


def test_sums_that_were_kept_when_one_task_could_be_recalibrated_are_found() -> None:
    processor, tier = PartitionProcessor(SHOPPER, 0, Rules(), shipped()), DictTier()
    for slice_ in cut(busy(60, 100), range(50, 1000, 50)):
        processor.apply(slice_)
        tier.write(processor.drain_changes())
    tier.held[TALLY] = tier.held.pop(learning(processor).key)
    assert sums(PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier)) == sums(processor)


def test_a_task_is_recalibrated_by_one_output() -> None:
    grows = Grows("orders.count", 15, "none")
    two = [Output(name, horizon_days=15, event="order_placed", label=grows) for name in ("quiet", "silent")]
    with pytest.raises(ValueError, match=r"a\.quiet, a\.silent"):
        Recalibrating({"a": two})
    with pytest.raises(ValueError, match="one probability with a label and a horizon"):
        Output("quiet_15d", "number", event="order_placed")

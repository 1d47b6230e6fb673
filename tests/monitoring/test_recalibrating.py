"""Recalibration in the stream: learned of what came, written into the log, the same in every replay."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np

from streams.decisions.churn_alert import TASK
from streams.monitoring.calibration import JUDGED_OUTPUT, Recalibration
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import decode_event
from streams.records.serving import ModelsChosen, Recalibrated, Stages
from streams.state.keys import TALLY
from tests.models.variants import variant
from tests.monitoring.test_watching import CHURN, shelf, worker  # noqa: F401 (fixture)
from tests.shoppers import DAY, NOON, Log, log_of, ordered
from tests.worlds import DictTier, cut, run_plain, shipped


def busy(shoppers: int = 150, days: int = 150) -> Log:
    """Shoppers who order every few days, far more often than the model foretells of those it has just met."""
    rng = np.random.default_rng(3)
    times = [
        (NOON + int(at * DAY), shopper)
        for shopper in range(shoppers)
        for at in np.cumsum(rng.exponential(6.0, 40))
        if at < days
    ]
    return log_of(*(ordered(f"s{shopper}", at, f"o{at}-{shopper}") for at, shopper in sorted(times)))


def test_what_is_learned_is_written_into_the_log_once_a_day_and_corrects_what_is_said(shelf: Any) -> None:  # noqa: F811
    """And whoever replays that log, however it is cut, says the same."""
    events, log, sent = worker(shelf), list[Any](), busy()
    for slice_ in cut(sent, range(400, len(sent), 400)):
        log += zip(slice_.keys, slice_.values, strict=True)
        whole = cut(log, [])[0]
        start = events.processors[0].next_offset if events.processors else 0
        events.handle(whole.cut(start, len(whole)), 0)
        said = events.writer.sent  # type: ignore[attr-defined]
        said.clear()
        events.choices.recalibrate()
        events.choices.recalibrate()  # of the same day nothing more is to be said
        records = [decode_event(value) for _, value in said]
        assert len(records) <= 1
        assert all(isinstance(record, Recalibrated) for record in records)
        log += [(None, value) for _, value in said]
    processor = events.processors[0]
    found = processor.recalibrated[TASK]
    live = processor.live(TASK)
    assert live is not None
    assert found.model == live.digest
    # Orders came more often than foretold, so a chance of no order is smaller than it was said.
    assert Recalibration(found.level, found.lately).exponent(30) > 1.1
    once, cutted = run_plain(cut(log, [])), run_plain(cut(log, range(7, len(log), 1013)))
    assert once.outcomes == cutted.outcomes
    assert once.rows == cutted.rows
    scored = [said for said in map(json.loads, once.outcomes.values()) if "scores" in said]
    versions = {said["model"]["recalibrated"] for said in scored if said["model"]["task"] == TASK}
    assert None in versions
    assert found.version in versions


def test_what_was_counted_and_learned_survives_a_restart() -> None:
    first = PartitionProcessor(0, Rules(), shipped())
    log = busy(60, 60)
    first.apply(cut(log, [])[0])
    live = first.live(TASK)
    assert live is not None
    learned = Recalibrated(task=TASK, model=live.digest, version="2024-01-01", level=1.5, lately=1.0)
    first.apply(cut([*log, (None, msgspec.json.encode(learned))], [len(log)])[1])
    tier = DictTier()
    tier.write(first.take_changes())
    again = PartitionProcessor(0, Rules(), shipped(), tier=tier)
    assert again.recalibrated == {TASK: learned}
    before, after = first.order_tallies.sums().days, again.order_tallies.sums().days
    assert {day: sums.tolist() for day, sums in before.items()} == {day: sums.tolist() for day, sums in after.items()}
    assert sum(key[:1] == TALLY for key in tier.held) == len(before) > 40
    # Nothing moved: nothing is written again.
    assert not any(key[:1] == TALLY for key in again.take_changes())


def test_what_was_learned_of_one_model_is_not_held_against_another(shelf: Any) -> None:  # noqa: F811
    other = variant(CHURN, 1.01).version
    processor = PartitionProcessor(0, Rules(), shelf)
    log = busy(60, 60)
    live = processor.live(TASK)
    assert live is not None
    learned = Recalibrated(task=TASK, model=live.digest, version="2024-01-01", level=3.0, lately=1.0)
    chosen = ModelsChosen(stages={TASK: Stages(change_id="c", live=other)})
    half = len(log) // 2
    records = [(None, msgspec.json.encode(record)) for record in (learned, chosen)]
    slices = cut([*log[:half], *records, *log[half:]], [half + 1, half + 2])
    processor.apply(slices[0])
    counted = processor.order_tallies.model
    processor.apply(slices[1])
    found = processor.apply(slices[2])
    for task in found.scores:
        if task.models[0].task == TASK:
            assert task.recalibrated is None
            np.testing.assert_array_equal(task.answers[JUDGED_OUTPUT], task.foretold[JUDGED_OUTPUT])
    assert processor.order_tallies.model != counted
    assert all(int(sums[2]) >= 0 for sums in processor.order_tallies.sums().days.values())

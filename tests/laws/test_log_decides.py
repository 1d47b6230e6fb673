"""The log decides: not how it was cut, not a restart, not a second delivery."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import encode_event
from streams.records.serving import RulesChosen
from streams.state.codec import row_bytes
from tests.shoppers import DAY, HOUR, NOON, Log, identified, log_of, ordered, random_history, slice_of, viewed
from tests.worlds import DictTier, World, cut, cut_off, run_plain, seldom_due, shipped


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 449), max_size=40))
def test_any_cut_gives_the_same_bits_and_the_same_outcomes(seed: int, cuts: list[int]) -> None:
    log = random_history(seed, 450, 25)
    whole, parts = run_plain(cut(log, [])), run_plain(cut(log, cuts))
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes
    assert parts.fates == whole.fates
    assert min(whole.due["event"], whole.fates["duplicate"], whole.fates["late"]) > 0


def test_one_record_at_a_time_gives_the_same_as_all_at_once() -> None:
    log = random_history(12345, 700, 30)
    whole, single = run_plain(cut(log, [])), run_plain(cut(log, range(1, len(log))))
    assert single.rows == whole.rows
    assert single.outcomes == whole.outcomes
    assert whole.due["silence"] > 20
    assert whole.kinds["ChurnAlerted"] > 0
    assert whole.kinds["OfferMade"] > 0
    assert whole.kinds["OfferWithheld"] > 0
    assert whole.kinds["LateEvent"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_every_record_has_exactly_one_fate(seed: int) -> None:
    log = random_history(seed, 600, 30)
    rng = random.Random(seed)
    for _ in range(40):
        log.insert(rng.randrange(len(log)), (b"s", rng.randbytes(30)))
    world = run_plain(cut(log, rng.sample(range(len(log)), 20)))
    assert world.fates["applied"] + world.fates["duplicate"] + world.fates["late"] + world.fates["dead"] == len(log)
    assert world.fates["dead"] == world.kinds["DeadLetter"] == 40
    assert world.fates["late"] == world.kinds["LateEvent"] > 0
    assert world.fates["duplicate"] > 0


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6), crash=st.integers(1, 500), lost=st.floats(0, 1), limit=st.integers(1, 40))
def test_a_crash_in_the_middle_of_a_flush_changes_nothing(seed: int, crash: int, lost: float, limit: int) -> None:
    """Some rows of the last flush reached the tier, the progress record did not, and rows are evicted all along."""
    log = random_history(seed, 500, 25)
    whole = run_plain(cut(log, []))
    tier, world, rng = DictTier(), World(), random.Random(seed)

    def run(start: int, stop: int) -> dict[bytes, bytes | None]:
        processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier, limit=limit)
        assert processor.next_offset == start
        changes: dict[bytes, bytes | None] = {}
        for a in range(start, stop, 60):
            world.take_result(processor.apply(slice_of(log[a : min(a + 60, stop)], a)))
            if stop != crash:
                tier.write(processor.drain_changes())
                processor.arena.evict()
        return changes | processor.drain_changes()

    tier.write(run(0, crash // 2))
    tier.write(cut_off(run(crash // 2, crash), rng, lost))
    tier.write(run(crash // 2, len(log)))
    assert {key: row_bytes(value) for key, value in tier.held.items() if key[:1] == b"s"} == whole.rows
    assert world.outcomes == whole.outcomes


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_a_log_delivered_twice_changes_nothing(seed: int) -> None:
    log = random_history(seed, 300, 20)
    once = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    once.apply(slice_of(log))
    before = once.arena.rows.data.tobytes()
    again = once.apply(slice_of(log))
    assert once.arena.rows.data.tobytes() == before
    assert again.fates == Counter(duplicate=len(log))
    assert not again.outcomes


def test_those_are_due_whose_timers_have_passed() -> None:
    arena = PartitionProcessor(SHOPPER, 0, Rules()).arena
    rows = arena.find([f"s{i}" for i in range(1000)])
    arena.timer[rows[::7]] = 5
    arena.timer[rows[1::7]] = 11
    assert arena.due(10).tolist() == rows[::7].tolist()
    assert arena.next_timer() == 5


def test_every_event_is_due_when_the_cadence_is_a_millisecond() -> None:
    """However many milliseconds have passed since 1970."""
    log = log_of(*(viewed(f"s{i % 3}", NOON + i, f"e{i}") for i in range(60)))
    processor = PartitionProcessor(SHOPPER, 0, Rules(cadence_ms=1))
    assert processor.apply(slice_of(log)).due_kinds["event"] == 60


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 349), max_size=30))
def test_who_was_due_as_often_as_they_may_be_is_passed_over_wherever_the_log_is_cut(seed: int, cuts: list[int]) -> None:
    log = random_history(seed, 350, 12)
    whole, parts = seldom_due(log, [], 3), seldom_due(log, cuts, 3)
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes
    assert parts.fates == whole.fates == run_plain(cut(log, [])).fates


def test_a_program_of_one_shopper_is_due_so_often_in_a_cadence_and_all_it_does_is_counted() -> None:
    at_once, later = (
        [ordered("bot", NOON + start + i, f"o{start}-{i}") for i in range(800)] for start in (0, 2 * HOUR)
    )
    processor = PartitionProcessor(SHOPPER, 0, Rules())
    for events, offset in ((at_once, 0), (later, 800)):
        result = processor.apply(slice_of(log_of(*events), offset))
        assert (result.due_kinds["event"], result.passed_over) == (SHOPPER.most_due, 800 - SHOPPER.most_due)
        assert result.rounds <= SHOPPER.most_due + 3
    row = processor.arena.find(["bot"])
    read = processor.catalogue.read(
        processor.arena.rows.pick(row), np.array([NOON + 2 * HOUR + 800]), ("orders.count",)
    )
    assert read.tolist() == [[1600.0]]


def test_a_longer_cadence_does_not_hold_against_anybody_what_a_shorter_one_counted() -> None:
    processor = PartitionProcessor(replace(SHOPPER, most_due=3), 0, Rules(cadence_ms=HOUR))
    one_an_hour = [ordered("ann", NOON + n * HOUR, f"o{n}") for n in range(6)]
    assert processor.apply(slice_of(log_of(*one_an_hour))).passed_over == 0
    daily = Rules(cadence_ms=DAY)
    said = RulesChosen(digest=daily.digest, rules=daily.described())
    processor.apply(slice_of([(None, encode_event(said))], 6))
    assert processor.rules.cadence_ms == DAY
    one_a_day = [ordered("ann", NOON + n * DAY, f"d{n}") for n in range(1, 9)]
    assert processor.apply(slice_of(log_of(*one_a_day), 7)).passed_over == 0


def test_what_a_program_was_counted_does_not_hold_against_who_comes_later() -> None:
    processor = PartitionProcessor(replace(SHOPPER, most_due=3), 0, Rules(), partitions=1, group="shop")
    before = [ordered("ann", NOON - 2 * DAY + n, f"o{n}") for n in range(9)]
    assert processor.apply(slice_of(log_of(*before))).passed_over == 6
    as_somebody = log_of(viewed("cookie", NOON, "v"), identified("cookie", "ann", NOON + 1, "i"))
    told: Log = [
        (None, one.value) for one in processor.apply(slice_of(as_somebody, 9)).emitted if one.entity == "shopper"
    ]
    assert processor.apply(slice_of(told, 11)).fates["merged"] == 1
    later = processor.apply(slice_of(log_of(ordered("ann", NOON + 2, "p")), 11 + len(told)))
    assert (later.due_kinds["event"], later.passed_over) == (1, 0)


@pytest.mark.parametrize("seed", [1053, 1])
def test_flushes_that_are_cut_off_anywhere_change_nothing(seed: int) -> None:
    """Worker after worker dies in a flush of which only the begin arrived, or some of the rows."""
    rng = random.Random(seed)
    log = random_history(rng.randrange(10**6), 700, 40)
    tier, world, applied = DictTier(), World(), 0
    while applied < len(log):
        processor, alive = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier), True
        for _ in range(rng.randrange(1, 4)):
            stop = min(len(log), processor.next_offset + rng.randrange(1, 200))
            while processor.next_offset < stop:
                start = processor.next_offset
                world.take_result(
                    processor.apply(slice_of(log[start : min(stop, start + rng.randrange(1, 80))], start))
                )
            changes, luck = list(processor.drain_changes().items()), rng.random()
            alive = luck < 0.5
            if luck < 0.75:
                tier.write(dict(changes if alive else changes[: rng.randrange(len(changes))]))
            else:
                tier.write(cut_off(dict(changes), rng, rng.random()))
            if not alive:
                break
        applied = processor.next_offset if alive else 0
    whole = run_plain(cut(log, []))
    assert world.outcomes == whole.outcomes
    assert {key: row_bytes(value) for key, value in tier.held.items() if key[:1] == b"s"} == whole.rows

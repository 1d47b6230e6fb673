"""Whoever is forgotten is somebody new, wherever their row is by then; and rows do not grow for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Rows
from streams.decisions.recommendations import RecommendationPolicy
from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.forgetting import STEP_MS
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import NOBODY_FORGOTTEN, ForgetPolicy, Rules
from streams.records import events as e
from streams.records.events import encode_event
from streams.records.serving import RulesChosen
from streams.state.codec import NEVER, TIMER, row_bytes
from streams.state.keys import PROGRESS, ROW, is_blank, older
from tests.shoppers import DAY, NOON, Log, carted, consented, identified, log_of, ordered, random_history, slice_of
from tests.shoppers import viewed as seen
from tests.worlds import DictTier, World, cut, cut_off, run_plain, shipped

SHORT = Rules(forget=ForgetPolicy(days=8.0, buyers_days=15.0))


def some_forgotten(seed: int) -> Log:
    """Two months, with pauses after which some come back who were forgotten."""
    return random_history(seed, 700, 90)


def plain(log: Log, rules: Rules = SHORT) -> PartitionProcessor:
    processor = PartitionProcessor(SHOPPER, 0, rules, shipped())
    for slice_ in cut(log, range(0, len(log), 50)):
        processor.apply(slice_)
    return processor


def remembered(processor: PartitionProcessor) -> dict[bytes, bytes]:
    """The rows of those who are not forgotten."""
    places = processor.arena.places
    gone = processor.side.forgetting.of(processor.arena.rows, places)  # type: ignore[union-attr]
    names = {ROW + processor.arena.key(place).encode() for place in places[gone].tolist()}
    rows = {key: value for key, value in processor.drain_changes().items() if value and key[:1] == ROW}
    return {key: row_bytes(value) for key, value in rows.items() if key not in names}


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 699), max_size=40))
def test_any_cut_forgets_alike(seed: int, cuts: list[int]) -> None:
    log = some_forgotten(seed)
    whole, parts = PartitionProcessor(SHOPPER, 0, SHORT, shipped()), PartitionProcessor(SHOPPER, 0, SHORT, shipped())
    one, other = run_plain(cut(log, []), processor=whole), run_plain(cut(log, cuts), processor=parts)
    assert other.rows == one.rows
    assert other.outcomes == one.outcomes
    assert other.fates == one.fates
    assert whole.side.forgetting is not None
    assert whole.side.forgetting.drain_count() > 3


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 80))
def test_rows_that_are_gone_change_nothing_wherever_a_flush_is_cut_off(seed: int, size: int) -> None:
    """Worker after worker sweeps, evicts, and dies in a flush of which some arrived."""
    rng, log = random.Random(seed), some_forgotten(seed)
    whole, world, tier = run_plain(cut(log, []), SHORT), World(), DictTier()
    applied, deleted = 0, 0
    while applied < len(log):
        processor = PartitionProcessor(SHOPPER, 0, SHORT, shipped(), tier=tier, limit=rng.randrange(5, 90))
        alive = True
        while alive and processor.next_offset < len(log):
            for _ in range(rng.randrange(1, 4)):
                start = processor.next_offset
                world.take_result(processor.apply(slice_of(log[start : start + size], start)))
            changes, alive = processor.drain_changes(), rng.random() < 0.8
            tier.write(changes if alive else cut_off(changes, rng, rng.random()))
            deleted += sum(value is None and key[:1] == ROW for key, value in changes.items())
            processor.arena.evict()
        applied = processor.next_offset if alive else 0
    assert world.outcomes == whole.outcomes
    assert deleted > 3
    kept = {key: row_bytes(value) for key, value in tier.held.items() if key[:1] == ROW and not is_blank(value)}
    assert remembered(plain(log)).items() <= kept.items() <= whole.rows.items()


def visits(shopper: str, *days: float) -> Iterator[e.ShopperEvent]:
    """A view on each of these days."""
    for day in days:
        yield seen(shopper, NOON + round(day * DAY), f"{shopper}-{day}")


def views(log: Log, rules: Rules = SHORT) -> dict[str, float]:
    """How many views each shopper in memory is known by, after a log."""
    processor = PartitionProcessor(SHOPPER, 0, rules)
    processor.apply(slice_of(log))
    arena, now = processor.arena, np.array([processor.newest_ms])
    return {
        arena.key(place): float(CATALOGUE.read(arena.rows.pick(np.array([place])), now, ("browsing.views",))[0, 0])
        for place in arena.places.tolist()
    }


def test_who_comes_back_in_time_is_known_and_who_comes_later_is_new() -> None:
    # Eight days and the rest of the week, which ends 15.07 days after noon.
    days = [*visits("clock", 6.9, 7.9, 14.9, 15.3), *visits("early", 0, 8), *visits("late", 0.1, 15.4)]
    found = views(log_of(*sorted(days, key=lambda event: event.event_time)))
    assert found == {"clock": 4, "early": 2, "late": 1}
    assert views(log_of(*sorted(days, key=lambda event: event.event_time)), Rules(forget=NOBODY_FORGOTTEN))["late"] == 2


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (consented("s", NOON, marketing=False), True),
        (consented("s", NOON), False),
        (ordered("s", NOON), True),
        (carted("s", NOON), False),
        (identified("s", "ann", NOON, "login"), True),
    ],
)
def test_who_forbade_marketing_or_ordered_or_became_somebody_else_is_kept(said: e.ShopperEvent, kept: bool) -> None:
    rules = Rules(forget=ForgetPolicy(days=8.0))
    tier = DictTier()
    processor = PartitionProcessor(SHOPPER, 0, rules, shipped(), tier=tier, group="shop", partitions=1)
    log = log_of(said, *visits("clock", 1, 20, 21, 22, 23, 24))
    for offset, one in enumerate(log):
        processor.apply(slice_of([one], offset))
        tier.write(processor.drain_changes())
    assert (ROW + b"s" in tier.held) == kept == ("s" in processor.arena)


def test_nobody_is_due_when_they_will_be_forgotten() -> None:
    """A silence of which one does not know the rhythm is told after 21 days, and again."""
    log = log_of(*visits("s", 0), *visits("clock", *range(1, 62, 10)))
    for days, due in ((400.0, 5), (10.0, 0), (25.0, 2)):
        processor = PartitionProcessor(SHOPPER, 0, Rules(forget=ForgetPolicy(days=days)))
        assert processor.apply(slice_of(log)).due_kinds["silence"] == due, days


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [(SHORT, NOBODY_FORGOTTEN, 1), (Rules(forget=NOBODY_FORGOTTEN), SHORT.forget, 1), (Rules(), NOBODY_FORGOTTEN, 2)],
)
def test_the_log_says_from_where_on_who_is_forgotten(before: Rules, after: ForgetPolicy, known: int) -> None:
    """Who was forgotten stays so under rules that remember longer, whether or not the row is gone; under shorter ones
    everybody is forgotten at once whose time is over, whatever timer was set."""
    rules = Rules(forget=after)
    log: Log = [
        *log_of(*visits("s", 0), *visits("clock", 1, 30, 31)),
        (None, encode_event(RulesChosen(digest=rules.digest, rules=rules.described()))),
        *log_of(*visits("clock", 32, 33), *visits("s", 33.5), *visits("clock", 34)),
    ]
    assert views(log, before)["s"] == known
    whole, single = run_plain(cut(log, []), before), run_plain(cut(log, range(len(log))), before)
    assert single.rows == whole.rows
    assert single.outcomes == whole.outcomes
    # The worker that sweeps says the same.
    tier, world = DictTier(), World()
    processor = PartitionProcessor(SHOPPER, 0, before, shipped(), tier=tier, limit=1)
    for offset, one in enumerate(log):
        world.take_result(processor.apply(slice_of([one], offset)))
        tier.write(processor.drain_changes())
        processor.arena.evict()
    assert world.outcomes == whole.outcomes
    assert {key: row_bytes(row) for key, row in tier.held.items() if key[:1] == ROW} == whole.rows


def test_rules_of_logs_before_there_was_a_policy_are_still_theirs() -> None:
    before = Rules(forget=NOBODY_FORGOTTEN, recommendation=RecommendationPolicy(new_place=0))
    assert before.digest == "5ab59da98f6d"  # as the defaults were called then
    assert "forget" not in before.described()
    assert "new_place" not in before.described()["recommendation"]
    assert Rules.of(before.described()) == before
    assert Rules.of(Rules().described()) == Rules() != before
    with pytest.raises(msgspec.ValidationError):
        Rules.of({"recommendation": 5})


def test_bots_with_random_ids_do_not_fill_memory_and_table() -> None:
    """Forty days of them: of a policy of eight days no more is kept than of fifteen, and a week to sweep."""
    kept: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for forgets, sizes in kept.items():
        tier, offset = DictTier(), 0
        rules = SHORT if forgets else Rules(forget=NOBODY_FORGOTTEN)
        processor = PartitionProcessor(SHOPPER, 0, rules, tier=tier, limit=150)
        for day in range(40):
            log = log_of(*(seen(f"bot-{day}-{n}", NOON + day * DAY + n, f"{day}-{n}") for n in range(100)))
            processor.apply(slice_of(log, offset))
            offset += len(log)
            for _ in range(4):
                tier.write(processor.drain_changes())
            processor.arena.evict()
            sizes.append((len(processor.arena), sum(key[:1] == ROW for key in tier.held)))
    assert kept[False][-1][1] == 4000
    assert max(rows for _, rows in kept[True]) <= 100 * (8 + 7 + 1)
    assert max(held for held, _ in kept[True]) <= 150


def test_only_a_blank_row_is_deleted() -> None:
    """A worker that was stopped may delete late what another one has written since."""
    processor = PartitionProcessor(SHOPPER, 0, SHORT)
    processor.apply(slice_of(log_of(*visits("s", 0))))
    living = processor.drain_changes()[ROW + b"s"]
    blank = processor.arena.codec.blank(7)
    assert living is not None
    assert is_blank(blank)
    assert not is_blank(living)
    assert older(ROW + b"s", None, living)
    assert not older(ROW + b"s", None, blank)
    assert older(ROW + b"s", processor.arena.codec.blank(0), living)
    rows: Rows = processor.arena.codec.unpack([blank])
    assert rows.data[TIMER.name][0] == NEVER


def test_a_blank_row_that_a_worker_left_is_deleted_by_the_next() -> None:
    tier, log = DictTier(), log_of(*visits("s", 0), *visits("clock", 1, 20, 21))
    first = PartitionProcessor(SHOPPER, 0, SHORT, tier=tier)
    for offset, one in enumerate(log):
        first.apply(slice_of([one], offset))
        tier.write(first.drain_changes())
        if is_blank(tier.held[ROW + b"s"]):
            break
    assert tier.held[PROGRESS]
    again = PartitionProcessor(SHOPPER, 0, SHORT, tier=tier)
    assert "s" not in again.arena
    tier.write(again.drain_changes())
    assert ROW + b"s" not in tier.held


def test_weeks_begin_on_a_thursday() -> None:
    assert STEP_MS == 7 * DAY  # since 1970-01-01, a Thursday

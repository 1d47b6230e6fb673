"""An event id sent again changes nothing, however many ids came between, as long as it is not late."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER, ShopperSide
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.state.applied_ids import BUCKET_MS, AppliedIds
from streams.state.keys import IDS, PROGRESS
from tests.shoppers import HOUR, NOON, log_of, slice_of, viewed
from tests.worlds import DictTier, cut, run_plain


@pytest.mark.parametrize("n", [40, 500, 5000])
@pytest.mark.parametrize("slices", [1, 7])
def test_a_batch_sent_twice_counts_once(n: int, slices: int) -> None:
    batch = log_of(*(viewed(f"s{i % 3}", NOON + i, f"e{i}") for i in range(n)))
    cuts = [i * 2 * n // slices for i in range(1, slices)]
    once, twice = run_plain(cut(batch, [])), run_plain(cut(batch + batch, cuts))
    assert twice.fates["duplicate"] == n
    assert twice.rows == once.rows


def test_two_shoppers_may_use_the_same_event_id() -> None:
    log = log_of(viewed("s1", event_id="e1"), viewed("s2", event_id="e1"), viewed("s1", event_id="e1"))
    assert run_plain(cut(log, [])).fates == {"applied": 2, "duplicate": 1}


def test_an_id_with_another_time_is_a_duplicate_until_the_first_one_has_passed() -> None:
    first, again = viewed(at=NOON, event_id="e"), viewed(at=NOON + 30, event_id="e")
    assert run_plain(cut(log_of(first, again), [])).fates["duplicate"] == 1
    far = NOON + HOUR + BUCKET_MS
    log = log_of(first, viewed(at=far, event_id="between"), viewed(at=far, event_id="e"), viewed(at=far, event_id="e"))
    for cuts in ([], [1], [2], [3], [1, 2, 3]):
        assert run_plain(cut(log, cuts)).fates == {"applied": 3, "duplicate": 1}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    cuts=st.lists(st.integers(1, 399), max_size=12),
    flushed=st.floats(0, 1),
    lateness=st.sampled_from([0, 1, BUCKET_MS, HOUR]),
)
def test_any_cut_flush_and_restart_knows_the_same_ids(
    seed: int, cuts: list[int], flushed: float, lateness: int
) -> None:
    rng = random.Random(seed)
    n = 400
    at = NOON + np.cumsum([rng.choice((0, 1000, 60_000)) for _ in range(n)])
    time = at - np.array([rng.choice((0, 0, 0, BUCKET_MS // 2, 2 * HOUR)) for _ in range(n)])
    ids = np.array([rng.choice((0, 1, 2**63, 2**64 - 1, rng.getrandbits(64))) for _ in range(n)], np.uint64)
    newest = np.maximum.accumulate(time)
    watermark = np.r_[0, newest[:-1]] - lateness
    late = time < watermark

    expected: list[bool] = []
    bucket_of: dict[int, int] = {}
    for i in range(n):
        held = bucket_of.get(max(1, int(ids[i])), -1)
        expected.append(held >= max(0, watermark[i] // BUCKET_MS))
        if not expected[-1] and not late[i]:
            bucket_of[max(1, int(ids[i]))] = time[i] // BUCKET_MS

    tier, known, applied_ids = DictTier(), [], AppliedIds()
    bounds = [0, *sorted(set(cuts)), n]
    for a, b in itertools.pairwise(bounds):
        known += applied_ids.admit(ids[a:b], time[a:b], watermark[a:b], late[a:b]).tolist()
        if rng.random() < flushed:
            now = int(newest[b - 1]) - lateness
            tier.write(applied_ids.drain_changes(b, now))
            if rng.random() < 0.5:
                applied_ids = AppliedIds()
                applied_ids.recover(tier.items(), b, now)
    assert known == expected


def test_ids_take_bounded_memory_and_their_chunks_are_deleted() -> None:
    """Five thousand events an hour for three days: an hour's worth is held, not three days'."""
    tier = DictTier()
    processor = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier)
    for i in range(72):
        log = log_of(*(viewed(f"s{j % 50}", NOON + i * HOUR + j * 720, f"e{i}-{j}") for j in range(5000)))
        for a in range(0, len(log), 1000):
            processor.apply(slice_of(log[a : a + 1000], i * 5000 + a))
            tier.write(processor.drain_changes())
    chunks = [value for key, value in tier.held.items() if key[:1] == IDS]
    window = 5000 * (HOUR + BUCKET_MS) // HOUR
    assert window <= sum(map(len, chunks)) // 8 <= window + 1500
    assert isinstance(processor.side, ShopperSide)
    assert processor.side.applied_ids.nbytes <= 40 * (2 * window + 1000)


def test_chunks_ahead_of_the_progress_record_do_not_count() -> None:
    """Ids of events that their rows have not applied would make duplicates of them."""
    log = log_of(*(viewed(f"s{i % 5}", NOON + i, f"e{i}") for i in range(200)))
    tier = DictTier()
    first = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier)
    first.apply(slice_of(log[:100]))
    tier.write(first.drain_changes())
    first.apply(slice_of(log[100:], 100))
    # The flush was cut off: chunks arrived, neither rows nor the progress record did.
    tier.write({key: value for key, value in first.drain_changes().items() if key[:1] == IDS})
    second = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier)
    assert +second.apply(slice_of(log[100:], 100)).fates == {"applied": 100}
    tier.write(second.drain_changes())
    again = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier)
    assert +again.apply(slice_of(log, 200)).fates == {"duplicate": 200}


def test_ids_are_deleted_only_when_the_progress_that_needs_them_is_gone() -> None:
    """A flush moves the watermark past an id and is cut off before its progress record: the slice comes again."""
    log = log_of(
        viewed(at=NOON, event_id="e"),
        viewed(at=NOON, event_id="e"),
        viewed("other", at=NOON + HOUR + 2 * BUCKET_MS, event_id="far"),
    )
    tier = DictTier()
    first = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier)
    first.apply(slice_of(log[:1]))
    tier.write(first.drain_changes())
    first.apply(slice_of(log[1:], 1))
    tier.write({key: value for key, value in first.drain_changes().items() if key != PROGRESS})
    second = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier)
    assert +second.apply(slice_of(log[1:2], 1)).fates == {"duplicate": 1}
    second.apply(slice_of(log[2:], 2))
    tier.write(second.drain_changes())
    tier.write(second.drain_changes())
    assert sum(key[:1] == IDS for key in tier.held) == 1

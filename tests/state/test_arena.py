"""Rows in memory, on disk and across versions of their layout."""

from __future__ import annotations

import tracemalloc

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Column, Layout, Rows
from streams.entities.shopper import SHOPPER
from streams.features.catalogue import Catalogue
from streams.features.feature import Ratio
from streams.features.kinds.rhythm import RhythmKind
from streams.features.shopper import FEATURES
from streams.processing.partition import OtherLog, PartitionProcessor, row_layout
from streams.processing.rules import Rules
from streams.state.arena import Arena
from streams.state.codec import Codec, Peeked, row_bytes
from streams.state.keys import PROGRESS, ROW, row_stands_at
from tests.shoppers import DAY, NOON, log_of, random_history, slice_of, viewed
from tests.worlds import DictTier


def test_columns_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="share a name"):
        Layout([Column("a", "i8"), Column("a", "u4")])


def test_a_layout_is_read_back_from_its_description() -> None:
    layout = Layout([Column("a", "u1", 3), Column("b", "f8")])
    again = Layout.from_description(layout.describe())
    assert (again.dtype, again.digest) == (layout.dtype, layout.digest)


def test_a_row_of_an_older_layout_keeps_what_both_have() -> None:
    old, new = Layout([Column("a", "i8"), Column("gone", "f8")]), Layout([Column("new", "u4", 2), Column("a", "i8")])
    rows = Rows.zeros(old, 1)
    rows.data["a"] = 7
    rows.data["gone"] = 3.5
    (packed,) = Codec(old).pack(rows, np.array([0]), 5)
    codec = Codec(new)
    codec.learn(old.describe())
    read = codec.unpack([packed])
    assert read.data["a"][0] == 7
    assert read.data["new"][0].tolist() == [0, 0]
    assert codec.migrated == 1


def test_a_row_of_an_unknown_layout_is_never_misread() -> None:
    (packed,) = Codec(Layout([Column("a", "i8")])).pack(Rows.zeros(Layout([Column("a", "i8")]), 1), np.array([0]), 0)
    with pytest.raises(ValueError, match="unknown layout"):
        Codec(Layout([Column("b", "i8")])).unpack([packed])


def test_a_worker_with_another_catalogue_takes_over_the_rows() -> None:
    """A feature was removed and with it its columns; the others go on where they were."""
    log = random_history(1, 400, 20)
    old = PartitionProcessor(SHOPPER, 0, Rules())
    old.apply(slice_of(log[:200]))
    kept = [f for f in FEATURES if not f.address.startswith("searching.")]
    kept = [f for f in kept if not (isinstance(f.source, Ratio) and "searching." in f.source.numerator)]
    smaller = Catalogue(kept, always=(RhythmKind,))
    new = PartitionProcessor(SHOPPER, 0, Rules(), catalogue=smaller, tier=DictTier(old.drain_changes()))
    assert new.next_offset == 200
    new.apply(slice_of(log[200:], 200))
    whole = PartitionProcessor(SHOPPER, 0, Rules(), catalogue=smaller)
    whole.apply(slice_of(log))
    assert row_layout(SHOPPER, smaller).digest != row_layout(SHOPPER).digest
    ours, theirs = (DictTier(p.drain_changes()).held for p in (new, whole))
    touched = [key for key in ours if key[:1] == b"s"]
    assert len(touched) > 10
    assert all(row_bytes(ours[key]) == row_bytes(theirs[key]) for key in touched)


def test_evicted_rows_come_back_as_they_were() -> None:
    log = random_history(2, 600, 60)
    tier = DictTier()
    small, large = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, limit=5), PartitionProcessor(SHOPPER, 0, Rules())
    for a in range(0, len(log), 50):
        for processor in (small, large):
            processor.apply(slice_of(log[a : a + 50], a))
        tier.write(small.drain_changes())
        small.arena.evict()
        assert len(small.arena) <= 5
    assert small.arena.armed == large.arena.armed
    changes = DictTier(large.drain_changes()).held
    assert {k for k in tier.held if k[:1] == b"s"} == {k for k in changes if k[:1] == b"s"}
    assert all(row_bytes(tier.held[k]) == row_bytes(v) for k, v in changes.items() if k[:1] == b"s")


def test_a_block_that_grows_while_timers_fire_loses_nothing() -> None:
    """Evicted shoppers whose timers fire are loaded in the middle of a slice; the block then moves."""
    tier = DictTier()
    crowd = log_of(*(viewed(f"s{i}", NOON + i, f"e{i}") for i in range(1000)))
    late = log_of(*(viewed(f"n{i}", NOON + 30 * DAY + i, f"n{i}") for i in range(700)))
    small, large = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, limit=10), PartitionProcessor(SHOPPER, 0, Rules())
    for processor in (small, large):
        processor.apply(slice_of(crowd))
        tier.write(processor.drain_changes() if processor is small else {})
        processor.arena.evict()
        result = processor.apply(slice_of(late, 1000))
        assert result.due_kinds["silence"] == 2000  # each after 21 and after 26.25 days
    ours, theirs = (DictTier(p.drain_changes()).held for p in (small, large))
    assert all(row_bytes(ours[key]) == row_bytes(theirs[key]) for key in ours if key[:1] == b"s")


def test_each_timer_of_an_evicted_shopper_is_due_once_however_often_it_was_set() -> None:
    tier = DictTier()
    processor = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, limit=1)
    for i in range(3):  # each time they come back, their timer moves, and they are evicted again
        log = log_of(*(viewed(f"s{j}", NOON + i * DAY + j, f"e{i}-{j}") for j in range(50)))
        processor.apply(slice_of(log, 50 * i))
        tier.write(processor.drain_changes())
        processor.arena.evict()
    assert processor.arena.armed == 50
    result = processor.apply(slice_of(log_of(viewed("late", NOON + 25 * DAY, "late")), 150))
    assert result.due_kinds["silence"] == 50
    assert processor.arena.armed == 51


def test_timers_that_were_left_behind_are_forgotten() -> None:
    """A shopper that comes back and is evicted again leaves an entry each time."""
    tier = DictTier()
    arena = Arena(PartitionProcessor(SHOPPER, 0, Rules()).codec, tier, limit=0, room=64)
    keys, held = [f"s{j}" for j in range(50)], []
    tracemalloc.start()
    for i in range(200):
        rows = arena.find(keys)
        arena.timer[rows] = NOON + i * DAY + np.arange(50)
        arena.dirty[rows] = True
        tier.write(arena.drain_dirty(i))
        assert arena.evict() == 50
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert arena.armed == 50
    assert max(held[50:]) < 1.5 * max(held[:50])  # or it would be four times as much


def test_a_progress_record_from_before_logs_had_ids_is_read() -> None:
    first = PartitionProcessor(SHOPPER, 0, Rules())
    first.apply(slice_of(random_history(1, 50, 5)))
    held = DictTier(first.drain_changes()).held
    old = msgspec.json.decode(held[PROGRESS])
    del old["log_id"]
    second = PartitionProcessor(
        SHOPPER, 0, Rules(), tier=DictTier(held | {PROGRESS: msgspec.json.encode(old)}), log_id="new"
    )
    assert second.next_offset == first.next_offset


def test_the_state_of_another_log_is_refused() -> None:
    first = PartitionProcessor(SHOPPER, 0, Rules(), log_id="one")
    first.apply(slice_of(random_history(1, 50, 5)))
    tier = DictTier(first.drain_changes())
    assert PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, log_id="one").next_offset == first.next_offset
    with pytest.raises(OtherLog, match="made anew"):
        PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, log_id="other")


#: Zeros that are none, numbers that are none, and what a signed or a shorter number would lose.
WORDS = np.array(
    [1, 1 << 63, 0x7FF8_0000_0000_0001, 0xFFF0_0000_0000_0000, (1 << 64) - 1, 0x8000_0000, 0xFF], np.uint64
)


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 12),
    cells=st.integers(1, 200),
    share=st.sampled_from((0.0, 0.03, 0.5, 1.0)),
    offset=st.integers(0, 2**63 - 1),
)
def test_any_row_comes_back_bit_for_bit(seed: int, n: int, cells: int, share: float, offset: int) -> None:
    rng = np.random.default_rng(seed)
    layout = Layout([Column("f", "f8", cells), Column("u", "u1", int(rng.integers(1, 20)))])
    rows, codec = Rows.zeros(layout, n), Codec(layout)
    some = rng.random(rows.words.shape) < share
    rows.words[some] = np.where(
        rng.random(some.sum()) < 0.3,
        rng.choice(WORDS, some.sum()),
        rng.integers(0, 2**64, some.sum(), np.uint64, endpoint=False),
    )
    index = rng.permutation(n)
    packed = codec.pack(rows, index, offset)
    assert (codec.unpack(packed).words == rows.words[index]).all()
    for value, words in zip(packed, rows.words[index], strict=True):
        assert row_stands_at(value) == offset
        bits = (len(words) + 7) // 8
        assert len(value) == 16 + bits + 8 * int(np.count_nonzero(words)) <= 16 + bits + layout.itemsize
    # Among rows of another layout, too.
    other = Layout([Column("f", "f8", cells), Column("more", "i8")])
    if n:
        newer = Codec(other)
        newer.learn(layout.describe())
        mixed = newer.unpack([*packed, *newer.pack(Rows.zeros(other, 1), np.array([0]), 0)])
        assert mixed.data["f"][:n].tobytes() == rows.data["f"][index].tobytes()
        assert not mixed.data["more"].any()


def test_rows_that_were_packed_with_their_zeros_are_read() -> None:
    """As they stand in changelogs of versions that packed whole rows."""
    processor = PartitionProcessor(SHOPPER, 0, Rules())
    processor.apply(slice_of(random_history(1, 300, 20)))
    codec, rows = processor.codec, processor.arena.rows
    places = processor.arena.places
    dense = [codec.layout.digest + bytes(8) + rows.words[place].tobytes() for place in places]
    sparse = codec.pack(rows, places, 7)
    assert sum(map(len, sparse)) < sum(map(len, dense)) / 3
    for packed in (dense, sparse, [dense[0], *sparse[1:]]):
        assert (codec.unpack(packed).words == rows.words[places]).all()


def test_words_of_packed_rows_are_read_as_they_are_unpacked() -> None:
    layout = Layout([Column(f"c{i:03}", "i8", 1 + 2 * (i % 7 == 0)) for i in range(90)])
    rng, rows = np.random.default_rng(1), Rows.zeros(layout, 50)
    rows.words[:] = rng.integers(0, 2**62, rows.words.shape) * (rng.random(rows.words.shape) < 0.3)
    codec = Codec(layout)
    packed = codec.pack(rows, np.arange(50), 7)
    for read in (codec.peek(packed), Peeked(layout, packed[:1])):
        for column in layout.columns:
            held = rows.column(column.name)[: len(read.bits)].reshape(len(read.bits), -1)
            assert read.any(column).tolist() == held.any(axis=1).tolist()
            if column.cells == 1:
                assert read.word(column).tolist() == held[:, 0].tolist()


@pytest.mark.parametrize("warmed", [0, 7, 1000])
def test_whoever_comes_back_goes_on_the_same_whatever_rows_are_in_memory(warmed: int) -> None:
    log = random_history(3, 600, 40)
    whole = PartitionProcessor(SHOPPER, 0, Rules())
    whole.apply(slice_of(log[:300]))
    tier = DictTier(whole.drain_changes())
    back = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, limit=15)
    assert len(back.arena) == 0
    assert back.arena.armed == whole.arena.armed
    at: bytes | None = ROW
    while warmed and at is not None:
        at = back.arena.warm(at, warmed)
    assert len(back.arena) == (15 if warmed else 0)
    assert back.arena.armed == whole.arena.armed
    for a in range(300, 600, 100):
        ours, theirs = back.apply(slice_of(log[a : a + 100], a)), whole.apply(slice_of(log[a : a + 100], a))
        assert ours.due_kinds == theirs.due_kinds
        assert back.arena.armed == whole.arena.armed
    drained = [processor.drain_changes() for processor in (back, whole)]
    changed = [{key: row_bytes(row) for key, row in some.items() if key[:1] == ROW and row} for some in drained]
    assert changed[0] == changed[1]

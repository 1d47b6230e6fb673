"""Items are exact: what shoppers did to them comes once and in order, however the logs are cut, doubled or crash."""

from __future__ import annotations

import random
from collections import Counter
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.arrays import TYPE_CODE
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing import tallies
from streams.processing.fates import APPLIED
from streams.processing.partition import PartitionProcessor, outputs_of, row_layout
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records import items as i
from streams.records.events import decode_event
from streams.records.items import PARTS
from streams.records.outcomes import ItemProfiled
from streams.state.codec import Codec, row_bytes
from tests.items import PARTITIONS, ItemLog, catalogue, item_logs, item_slices, shopper_logs, shopper_slices, told
from tests.shoppers import DAY, HOUR, NOON, Log, log_of, ordered, viewed
from tests.worlds import DictTier, World, cut_off, shipped

NAMES = ("views", "cart_adds", "wishes", "orders", "units", "revenue_cents", "discount_cents")


def item_world(log: ItemLog, cuts: list[int], partition: int = 0) -> World:
    """Apply a log of items."""
    processor, world = PartitionProcessor(ITEM, partition, Rules(), shipped(), partitions=PARTITIONS), World()
    for slice_ in item_slices(log, partition, cuts):
        world.take_result(processor.apply(slice_))
    world.packed = DictTier(processor.drain_changes()).held
    return world


def sums_of(values: list[bytes]) -> Counter[tuple[str, str]]:
    """(item, what) → how much, of all tallies."""
    found: Counter[tuple[str, str]] = Counter()
    for value in values:
        for tally in i.item_decoder.decode(value).tallies:  # type: ignore[union-attr]
            for name in NAMES:
                found[tally.item_id, name] += getattr(tally, name)
    return +found


def plain_sums(logs: dict[int, Log]) -> Counter[tuple[str, str]]:
    """The same from the applied events, one by one, in hours that were closed."""
    found: Counter[tuple[str, str]] = Counter()
    for p, log in logs.items():
        processor = PartitionProcessor(SHOPPER, p, Rules())
        newest, waiting = -1, list[tuple[str, str]]()
        for slice_ in shopper_slices(log, p, range(1, len(log))):
            before = processor.fates["applied"]
            processor.apply(slice_)
            event = decode_event(slice_.values[0] or b"")
            assert isinstance(event.event_time, int)  # type: ignore[union-attr]
            if processor.newest_ms // HOUR > newest:
                found.update(waiting if newest >= 0 else [])
                waiting = waiting if newest < 0 else []
                newest = processor.newest_ms // HOUR
            if processor.fates["applied"] > before:
                waiting += did(event)
    return +found


def did(event: object) -> list[tuple[str, str]]:
    """(item, what) once for each."""
    if isinstance(event, e.ItemViewed):
        return [(event.item_id, "views")]
    if isinstance(event, e.ItemWishlisted):
        return [(event.item_id, "wishes")]
    if isinstance(event, e.CartItemAdded):
        return [(event.item_id, "cart_adds")] * event.quantity
    found = []
    if isinstance(event, e.OrderPlaced):
        for line in event.lines:
            found += [(line.item_id, "orders"), *[(line.item_id, "units")] * line.quantity]
            net = max(0, line.unit_price_cents * line.quantity - line.discount_cents)
            found += [(line.item_id, "revenue_cents")] * net + [(line.item_id, "discount_cents")] * line.discount_cents
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_tallies_add_up_to_what_was_applied(seed: int) -> None:
    logs = shopper_logs(seed, 400)
    tallied = told(logs)
    assert sums_of([v for by_item in tallied.values() for values in by_item.values() for v in values]) == plain_sums(
        logs
    )


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 350), max_size=30), many=st.sampled_from((5, 1_000)))
def test_what_is_told_of_items_does_not_depend_on_how_the_shoppers_log_was_cut(
    seed: int, cuts: list[int], many: int
) -> None:
    logs = shopper_logs(seed, 400)
    with patch.object(tallies, "MANY", many):
        assert told(logs, cuts) == told(logs)


def test_a_busy_partition_tells_items_before_the_hour_is_over() -> None:
    logs = shopper_logs(1, 600)
    with patch.object(tallies, "MANY", 5):
        often = told(logs)
    told_of = [
        [v for by_item in each.values() for values in by_item.values() for v in values] for each in (often, told(logs))
    ]
    assert len(told_of[0]) > 1.2 * len(told_of[1])


def test_sequences_grow_and_every_partition_hears_of_every_hour() -> None:
    tallied = told(shopper_logs(3, 1500))
    for by_item in tallied.values():
        crossed = []
        for values in by_item.values():
            records = [msgspec.json.decode(value, type=i.ItemsTallied) for value in values]
            sequences = [record.sequence for record in records]
            assert sequences == sorted(set(sequences))
            # The minute that was closed, and the one that is open from then on.
            spans = [(record.sequence // 64, record.event_time // 60_000) for record in records]
            crossed.append([span for span in spans if span[0] // 60 < span[1] // 60])
            assert all(record.tallies or span in crossed[-1] for record, span in zip(records, spans, strict=True))
        assert crossed[0] == crossed[1]
        assert len(crossed[0]) > 20


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 600), max_size=40))
def test_any_cut_of_an_items_log_gives_the_same_bits_and_the_same_outcomes(seed: int, cuts: list[int]) -> None:
    logs = item_logs(told(shopper_logs(seed, 350)), catalogue(seed, 30), seed)
    for q, log in logs.items():
        whole, parts = item_world(log, [], q), item_world(log, cuts, q)
        assert parts.rows == whole.rows
        assert parts.outcomes == whole.outcomes
        assert parts.fates == whole.fates


@pytest.mark.parametrize("seed", range(3))
def test_every_record_about_items_has_exactly_one_fate(seed: int) -> None:
    log = item_logs(told(shopper_logs(seed, 800)), catalogue(seed, 40), seed)[0]
    rng = random.Random(seed)
    for k in range(0, len(log), 50):
        log.insert(rng.randrange(k + 1, len(log)), log[k])  # carried over, or told, twice
    for _ in range(20):
        log.insert(rng.randrange(len(log)), (b"x", rng.randbytes(20), None))
    world = item_world(log, [100, 333])
    assert sum(world.fates[fate] for fate in ("applied", "duplicate", "late", "dead", "tick")) == len(log)
    assert world.fates["dead"] == 20
    assert world.fates["late"] > 0
    assert world.fates["duplicate"] > 5


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), again=st.integers(1, 200))
def test_what_sources_say_again_changes_nothing(seed: int, again: int) -> None:
    """A worker that took over says what the one before had said since its last flush; a zombie goes on for a while."""
    log = item_logs(told(shopper_logs(seed, 300)), catalogue(seed, 30), seed)[0]
    repeated = log[: len(log) // 2] + log[max(0, len(log) // 2 - again) : len(log) // 2] + log[len(log) // 2 :]
    once, twice = item_world(log, []), item_world(repeated, [])
    assert {k: numbers(v) for k, v in twice.rows.items()} == {k: numbers(v) for k, v in once.rows.items()}
    assert set(twice.outcomes) == set(once.outcomes)


def numbers(row: bytes) -> bytes:
    """A row without what is counted in offsets."""
    codec = Codec(row_layout(ITEM, outputs=outputs_of(shipped(), ITEM.name)))
    rows = codec.unpack([codec.name + bytes(8) + row])
    rows.data[APPLIED.name] = 0
    return rows.words.tobytes()


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), crash=st.integers(20, 400), lost=st.floats(0, 1), limit=st.integers(1, 60))
def test_a_crash_in_the_middle_of_a_flush_changes_nothing_of_items(
    seed: int, crash: int, lost: float, limit: int
) -> None:
    log = item_logs(told(shopper_logs(seed, 350)), catalogue(seed, 30), seed)[0]
    crash = min(crash, len(log) - 1)
    whole = item_world(log, [])
    tier, world, rng = DictTier(), World(), random.Random(seed)

    def run(start: int, stop: int) -> dict[bytes, bytes | None]:
        processor = PartitionProcessor(ITEM, 0, Rules(), shipped(), tier=tier, limit=limit, partitions=PARTITIONS)
        assert processor.next_offset == start
        for slice_ in item_slices(log[start:stop], 0, range(50, stop - start, 50), start):
            world.take_result(processor.apply(slice_))
        return processor.drain_changes()

    tier.write(run(0, crash // 2))
    tier.write(cut_off(run(crash // 2, crash), rng, lost))
    tier.write(run(crash // 2, len(log)))
    assert {key: row_bytes(value) for key, value in tier.held.items() if key[:1] == b"s"} == whole.rows
    assert world.outcomes == whole.outcomes


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), crash=st.integers(20, 280), lost=st.floats(0, 1), many=st.sampled_from((5, 1_000)))
def test_a_crash_of_shoppers_loses_no_tally_and_says_none_twice(seed: int, crash: int, lost: float, many: int) -> None:
    with patch.object(tallies, "MANY", many):
        _crash_of_shoppers(seed, crash, lost)


def _crash_of_shoppers(seed: int, crash: int, lost: float) -> None:
    log = shopper_logs(seed, 400)[0]
    crash = min(crash, len(log) - 1)
    whole = told({0: log})[0]
    said: dict[int, dict[int, bytes]] = {q: {} for q in range(PARTITIONS)}
    tier, rng = DictTier(), random.Random(seed)

    def run(start: int, stop: int) -> dict[bytes, bytes | None]:
        processor = PartitionProcessor(SHOPPER, 0, Rules(), tier=tier, partitions=PARTITIONS)
        assert processor.next_offset == start
        for slice_ in shopper_slices(log[:stop], 0, range(start, stop, 60)):
            if slice_.offsets[0] >= start:
                for emitted in processor.apply(slice_).emitted:
                    sequence = msgspec.json.decode(emitted.value)["sequence"]
                    # Said again, it says the same.
                    assert said[emitted.partition].setdefault(sequence, emitted.value) == emitted.value
        return processor.drain_changes()

    tier.write(run(0, crash // 2))
    tier.write(cut_off(run(crash // 2, crash), rng, lost))
    run(crash // 2, len(log))
    assert {q: list(by_sequence.values()) for q, by_sequence in said.items()} == whole


def test_a_source_that_lags_behind_makes_nothing_late_and_holds_the_time() -> None:
    """One partition of shoppers is read a month ahead of the other: nothing the other has to say is late."""
    tallied = told(shopper_logs(11, 2000))
    ahead: ItemLog = [(None, v, None) for v in tallied[1][0]]
    behind: ItemLog = [(None, v, None) for v in tallied[0][0]]
    processor = PartitionProcessor(ITEM, 0, Rules(), shipped(), partitions=PARTITIONS)
    first = processor.apply(item_slices(ahead)[0])
    assert not first.due_kinds["day"]
    assert processor.watermark_ms < NOON
    second = processor.apply(item_slices(behind, start=len(ahead))[0])
    assert second.fates["late"] == second.fates["dead"] == 0
    assert second.due_kinds["day"] > 50


def test_time_goes_on_without_a_source_that_is_idle() -> None:
    tallied = told(shopper_logs(11, 1500))
    idle = i.encode_item_record(i.SourceIdle(source_partition=0, sequence=0, event_time=NOON))
    log: ItemLog = [(None, idle, None), *((None, v, None) for v in tallied[1][0])]
    processor = PartitionProcessor(ITEM, 0, Rules(), shipped(), partitions=PARTITIONS)
    result = processor.apply(item_slices(log)[0])
    assert result.due_kinds["day"] > 20
    assert result.fates["tick"] >= 1
    # It speaks again: what it says is applied, though time has passed.
    again = processor.apply(item_slices([(None, v, None) for v in tallied[0][0]], start=len(log))[0])
    assert again.fates["late"] == 0
    assert again.fates["applied"] > 20


@pytest.mark.parametrize("first", [0, 1])
def test_once_all_sources_are_idle_time_has_come_as_far_as_any_whoever_is_the_last(first: int) -> None:
    """One has come to noon, the other a day further."""
    said: list[i.AnyItemRecord] = [
        i.ItemsTallied(source_partition=p, sequence=1, event_time=NOON + p * DAY) for p in range(PARTITIONS)
    ]
    said += [i.SourceIdle(source_partition=p, sequence=2, event_time=NOON + p * DAY) for p in (first, 1 - first)]
    processor = PartitionProcessor(ITEM, 0, Rules(), partitions=PARTITIONS)
    processor.apply(item_slices([(None, i.encode_item_record(record), None) for record in said])[0])
    assert processor.watermark_ms == NOON + DAY - Rules().allowed_lateness_ms


def test_the_last_minute_of_a_history_is_told_once_wherever_the_worker_is_cut_off() -> None:
    """What is done in it later is told as well; what a worker said before it died is said again in the same words."""
    home, q = homes([b"s", b"tea"], "murmur2", PARTITIONS).tolist()
    idle = e.encode_event(e.LogIdled(event_time=NOON + DAY))
    more = log_of(ordered("s", NOON + 5, "o2", item_id="tea"), viewed("s", NOON + 2 * HOUR, "e3", item_id="tea"))
    log: Log = [*log_of(ordered("s", NOON, "o1", item_id="tea")), (None, idle), (None, idle), *more, (None, idle)]
    whole = told({home: log})
    for cuts in ([1], [2, 4], range(len(log))):
        assert told({home: log}, cuts) == whole
    said = [*map(i.item_decoder.decode, whole[home][q])]
    tallies = [(r.sequence, t.units, t.views) for r in said if isinstance(r, i.ItemsTallied) for t in r.tallies]
    minute = NOON // 60_000
    assert tallies == [(minute * PARTS, 1, 0), ((minute + 1) * PARTS, 1, 0), ((minute + 120) * PARTS, 0, 1)]
    processor = PartitionProcessor(ITEM, q, Rules(), partitions=PARTITIONS)
    processor.apply(item_slices([(None, value, None) for value in whole[home][q]])[0])
    assert processor.fates["applied"] == 3
    for flushed in (1, 2, 3):
        first = PartitionProcessor(SHOPPER, home, Rules(), partitions=PARTITIONS)
        for slice_ in shopper_slices(log, home, range(len(log)))[:flushed]:
            first.apply(slice_)
        again = PartitionProcessor(SHOPPER, home, Rules(), tier=DictTier(first.drain_changes()), partitions=PARTITIONS)
        assert again.side.idle == (flushed > 1)
        emitted = [x.value for s in shopper_slices(log, home) for x in again.apply(s).emitted if x.partition == q]
        assert emitted == whole[home][q][-len(emitted) :]


def alone(log: Log, item: str) -> tuple[int, ItemLog]:
    """The partition of an item, and what its log holds of one shopper's events, as if there were no others."""
    home, q = homes([log[0][0], item.encode()], "murmur2", PARTITIONS).tolist()
    idle = [i.SourceIdle(source_partition=p, sequence=0, event_time=NOON) for p in range(PARTITIONS) if p != home]
    values = [*map(i.encode_item_record, idle), *told({home: log})[home][q]]
    return q, [(None, value, None) for value in values]


def test_an_item_is_looked_at_when_its_day_is_over_and_ever_less_often_after() -> None:
    log = log_of(ordered("s", NOON, "o1", item_id="tea"), viewed("s", NOON + 100 * DAY, "e2", item_id="milk"))
    log += log_of(viewed("s", NOON + 101 * DAY, "e3", item_id="milk"))
    q, records = alone(log, "tea")
    processor = PartitionProcessor(ITEM, q, Rules(), shipped(), partitions=PARTITIONS)
    outcomes = processor.apply(item_slices(records, q)[0]).outcomes
    days = [o.event_time_ms // DAY - NOON // DAY for o in outcomes if isinstance(o, ItemProfiled) and o.key == "tea"]
    assert days == [1, 7, 30]


def test_an_item_in_numbers() -> None:
    at = NOON - 9 * DAY
    said: list[tuple[str, i.ItemRecord]] = [
        ("catalog.items.v1", i.ItemListed(event_id="1", item_id="tea", event_time=at, unit_price_cents=500)),
        ("catalog.items.v1", i.ItemChanged(event_id="2", item_id="tea", event_time=NOON - DAY, unit_price_cents=400)),
        (
            "catalog.stock.v1",
            i.StockCounted(event_id="3", item_id="tea", event_time=NOON - HOUR, on_hand=8, location="a"),
        ),
        ("catalog.stock.v1", i.StockCounted(event_id="4", item_id="tea", event_time=NOON, on_hand=4, location="b")),
        ("catalog.reviews.v1", i.ItemReviewed(event_id="5", item_id="tea", event_time=NOON, rating=5)),
        ("catalog.reviews.v1", i.ItemReviewed(event_id="6", item_id="tea", event_time=NOON + 1, rating=2)),
    ]
    log = log_of(
        ordered("s", NOON, "o1", item_id="tea"), viewed("s", NOON + DAY, "e2", item_id="tea"),
        viewed("s", NOON + 2 * DAY, "e3", item_id="tea"),
    )  # fmt: skip
    q, records = alone(log, "tea")
    records = item_logs({}, said)[q] + records
    processor = PartitionProcessor(ITEM, q, Rules(), shipped(), partitions=PARTITIONS)
    profiles = [o for o in processor.apply(item_slices(records, q)[0]).outcomes if isinstance(o, ItemProfiled)]
    assert len(profiles) > len(said)
    last = profiles[-1]
    assert last.due.kind == "day"
    assert (last.listed, last.price_cents, last.usual_price_cents, last.lowest_price_30d_cents) == (True, 400, 500, 400)
    assert last.discount_depth == 0.2
    assert (last.on_hand, last.reviews, last.rating) == (12, 2, 3.5)
    assert last.units_30d == 1
    assert last.cover_days == 360.0


def test_codes_of_item_records_are_their_places() -> None:
    assert [TYPE_CODE[cls] for cls in ITEM.records] == list(range(1, len(ITEM.records) + 1))


def test_what_sells_around_the_clock_is_looked_at_each_day_however_the_log_is_cut() -> None:
    """Records of the next day come before the watermark has passed midnight."""
    days, (q,) = 6, homes([b"tea"], "murmur2", PARTITIONS).tolist()
    views = {
        p: log_of(*(viewed(f"s{p}", NOON + k * HOUR // 2, f"{p}-{k}", item_id="tea") for k in range(48 * days)))
        for p in range(PARTITIONS)
    }
    log = item_logs(told(views), [])[q]
    found = []
    for cuts in ((), (3,), range(1, len(log), 5)):
        processor = PartitionProcessor(ITEM, q, Rules(), shipped(), partitions=PARTITIONS)
        said = [one for part in item_slices(log, q, cuts) for one in processor.apply(part).outcomes]
        ends = [one.event_time_ms for one in said if isinstance(one, ItemProfiled) and one.due.kind == "day"]
        assert [at // DAY - NOON // DAY for at in ends] == list(range(1, days + 1))
        found.append(ends)
    assert found[0] == found[1] == found[2]

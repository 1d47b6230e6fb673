"""What every feature and every kind must keep."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.bench import plain_features
from streams.columns.layout import Layout, Rows
from streams.entities.shopper import SHOPPER
from streams.features.catalogue import Catalogue
from streams.features.feature import Feature, Ratio
from streams.features.kinds.marks import Total
from streams.features.shopper import CATALOGUE, FEATURES
from streams.features.shopper.signals import ORDERS
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import ShopperEvent, decode_event
from tests.shoppers import DAY, HOUR, NOON, Log, carted, log_of, ordered, random_history, slice_of, viewed

ADDRESSES = tuple(CATALOGUE.features)
#: The address of each column of a row: a tensor's is there once per number.
COLUMNS = tuple(a for a in ADDRESSES for _ in range(CATALOGUE.features[a].width))


def features_after(log: Log, later_ms: int = 0) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Every shopper's features after a log, at their last event plus some time."""
    processor = PartitionProcessor(SHOPPER, 0, Rules())
    for a in range(0, len(log), 97):
        processor.apply(slice_of(log[a : a + 97], a))
    arena = processor.arena
    shoppers = sorted(arena.keys())
    rows = arena.rows.take(arena.find(shoppers))
    now = rows.column("last_event") + later_ms
    return dict(zip(shoppers, CATALOGUE.read(rows, now, ADDRESSES), strict=True))


def in_order_of_log(log: Log) -> list[tuple[int, ShopperEvent]]:
    """The shopper events of a log, with their event times."""
    events = [decode_event(value) for _, value in log if value is not None]
    return [(event.event_time, event) for event in events if isinstance(event, ShopperEvent)]  # type: ignore[misc]


def in_time_order(log: Log) -> list[tuple[int, ShopperEvent]]:
    """The shopper events of a log, by event time."""
    return sorted(in_order_of_log(log), key=lambda pair: pair[0])


def test_there_are_at_least_sixty_features_with_distinct_addresses() -> None:
    assert len(FEATURES) >= 60
    assert len({f.address for f in FEATURES}) == len(FEATURES)


def test_a_shopper_never_seen_reads_as_the_declared_cold_start() -> None:
    read = CATALOGUE.read(Rows.zeros(Layout(CATALOGUE.columns), 2), np.array([NOON, NOON]), ADDRESSES)
    for address, value in zip(COLUMNS, read[0], strict=True):
        assert value == np.float32(CATALOGUE.features[address].cold_start), address


@pytest.mark.parametrize("later", [0, HOUR, 40 * DAY, 4000 * DAY])
def test_every_value_is_finite_and_in_its_declared_range(later: int) -> None:
    for values in features_after(random_history(3, 2000, 30), later).values():
        for address, value in zip(COLUMNS, values.tolist(), strict=True):
            feature = CATALOGUE.features[address]
            assert np.isfinite(value), address
            assert feature.low <= value <= np.nextafter(np.float32(feature.high), np.float32(np.inf)), address


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), later=st.integers(0, 50 * DAY))
def test_incremental_state_equals_recomputation_in_plain_python(seed: int, later: int) -> None:
    log = random_history(seed, 600, 15, hostile=False)
    states: dict[str, dict[str, object]] = {}
    for at, event in in_time_order(log):
        plain_features.fold(states.setdefault(event.shopper_id, plain_features.new_state()), event, at)
    for shopper, values in features_after(log, later).items():
        ours = dict(zip(COLUMNS, values.tolist(), strict=True))
        now = int(states[shopper]["last_event"]) + later  # type: ignore[call-overload]
        for address, expected in plain_features.read(states[shopper], now).items():
            assert ours[address] == pytest.approx(expected, rel=1e-6, abs=1e-6), (shopper, address)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_within_the_allowed_lateness_does_not_matter(seed: int) -> None:
    log = random_history(seed, 500, 12, hostile=False)
    rng = random.Random(seed)
    times = [at for at, _ in in_order_of_log(log)]
    late = [(at + rng.randint(0, HOUR - 1), i) for i, at in enumerate(times)]
    shuffled = [log[i] for _, i in sorted(late)]
    one, other = features_after(log), features_after(shuffled)
    assert one.keys() == other.keys()
    for shopper in one:
        for address, a, b in zip(COLUMNS, one[shopper].tolist(), other[shopper].tolist(), strict=True):
            if address in ("orders.refunded", "sequence.cents"):
                continue  # a return that comes before its order refunds what it says itself
            inexact = "decayed" in address or address.startswith("browsing.")
            assert a == pytest.approx(b, rel=1e-6 if inexact else 0, abs=0), (shopper, address)


def test_decayed_sums_agree_to_a_billionth_in_any_order() -> None:
    log = [pair for i in range(200) for pair in log_of(ordered(at=NOON + i * 7 * HOUR // 200, event_id=f"o{i}"))]
    sums = []
    for some in (log, log[::-1]):
        processor = PartitionProcessor(SHOPPER, 0, Rules(allowed_lateness_ms=DAY))
        processor.apply(slice_of(some))
        sums.append(processor.arena.rows.column("decayed/orders.spend/5m,1h,1d,7d,30d/sum")[0])
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-9)


def test_the_row_of_a_shopper_has_a_fixed_size_however_much_happens() -> None:
    processor = PartitionProcessor(SHOPPER, 0, Rules())
    processor.apply(slice_of(random_history(1, 3000, 1)))
    (row,) = [v for k, v in processor.take_changes().items() if k[:1] == b"s" and v is not None]
    size = processor.codec.layout.itemsize
    assert len(row) <= 16 + size // 64 + 1 + size < 6000


def test_a_window_counts_whole_buckets_back_from_now() -> None:
    start = NOON // DAY * DAY
    log = log_of(*(viewed(at=start + d * DAY, event_id=f"v{d}") for d in range(40)))
    (values,) = features_after(log).values()
    read = dict(zip(COLUMNS, values.tolist(), strict=True))
    assert (read["browsing.views_7d"], read["browsing.views_30d"], read["visits.active_days_30d"]) == (7, 30, 30)


def test_a_session_ends_after_thirty_minutes_without_an_event() -> None:
    log = log_of(
        viewed(at=NOON, event_id="v1"),
        viewed(at=NOON + 31 * 60_000, event_id="v2"),
        carted(at=NOON + 45 * 60_000, event_id="c1"),
    )
    (values,) = features_after(log).values()
    read = dict(zip(COLUMNS, values.tolist(), strict=True))
    assert (read["visits.session_events"], read["visits.session_adds"], read["visits.session_minutes"]) == (2, 1, 14)


def test_a_ratio_of_an_unknown_feature_is_refused() -> None:
    with pytest.raises(ValueError, match="which no file under streams/features has"):
        Catalogue([Feature("a.b", "", "", Ratio("no.such", "orders.count"))])


def test_two_features_cannot_share_an_address() -> None:
    with pytest.raises(ValueError, match="share an address"):
        Catalogue([Feature("a.b", "", "", Total(ORDERS)), Feature("a.b", "", "", Total(ORDERS))])


def test_the_address_of_a_feature_is_its_file() -> None:
    from streams.features.shopper import browsing, carts, offers, orders, searching, visits

    for module in (orders, browsing, carts, searching, offers, visits):
        name = module.__name__.rsplit(".", 1)[1]
        assert all(f.address.startswith(f"{name}.") for f in module.FEATURES)


def test_the_peers_sequence_is_ours() -> None:
    """What the bench's peer gives the encoder is what the stream gives it."""
    log = random_history(8, 300, 6, hostile=False)
    states: dict[str, dict[str, object]] = {}
    for at, event in in_time_order(log):
        plain_features.fold(states.setdefault(event.shopper_id, plain_features.new_state()), event, at)
    places = CATALOGUE.places(ADDRESSES)
    for shopper, row in features_after(log, HOUR).items():
        now = int(states[shopper]["last_event"]) + HOUR  # type: ignore[call-overload]
        for address, values in plain_features.sequence(states[shopper], now).items():
            assert row[places[address]].tolist() == pytest.approx(values, rel=1e-6), (shopper, address)

"""What every feature and every kind must keep."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import features
from streams.bench import plain_features
from streams.columns.layout import Layout, Rows
from streams.entities.contents import ENTITIES
from streams.entities.shopper import SHOPPER
from streams.features.catalogue import Catalogue
from streams.features.feature import Derived, Feature, Ratio
from streams.features.kinds.cycle import CycleKind
from streams.features.kinds.decay import DecayKind
from streams.features.kinds.favourites import FavouriteKind
from streams.features.kinds.marks import Total
from streams.features.shopper import CATALOGUE
from streams.features.shopper.signals import ORDERS
from streams.processing.partition import PartitionProcessor, row_layout
from streams.processing.rules import Rules
from streams.records.events import ShopperEvent, decode_event
from streams.state.keys import HEADER_BYTES
from tests.laws.subjects import SUBJECTS, Subject, columns_of, state_of
from tests.shoppers import DAY, HOUR, NOON, Log, carted, log_of, ordered, random_history, slice_of, viewed

BY_ENTITY = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.entity.name)
FADING = {DecayKind, CycleKind, FavouriteKind}
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
    rows = arena.rows.copy(arena.find(shoppers))
    now = rows.column("last_event") + later_ms
    return dict(zip(shoppers, CATALOGUE.read(rows, now, ADDRESSES), strict=True))


def in_order_of_log(log: Log) -> list[tuple[int, ShopperEvent]]:
    """The shopper events of a log, with their event times."""
    events = [decode_event(value) for _, value in log if value is not None]
    return [(event.event_time, event) for event in events if isinstance(event, ShopperEvent)]  # type: ignore[misc]


def in_time_order(log: Log) -> list[tuple[int, ShopperEvent]]:
    """The shopper events of a log, by event time."""
    return sorted(in_order_of_log(log), key=lambda pair: pair[0])


def test_every_entity_is_held_to_the_laws() -> None:
    assert [subject.entity for subject in SUBJECTS] == list(ENTITIES)
    assert sum(len(entity.catalogue.features) for entity in ENTITIES) >= 180


@BY_ENTITY
def test_the_address_of_a_feature_is_its_file(subject: Subject) -> None:
    assert {address.split(".")[0] for address in subject.entity.catalogue.features} == files_of(subject)


def files_of(subject: Subject) -> set[str]:
    """The files that an entity's features stand in."""
    folder = Path(features.__path__[0]) / subject.entity.name
    return {path.stem for path in folder.glob("*.py")} - {"__init__", "signals"}


@BY_ENTITY
def test_a_key_never_seen_reads_as_the_declared_cold_start(subject: Subject) -> None:
    catalogue = subject.entity.catalogue
    read = catalogue.read(Rows.zeros(Layout(catalogue.columns), 2), np.array([NOON, NOON]), tuple(catalogue.features))
    for address, value in zip(columns_of(catalogue), read[0], strict=True):
        assert value == np.float32(catalogue.features[address].cold_start), address


@BY_ENTITY
def test_every_value_is_finite_and_in_its_declared_range(subject: Subject) -> None:
    moved = set[str]()
    states = [state_of(subject.apply(subject.history(seed, hostile=True), range(0, 10**4, 97))) for seed in (3, 4)]
    for state, later in itertools.product(states, (0, HOUR, 40 * DAY, 4000 * DAY)):
        for address, values in zip(columns_of(state.catalogue), state.read(state.last_ms + later).T, strict=True):
            feature = state.catalogue.features[address]
            assert np.isfinite(values).all(), address
            assert feature.low <= values.min(), address
            assert values.max() <= np.nextafter(np.float32(feature.high), np.float32(np.inf)), address
            if (values != np.float32(feature.cold_start)).any():
                moved.add(address)
    assert moved == set(subject.entity.catalogue.features)  # else a law would say nothing of it


@BY_ENTITY
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 900), max_size=40))
def test_however_the_log_is_cut_every_feature_has_the_same_bits(subject: Subject, seed: int, cuts: list[int]) -> None:
    history, rules = subject.history(seed, hostile=True), Rules(time_zone="America/New_York")
    one, other = (state_of(subject.apply(history, some, rules)) for some in ([], cuts))
    assert one.keys == other.keys
    assert (one.rows.words == other.rows.words).all()
    # A row reads alone as it does among others.
    now, places = one.last_ms + HOUR, np.arange(len(one.keys))
    alone = [
        one.catalogue.read(one.rows.copy(places[k : k + 1]), now[k : k + 1], tuple(one.catalogue.features))
        for k in places[:3]
    ]
    assert one.read(now)[:3].tobytes() == np.concatenate(alone).tobytes()


def fades(catalogue: Catalogue, address: str) -> bool:
    """Whether a feature is made of sums of floating-point numbers, which depend on their order in the last bits."""
    source = catalogue.features[address].source
    if isinstance(source, Derived):
        kinds = FADING.intersection(source.kinds)
        return bool(kinds) or any(fades(catalogue, part) for part in source.parts)
    return type(catalogue.kind_of(source)) in FADING


@BY_ENTITY
@settings(max_examples=4)
@given(seed=st.integers(0, 10**6))
def test_order_within_the_allowed_lateness_does_not_matter(subject: Subject, seed: int) -> None:
    history = subject.history(seed)
    one, other = (state_of(subject.apply(h)) for h in (history, subject.disordered(history, seed)))
    assert one.keys == other.keys
    for column in one.catalogue.columns:
        if column.name in subject.ordered_columns:
            continue
        ours, theirs = one.column(column), other.column(column)
        if column.code == "f8":
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, err_msg=column.name)
        else:
            differ = np.flatnonzero((ours != theirs).any(axis=1))
            assert not len(differ), (column.name, one.keys[differ[0]], ours[differ[0]], theirs[differ[0]])
    now = np.maximum(one.last_ms, other.last_ms)
    for address, a, b in zip(columns_of(one.catalogue), one.read(now).T, other.read(now).T, strict=True):
        if address not in subject.ordered:
            rtol = 1e-6 if fades(one.catalogue, address) else 0.0
            np.testing.assert_allclose(a, b, rtol=rtol, err_msg=address)


@settings(max_examples=10)
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


def test_decayed_sums_agree_to_a_billionth_in_any_order() -> None:
    log = [pair for i in range(200) for pair in log_of(ordered(at=NOON + i * 7 * HOUR // 200, event_id=f"o{i}"))]
    sums = []
    for some in (log, log[::-1]):
        processor = PartitionProcessor(SHOPPER, 0, Rules(allowed_lateness_ms=DAY))
        processor.apply(slice_of(some))
        sums.append(processor.arena.rows.column("decayed/orders.spend/5m,1h,1d,7d,30d/sum")[0])
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-9)


@BY_ENTITY
def test_a_row_has_a_fixed_size_however_much_happens(subject: Subject) -> None:
    packed = [
        v
        for p in subject.apply(subject.history(1, hostile=True))
        for k, v in p.drain_changes().items()
        if k[:1] == b"s"
    ]
    size = row_layout(subject.entity).itemsize
    assert max(len(value or b"") for value in packed) <= HEADER_BYTES + size // 64 + 1 + size < 8700


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

"""Who was anonymous and logs in is one shopper: whatever crashes, comes twice or in another order."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Rows
from streams.entities.shopper import SHOPPER
from streams.features.feature import Ratio
from streams.features.kinds import Merging
from streams.features.kinds.cycle import Cycle
from streams.features.kinds.decay import Decayed
from streams.features.kinds.favourites import Favourite
from streams.features.kinds.latest import Consent
from streams.features.shopper import CATALOGUE
from streams.processing.merging import described, one_row
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from tests.decisions.test_campaigns import WAITING, choose
from tests.identity.shop import FATES, GROUP, Shop, end_of, history, sent
from tests.shoppers import DAY, HOUR, log_of, random_history, slice_of
from tests.worlds import shipped

#: Everything that is not a matter of order, and not stricter than what was said.
ADDRESSES = tuple(
    address
    for address, feature in CATALOGUE.features.items()
    if not isinstance(feature.source, Consent)
    and address not in ("orders.refunded", "orders.net_spend", "sequence.cents")
)
FADING = (Decayed, Cycle, Favourite)


def features(rows: Rows, now: int) -> npt.NDArray[np.float32]:
    """All that is read of each row at a time."""
    return CATALOGUE.read(rows, np.full(len(rows), now), ADDRESSES)


def assert_same(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    """To the bit, but for what fades."""
    places = CATALOGUE.places(ADDRESSES)
    for address, place in places.items():
        if isinstance(CATALOGUE.features[address].source, (*FADING, Ratio)) or "favourite" in address:
            np.testing.assert_allclose(found[:, place], expected[:, place], rtol=1e-6, atol=1e-9, err_msg=address)
        else:
            np.testing.assert_array_equal(found[:, place], expected[:, place], err_msg=address)


def test_every_kind_of_a_shoppers_features_says_how_two_rows_become_one() -> None:
    assert all(isinstance(kind, Merging) for kind in CATALOGUE.kinds.values())


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 120), share=st.floats(0, 1))
def test_two_rows_become_what_one_would_have_been(seed: int, n: int, share: float) -> None:
    """Also over the wire, whoever of the two did what."""
    rng = random.Random(seed)
    log = random_history(seed, n, 1, hostile=False)
    events = [msgspec.structs.replace(event, shopper_id="one") for event in sent(log)]
    halves = [msgspec.structs.replace(event, shopper_id=rng.choices("ab", (share, 1 - share))[0]) for event in events]
    whole, parts = (PartitionProcessor(SHOPPER, 0, Rules()) for _ in range(2))
    whole.apply(slice_of(log_of(*events)))
    parts.apply(slice_of(log_of(*halves)))
    into, row = (int(parts.arena.find([name])[0]) for name in "ab")
    state = parts.arena.rows
    held = msgspec.json.decode(msgspec.json.encode(described(state, row, CATALOGUE.columns)))
    CATALOGUE.merge(state, into, one_row(state.layout, held))
    now = int(events[-1].event_time) + DAY  # type: ignore[arg-type]
    one = whole.arena.rows.copy(whole.arena.find(["one"]))
    merged = state.copy(np.array([into]))
    assert_same(features(merged, now), features(one, now))
    for column in CATALOGUE.columns:
        if column.code != "f8" and not column.name.startswith(("latest/", "last32/events/cents", "total/orders.ref")):
            np.testing.assert_array_equal(merged.column(column.name), one.column(column.name), column.name)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), trouble=st.sampled_from([0.0, 0.3, 0.7]))
def test_whoever_logs_in_is_one_shopper_whatever_happens_to_workers(seed: int, trouble: float) -> None:
    events, who = history(seed, 200)
    shop = Shop(seed)
    shop.run(events, 40, trouble)
    rows, fates = shop.plain(cuts=5)
    assert shop.rows() == rows
    total = sum(fates, Counter[str]())
    for owner, counted in zip(shop.owners, fates, strict=True):
        assert counted.total() == len(owner.log)
        assert counted.keys() <= FATES
        assert counted["dead"] == 0
    # Each login moves one row, through so many others; each event is applied once, where it belongs.
    moved = shop.moved()
    assert len(who) == len({m.via[0] for m in moved if isinstance(m, e.ShopperMerged)})
    assert total["merged"] == len(who)
    unique = {event.event_id: event for event in events if not event.event_id.endswith("-again")}
    assert total["applied"] == len(unique)
    _assert_one_row_each(shop, list(unique.values()), who)


def _assert_one_row_each(shop: Shop, unique: list[e.ShopperEvent], who: dict[str, str]) -> None:
    """Everybody's row is what it is where all their events were sent for them in the first place."""
    as_one = [msgspec.structs.replace(event, shopper_id=end_of(who, event.shopper_id)) for event in unique]
    as_one = [
        msgspec.structs.replace(one, identified_as="someone") if isinstance(one, e.ShopperIdentified) else one
        for one in as_one
    ]
    oracle = PartitionProcessor(SHOPPER, 0, Rules(allowed_lateness_ms=10**12))
    oracle.apply(slice_of(log_of(*as_one)))
    now = oracle.newest_ms + HOUR
    for name in sorted(oracle.arena.keys()):
        arena = shop.owners[shop.home(name)].processor.arena
        found = arena.rows.copy(arena.find([name]))
        expected = oracle.arena.rows.copy(oracle.arena.find([name]))
        assert_same(features(found, now), features(expected, now))


@pytest.mark.parametrize("seed", range(3))
def test_any_cut_gives_the_same_rows(seed: int) -> None:
    shop = Shop(seed)
    shop.run(history(seed, 200)[0], 40)
    assert shop.plain()[0] == shop.plain(cuts=30)[0] == shop.plain(cuts=1000)[0] == shop.rows()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("trouble", [0.0, 0.5])
def test_what_is_decided_about_whoever_logs_in_does_not_depend_on_workers_or_cuts(seed: int, trouble: float) -> None:
    """With models, and campaigns that wait for carts, goods looked at, silence and the end of quiet hours."""
    shop = Shop(seed, shelf=shipped())
    for owner in shop.owners:
        owner.log += choose(WAITING, GROUP)
    shop.run(history(seed, 140)[0], 40, trouble)
    said = [owner.outcomes.copy() for owner in shop.owners]
    assert sum(b'"kind":"cart_abandoned"' in value for one in said for value in one.values()) > 5
    for cuts in (0, 40):
        for owner in shop.owners:
            owner.outcomes = {}
        assert shop.plain(cuts)[0] == shop.rows()
        assert [owner.outcomes for owner in shop.owners] == said

"""Codes of pools in a partition of shoppers: what it gives is a function of its log."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.coupons import CouponsLoaded
from streams.records.events import encode_event
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.receipts import Receipt
from streams.state.keys import OPEN
from tests.campaigns.builders import CONTENT, PERCENT, campaign
from tests.decisions.test_campaigns import chosen, of, with_choices
from tests.shoppers import Log, random_history, slice_of
from tests.worlds import World, crashed, cut, cut_off, run_plain, shipped

POOLED = campaign(
    id="pooled",
    audience="true",
    economics={"basket_cents": 3000},
    arms=[PERCENT | {"valid_days": 0.05}, CONTENT | {"valid_days": 0.05}],
    coupons={"source": "pool", "pool": "spring"},
    caps=[{"offers": 12, "days": 1}],
    exploration_share=0.5,
    holdout_share=0.2,
)


def loaded(*codes: str, pool: str = "spring", group: str = "") -> Log:
    return [(None, encode_event(CouponsLoaded(group=group, pool=pool, codes=codes)))]


def a_log(seed: int, events: int = 400) -> Log:
    """Fourteen codes in all, some of them twice, and those of others."""
    plain = with_choices(random_history(seed, events, 20), (10, chosen(POOLED, caps=[{"offers": 12, "days": 1}])))
    third = len(plain) // 3
    return [
        *plain[:third],
        *loaded(*(f"A-CODE-{i}" for i in range(8))),
        *loaded("OTHERS-1", "OTHERS-2", group="others"),
        *loaded("WINTER-1", pool="winter"),
        *plain[third : 2 * third],
        *loaded("A-CODE-3", "B-CODE-1", "A-CODE-7"),
        *loaded(*(f"B-CODE-{i}" for i in range(6)), "WINTER-1"),
        *plain[2 * third :],
    ]


def codes_of(world: World) -> list[str]:
    """In the order of time."""
    offers = sorted(of(world, OfferMade), key=lambda offer: offer.event_time_ms)
    return [offer.coupon_code for offer in offers if offer.coupon_code is not msgspec.UNSET]


@pytest.fixture(scope="module")
def world() -> World:
    """What shoppers came to, in one slice."""
    return run_plain(cut(a_log(3), []))


def test_codes_are_given_once_to_those_who_get_a_discount(world: World) -> None:
    codes = codes_of(world)
    assert set(codes) == {f"A-CODE-{i}" for i in range(8)} | {f"B-CODE-{i}" for i in range(6)}
    assert len(codes) == 14
    for offer in of(world, OfferMade):
        assert (offer.coupon_code is msgspec.UNSET) == (offer.benefit == "content")
    withheld = Counter(said.reason for said in of(world, OfferWithheld))
    assert withheld["pool_empty"] > 0
    assert withheld["campaign_holdout"] > 0


def test_a_code_stands_in_its_offer_and_in_no_other_outcome(world: World) -> None:
    for raw in world.outcomes.values():
        if b"-CODE-" in raw:
            assert b'"coupon_code"' in raw
    empty = [each for each in of(world, Receipt) if each.decision == "pool_empty"]
    assert empty
    assert all(each.price == 0 and "pool_empty" in each.held_back for each in empty)


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 420), max_size=40))
def test_any_cut_of_the_log_gives_the_same_codes(seed: int, cuts: list[int]) -> None:
    log = a_log(seed, 300)
    whole, parts = run_plain(cut(log, [])), run_plain(cut(log, cuts))
    assert parts.outcomes == whole.outcomes
    assert parts.rows == whole.rows
    assert len(set(codes_of(whole))) == len(codes_of(whole)) > 8


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), lost=st.floats(0, 1), first=st.booleans())
def test_a_crash_in_the_middle_of_a_flush_gives_no_code_twice(seed: int, lost: float, first: bool) -> None:
    """Some of the last flush reached the table, the progress record did not; what goes before the rows as a whole, or
    only up to the codes that were loaded."""
    log = a_log(seed, 300)
    whole = run_plain(cut(log, []))
    rng = random.Random(seed)
    crash = rng.randrange(len(log) // 3, len(log))

    def loaded_only(changes: Mapping[bytes, bytes | None], *_: object) -> dict[bytes, bytes | None]:
        return dict([(key, value) for key, value in changes.items() if key[:1] == OPEN][: rng.randrange(3)])

    found = crashed(log, crash, lost, rng, arrived=cut_off if first else loaded_only)
    assert found.rows == whole.rows
    assert found.outcomes == whole.outcomes


def test_a_shop_looks_up_how_many_are_left() -> None:
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    processor.apply(slice_of(a_log(3)[: len(a_log(3)) // 3 + 3], 0))
    stock = processor.side.stocks["spring"]
    assert (stock.left, stock.given) == (8, 0)
    assert processor.side.progress()["coupons"]["winter"] == (1, 0)

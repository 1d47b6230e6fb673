"""The item that a shopper left, in the cart or looked at last, is named by offers that are for it."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.records import events as e
from streams.records.offers import OfferMade, OfferWithheld
from tests.campaigns.builders import CONTENT, campaign
from tests.decisions.test_campaigns import chosen, of, with_choices
from tests.shoppers import NOON, Log, log_of, ordered
from tests.worlds import crashed, cut, run_plain, seldom_due

MINUTE = 60_000
CAPS = [{"offers": 12, "days": 0.02}]
ARM = CONTENT | {"applies_to": "trigger_item", "valid_days": 0.01}


def left(name: str, kind: str, **more: object) -> object:
    economics = {"basket_cents": 3000, "min_stock": 0}
    return campaign(id=name, trigger={"kind": kind, "minutes": 60}, arms=[ARM], economics=economics, caps=CAPS, **more)


SET = chosen(left("cart", "cart_abandoned"), left("goods", "browse_abandoned"), holdout_share=0, caps=CAPS)


def added(at: int, item: str, cents: int | None = None, quantity: int = 1, shopper: str = "ann") -> e.CartItemAdded:
    return e.CartItemAdded(
        event_id=f"{shopper}-a{at}", shopper_id=shopper, event_time=NOON + at * MINUTE, item_id=item, quantity=quantity,
        unit_price_cents=cents,
    )  # fmt: skip


def removed(at: int, item: str, quantity: int = 1, shopper: str = "ann") -> e.CartItemRemoved:
    return e.CartItemRemoved(
        event_id=f"{shopper}-r{at}", shopper_id=shopper, event_time=NOON + at * MINUTE, item_id=item, quantity=quantity
    )


def viewed(at: int, item: str, shopper: str = "ann") -> e.ItemViewed:
    return e.ItemViewed(event_id=f"{shopper}-v{at}", shopper_id=shopper, event_time=NOON + at * MINUTE, item_id=item)


def later(at: int) -> e.Searched:
    return e.Searched(event_id=f"t{at}", shopper_id="clock", event_time=NOON + at * MINUTE, query="tea")


def named(*events: e.ShopperEvent, campaigns: object = SET) -> list[str]:
    """Items that offers to Ann name, with the moment's minute."""
    log = with_choices(log_of(later(-200), *events), (0, campaigns))  # type: ignore[arg-type]
    offers = [offer for offer in of(run_plain(cut(log, [])), OfferMade) if offer.shopper_id == "ann"]
    return [(offer.items or ["?"])[0] for offer in sorted(offers, key=lambda offer: offer.event_time_ms)]


@pytest.mark.parametrize(
    ("events", "item"),
    [
        ([added(0, "tea", 300), added(1, "pot", 2000), added(2, "cup", 900)], "pot"),
        ([added(0, "pot", 2000), added(1, "tea", 3000, 10), added(2, "mug", 900, 9)], "tea"),
        ([added(0, "tea", 300), added(1, "pot", 2000), removed(2, "pot"), added(3, "cup", 900)], "cup"),
        ([added(0, "pot", 2000, 2), removed(1, "pot"), added(2, "cup", 900)], "pot"),
        ([added(0, "pot", 2000), removed(1, "pot"), removed(2, "pot"), added(3, "cup", 900)], "cup"),
        ([added(0, "pot", 2000), ordered("ann", NOON + MINUTE, "o", 10), added(2, "cup", 900)], "cup"),
        ([added(0, "tea"), added(1, "pot")], "tea"),
        ([added(0, "tea"), added(1, "pot", 1)], "pot"),
        ([*(added(n, f"i{n}", 100 + n) for n in range(9)), removed(10, "i8"), removed(11, "i7")], "i6"),
        ([viewed(0, "tea"), viewed(1, "pot"), viewed(2, "cup")], "cup"),
        ([viewed(0, "tea"), added(1, "pot", 5), viewed(2, "cup")], "pot"),
        ([added(0, "pot", 5), removed(1, "pot"), viewed(2, "cup")], "cup"),
    ],
)
def test_the_dearest_in_the_cart_or_what_was_looked_at_last(events: list[e.ShopperEvent], item: str) -> None:
    assert named(*events, later(300)) == [item]


def test_what_lay_in_the_cart_before_is_not_named_by_chance() -> None:
    before = log_of(added(0, "tea", 300))
    log = with_choices([*before, *log_of(later(10), later(300))], (0, chosen()), (len(before), SET))
    world = run_plain(cut(log, []))
    assert not [offer for offer in of(world, OfferMade) if offer.shopper_id == "ann"]
    assert [said.reason for said in of(world, OfferWithheld) if said.shopper_id == "ann"] == ["out_of_stock"]


def test_an_offer_that_waits_for_the_end_of_quiet_hours_is_for_it_too() -> None:
    quiet = chosen(left("cart", "cart_abandoned", quiet_hours={"start": "13:00", "end": "15:00"}), holdout_share=0,
                   caps=CAPS, time_zone="UTC")  # fmt: skip
    assert named(added(30, "pot", 2000), later(400), campaigns=quiet) == ["pot"]
    bought = ordered("ann", NOON + 130 * MINUTE, "o", 10, item_id="pot")
    assert named(added(30, "pot", 2000), bought, later(400), campaigns=quiet) == []


def a_history(seed: int, n: int) -> Log:
    """Carts, views, orders and pauses of eight shoppers."""
    rng, found, at = random.Random(seed), list[e.ShopperEvent](), 0
    for k in range(n):
        at += rng.choice([1, 1, 2, 5, 20, 90])
        who, item, kind = f"s{rng.randrange(8)}", f"item-{rng.randrange(9)}", rng.random()
        if kind < 0.4:
            found.append(added(at, item, rng.choice([None, 100, 200, 900]), rng.randrange(1, 4), who))
        elif kind < 0.6:
            found.append(removed(at, item, rng.randrange(1, 3), who))
        elif kind < 0.9:
            found.append(viewed(at, item, who))
        else:
            found.append(ordered(who, NOON + at * MINUTE, f"o{k}", 300, item_id=item))
    return with_choices(log_of(*found), (5, SET))


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 130), max_size=25), lost=st.floats(0, 1))
def test_any_cut_and_a_crash_name_the_same(seed: int, cuts: list[int], lost: float) -> None:
    log = a_history(seed, 120)
    whole = run_plain(cut(log, []))
    assert run_plain(cut(log, cuts)).outcomes == whole.outcomes
    assert run_plain(cut(log, range(1, len(log)))).rows == whole.rows
    rng = random.Random(seed)
    found = crashed(log, rng.randrange(30, len(log)), lost, rng)
    assert found.outcomes == whole.outcomes
    assert found.rows == whole.rows
    offers = [offer for offer in of(whole, OfferMade) if offer.items is not msgspec.UNSET]
    assert offers
    assert all(offer.items[0].startswith("item-") for offer in offers)


def test_enough_is_named() -> None:
    assert sum(len(of(run_plain(cut(a_history(seed, 240), [])), OfferMade)) for seed in range(3)) > 10


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 299), max_size=30))
def test_carts_of_who_was_due_as_often_as_they_may_be_are_known(seed: int, cuts: list[int]) -> None:
    log = with_choices(a_history(seed, 300), (0, SET))
    whole, parts = seldom_due(log, [], 2), seldom_due(log, cuts, 2)
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes

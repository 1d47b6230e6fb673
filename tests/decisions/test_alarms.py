"""Alarms of shoppers who say nothing: campaigns that come to hold find those who had fallen silent before."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import CartItemAdded, ItemViewed, Searched
from streams.records.offers import OfferMade
from streams.state.codec import row_bytes
from tests.campaigns.builders import PERCENT, campaign
from tests.decisions.test_campaigns import WAITING, chosen, of, with_choices
from tests.shoppers import DAY, NOON, Log, log_of, ordered, random_history, slice_of
from tests.worlds import DictTier, World, crashed, cut, run_plain, shipped

HOUR, MINUTE = 3_600_000, 60_000
DAYS = (30, 20, 10)
CAPS = [{"offers": 9, "days": 1}]
#: Alarms are known from here on, of nobody who acts in these tests.
OTHERS = chosen(campaign(id="others", audience="false", trigger={"kind": "cart_abandoned", "minutes": 600}))


def waiting(name: str, **trigger: object) -> object:
    return campaign(id=name, trigger=trigger, economics={"basket_cents": 3000}, arms=[PERCENT], caps=CAPS)


HELD = chosen(
    waiting("cart", kind="cart_abandoned", minutes=60),
    waiting("goods", kind="browse_abandoned", minutes=60),
    waiting("overdue", kind="overdue", gaps=1.5),
    holdout_share=0,
    caps=CAPS,
)


def tick(at: int) -> Log:
    """Somebody else says what time it is."""
    return log_of(Searched(event_id=f"tick-{at}", shopper_id="clock", event_time=at, query="tea"))


def silent(names: int = 1) -> Log:
    """At noon campaigns come to hold. Until then, a quarter of an hour ago by the watermark: one left a cart and one
    looked at goods half an hour before, and others long before; one ordered every ten days, three times."""
    found = [
        *(
            ordered(f"regular-{n}", NOON - days * DAY, f"o{n}-{days}", 3000)
            for days in (30, 20, 10)
            for n in range(names)
        ),
        *(_cart(f"long-ago-{n}", NOON - 5 * DAY) for n in range(names)),
        *(_look(f"looked-long-ago-{n}", NOON - 5 * DAY) for n in range(names)),
        *(_cart(f"cart-{n}", NOON - 100 * MINUTE) for n in range(names)),
        *(_look(f"goods-{n}", NOON - 100 * MINUTE) for n in range(names)),
    ]
    return log_of(*found)


def _cart(shopper: str, at: int) -> CartItemAdded:
    return CartItemAdded(event_id=f"{shopper}-{at}", shopper_id=shopper, event_time=at, item_id="tea", quantity=1)


def _look(shopper: str, at: int) -> ItemViewed:
    return ItemViewed(event_id=f"{shopper}-{at}", shopper_id=shopper, event_time=at, item_id="tea")


def later() -> Log:
    return [record for hours in (1, 2, 3, 24, 96, 144, 240) for record in tick(NOON + hours * HOUR)]


def made(log: Log) -> dict[str, str]:
    """Shopper → what made them due who got an offer."""
    return {offer.shopper_id: str(offer.due.kind) for offer in of(run_plain(cut(log, [])), OfferMade)}


def the_log(names: int = 1) -> Log:
    before = [*silent(names), *tick(NOON)]
    return with_choices([*before, *later()], (0, OTHERS), (len(before), HELD))


def test_whoever_was_silent_when_campaigns_came_to_hold_is_looked_at_when_their_time_comes() -> None:
    assert made(the_log()) == {"cart-0": "cart_abandoned", "goods-0": "browse_abandoned", "regular-0": "overdue"}
    offers = {o.shopper_id: o.event_time_ms for o in of(run_plain(cut(the_log(), [])), OfferMade)}
    assert offers["regular-0"] == NOON - 10 * DAY + 15 * DAY
    assert offers["cart-0"] == NOON - 100 * MINUTE + HOUR


def test_what_had_passed_before_is_not_made_up_for_until_they_are_heard_of() -> None:
    before = [*silent(), *tick(NOON)]
    again = log_of(_look("long-ago-0", NOON + 30 * MINUTE))
    log = with_choices([*before, *again, *later()], (0, OTHERS), (len(before), HELD))
    assert made(log)["long-ago-0"] == "cart_abandoned"
    assert "looked-long-ago-0" not in made(log)


def test_campaigns_that_wait_for_the_same_change_nothing() -> None:
    before = [*silent(), *tick(NOON)]
    more = chosen(*HELD.campaigns, campaign(id="more", audience="false"), holdout_share=0, caps=CAPS)
    log = with_choices(
        [*before, *tick(NOON + HOUR // 4), *later()], (0, OTHERS), (len(before), HELD), (len(before) + 1, more)
    )
    assert made(log).keys() == {"cart-0", "goods-0", "regular-0"}


@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_rows_that_are_evicted_are_found_as_well(limit: int) -> None:
    """What is in memory must not matter."""
    log = the_log(6)
    whole = run_plain(cut(log, []))
    tier, world = DictTier(), World()
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier, limit=limit)
    for a in range(0, len(log), 5):
        world.take_result(processor.apply(slice_of(log[a : a + 5], a)))
        tier.write(processor.drain_changes())
        processor.arena.evict()
    assert world.outcomes == whole.outcomes
    assert {key: row_bytes(value) for key, value in tier.held.items() if key[:1] == b"s"} == whole.rows
    assert len({offer.shopper_id for offer in of(world, OfferMade)}) == 18


@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), lost=st.floats(0, 1), cuts=st.lists(st.integers(1, 420), max_size=40))
@example(seed=165892, lost=0.4161722627650255, cuts=[])  # a row that is ahead must not be set to what held before
def test_any_cut_and_a_crash_give_the_same(seed: int, lost: float, cuts: list[int]) -> None:
    """Campaigns that wait for other things come to hold again and again."""
    history = random_history(seed, 350, 20)
    sets = [(20, OTHERS), (90, WAITING), (160, OTHERS), (230, HELD), (290, WAITING)]
    log = with_choices(history, *sets)
    whole = run_plain(cut(log, []))
    assert run_plain(cut(log, cuts)).outcomes == whole.outcomes
    rng = random.Random(seed)
    crash = rng.randrange(60, len(log))

    def processor(tier: DictTier) -> PartitionProcessor:
        return PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier, limit=rng.choice([3, 1000]))

    found = crashed(log, crash, lost, rng, make=processor, evict=True)
    assert found.outcomes == whole.outcomes
    assert found.rows == whole.rows

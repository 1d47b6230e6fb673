"""What became of offers, and of the holdout: the log decides, and what is said is what happened."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.effects.account import Effects
from streams.effects.sums import Sums, merged, of_outcomes, of_record
from streams.entities.shopper import SHOPPER
from streams.processing.entity import Emitted
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.effects import EffectReported, OfferOutcome
from streams.records.offers import OfferMade
from streams.records.slices import Slice
from tests.campaigns.builders import PERCENT, campaign
from tests.decisions.test_campaigns import chosen, of, with_choices
from tests.leases import leased
from tests.shoppers import DAY, HOUR, NOON, Log, carted, log_of, ordered, random_history, slice_of
from tests.worlds import DictTier, World, cut, cut_off, shipped

#: Histories are too long for it.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
EFFECT_FIELDS = {"window_days": 3, "return_days": 2, "expected_shoppers": 100, "segments": ["rich"]}
CARTS = campaign(
    id="carts",
    audience="carts.adds_24h >= 1",
    trigger={"kind": "event", "types": ["cart_item_added"]},
    economics={"basket_cents": 3000, "contact_cents": 4, "gross_margin": 0.4},
    arms=[PERCENT],
    coupons={"source": "generated", "prefix": "CART-"},
    caps=[{"offers": 1, "days": 1}],
    holdout_share=0.5,
    exploration_share=0,
    effect=EFFECT_FIELDS,
)
SET = chosen(CARTS, holdout_share=0, segments={"rich": "orders.spend > 20000"})


def processor(tier: DictTier | None = None) -> PartitionProcessor:
    return PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier, partitions=1)


def run(slices: Iterable[Slice], into: PartitionProcessor | None = None) -> World:
    world, into = World(), into or processor()
    for slice_ in slices:
        take(world, into.apply(slice_))
    return world


def take(world: World, result: Any) -> None:
    world.take_result(result)
    world.emitted += [(0, one) for one in result.emitted]


def reports(emitted: Iterable[tuple[int, Emitted]]) -> list[EffectReported]:
    values = [one.value for _, one in emitted if b'"effect_reported"' in one.value]
    return [msgspec.json.decode(value, type=EffectReported) for value in values]


@settings(max_examples=3, phases=NO_SHRINKING)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 900), max_size=40))
def test_any_cut_says_the_same_outcomes_and_reports(seed: int, cuts: list[int]) -> None:
    log = with_choices(random_history(seed, 500, 20), (30, SET))
    whole, parts = run(cut(log, [])), run(cut(log, cuts))
    assert parts.outcomes == whole.outcomes
    assert reports(parts.emitted) == reports(whole.emitted)
    assert whole.kinds["OfferOutcome"] > 2


def test_one_record_at_a_time_says_the_same() -> None:
    log = with_choices(random_history(5, 400, 15), (30, SET))
    whole, single = run(cut(log, [])), run(cut(log, range(1, len(log))))
    assert single.outcomes == whole.outcomes
    assert reports(single.emitted) == reports(whole.emitted)


@settings(max_examples=4, phases=NO_SHRINKING)
@given(seed=st.integers(0, 10**6), crash=st.integers(60, 700), lost=st.floats(0, 1))
def test_a_crash_in_the_middle_of_a_flush_counts_nothing_twice(seed: int, crash: int, lost: float) -> None:
    log = with_choices(random_history(seed, 500, 20), (30, SET))
    whole, crash = run(cut(log, [])), min(crash, len(log) - 1)
    tier, world, rng, effects = DictTier(), World(), random.Random(seed), Effects()

    def go(start: int, stop: int) -> dict[bytes, bytes | None]:
        into = processor(tier)
        assert into.next_offset == start
        for a in range(start, stop, 60):
            take(world, into.apply(slice_of(log[a : min(a + 60, stop)], a)))
        return into.drain_changes()

    tier.write(go(0, crash // 2))
    tier.write(cut_off(go(crash // 2, crash), rng, lost))
    tier.write(go(crash // 2, len(log)))
    assert {key: said for key, said in world.outcomes.items() if b'"opened_ms"' in said} == {
        key: said for key, said in whole.outcomes.items() if b'"opened_ms"' in said
    }
    for report in reports(world.emitted):
        effects.hear(report)
    last = reports(whole.emitted)[-1]
    assert effects.accounts["carts"].newest[0] == last
    assert dict(of_record(tally) for tally in last.tallies) == merged([_summed(whole, last.event_time)])


def _summed(world: World, before_ms: int) -> dict[Any, Sums]:
    closed = [o for o in of(world, OfferOutcome) if o.event_time_ms <= before_ms]
    return of_outcomes(closed)


def made_offers(log: Log) -> tuple[PartitionProcessor, list[OfferMade], int]:
    into = processor()
    world = run([slice_of(log, 0)], into)
    return into, of(world, OfferMade), len(log)


def test_what_is_told_is_what_happened() -> None:
    """Forty shoppers fill a cart; half of them get an offer. One uses the coupon, one says which order, one returns a
    part, all of the holdout order the same."""
    start: Log = leased(
        [*with_choices([], (0, SET)), *(pair for i in range(40) for pair in log_of(carted(f"s{i}", NOON + i, f"c{i}")))]
    )
    into, offers, n = made_offers(start)
    assert 8 <= len(offers) <= 32
    held = sorted({f"s{i}" for i in range(40)} - {offer.shopper_id for offer in offers})
    coupon, said, back, *rest = offers
    assert isinstance(coupon.coupon_code, str)
    at = NOON + HOUR
    events: list[e.ShopperEvent] = [
        e.OfferShown(event_id="x1", shopper_id=coupon.shopper_id, event_time=at, offer_id=coupon.outcome_id),
        ordered(coupon.shopper_id, at + 1, "o-coupon", 2000, discount_cents=200, coupon_code=coupon.coupon_code),
        ordered(said.shopper_id, at + 2, "o-said", 1000, discount_cents=999),
        e.OfferRedeemed(
            event_id="x2",
            shopper_id=said.shopper_id,
            event_time=at + 3,
            offer_id=said.outcome_id,
            order_id="o-said",
            discount_cents=70,
        ),
        *(ordered(shopper, at + 5, f"o-{shopper}", 500) for shopper in held),
        ordered(back.shopper_id, at + 4, "o-back", 1000, units=2),
        e.OrderReturned(
            event_id="x3",
            shopper_id=back.shopper_id,
            event_time=at + 2 * DAY,
            order_id="o-back",
            lines=[e.OrderLine(item_id="i1", quantity=1, unit_price_cents=1000)],
        ),
        ordered(rest[0].shopper_id, NOON + 4 * DAY, "too-late", 9000),
        e.ClockTicked(event_time=NOON + 5 * DAY + 2 * HOUR),  # type: ignore[list-item]
        e.ClockTicked(event_time=NOON + 7 * DAY),  # type: ignore[list-item]
    ]
    log: Log = [
        (None if isinstance(each, e.ClockTicked) else each.shopper_id.encode(), e.encode_event(each)) for each in events
    ]
    world = run([slice_of(log, n)], into)
    outcomes = {o.shopper_id: o for o in of(world, OfferOutcome)}
    assert set(outcomes) == {f"s{i}" for i in range(40)}
    assert {shopper for shopper, o in outcomes.items() if o.held} == set(held)
    first, second, third = (outcomes[offer.shopper_id] for offer in (coupon, said, back))
    assert (first.order_id, first.order_revenue_cents) == ("o-coupon", 1800)
    assert (first.discount_cents, first.shown_ms) == (200, at)
    assert first.measured is not None
    assert first.measured.margin_cents == 0.4 * 2000
    assert first.measured.cost_cents == 204
    assert (second.order_id, second.discount_cents, second.redeemed_ms) == ("o-said", 70, at + 3)
    assert second.measured is not None
    assert second.measured.cost_cents == 74
    assert third.measured is not None
    assert (third.order_id, third.measured.units, third.measured.revenue_cents) == (None, 1, 1000)
    late = outcomes[rest[0].shopper_id].measured
    assert late is not None
    assert late.orders == 0
    (report,) = reports(world.emitted)[-1:]
    assert (report.entered, report.entered_held) == (len(offers), len(held))
    cells = {cell.held: sums for cell, sums in map(of_record, report.tallies)}
    assert cells[True].totals[2] == 500 * len(held)
    assert cells[False].totals[2] == 1800 + 1 + 1000
    (purse,) = into.side.spending.described().values()  # type: ignore[attr-defined]
    assert purse[0] == len(offers)


def test_what_a_used_offer_cost_is_spent_and_the_rest_goes_back() -> None:
    start: Log = leased(
        [*with_choices([], (0, SET)), *(pair for i in range(40) for pair in log_of(carted(f"s{i}", NOON + i, f"c{i}")))]
    )
    into, offers, n = made_offers(start)
    one, two, *_ = offers
    at = NOON + 60_000
    used = [
        e.OfferRedeemed(
            event_id="x1", shopper_id=one.shopper_id, event_time=at, offer_id=one.outcome_id, discount_cents=30
        ),
        e.OfferRedeemed(event_id="x2", shopper_id=two.shopper_id, event_time=at, offer_id=two.outcome_id),
    ]
    assert isinstance(two.reserved_cents, int)
    world = run([slice_of([pair for event in used for pair in log_of(event)], n)], into)
    world = run([slice_of([(None, e.encode_event(e.ClockTicked(event_time=NOON + HOUR)))], n + 2)], into)
    told = [msgspec.json.decode(one.value) for _, one in world.emitted if b"spend_reported" in one.value][-1]
    assert told["settled_cents"] == 30 + two.reserved_cents - 4 + 4 * len(offers)

"""What became of an offer is a function of the shopper's records, in whatever order they came."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.effects.attribution import DAY_MS, REACTIONS, Fact, Journeys, Opened, Ordered, Reacted, Returned, Window
from streams.records.effects import EffectMeasured, EffectTallied, Measured, OfferOutcome
from streams.records.schema import schema_of

HOUR = 3_600_000
WINDOW = Window(days=1, return_days=0.5)
OFFER = Opened("f1", "ann", "win-back", "10%", at_ms=0, contact_cents=5, before_orders=3, before_revenue_cents=4_000)
ORDER = Ordered("o1", HOUR, units=4, revenue_cents=1_000, margin_cents=300)


def closed(*facts: Fact, window: Window = WINDOW) -> list[OfferOutcome]:
    journeys = Journeys(window, "USD")
    for fact in facts:
        journeys.feed(fact)
    return journeys.close(10**15)


def measured(*facts: Fact) -> Measured:
    found = closed(*facts)[0].measured
    assert found is not None
    return found


times = st.integers(0, 60).map(lambda h: h * HOUR)
offers = st.lists(
    st.builds(
        lambda i, campaign, at, held: Opened(f"f{i}", "ann", campaign, "a", at, held=held, contact_cents=7),
        st.integers(0, 4),
        st.sampled_from(["one", "two"]),
        times,
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda o: o.offer_id,
)
reactions = st.lists(
    st.builds(Reacted, st.sampled_from(["f0", "f1", "f2", "unknown"]), st.sampled_from(REACTIONS), times)
)
orders = st.lists(
    st.builds(
        lambda i, at, units, offer: Ordered(f"o{i}", at, units, units * 100, units * 30, offer, 11 if offer else 0),
        st.integers(0, 3),
        times,
        st.integers(1, 5),
        st.sampled_from(["", "", "f0", "f1"]),
    ),
    max_size=6,
    unique_by=lambda o: o.order_id,
)
returns = st.lists(
    st.builds(
        lambda i, o, at, u: Returned(f"r{i}", f"o{o}", at, u, (u or 0) * 100, (u or 0) * 30),
        st.integers(0, 9),
        st.integers(0, 3),
        times,
        st.none() | st.integers(1, 3),
    ),
    max_size=4,
    unique_by=lambda r: r.event_id,
)
histories = st.tuples(offers, reactions, orders, returns).map(lambda parts: [fact for part in parts for fact in part])


@settings(max_examples=200)
@given(histories, st.randoms(use_true_random=False), st.integers(0, 6))
def test_order_duplicates_and_closing_times_change_nothing(facts: list[Fact], random: object, wait: int) -> None:
    """As long as nothing comes that is older than the watermark: that is what lateness means."""
    assert hasattr(random, "shuffle")
    expected = closed(*sorted(facts, key=repr))
    mixed = [*facts, *facts[::2]]
    random.shuffle(mixed)
    journeys, found, watermark = Journeys(WINDOW, "USD"), [], 0
    for i, fact in enumerate(mixed):
        journeys.feed(fact)
        to_come = min((f.at_ms for f in mixed[i + 1 :]), default=10**15)
        watermark = max(watermark, to_come - wait * HOUR)
        found += journeys.close(min(watermark, to_come))
    assert sorted(found, key=lambda o: o.offer_id) == sorted(expected, key=lambda o: o.offer_id)
    kept = (journeys.opened, journeys.ordered, journeys.reacted, journeys.returned)
    assert not any(kept), "nothing but the campaigns entered is kept for ever"


@settings(max_examples=100)
@given(histories)
def test_what_is_measured_is_what_plain_python_counts(facts: list[Fact]) -> None:
    outcomes = closed(*facts)
    entries = [o for o in outcomes if o.measured is not None]
    opened = sorted((f for f in facts if isinstance(f, Opened)), key=lambda o: (o.at_ms, o.offer_id))
    assert [o.offer_id for o in outcomes] == [o.offer_id for o in opened]
    assert len(entries) == len({o.campaign for o in opened}), "a shopper enters a campaign once"
    for entry in entries:
        revenue, bought = 0, 0
        for order in (f for f in facts if isinstance(f, Ordered)):
            if not entry.opened_ms <= order.at_ms < entry.opened_ms + DAY_MS:
                continue
            units, paid = order.units, order.revenue_cents
            for back in sorted((f for f in facts if isinstance(f, Returned)), key=lambda r: (r.at_ms, r.event_id)):
                if back.order_id == order.order_id and order.at_ms <= back.at_ms < entry.event_time_ms and units:
                    whole = back.units is None or back.units >= units
                    units, paid = (0, 0) if whole else (units - (back.units or 0), paid - back.revenue_cents)
            revenue, bought = revenue + paid, bought + (units > 0)
        assert entry.measured is not None
        assert (entry.measured.revenue_cents, entry.measured.orders) == (revenue, bought)


def test_the_stages_count_within_the_window_and_the_first_of_each() -> None:
    late = Reacted("f1", "clicked", DAY_MS)
    (told,) = closed(OFFER, Reacted("f1", "shown", 20), Reacted("f1", "shown", 10), Reacted("f1", "shown", -5), late)
    assert (told.shown_ms, told.clicked_ms, told.redeemed_ms, told.order_id) == (10, None, None, None)


def test_an_offer_is_used_in_the_order_that_names_it_else_in_the_one_nearest_to_its_redemption() -> None:
    far, near = replace(ORDER, order_id="far", at_ms=5 * HOUR), replace(ORDER, order_id="near", at_ms=2 * HOUR - 60_000)
    redeemed = Reacted("f1", "redeemed", 2 * HOUR)
    assert closed(OFFER, redeemed, far, near)[0].order_id == "near"
    assert closed(OFFER, redeemed, far)[0].order_id is None
    assert closed(OFFER, redeemed, near, replace(far, offer_id="f1"))[0].order_id == "far"


def test_the_holdout_is_measured_alike_and_costs_nothing() -> None:
    found = measured(replace(OFFER, held=True), ORDER)
    assert (found.offers, found.cost_cents, found.orders, found.margin_cents) == (0, 0, 1, 300)


def test_margin_is_before_the_discount_and_cost_holds_it_so_profit_is_what_is_left() -> None:
    used = replace(ORDER, offer_id="f1", discount_cents=100)
    found = measured(OFFER, used)
    assert (found.margin_cents, found.cost_cents) == (400, 105)
    assert found.margin_cents - found.cost_cents == used.margin_cents - OFFER.contact_cents


def test_returns_reverse_it_in_part_and_as_a_whole_but_not_after_the_time_for_returns() -> None:
    used = replace(ORDER, offer_id="f1", discount_cents=100)
    part = Returned("r1", "o1", 2 * HOUR, units=1, revenue_cents=250, margin_cents=75)
    (told,) = closed(OFFER, used, part)
    assert (told.returned, told.order_units, told.order_revenue_cents, told.discount_cents) == ("partly", 3, 750, 75)
    (told,) = closed(OFFER, used, part, Returned("r2", "o1", 3 * HOUR))
    assert told.measured is not None
    assert (told.returned, told.measured.orders, told.measured.margin_cents, told.measured.cost_cents) == (
        "all",
        0,
        0,
        5,
    )
    assert closed(OFFER, used, Returned("r3", "o1", WINDOW.closed_ms(0)))[0].returned == "no"


def test_a_return_that_comes_before_its_order_waits_for_it() -> None:
    journeys = Journeys(WINDOW, "USD")
    for fact in (Returned("r1", "o1", 2 * HOUR), OFFER, ORDER):
        journeys.feed(fact)
        assert not journeys.close(HOUR)
    assert journeys.close(10**15)[0].measured == measured(OFFER)


def test_later_offers_of_a_campaign_add_to_the_cost_of_the_first_window_and_begin_none() -> None:
    second = replace(OFFER, offer_id="f2", at_ms=2 * HOUR)
    used = replace(ORDER, at_ms=3 * HOUR, offer_id="f2", discount_cents=50)
    first, later = closed(second, OFFER, used)
    assert first.measured is not None
    assert (first.measured.offers, first.measured.redeemed, first.measured.cost_cents) == (2, 1, 60)
    assert later.measured is None
    assert later.order_id == "o1"


def test_a_window_closes_when_its_time_for_returns_is_over() -> None:
    journeys = Journeys(WINDOW, "USD")
    assert journeys.next_ms() is None
    journeys.feed(OFFER)
    due = journeys.next_ms()
    assert due == DAY_MS * 3 // 2
    assert not journeys.close(due - 1)
    assert len(journeys.close(due)) == 1
    assert not journeys.close(10**15), "said once"


def test_a_campaign_that_is_over_may_be_entered_again() -> None:
    journeys = Journeys(WINDOW, "USD")
    again = replace(OFFER, offer_id="f2", at_ms=9 * DAY_MS)
    journeys.feed(OFFER)
    journeys.close(8 * DAY_MS)
    journeys.forget("win-back")
    journeys.feed(again)
    assert journeys.close(10**15)[0].measured is not None


@pytest.mark.parametrize("bad", [{"days": 0}, {"days": 400}, {"return_days": -1}, {"slack_minutes": -1}])
def test_a_window_that_cannot_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Say other ones"):
        Window(**bad)


@pytest.mark.parametrize("record", [OfferOutcome, EffectTallied, EffectMeasured])
def test_every_field_of_the_records_is_described_and_they_survive_the_wire(record: type[msgspec.Struct]) -> None:
    for held, schema in schema_of([record]).items():
        for field, told in schema["properties"].items():
            assert told.get("description", "").endswith("."), f"{held}.{field}"
    (outcome,) = closed(OFFER, ORDER)
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=OfferOutcome) == outcome

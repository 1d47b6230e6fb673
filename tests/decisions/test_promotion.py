"""Promotions: who gets one, and what holds one back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.columns.layout import Rows
from streams.decisions.promotion import Offer, PromotionPolicy, Prospect, Withheld, offer_times
from streams.entities.shopper import SHOPPER
from streams.outside.why import missing
from streams.processing.partition import row_layout
from tests.shoppers import DAY, NOON

POLICY = PromotionPolicy(holdout_share=0.0)
LIKELY = Prospect(
    row=0,
    shopper_id="s1",
    now_ms=NOON,
    score=0.6,
    threshold=0.25,
    discount_rate=0.2,
    coupon_share=0.0,
    average_order_cents=5000,
    orders=4,
    consent=1,
)


def fresh() -> Rows:
    """The row of a shopper who never got an offer."""
    return Rows.zeros(row_layout(SHOPPER), 1)


def test_a_likely_lapser_with_consent_gets_an_offer() -> None:
    offer = POLICY.decide(fresh(), LIKELY)
    assert isinstance(offer, Offer)
    assert offer.discount_percent == 10
    assert offer.max_discount_cents == 1000
    assert offer.expires_at_ms == NOON + 7 * DAY
    assert offer.reasons == ("likely_to_lapse", "buys_on_discount")


def test_who_is_not_likely_to_lapse_is_no_candidate() -> None:
    assert POLICY.decide(fresh(), replace(LIKELY, score=0.1)) is None
    assert POLICY.decide(fresh(), replace(LIKELY, orders=0)) is None


@pytest.mark.parametrize(
    ("policy", "prospect", "reason"),
    [
        (POLICY, replace(LIKELY, consent=0), "no_consent"),
        (POLICY, replace(LIKELY, consent=-1), "no_consent"),
        (replace(POLICY, default_consent=True), replace(LIKELY, consent=-1), "no_consent"),
        (replace(POLICY, holdout_share=1.0), LIKELY, "holdout"),
        (replace(POLICY, margin_floor=0.25), LIKELY, "below_margin"),
    ],
)
def test_a_guard_holds_it_back(policy: PromotionPolicy, prospect: Prospect, reason: str) -> None:
    assert policy.decide(fresh(), prospect) == Withheld(reason, 10)  # type: ignore[arg-type]


def test_never_said_counts_as_consent_only_when_the_shop_says_so() -> None:
    assert isinstance(replace(POLICY, default_consent=True).decide(fresh(), replace(LIKELY, consent=0)), Offer)


def test_the_holdout_is_a_share_of_shoppers_and_stays() -> None:
    policy = PromotionPolicy(holdout_share=0.05)
    held = [policy.in_holdout(f"s{i}") for i in range(20_000)]
    assert 800 < sum(held) < 1200
    assert held == [policy.in_holdout(f"s{i}") for i in range(20_000)]
    assert held != [replace(policy, holdout_salt="other").in_holdout(f"s{i}") for i in range(20_000)]


def test_the_frequency_cap_counts_offers_made() -> None:
    policy, state = replace(POLICY, cooldown_days=1), fresh()
    decisions = [policy.decide(state, replace(LIKELY, now_ms=NOON + i * 2 * DAY)) for i in range(5)]
    assert [isinstance(d, Offer) for d in decisions] == [True, True, True, False, False]
    assert decisions[3] == Withheld("frequency_cap", 10)
    assert isinstance(policy.decide(state, replace(LIKELY, now_ms=NOON + 40 * DAY)), Offer)


@given(gaps=st.lists(st.integers(0, 12 * DAY), min_size=1, max_size=60), consent=st.sampled_from([-1, 0, 1]))
def test_never_over_the_cap_never_within_the_cooldown_never_without_consent(gaps: list[int], consent: int) -> None:
    state, now, made = fresh(), NOON, list[int]()
    for gap in gaps:
        now += gap
        if isinstance(POLICY.decide(state, replace(LIKELY, now_ms=now, consent=consent)), Offer):
            assert consent == 1
            assert all(now - at >= POLICY.cooldown_days * DAY for at in made)
            made.append(now)
            assert sum(now - at < POLICY.cap_days * DAY for at in made) <= POLICY.cap


def test_more_than_the_row_remembers_cannot_be_a_cap() -> None:
    with pytest.raises(ValueError, match="remembers"):
        PromotionPolicy(cap=9)


@given(
    made=st.lists(st.integers(0, 90), max_size=4),
    score=st.floats(0, 1),
    orders=st.integers(0, 3),
    consent=st.sampled_from((-1, 0, 1)),
    holdout=st.booleans(),
    floor=st.sampled_from((0.12, 0.25)),
)
def test_why_says_that_something_is_missing_exactly_when_no_offer_is_made(
    made: list[int], score: float, orders: int, consent: int, holdout: bool, floor: float
) -> None:
    state = fresh()
    for day in sorted(made):
        POLICY.decide(state, replace(LIKELY, now_ms=NOON - day * DAY))
    policy = replace(POLICY, holdout_share=float(holdout), margin_floor=floor)
    prospect = replace(LIKELY, score=score, orders=orders, consent=consent)
    told = list(missing(policy, prospect, offer_times(state, 0), None))
    assert bool(told) == (not isinstance(policy.decide(state, prospect), Offer)), told


@pytest.mark.parametrize("made", [(0,), (0, 8, 16), (0, 1, 2)])
def test_the_guards_open_to_the_millisecond_when_they_say(made: tuple[int, ...]) -> None:
    policy, state = replace(POLICY, cooldown_days=0.3 * len(made)), fresh()
    for day in made:
        assert isinstance(policy.decide(state, replace(LIKELY, now_ms=NOON + day * DAY)), Offer)
    until = max(policy.closed_until_ms(offer_times(state, 0)).values())
    assert isinstance(policy.decide(state, replace(LIKELY, now_ms=until - 1)), Withheld)
    assert isinstance(policy.decide(state, replace(LIKELY, now_ms=until)), Offer)

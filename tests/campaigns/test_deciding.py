"""What is decided for a group of due points: who is addressed, what is drawn, what the budget allows, what waits."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streams.campaigns import memory
from streams.campaigns.coupons import ALPHABET, generated
from streams.campaigns.deciding import Inputs, decide, remember
from streams.campaigns.draws import shopper_hashes, uniform
from streams.campaigns.guards import quiet_until
from streams.campaigns.plan import Plans
from streams.campaigns.reasons import SENTENCES, Why
from streams.campaigns.terms import CART, DEFERRED, EVENT, OVERDUE, PRICE, SILENCE, STOCK
from streams.columns.arrays import TYPE_CODE, Ints
from streams.features.days import Days
from streams.records.campaign_parts import Coupons
from streams.records.events import CartItemAdded, OrderPlaced
from tests.campaigns.builders import CONTENT, DAY, HOUR, NOON, PERCENT, campaign, moment, plans, purses, rows

MANY = [f"shopper-{i}" for i in range(20_000)]


def whys(ready: Plans, *asked: object, **more: object) -> list[str]:
    """What the first campaign says of each shopper never seen before."""
    at = moment(*asked, **more)  # type: ignore[arg-type]
    (found, *_) = decide(ready, at, memory.read(rows(len(at)), np.arange(len(at))))
    return [Why(code).word for code in found.why.tolist()]


def test_who_cannot_be_judged_is_not_addressed() -> None:
    ready = plans(campaign(audience="lapse_30d > 0.5 and orders.count >= 2"))
    columns = {"churn.lapse_30d": [0.9, 0.9, 0.1, np.nan, np.nan], "orders.count": [2, 1, 2, 2, 1]}
    assert whys(ready, MANY[:5], columns=columns) == [
        "offered",
        "not_in_audience",
        "not_in_audience",
        "audience_unknown",
        "not_in_audience",
    ]


@pytest.mark.parametrize("state", ["draft", "paused", "stopped"])
def test_only_an_approved_campaign_makes_offers(state: str) -> None:
    assert whys(plans(campaign(approval=state)), ["s1"]) == ["not_running"]


def test_a_campaign_runs_from_its_start_to_before_its_end() -> None:
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (NOON, NOON + DAY))
    ready = plans(campaign(start=start, end=end))
    times = [NOON - 1, NOON, NOON + DAY - 1, NOON + DAY]
    assert whys(ready, MANY[:4], times) == ["not_running", "offered", "offered", "not_running"]


@pytest.mark.parametrize(
    ("trigger", "kind", "event", "amount", "fires"),
    [
        ({"kind": "due_point"}, SILENCE, 0, np.nan, True),
        ({"kind": "due_point"}, CART, 0, 90, False),
        ({"kind": "event", "types": ["order_placed"]}, EVENT, TYPE_CODE[OrderPlaced], np.nan, True),
        ({"kind": "event", "types": ["order_placed"]}, EVENT, TYPE_CODE[CartItemAdded], np.nan, False),
        ({"kind": "event", "types": ["order_placed"]}, SILENCE, 0, np.nan, False),
        ({"kind": "cart_abandoned", "minutes": 60}, CART, 0, 60, True),
        ({"kind": "cart_abandoned", "minutes": 60}, CART, 0, 59, False),
        ({"kind": "cart_abandoned", "minutes": 60}, CART, 0, np.nan, False),
        ({"kind": "price_drop", "percent": 10}, PRICE, 0, 12, True),
        ({"kind": "price_drop", "percent": 10}, PRICE, 0, 9, False),
        ({"kind": "back_in_stock"}, STOCK, 0, np.nan, True),
        ({"kind": "overdue", "gaps": 1.5}, OVERDUE, 0, 1.5, True),
        ({"kind": "overdue", "gaps": 1.5}, EVENT, 1, np.nan, False),
        ({"kind": "due_point"}, DEFERRED, 0, np.nan, False),
    ],
)
def test_a_trigger_fires_at_its_own_due_points(
    trigger: dict[str, object], kind: int, event: int, amount: float, fires: bool
) -> None:
    found = whys(plans(campaign(trigger=trigger)), ["s1"], kind=kind, event_type=event, amount=amount)
    assert found == ["offered" if fires else "not_triggered"]


# -- draws


def test_the_propensity_of_what_was_chosen_is_how_often_it_is_chosen() -> None:
    """Three arms of which two are admissible, 30% explored: counted over 20,000 shoppers, and told exactly."""
    refused = {**PERCENT, "id": "harms", "assumed_uplift": -0.1}
    ready = plans(campaign(arms=[PERCENT, refused, CONTENT], exploration_share=0.3))
    at = moment(MANY)
    (found,) = decide(ready, at, memory.read(rows(len(MANY)), np.arange(len(MANY))))
    told = {-1: 0.1, 0: 0.8, 2: 0.1}
    chosen, times = np.unique(found.drawn.arm, return_counts=True)
    assert set(chosen.tolist()) == set(told)
    for arm, n in zip(chosen.tolist(), times.tolist(), strict=True):
        assert found.drawn.propensity[found.drawn.arm == arm] == pytest.approx(told[arm])
        spread = (told[arm] * (1 - told[arm]) / len(MANY)) ** 0.5
        assert abs(n / len(MANY) - told[arm]) < 4 * spread
    # An arm that harms is never tried.
    assert found.why[found.drawn.arm == -1].tolist() == [Why.EXPLORED_NOTHING] * int(times[0])


def test_a_replay_draws_alike_and_another_due_point_otherwise() -> None:
    ready = plans(campaign(arms=[PERCENT, CONTENT], exploration_share=1))
    held = memory.read(rows(500), np.arange(500))
    draws = [decide(ready, moment(MANY[:500], ref=ref), held)[0].drawn.arm for ref in ("event:a", "event:a", "event:b")]
    assert (draws[0] == draws[1]).all()
    assert 0.2 < np.mean(draws[0] == draws[2]) < 0.5


def test_nobody_is_decided_otherwise_for_who_stands_beside() -> None:
    ready = plans(campaign(arms=[PERCENT, CONTENT], exploration_share=0.5, holdout_share=0.3), holdout_share=0.2)
    together = whys(ready, MANY[:200])
    assert together == [why for shopper in MANY[:200] for why in whys(ready, [shopper])]
    assert len(set(together)) == 4


def test_holdouts_are_as_large_as_said_stay_for_ever_and_know_nothing_of_each_other() -> None:
    ready = plans(campaign(id="a", holdout_share=0.2), campaign(id="b", holdout_share=0.2), holdout_share=0.1)
    shoppers = shopper_hashes(MANY)
    own = [uniform(shoppers, salt) < 0.2 for salt in ready.table.salts[2]]
    shop = uniform(shoppers, ready.holdout_salt) < 0.1
    spread = 4 / len(MANY) ** 0.5
    for share, where in ((0.2, own[0]), (0.2, own[1]), (0.1, shop)):
        assert abs(where.mean() - share) < spread
    assert abs((own[0] & own[1]).mean() - 0.04) < spread
    assert abs((own[0] & shop).mean() - 0.02) < spread
    salted = plans(campaign(id="a", holdout_share=0.2, salt="2"))
    assert (uniform(shoppers, salted.table.salts[2]) < 0.2).tolist() != own[0].tolist()
    # None of them gets anything, whatever made them due.
    for ref in ("event:a", "event:b"):
        first, second = decide(ready, moment(MANY, ref=ref), memory.read(rows(len(MANY)), np.arange(len(MANY))))
        assert not ((first.why == Why.OFFERED) & (own[0] | shop)).any()
        assert not ((second.why == Why.OFFERED) & (own[1] | shop)).any()


# -- worth


def test_what_is_chosen_is_worth_most_and_must_be_worth_the_price_of_the_budget() -> None:
    """100.00 a basket at 30% margin: ten percent costs 10% · 10.00 = 1.00 and brings 20% · 30.00 = 6.00, of which 5.00
    is left; the message costs nothing and brings 0.30. Which arm is chosen must not depend on the price, which a
    partition may know twice after a crash."""
    ready = plans(campaign(arms=[PERCENT, CONTENT]))
    for price, why in ((0.0, Why.OFFERED), (4.9, Why.OFFERED), (5.1, Why.BUDGET_SPENT), (50.0, Why.BUDGET_SPENT)):
        said = Inputs(afford=purses({}, price))
        (found,) = decide(ready, moment(["s1"]), memory.read(rows(1), np.arange(1)), said)
        assert found.values.profit[:, 0].tolist() == pytest.approx([500, 30])
        assert found.values.cost[:, 0].tolist() == pytest.approx([100, 0])
        assert (found.drawn.arm.tolist(), found.why.tolist(), found.price.tolist()) == ([0], [why], [price])


def test_what_a_model_says_comes_before_what_was_assumed() -> None:
    ready = plans(campaign(arms=[PERCENT, CONTENT]))
    said = Inputs(uplift={"c": np.array([[0.01, -0.2, np.nan], [0.02, -0.1, np.nan]])})
    (found,) = decide(ready, moment(MANY[:3]), memory.read(rows(3), np.arange(3)), said)
    assert [Why(code).word for code in found.why.tolist()] == ["offered", "negative_uplift", "uplift_unknown"]
    assert found.drawn.arm.tolist() == [1, -1, -1]


# -- budget


@pytest.mark.parametrize("left", [0, 999, 1000, 4999, 5000, 10**9])
def test_no_more_is_set_aside_than_is_left_and_the_first_in_the_log_come_first(left: int) -> None:
    ready = plans(campaign())  # an offer may cost 1,000 cents
    (found,) = decide(ready, moment(MANY[:9]), memory.read(rows(9), np.arange(9)), Inputs(afford=purses({"c": left})))
    fits = min(9, left // 1000)
    assert found.spent_cents == 1000 * fits
    assert [Why(code).word for code in found.why.tolist()] == ["offered"] * fits + ["budget_spent"] * (9 - fits)


def test_control_groups_take_nothing_of_the_budget() -> None:
    ready = plans(campaign(holdout_share=0.5))
    (found,) = decide(
        ready, moment(MANY[:100]), memory.read(rows(100), np.arange(100)), Inputs(afford=purses({"c": 9000}))
    )
    assert found.spent_cents == 9000
    before = np.flatnonzero(found.why == Why.OFFERED).max()
    assert (found.why[:before] == Why.CAMPAIGN_HOLDOUT).sum() > 2


# -- memory


def test_nothing_is_offered_that_would_make_a_row_forget_what_a_cap_counts() -> None:
    ready = plans(campaign(caps=[{"offers": 12, "days": 90}], arms=[{**CONTENT, "valid_days": 0.001}]))
    state, at = rows(1), np.arange(1)
    for n in range(14):
        now = moment(["s1"], NOON + n * HOUR, ref=f"event:{n}")
        decided = decide(ready, now, memory.read(state, at))
        remember(state, at, now, decided, [now.due])
        assert decided[0].offered.tolist() == [n < 12]
    # Ninety days after the first one its place is free again.
    later = decide(ready, moment(["s1"], NOON + 90 * DAY), memory.read(state, at))
    assert later[0].offered.all()


def test_a_reason_is_said_once_and_again_when_another_came_between() -> None:
    state, at = rows(2), np.arange(2)
    plan = plans(campaign()).plans[0]
    said = [
        memory.newly_said(state, at, plan.code, np.array(pair)).tolist()
        for pair in ([6, 6], [6, 7], [6, 7], [0, 6], [6, 0])
    ]
    assert said == [[True, True], [False, True], [False, False], [True, True], [True, True]]


# -- quiet hours


def test_what_quiet_hours_hold_back_is_not_lost() -> None:
    """Due at 23:00, looked at again at 08:00, offered then; were the campaign over by then, nothing would be."""
    ready = plans(campaign(quiet_hours={"start": "21:00", "end": "08:00"}), time_zone="Europe/Berlin")
    state, at = rows(3), np.arange(3)
    night = moment(MANY[:3], NOON + 10 * HOUR)  # 23:00 in Berlin
    decided = decide(ready, night, memory.read(state, at))
    remember(state, at, night, decided, [night.due])
    again = NOON + 19 * HOUR  # 08:00 there
    assert decided[0].due_again_ms.tolist() == [again] * 3
    assert memory.read_waits(state, at).max(axis=1).tolist() == [again] * 3
    morning = moment(MANY[:3], again, kind=DEFERRED, ref=f"timer:{again}")
    decided = decide(ready, morning, memory.read(state, at))
    assert decided[0].offered.all()
    remember(state, at, morning, decided, [morning.due])
    assert memory.read_waits(state, at).max(axis=1).tolist() == [0] * 3
    assert whys(ready, ["s9"], again, kind=DEFERRED) == ["not_triggered"]


def test_four_campaigns_may_wait_at_once_those_of_the_highest_priority() -> None:
    quiet = {"start": "21:00", "end": "08:00"}
    ready = plans(*(campaign(id=f"c{i}", priority=i, quiet_hours=quiet) for i in range(6)))
    state, at = rows(1), np.arange(1)
    night = moment(["s1"], NOON + 10 * HOUR)
    decided = decide(ready, night, memory.read(state, at))
    remember(state, at, night, decided, [night.due] * 6)
    waiting = set(memory.read(state, at).wait_of[0].tolist())
    assert waiting == {plan.code for plan in ready.plans[:4]}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize(
    ("start", "end"), [("21:00", "08:00"), ("00:00", "02:30"), ("01:30", "02:15"), ("23:30", "00:30")]
)
def test_quiet_hours_end_outside_themselves_however_clocks_change(zone: str, start: str, end: str) -> None:
    """Every quarter of an hour of a year with both changes of the clocks."""
    days, minutes = Days(zone), [int(text[:2]) * 60 + int(text[3:]) for text in (start, end)]
    now = np.arange(int(datetime(2017, 1, 1, tzinfo=UTC).timestamp() * 1000), NOON - 5 * 365 * DAY, 900_000)

    def ends(times: Ints) -> Ints:
        first, last = (np.full(len(times), each) for each in minutes)
        return quiet_until(first, last, days, times)

    until = ends(now)
    inside = until > 0
    assert 0 < inside.mean() < 1
    assert (until[inside] > now[inside]).all()
    assert (until[inside] - now[inside] <= 13 * HOUR).all()
    assert not ends(until[inside]).any()


def test_a_shoppers_own_clock_counts_where_it_is_known() -> None:
    ready = plans(campaign(quiet_hours={"start": "21:00", "end": "08:00", "clock": "shopper"}))
    clock = np.array([0.0, 10.0 * HOUR, -5.0 * HOUR, np.nan])
    assert whys(ready, MANY[:4], NOON, clock_ms=clock) == ["offered", "quiet_hours", "quiet_hours", "offered"]


def test_a_coupon_code_is_given_once_and_alike_in_a_replay() -> None:
    coupons = Coupons(source="generated", prefix="HI-", length=12)
    codes = [generated(coupons, "welcome", f"offer-{i}") for i in range(20_000)]
    assert len(set(codes)) == len(codes)
    assert codes[7] == generated(coupons, "welcome", "offer-7") != generated(coupons, "other", "offer-7")
    assert all(len(code) == 15 and set(code[3:]) <= set(ALPHABET) for code in codes)


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Why)
    assert len(set(SENTENCES.values())) == len(Why)

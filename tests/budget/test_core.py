"""Leases by hand: when they end, who gets them, what a price does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.budget.candidates import Candidates, SliceTimes, fit, runs
from streams.budget.ledger import Ledger, OtherArithmetic
from streams.budget.purses import Purses
from streams.records.budget import BUDGET_RECORDS, LeaseGranted, SpendReported
from streams.records.schema import schema_of
from tests.budget.shop import CAMPAIGN, CURRENCY, DAY, HOUR, MIDNIGHT, MINUTE, ZONE, Asked, Campaigns, Truth, budget

NOON = MIDNIGHT + 11 * HOUR
TODAY = 20_520


def granted(sequence: int = 0, cents: int = 1000, at: int = NOON, **changed: int) -> LeaseGranted:
    plain: dict[str, Any] = {
        "day": TODAY,
        "expires_at_ms": at + 15 * MINUTE,
        "price_micros": 1_000_000,
        "lease_cents": cents,
    }
    return LeaseGranted(
        campaign=CAMPAIGN,
        currency=CURRENCY,
        partition=0,
        sequence=sequence,
        granted_cents=cents,
        reference_micros=1,
        **(plain | changed),
    )


def asked(purses: Purses, offset: int, at: int, *costs: int, value: float = 1e6) -> list[bool]:
    """A record, alone in its slice, that makes some shoppers due."""
    purses.begin(SliceTimes.at([offset], at))
    k = len(costs)
    each, ends, nobody = np.arange(k, dtype=np.uint64), np.full(k, at + DAY), np.zeros(k, np.bool_)
    some = Candidates(np.full(k, offset), each, np.array(costs), np.full(k, value), ends, nobody)
    answers: list[bool] = purses.afford(CAMPAIGN, CURRENCY, some).tolist()
    purses.end()
    return answers


def leased(*grants: LeaseGranted, at: int = NOON) -> Purses:
    purses = Purses(0, ZONE)
    purses.begin(SliceTimes.at(range(len(grants)), at), list(enumerate(grants)))
    purses.end()
    return purses


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30), st.integers(0, 200))
def test_amounts_are_taken_in_turn_but_for_control_groups(asked: list[tuple[int, bool]], free: int) -> None:
    fits, left = [], free
    for cost, held in asked:
        fits.append(cost <= left)
        left -= cost if fits[-1] and not held else 0
    costs, control = np.array([one[0] for one in asked], np.int64), np.array([one[1] for one in asked], np.bool_)
    assert fit(costs, control, free).tolist() == fits


@settings(max_examples=200)
@given(st.lists(st.integers(0, 6), max_size=30))
def test_runs_hold_nobody_twice_and_are_as_long_as_can_be(rows: list[int]) -> None:
    cut = runs(np.array(rows, np.int64))
    assert [row for run in cut for row in rows[run]] == rows
    for run in cut:
        assert len(set(rows[run])) == run.stop - run.start
        assert run.stop == len(rows) or rows[run.stop] in rows[run]


def test_a_lease_ends_with_its_minutes_and_with_its_day() -> None:
    assert asked(leased(granted()), 9, NOON + 14 * MINUTE, 400) == [True]
    assert asked(leased(granted()), 9, NOON + 15 * MINUTE, 400) == [False]
    late = MIDNIGHT + 23 * HOUR  # a day of 23 hours: this is the next one
    assert asked(leased(granted(expires_at_ms=late + HOUR), at=late - MINUTE), 9, late - 1, 400) == [True]
    assert asked(leased(granted(expires_at_ms=late + HOUR), at=late - MINUTE), 9, late, 400) == [False]


def test_a_lease_that_comes_again_changes_nothing() -> None:
    purses = leased(granted(0, price_micros=9), granted(1, price_micros=5_000_000), granted(0, price_micros=9))
    purse = purses.purse(CAMPAIGN, CURRENCY)
    assert purse is not None
    assert (purse.free, purse.price) == (1000, 5_000_000)


def test_an_offer_must_be_worth_more_than_its_price() -> None:
    purses = leased(granted(price_micros=2_500_000))
    assert asked(purses, 9, NOON, 100, value=250.0) == [False]
    assert asked(purses, 10, NOON, 100, value=250.1) == [True]
    assert asked(purses, 11, NOON, 100, value=float("nan")) == [False]


def test_what_is_beyond_the_lease_goes_back_at_once() -> None:
    purse = leased(granted(0), granted(1, lease_cents=300)).purse(CAMPAIGN, CURRENCY)
    assert purse is not None
    assert (purse.free, purse.returned) == (300, 700)


def test_a_lease_says_nothing_of_what_came_before_it_in_its_slice() -> None:
    """That the campaign ends, said at offset 2, does not keep offset 1 from being told."""
    ends = granted(1)
    ends = LeaseGranted(**({name: getattr(ends, name) for name in ends.__struct_fields__} | {"ends_at_ms": NOON}))
    at = np.array([NOON + 70 * MINUTE, NOON + 70 * MINUTE, NOON + 200 * MINUTE])
    told: list[list[SpendReported]] = []
    for cut in ([slice(0, 3)], [slice(0, 1), slice(1, 3)], [slice(0, 1), slice(1, 2), slice(2, 3)]):
        purses = leased(granted())
        asked(purses, 1, NOON + MINUTE)
        asked(purses, 2, NOON + 20 * MINUTE)
        told.append([])
        for some in cut:
            offset = np.arange(3, 6)[some]
            purses.begin(SliceTimes(offset, at[some], at[some]), [(4, ends)] if 4 in offset else [])
            told[-1] += purses.end()
    assert told[0] == told[1] == told[2]
    assert [report.event_time for report in told[0]][:1] == [NOON + 70 * MINUTE]


def test_offers_must_be_asked_for_in_order_of_the_log() -> None:
    purses = leased(granted())
    purses.begin(SliceTimes.at([7, 8], NOON))
    one = Candidates.of(offset=[8], key=[1], cost_cents=[1], value=[9.0], days_valid=1)
    purses.afford(CAMPAIGN, CURRENCY, one)
    with pytest.raises(ValueError, match="in order of offsets"):
        purses.afford(CAMPAIGN, CURRENCY, Candidates.of([7], [1], [1], [9.0], 1))


def test_an_offer_settled_twice_is_refused() -> None:
    purses = leased(granted())
    assert asked(purses, 9, NOON, 400) == [True]
    purses.begin(SliceTimes.at([10, 11], NOON))
    assert purses.settle(CAMPAIGN, CURRENCY, 10, NOON, 400, NOON + DAY, 500) == 400
    assert purses.settle(CAMPAIGN, CURRENCY, 11, NOON, 400, NOON + DAY, 500) == 400
    with pytest.raises(ValueError, match="Settle each offer once"):
        purses.end()


def test_nobody_keeps_a_ledger_under_rules_that_it_does_not_know() -> None:
    with pytest.raises(OtherArithmetic, match="Run the version"):
        Ledger(ZONE).apply(budget(arithmetic=3))


def test_an_older_budget_does_not_come_back() -> None:
    ledger = Ledger(ZONE)
    ledger.apply(budget(revision=1, total_cents=700))
    assert ledger.apply(budget(revision=0, total_cents=900)) == []
    assert ledger.balance(CAMPAIGN, CURRENCY).remaining_cents == 700


def report(partition: int, sequence: int, at: int, day: int = TODAY, **sums: int) -> SpendReported:
    fields = ("granted", "returned", "committed", "committed_before", "settled", "released", "short", "demand")
    plain = {f"{name}_cents": sums.get(name, 0) for name in fields}
    return SpendReported(
        campaign=CAMPAIGN,
        currency=CURRENCY,
        source_partition=partition,
        sequence=sequence,
        event_time=at,
        day=day,
        candidates=0,
        offers=0,
        **plain,
    )


def test_a_day_that_was_spent_by_those_who_are_past_it_is_not_spent_again() -> None:
    ledger = Ledger(ZONE)
    ledger.apply(budget(pacing="asap", partitions=2, daily_cents=4_000))
    [first] = ledger.apply(report(0, 0, NOON, short=3_000))
    got = first.granted_cents
    assert got == 3_000
    ledger.apply(report(0, 1, NOON + DAY, TODAY + 1, short=3_000, granted=got, committed=got, committed_before=got))
    [second] = ledger.apply(report(1, 0, NOON, short=3_000))
    assert second.granted_cents == 1_000


def test_a_stopped_campaign_calls_its_leases_back() -> None:
    ledger = Ledger(ZONE)
    ledger.apply(budget(pacing="asap"))
    [lease] = ledger.apply(report(0, 0, NOON))
    ledger.apply(budget(revision=1, pacing="asap", open=False))
    [back] = ledger.apply(report(0, 1, NOON + MINUTE, granted=lease.granted_cents))
    assert (back.granted_cents, back.lease_cents) == (lease.granted_cents, 0)


def test_a_partition_that_nobody_works_on_gives_its_lease_back_when_somebody_does() -> None:
    """Until then nobody else gets it, however late it is elsewhere: what is in its log may still spend it."""
    campaigns = Campaigns(Truth(), 2)
    dead, living = campaigns.shoppers
    campaigns.log.append(budget(partitions=2, pacing="asap", total_cents=1_000, daily_cents=1_000))
    campaigns.lead()
    for minute in range(1, 4):
        for shoppers in campaigns.shoppers[: 3 - minute]:
            shoppers.log.append(NOON + minute * MINUTE)
            campaigns.log += shoppers.work(10**6)
        campaigns.lead()
    dead.log.append(Asked(NOON + 3 * MINUTE, ((1, 90, 900.0),)))
    for minute in range(4, 400):
        living.log.append(Asked(NOON + minute * MINUTE, ((minute, 10, 900.0),)))
        campaigns.log += living.work(10**6)
        campaigns.lead()
    out = campaigns.truth.committed()
    held = max(one.granted_cents for one in dead.log if isinstance(one, LeaseGranted))
    assert 0 < out <= 1_000 - held < 1_000
    dead.log.append(NOON + 400 * MINUTE)
    campaigns.log += dead.work(10**6)
    assert campaigns.truth.committed() == out + 90
    for minute in range(401, 700):
        living.log.append(Asked(NOON + minute * MINUTE, ((minute, 10, 900.0),)))
        dead.log.append(NOON + minute * MINUTE)
        campaigns.log += [*living.work(10**6), *dead.work(10**6)]
        campaigns.lead()
    assert 980 <= campaigns.truth.committed() <= 1_000


def test_every_field_of_every_record_is_described() -> None:
    for record in BUDGET_RECORDS:
        for name, told in schema_of([record])[record.__name__]["properties"].items():
            assert told.get("description", "").endswith("."), f"{record.__name__}.{name}"

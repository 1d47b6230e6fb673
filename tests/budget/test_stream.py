"""Budgets in the stream: shoppers spend leases, ledgers grant them, each from its own log; whatever happens to workers,
no cent is lost or spent twice."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.budget.ledger import Balance
from streams.entities.campaign import CAMPAIGN, CampaignSide
from streams.processing.partition import PartitionProcessor
from streams.records import events as e
from streams.records.budget import LeaseGranted, budget_decoder
from streams.state.codec import row_bytes
from streams.state.keys import OPEN
from tests.budget.stream import HOUR, START, Owner, Stream, budgets, by_home, history, spending, summed
from tests.shoppers import log_of
from tests.spender import CAMPAIGNS, COMMITTED, CURRENCY, SPENT

SIZES = st.sampled_from(((60_000, 40_000), (8_000, 3_000), (200_000, None)))


def ran(
    seed: int,
    trouble: float,
    total: int = 60_000,
    daily: int | None = 40_000,
    n: int = 250,
    pacing: str = "even",
    chunk: int = 30,
) -> Stream:
    """A day of shoppers, settled; some came before the budgets were set."""
    stream, log = Stream(seed), history(seed, n)
    stream.run(log[:20], 30, trouble)
    stream.set(budgets(total_cents=total, daily_cents=daily, pacing=pacing))
    stream.run(log[20:], chunk, trouble)
    stream.settle(START + 3 * HOUR)
    return stream


def assert_adds_up(stream: Stream) -> None:
    """Ledgers know what the rows of shoppers say, and nobody overspent."""
    balances: dict[str, tuple[Balance, int]] = {}
    for owner in stream.campaigns:
        assert isinstance(owner.processor.side, CampaignSide)
        balances |= owner.processor.side.balances()
    processors = [owner.processor for owner in stream.shoppers]
    for c, campaign in enumerate(CAMPAIGNS):
        purses = [purse for p in processors if (purse := spending(p).purse(campaign, CURRENCY)) is not None]
        balance, _ = balances[campaign]
        assert sum(purse.committed for purse in purses) == summed(processors, COMMITTED[c])
        spent = summed(processors, SPENT[c])
        assert sum(purse.settled for purse in purses) == spent == balance.spent_cents <= stream.total[campaign]
        held = sum(purse.free + sum(purse.reserved.values()) for purse in purses)
        assert balance.leased_cents == held == 0
        assert balance.budget_cents == balance.remaining_cents + held + spent


def again(owner: Owner, cuts: list[int]) -> tuple[PartitionProcessor, dict[tuple[str, int], list[bytes]]]:
    """A plain loop over the log that an owner has come to, and what it says to each log."""
    plain = Owner(owner.entity, owner.partition, owner.rules, owner.log)
    said: dict[tuple[str, int], list[bytes]] = {}
    for one in plain.work(cuts):
        said.setdefault((one.entity, one.partition), []).append(one.value)
    return plain.processor, said


def assert_as_plain(stream: Stream, cuts: list[int]) -> None:
    """Rows, purses, ledgers and what was said are those of a plain loop over each log, however it is cut."""
    for owner in stream.owners:
        plain, _ = again(owner, cuts)
        held = {k: row_bytes(v) for k, v in owner.tier.held.items() if k[:1] == b"s"}
        assert held == {k: row_bytes(v) for k, v in plain.drain_changes().items() if k[:1] == b"s" and v is not None}
        if owner.entity is CAMPAIGN:
            for one, other in ((owner.processor, plain), (owner.begin(), plain)):
                assert one.side.progress() == other.side.progress()
        else:
            for one in (owner.processor, owner.begin()):
                for campaign in CAMPAIGNS:
                    assert spending(one).purse(campaign, CURRENCY) == spending(plain).purse(campaign, CURRENCY)


def test_a_campaign_spends_its_budget_and_no_cent_more() -> None:
    stream = ran(1, 0.0, 30_000, 12_000, pacing="asap", chunk=4)
    assert_adds_up(stream)
    processors = [owner.processor for owner in stream.shoppers]
    assert all(10_000 < summed(processors, column) <= 12_000 for column in COMMITTED)
    assert all(summed(processors, column) > 0 for column in SPENT)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), size=SIZES, trouble=st.sampled_from((0.0, 0.3)))
def test_nothing_is_lost_or_overspent_whoever_dies_or_wakes_up_late(
    seed: int, size: tuple[int, int | None], trouble: float
) -> None:
    stream = ran(seed, trouble, *size)
    assert_adds_up(stream)
    rng = random.Random(seed)
    assert_as_plain(stream, [rng.randrange(2_000) for _ in range(rng.randrange(60))])


def test_what_is_said_does_not_depend_on_how_a_log_was_cut() -> None:
    stream = ran(5, 0.0)
    for owner in stream.owners:
        whole = again(owner, [])[1]
        assert again(owner, list(range(0, 5_000, 7)))[1] == again(owner, list(range(5_000)))[1] == whole
        assert whole


def test_leases_of_another_group_and_forged_ones_again_are_passed_over() -> None:
    stream = ran(5, 0.0, n=120)
    owner = stream.shoppers[0]
    leases = [value for _, value in owner.log if value and b'"lease_granted"' in value]
    before = [spending(owner.processor).purse(campaign, CURRENCY) for campaign in CAMPAIGNS]
    told = [msgspec.structs.asdict(purse) for purse in before if purse is not None]
    newest = budget_decoder.decode(leases[-1])
    assert isinstance(newest, LeaseGranted)
    assert newest.group == "shop"
    other = msgspec.structs.replace(newest, group="others", sequence=10**6, granted_cents=10**9)
    owner.log += [(None, leases[-1]), (None, msgspec.json.encode(other))]
    assert owner.work() == []
    assert [msgspec.structs.asdict(purse) for purse in before if purse is not None] == told
    assert owner.processor.fates["tick"] > len(leases)


def test_where_nothing_was_leased_nothing_is_kept_and_nobody_offered() -> None:
    owner = Stream(1).shoppers[0]
    owner.log += by_home(history(2, 200))[0]
    owner.work()
    assert not spending(owner.processor)
    assert not any(key.startswith(OPEN + b"p") for key in owner.processor.drain_changes())
    assert summed([owner.processor], COMMITTED[0]) == 0


def test_a_lease_goes_back_when_its_partition_is_silent() -> None:
    """A dead partition's lease is back once somebody works on its log: a tick of the clock is enough."""
    stream = Stream(3)
    stream.set(budgets())
    stream.run(history(3, 120, hours=1.0), 10)
    owner, campaign = stream.shoppers[0], CAMPAIGNS[0]
    owner.work()
    purse = spending(owner.processor).purse(campaign, CURRENCY)
    assert purse is not None
    assert purse.free > 0
    owner.log += log_of(e.ClockTicked(event_time=purse.expires_at_ms))
    said = owner.work()
    assert purse.free == 0
    reports = [budget_decoder.decode(one.value) for one in said if one.entity == "campaign"]
    assert purse.returned in [getattr(report, "returned_cents", None) for report in reports]


def test_a_campaign_in_numbers() -> None:
    stream = ran(1, 0.0, 9_000, 9_000, pacing="asap")
    for c, campaign in enumerate(CAMPAIGNS):
        (owner,) = [o for o in stream.campaigns if campaign in set(o.processor.arena.keys())]
        arena = owner.processor.arena
        rows = arena.rows.copy(arena.find([campaign]))
        addresses = ("total", "remaining", "leased", "spent", "committed_24h", "price", "burn_rate")
        read = owner.processor.catalogue.read(
            rows, rows.column("last_event"), tuple(f"budget.{address}" for address in addresses)
        )
        found = dict(zip(addresses, read[0].tolist(), strict=True))
        processors = [o.processor for o in stream.shoppers]
        assert found["total"] == 9_000 == found["remaining"] + found["leased"] + found["spent"]
        assert found["spent"] == summed(processors, SPENT[c]) > 0
        assert found["committed_24h"] == summed(processors, COMMITTED[c])
        assert found["burn_rate"] == pytest.approx(found["committed_24h"] / 9_000)
        assert found["price"] > 0


def test_a_budget_said_again_and_reports_out_of_turn_are_duplicates() -> None:
    stream = ran(1, 0.0, n=120)
    owner = next(o for o in stream.campaigns if len(o.log))
    before, fates = owner.processor.side.progress(), owner.processor.fates["duplicate"]
    again_ = [one for one in owner.log if one[1] is not None][:20]
    owner.log += again_
    assert owner.work() == []
    assert owner.processor.side.progress() == before
    assert owner.processor.fates["duplicate"] == fates + len(again_)

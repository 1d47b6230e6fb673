"""Campaigns that the log chose spend what is leased to them and no cent more, whoever dies and however a log is cut."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.campaign import CAMPAIGN, CampaignSide
from streams.entities.shopper import SHOPPER
from streams.records import events as e
from streams.records.campaigns import CampaignSet
from streams.records.events import encode_event
from streams.records.serving import CampaignsChosen
from streams.state.codec import row_bytes
from tests.budget.stream import HOUR, MINUTE, START, Owner, Stream, budgets, by_home, history, spending
from tests.campaigns.builders import campaign
from tests.shoppers import identified, log_of
from tests.spender import CAMPAIGNS, CURRENCY

AMOUNT = {"kind": "amount", "id": "five-off", "amount_cents": 500, "assumed_uplift": 0.4, "valid_days": 0.05}
CONTACT = 7


def chosen() -> bytes:
    """Two campaigns for whoever is due, one of them for some only."""
    some = [
        campaign(id=name, priority=100 - n, audience=audience, arms=[AMOUNT], exploration_share=0.2, holdout_share=0.1,
                 economics={"basket_cents": 3_000, "contact_cents": CONTACT}, caps=[{"offers": 12, "days": 1}])
        for n, (name, audience) in enumerate(zip(CAMPAIGNS, ("carts.adds_24h >= 3", "true"), strict=True))
    ]  # fmt: skip
    shop = {"default_consent": True, "caps": [{"offers": 12, "days": 1}], "holdout_share": 0.1}
    found = msgspec.convert({"shop": shop, "campaigns": some}, CampaignSet)
    return encode_event(CampaignsChosen(group="shop", digest=found.digest, campaigns=found.described()))


def offers(owners: list[Owner]) -> dict[str, dict[str, Any]]:
    """All that were made, by id."""
    found = {name: json.loads(value) for owner in owners for name, value in owner.outcomes.items()}
    return {name: said for name, said in found.items() if "reserved_cents" in said}


def ran(
    seed: int,
    trouble: float,
    daily: int,
    logins: dict[str, int] | None = None,
    late_ms: int = 0,
    pacing: str = "asap",
) -> tuple[Stream, set[str]]:
    """Two hours of shoppers, who use a third of their offers; and which. With ``logins`` some of them turn out to be
    others, and it is noted when; that may be said ``late_ms`` too late."""
    stream = Stream(seed, SHOPPER)
    for owner in stream.shoppers:
        owner.log.append((None, chosen()))
    stream.set(budgets(total_cents=60_000, daily_cents=daily, pacing=pacing))
    for campaigns in stream.campaigns:
        stream.step(campaigns)
    waiting, used, rng = by_home(history(seed, 200)), set[str](), random.Random(seed)
    for k in range(0, max(map(len, waiting.values())), 6):
        for owner in stream.shoppers:
            some = waiting[owner.partition][k : k + 6]
            if not some:
                continue
            owner.log += some
            stream.step(owner, trouble)
            at = max(json.loads(value or b"{}").get("event_time", 0) for _, value in owner.log)
            for name, said in offers([owner]).items():
                if name not in used and rng.random() < 0.1 and said["expires_at_ms"] > at + MINUTE:
                    used.add(name)
                    base: dict[str, Any] = {"shopper_id": said["shopper_id"], "event_time": at, "offer_id": name}
                    again = e.OfferRedeemed(event_id=f"again-{name}", **base)
                    owner.log += log_of(e.OfferRedeemed(event_id=f"used-{name}", **base), again)
            if logins is not None and rng.random() < 0.3:
                key = rng.choice(some)[0] or b""
                name, number = key.decode(), int(key.decode().partition("-")[2])
                if name not in logins and number < 29:
                    who = f"shopper-{rng.randrange(number + 1, 30)}"
                    logins[name] = at - rng.choice((0, late_ms))
                    owner.log += log_of(identified(name, who, logins[name], f"login-{name}"))
        for campaigns in stream.campaigns:
            stream.step(campaigns, trouble)
        stream.check()
    stream.settle(START + 3 * HOUR)
    return stream, used


def assert_adds_up(stream: Stream, used: set[str], daily: int) -> None:
    """What offers say is what purses and ledgers know."""
    made = offers(stream.shoppers)
    reserved, spent = Counter[str](), Counter[str]()
    for name, said in made.items():
        reserved[said["campaign"]] += said["reserved_cents"]
        spent[said["campaign"]] += said["reserved_cents"] if name in used else CONTACT
    for name in CAMPAIGNS:
        purses = [p for o in stream.shoppers if (p := spending(o.processor).purse(name, CURRENCY)) is not None]
        sides = [o.processor.side for o in stream.campaigns]
        (balance,) = [s.balances()[name][0] for s in sides if isinstance(s, CampaignSide) and name in s.balances()]
        assert 0 < reserved[name] == sum(purse.committed for purse in purses) <= daily
        assert balance.spent_cents == spent[name] == sum(purse.settled for purse in purses)
        assert (balance.leased_cents, balance.remaining_cents) == (0, 60_000 - spent[name])


def assert_as_plain(stream: Stream, cuts: list[int]) -> None:
    """Rows, outcomes and what ledgers know are those of a plain loop over each log, however it is cut."""
    for owner in stream.owners:
        plain = Owner(owner.entity, owner.partition, owner.rules, owner.log)
        plain.work(cuts)
        held = {k: row_bytes(v) for k, v in owner.tier.held.items() if k[:1] == b"s"}
        rows = plain.processor.drain_changes()
        assert held == {k: row_bytes(v) for k, v in rows.items() if k[:1] == b"s" and v is not None}
        assert owner.outcomes == plain.outcomes
        if owner.entity is CAMPAIGN:
            assert owner.processor.side.progress() == plain.processor.side.progress()


@pytest.mark.parametrize("daily", [9_000, 40_000])
def test_campaigns_spend_their_budgets_and_no_cent_more(daily: int) -> None:
    stream, used = ran(1, 0.0, daily)
    assert used
    assert_adds_up(stream, used, daily)
    assert_as_plain(stream, [])
    said = [json.loads(value) for owner in stream.shoppers for value in owner.outcomes.values()]
    withheld = Counter(one["reason"] for one in said if "reason" in one)
    assert withheld["budget_spent"] > 0
    if daily < 10_000:
        assert sum(one["reserved_cents"] for one in offers(stream.shoppers).values()) > 1.5 * daily


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), daily=st.sampled_from((5_000, 40_000)))
def test_whoever_dies_or_wakes_up_late_the_same_offers_are_made(seed: int, daily: int) -> None:
    stream, used = ran(seed, 0.3, daily)
    assert_adds_up(stream, used, daily)
    rng = random.Random(seed)
    assert_as_plain(stream, [rng.randrange(1_000) for _ in range(rng.randrange(40))])


@pytest.mark.parametrize("trouble", [0.0, 0.3])
def test_receipts_say_the_price_of_the_lease_that_decided(trouble: float) -> None:
    """Whoever dies: what is asked again is told the price that held at its place in the log."""
    stream, _ = ran(7, trouble, 9_000, pacing="even")
    said = [json.loads(value) for owner in stream.shoppers for value in owner.outcomes.values()]
    asked = [one for one in said if one.get("decision") in ("offered", "budget_spent", "campaign_holdout")]
    assert len({one["price"] for one in asked}) > 3
    for one in asked:
        (chosen,) = (arm for arm in one["arms"] if arm["arm"] == one["arm"])
        assert chosen["worth_cents"] == pytest.approx(
            chosen["profit_cents"] - one["price"] * chosen["cost_cents"], abs=0.1
        )
        if one["decision"] != "budget_spent":
            assert chosen["worth_cents"] > 0 or one["explored"]
    assert any(one["decision"] == "budget_spent" and one["arms"][0]["worth_cents"] <= 0 for one in asked)
    assert_as_plain(stream, [5, 40, 41, 300])


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), trouble=st.sampled_from((0.0, 0.3)), late_ms=st.sampled_from((0, 90 * MINUTE)))
def test_what_is_set_aside_for_whoever_logs_in_counts_as_spent(seed: int, trouble: float, late_ms: int) -> None:
    """Whoever redeems it, and whoever dies. What had ended before the login was said went back."""
    logins: dict[str, int] = {}
    stream, used = ran(seed, trouble, 40_000, logins, late_ms)
    made = offers(stream.shoppers)
    spent = dict.fromkeys(CAMPAIGNS, 0)
    open_ = 0
    for name, said in made.items():
        closed = logins.get(said["shopper_id"])
        left = closed is not None and said["expires_at_ms"] > closed
        open_ += left and name not in used
        spent[said["campaign"]] += said["reserved_cents"] if name in used or left else CONTACT
    assert open_
    balances = {n: b for o in stream.campaigns for n, (b, _) in o.processor.side.balances().items()}  # type: ignore[attr-defined]
    for name in CAMPAIGNS:
        assert balances[name].leased_cents == 0
        assert balances[name].spent_cents + balances[name].remaining_cents == 60_000
        # Whoever was heard of in a partition that is ahead may use an offer too late by their own clock.
        assert spent[name] - 1_000 * (1 + bool(late_ms)) <= balances[name].spent_cents <= spent[name]
    assert_as_plain(stream, [7, 31, 60])

"""Campaigns of ads: what is set aside for clicks and what becomes of it, whom a holdout keeps back, what they bring;
and that any cut of the log and any crash say the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.decisions.ads import AdPolicy
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.ads import AdDecided
from streams.records.campaigns import CampaignSet
from streams.records.effects import OfferOutcome
from streams.records.outcomes import outcome_id
from tests.campaigns.builders import campaign
from tests.decisions.test_ads import decided
from tests.decisions.test_campaigns import chosen, of, with_choices
from tests.processing.test_offer_windows import reports, take
from tests.shoppers import DAY, HOUR, NOON, Log, consented, log_of, ordered, slice_of, viewed
from tests.worlds import DictTier, World, cut, cut_off, shipped

MINUTE = 60_000
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
EFFECT = {"window_days": 2, "return_days": 1, "expected_shoppers": 100}
SPRING: dict[str, Any] = {
    "id": "spring",
    "trigger": {"kind": "ad_requested"},
    "arms": [{"kind": "ad", "id": "tea", "names": ["tea-1", "tea-2"]}, {"kind": "ad", "id": "rest"}],
    "effect": EFFECT,
    "economics": {"gross_margin": 0.4},
    "pacing": "asap",
}
SURE = Rules(ads=AdPolicy(exploration_share=0.0))


def ads(**changes: Any) -> Any:
    """A campaign of ads that runs, without the fields that only offers have."""
    plain = campaign(**(SPRING | changes))
    return {
        name: value
        for name, value in msgspec.to_builtins(plain).items()
        if name not in ("caps", "cooldown", "exploration_share")
    }


def a_set(*campaigns: Any, **shop: Any) -> CampaignSet:
    return chosen(*campaigns, **({"holdout_share": 0} | shop))


def ad(name: str, cost: int = 40, campaign_id: str | None = "spring", price: int = 50_000) -> e.AdOffered:
    return e.AdOffered(ad_id=name, cost_cents=cost, campaign_id=campaign_id, unit_price_cents=price)


def asked(shopper: str, at: int, event_id: str, *slate: e.AdOffered) -> e.AdRequested:
    return e.AdRequested(event_id=event_id, shopper_id=shopper, event_time=at, slate=list(slate))


def clicked(said: AdDecided, at: int, event_id: str, **more: Any) -> e.AdClicked:
    assert said.ad_id is not None
    base = {"event_id": event_id, "shopper_id": said.shopper_id, "event_time": at, "ad_id": said.ad_id}
    return e.AdClicked(**base, **({"decision_id": said.outcome_id} | more))  # type: ignore[arg-type]


def processor(tier: DictTier | None = None, rules: Rules = SURE) -> PartitionProcessor:
    return PartitionProcessor(SHOPPER, 0, rules, shipped(), tier=tier, partitions=1)


def run(log: Log, into: PartitionProcessor | None = None, cuts: Iterable[int] = ()) -> World:
    """Apply a log, or what comes after what was applied."""
    world, into = World(), into or processor()
    start = into.next_offset
    for slice_ in cut(log, (place for place in cuts if place < len(log))):
        moved = slice_of([*zip(slice_.keys, slice_.values, strict=True)], start + slice_.offsets[0])
        take(world, into.apply(moved))
    return world


def tick(at: int) -> Log:
    return log_of(e.ClockTicked(event_time=at))


def purse(of_: PartitionProcessor, name: str = "spring") -> Any:
    assert isinstance(of_.side, ShopperSide)
    return of_.side.spending.purse(name, "USD")


def visitors(n: int, *slate: e.AdOffered, since: int = NOON) -> Log:
    """So many shoppers who look at something, and for each a request."""
    people = [f"s{i}" for i in range(n)]
    events: list[e.ShopperEvent] = [consented(who, since, f"k-{who}-{since}") for who in people]
    events += [viewed(who, since + 1, f"v-{who}-{since}") for who in people]
    events += [asked(who, since + 2 + i, f"r-{who}-{since}", *slate) for i, who in enumerate(people)]
    return log_of(*events)


def began(log: Log, *campaigns: Any, cents: int = 10**9, **shop: Any) -> tuple[PartitionProcessor, World]:
    into = processor()
    return into, run(with_choices(log, (0, a_set(*campaigns, **shop)), cents=cents), into)


def test_what_a_click_costs_is_set_aside_spent_once_and_goes_back_without_one() -> None:
    into, world = began(visitors(4, ad("tea-1")), ads())
    one, two, three, four = decided(world)
    assert [said.reserved_cents for said in (one, two, three, four)] == [40] * 4
    assert (one.campaign_id, one.reasons, one.slate[0].price) == ("spring", ["worth_most"], 0.0)
    assert (purse(into).committed, purse(into).settled) == (160, 0)
    at = NOON + 10 * MINUTE
    events = [
        clicked(one, at, "x1"),
        clicked(one, at + 1, "x1-again"),
        clicked(two, at + 2, "x2", cost_cents=33),
        clicked(three, at + 3, "x3", cost_cents=99),
        clicked(four, at + 4, "x4", decision_id=None),
        clicked(four, at + 5, "x5", decision_id=one.outcome_id),
    ]
    run(log_of(*events), into)
    run(tick(NOON + 20 * MINUTE), into)
    # Never more than was set aside; the same click once; of somebody else's decision nothing.
    assert (purse(into).settled, purse(into).released) == (40 + 33 + 40, 7)
    assert sum(purse(into).reserved.values()) == 40
    # 72 minutes later, at the end of an hour and with all lateness, the rest goes back; a click then costs nothing.
    run(tick(NOON + 3 * HOUR + MINUTE) + tick(NOON + 3 * HOUR + 2 * MINUTE), into)
    run(log_of(clicked(four, NOON + 3 * HOUR, "x6")) + tick(NOON + 4 * HOUR), into)
    assert (purse(into).settled, purse(into).released) == (113, 47)
    assert purse(into).committed == 160
    assert not purse(into).reserved


def test_without_money_another_campaigns_ad_is_shown_and_it_is_said_why() -> None:
    slate = ad("tea-1", 40), ad("mugs", 60, "cups"), ad("own", 80, None)
    _, world = began(visitors(5, *slate), ads(), ads(id="cups", arms=[{"kind": "ad", "id": "any"}]), cents=100)
    said = decided(world)
    assert [each.ad_id for each in said] == ["tea-1", "tea-1", "mugs", "own", "own"]
    assert [[one.refused for one in each.slate] for each in said] == [
        [None, None, None],
        [None, None, None],
        ["budget_spent", None, None],
        ["budget_spent", "budget_spent", None],
        ["budget_spent", "budget_spent", None],
    ]
    assert [each.reserved_cents for each in said] == [40, 40, 60, 0, 0]
    assert said[0].slate[2].price is None
    for each in said:
        assert sum(one.propensity for one in each.slate) + each.propensity_of_nothing == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "shop", "name", "reason"),
    [
        ({"approval": "paused"}, {}, "tea-1", "not_running"),
        ({"end": "2001-01-01T00:00:00Z"}, {}, "tea-1", "not_running"),
        ({"audience": "orders.count >= 1"}, {}, "tea-1", "not_in_audience"),
        ({"audience": "orders.spend / orders.count > 1"}, {}, "tea-1", "audience_unknown"),
        ({"arms": [{"kind": "ad", "id": "tea", "names": ["tea-1"]}]}, {}, "tea-3", "not_of_campaign"),
        ({}, {"blocked_shoppers": ["s0"]}, "tea-1", "blocked"),
        ({}, {"holdout_share": 1.0}, "tea-1", "global_holdout"),
        ({"holdout_share": 1.0}, {}, "tea-1", "campaign_holdout"),
    ],
)
def test_a_campaign_keeps_its_ads_back_and_no_others(
    changes: dict[str, Any], shop: dict[str, Any], name: str, reason: str
) -> None:
    into, world = began(visitors(1, ad(name), ad("own", 80, None)), ads(**changes), **shop)
    (said,) = decided(world)
    assert (said.ad_id, said.slate[0].refused) == ("own", reason)
    (said,) = decided(began(visitors(1, ad(name)), ads(**changes), **shop)[1])
    assert (said.ad_id, said.reasons, said.propensity) == (None, [reason], 1.0)
    assert purse(into) is None or purse(into).committed == 0


def test_who_is_in_the_holdout_stays_in_it_and_enters_where_the_ad_would_have_been_chosen() -> None:
    """Both sides alike: where another ad is worth more, or there is no money, nobody enters."""
    n = 60
    log = visitors(n, ad("tea-2", 40), ad("own", 80, None))
    log += visitors(n, ad("tea-1", 40), since=NOON + HOUR)[2 * n :]
    into, world = began(log, ads(holdout_share=0.4))
    said = decided(world)
    held = {each.shopper_id for each in said if each.slate[0].refused == "campaign_holdout"}
    assert 12 < len(held) < 36
    assert {each.shopper_id for each in said if each.campaign_id == "spring"} == {f"s{i}" for i in range(n)} - held
    assert Counter(each.ad_id for each in said if each.shopper_id in held) == {"own": len(held), None: len(held)}
    end = run(tick(NOON + 4 * DAY) + tick(NOON + 5 * DAY), into)
    outcomes = of(end, OfferOutcome)
    assert {each.shopper_id for each in outcomes if each.held} == held
    assert len([each for each in outcomes if each.held]) == len(held)
    (report,) = reports(end.emitted)[-1:]
    assert (report.entered, report.entered_held, report.plan.arms) == (n - len(held), len(held), ("tea", "rest"))
    # Where the campaign's ad is worth less than another, nobody of either side enters; nor without money.
    for log, money in ((visitors(n, ad("tea-1", 80), ad("own", 40, None)), 10**9), (visitors(n, ad("tea-1")), 39)):
        into, _ = began(log, ads(holdout_share=0.4), cents=money)
        assert not reports(run(tick(NOON + 2 * DAY), into).emitted)


def test_what_an_ad_brought_is_what_was_ordered_after_it_less_what_clicks_cost() -> None:
    into, world = began(visitors(40, ad("tea-1")), ads(holdout_share=0.5))
    shown = [said for said in decided(world) if said.ad_id]
    held = sorted({f"s{i}" for i in range(40)} - {said.shopper_id for said in shown})
    at = NOON + 5 * MINUTE
    events: list[e.ShopperEvent] = [
        e.AdShown(event_id="n1", shopper_id=shown[0].shopper_id, event_time=at, ad_id="tea-1",
                  decision_id=shown[0].outcome_id),
        clicked(shown[0], at + 1, "x1", cost_cents=33),
        ordered(shown[0].shopper_id, at + 2, "o1", 1_000),
        clicked(shown[1], at + 3, "x2"),
        clicked(shown[1], at + 3, "x2-again"),
        clicked(shown[2], at + 3, "x3", decision_id=None),
        *(ordered(who, at + 4, f"o-{who}", 500) for who in held),
    ]  # fmt: skip
    run(log_of(*events), into)
    outcomes = {o.shopper_id: o for o in of(run(tick(NOON + 4 * DAY) + tick(NOON + 5 * DAY), into), OfferOutcome)}
    first, second, third = (outcomes[said.shopper_id].measured for said in shown[:3])
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.offers, first.shown, first.clicked, first.orders) == (1, 1, 1, 1)
    assert (first.margin_cents, first.cost_cents) == (400, 33)
    assert (second.clicked, second.cost_cents) == (1, 40)
    assert (third.clicked, third.cost_cents) == (0, 0)
    assert outcomes[shown[0].shopper_id].arm == "tea"
    assert {o.shopper_id for o in outcomes.values() if o.held and o.measured and o.measured.orders} == set(held)


def test_an_ad_of_no_declared_campaign_is_as_before() -> None:
    """Bit for bit, whether the log chose campaigns or none."""
    log = visitors(6, ad("tea-1", 40, "elsewhere"), ad("own", 60, None))
    plain = decided(run(log))
    assert decided(began(log, ads())[1]) == plain
    assert {each.ad_id for each in plain} == {"tea-1"}
    assert {each.reserved_cents for each in plain} == {0}


def test_nothing_waits_for_a_click_once_somebody_logs_in() -> None:
    into, world = began(visitors(1, ad("tea-1")), ads())
    (said,) = decided(world)
    login = e.ShopperIdentified(event_id="l", shopper_id="s0", event_time=NOON + MINUTE, identified_as="ann")
    run(log_of(login), into)
    run(log_of(clicked(said, NOON + 2 * MINUTE, "x1")) + tick(NOON + 4 * HOUR), into)
    run(tick(NOON + 5 * HOUR), into)
    assert (purse(into).settled, purse(into).released) == (0, 40)


# -- any cut, any crash

CAMPAIGNS = (
    ads(holdout_share=0.3),
    ads(id="cups", arms=[{"kind": "ad", "id": "any", "valid_days": 0.2}], audience="browsing.views_24h >= 1"),
)


def history(seed: int, n: int = 160) -> Log:
    """Shoppers look around, ads are asked for, some are clicked, a little out of order and some twice; who clicks names
    decisions as they come to be."""
    rng = np.random.default_rng(seed)
    events: list[e.ShopperEvent] = [consented(f"s{i}", event_id=f"k{i}") for i in range(6)]
    at, requests = NOON, list[tuple[str, str]]()
    for i in range(n):
        at += int(rng.integers(1, 25 * MINUTE))
        who, when = f"s{rng.integers(0, 7)}", at - int(rng.integers(0, HOUR // 2))
        kind = rng.random()
        if kind < 0.35:
            events.append(viewed(who, when, f"v{i}"))
        elif kind < 0.7 or not requests:
            campaigns = ("spring", "cups", None, "elsewhere")
            slate = [ad(f"tea-{j}", int(rng.integers(0, 90)), campaigns[rng.integers(0, 4)]) for j in range(4)]
            events.append(asked(who, when, f"r{i}", *slate[: rng.integers(1, 5)]))
            requests.append((who, f"r{i}"))
        elif kind < 0.9:
            who, request = requests[-int(rng.integers(1, min(6, len(requests)) + 1))]
            decision = decision_of(who, request)
            events.append(
                e.AdClicked(event_id=f"x{i}", shopper_id=who, event_time=when, ad_id="a", decision_id=decision)
            )
        elif kind < 0.95:
            events.append(ordered(who, when, f"o{i}", int(rng.integers(1, 9)) * 1_000))
        else:
            events.append(events[int(rng.integers(0, len(events)))])
    return with_choices(log_of(*events), (9, a_set(*CAMPAIGNS)), cents=150)


def decision_of(shopper: str, request: str) -> str:
    return outcome_id("ad_decided", shopper, f"event:{request}", "")


EXPLORING = replace(SURE, ads=AdPolicy(exploration_share=0.3))


def books(into: PartitionProcessor) -> list[tuple[int, ...]]:
    """Of both campaigns; and no cent is lost."""
    found = list[tuple[int, ...]]()
    for name in ("spring", "cups"):
        of_ = purse(into, name)
        assert of_.committed == sum(of_.reserved.values()) + of_.settled + of_.released
        assert of_.granted == of_.free + of_.returned + of_.committed
        found.append((of_.granted, of_.returned, of_.committed, of_.settled, of_.released))
    return found


@settings(max_examples=4, phases=NO_SHRINKING)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 180), max_size=30))
def test_any_cut_says_the_same(seed: int, cuts: list[int]) -> None:
    log = history(seed)
    one, other, single = (processor(rules=EXPLORING) for _ in range(3))
    whole, parts, each = run(log, one), run(log, other, cuts), run(log, single, range(1, len(log)))
    assert whole.outcomes == parts.outcomes == each.outcomes
    assert told(whole) == told(parts) == told(each)
    assert books(one) == books(other) == books(single)
    assert rows(one) == rows(other) == rows(single)
    refused = Counter(place.refused for said in decided(whole) for place in said.slate)
    assert refused["budget_spent"]
    assert refused["campaign_holdout"]
    assert books(one)[0][3] + books(one)[1][3] > 0
    for said in decided(whole):
        assert sum(place.propensity for place in said.slate) + said.propensity_of_nothing == pytest.approx(1, abs=1e-5)


def told(world: World) -> tuple[list[Any], list[bytes]]:
    """What ledgers are told of effects, and of money, in order."""
    return reports(world.emitted), [one.value for _, one in world.emitted if b"spend_reported" in one.value]


def rows(of_: PartitionProcessor) -> dict[bytes, bytes]:
    world = World()
    world.packed = DictTier(of_.drain_changes()).held
    return world.rows


@settings(max_examples=5, phases=NO_SHRINKING)
@given(seed=st.integers(0, 10**6), crash=st.integers(20, 170), lost=st.floats(0, 1))
def test_a_crash_in_the_middle_of_a_flush_spends_nothing_twice(seed: int, crash: int, lost: float) -> None:
    log, plain = history(seed), processor(rules=EXPLORING)
    whole, crash = run(log, plain), min(crash, len(log) - 1)
    tier, world, rng = DictTier(), World(), random.Random(seed)

    def go(start: int, stop: int) -> PartitionProcessor:
        into = processor(tier, EXPLORING)
        assert into.next_offset == start
        for a in range(start, stop, 30):
            take(world, into.apply(slice_of(log[a : min(a + 30, stop)], a)))
        return into

    tier.write(go(0, crash // 2).drain_changes())
    tier.write(cut_off(go(crash // 2, crash).drain_changes(), rng, lost))
    last = go(crash // 2, len(log))
    assert books(last) == books(plain)
    # World.add has seen that what was said again was the same.
    assert world.outcomes == whole.outcomes
    tier.write(last.drain_changes())
    packed = World()
    packed.packed = tier.held
    assert packed.rows == rows(plain)

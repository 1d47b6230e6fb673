"""Advertisements: which one of a slate is shown, what holds one back, and what never may happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Rows
from streams.decisions.ad_campaigns import ADS_KEPT
from streams.decisions.ads import REFUSALS, AdPolicy, Slates, Weighed, merge, weigh
from streams.entities.shopper import SHOPPER
from streams.processing.partition import row_layout
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.ads import AdDecided
from streams.records.outcomes import encode_outcome
from streams.settings import Settings, SettingsError
from tests.shoppers import DAY, HOUR, NOON, Log, consented, log_of, ordered, viewed
from tests.worlds import World, cut, run_plain

LATENESS = HOUR


def asked(shopper: str, at: int, event_id: str, *ads: tuple[str, int, int | None], **more: Any) -> e.AdRequested:
    """A request: (ad, cents per click, price of its item in cents) each."""
    slate = [e.AdOffered(ad_id=ad, cost_cents=cost, unit_price_cents=price) for ad, cost, price in ads]
    return e.AdRequested(event_id=event_id, shopper_id=shopper, event_time=at, slate=slate, **more)


def decided(world: World) -> list[AdDecided]:
    """What was said about ads, in order of time."""
    said = [value for value in world.outcomes.values() if b'"propensity_of_nothing"' in value]
    return sorted((msgspec.json.decode(v, type=AdDecided) for v in said), key=lambda d: (d.event_time_ms, d.shopper_id))


def answered(*events: e.ShopperEvent, rules: Rules | None = None) -> list[AdDecided]:
    """What a worker with the shipped models decides."""
    return decided(run_plain(cut(log_of(*events), []), rules))


SURE = Rules(ads=AdPolicy(exploration_share=0.0))


def test_what_is_assumed_of_ads_is_set_and_named_by_the_log() -> None:
    wanted = {"cap": 2, "cap_all": 5, "cap_hours": 6.0, "click_rate": 0.02, "brought_share": 0.5, "least_return": 0.2}
    wanted["exploration_share"] = 0.1
    rules = Settings(**{f"ad_{name}": value for name, value in wanted.items()}).rules()  # type: ignore[arg-type]
    assert {name: getattr(rules.ads, name) for name in wanted} == wanted
    assert Settings().rules().ads == AdPolicy()
    digests = {Settings(**{f"ad_{name}": value}).rules().digest for name, value in wanted.items()}  # type: ignore[arg-type]
    assert len(digests) == len(wanted)
    with pytest.raises(SettingsError, match="AD_CAP is 13; it must be at most AD_CAP_ALL, 12"):
        Settings(ad_cap=13)
    with pytest.raises(SettingsError, match="OFFERSTREAM_AD_CAP_ALL is 17; it must be a whole number from 1 to 16"):
        Settings(ad_cap_all=17)
    events = consented(), viewed(at=NOON + 1), asked("s1", NOON + 2, "r", ("good", 5, 20_000))
    (said,) = answered(*events, rules=replace(rules, ads=replace(rules.ads, exploration_share=0.0)))
    assert said.conversion is not None
    assert said.bid_cents == int(said.conversion * 0.30 * 0.5 * 20_000 / 1.2)
    assert said.click == 0.02


def test_the_ad_that_brings_most_is_shown_and_said_with_its_receipt() -> None:
    (said,) = answered(
        consented(),
        viewed(at=NOON + 1),
        asked("s1", NOON + 2, "r", ("dear", 900, 20_000), ("good", 5, 20_000), ("poor", 5, 9_000), placement="top"),
        rules=SURE,
    )
    assert (said.ad_id, said.reasons, said.placement) == ("good", ["worth_most"], "top")
    assert said.model is not None
    assert said.model.task == "ad"
    assert said.conversion is not None
    assert said.bid_cents == int(said.conversion * 0.30 * 0.25 * 20_000)
    assert said.expected_value_cents == pytest.approx(0.005 * (said.conversion * 0.075 * 20_000 - 5), abs=1e-6)
    assert [ad.refused for ad in said.slate] == ["not_worth_it", None, None]
    assert said.propensity == 1.0


@pytest.mark.parametrize(
    ("events", "slate", "reason"),
    [
        ([viewed(at=NOON + 1)], ("a", 1, 20_000), "no_consent"),
        ([consented(marketing=False), viewed(at=NOON + 1)], ("a", 1, 20_000), "no_consent"),
        ([consented()], ("a", 1, 20_000), "not_judged"),
        ([consented(), viewed(at=NOON + 1)], ("a", 1, None), "worth_unknown"),
        ([consented(), viewed(at=NOON + 1)], ("a", 9_000, 20_000), "not_worth_it"),
    ],
)
def test_nothing_is_shown_and_it_is_said_why(
    events: list[e.ShopperEvent], slate: tuple[str, int, int | None], reason: str
) -> None:
    (said,) = answered(*events, asked("s1", NOON + 2, "r", slate))
    assert (said.ad_id, said.bid_cents, said.expected_value_cents) == (None, None, 0.0)
    assert said.reasons == [reason]
    assert said.propensity == said.propensity_of_nothing == 1.0


def test_what_an_order_comes_to_stands_for_a_price_that_is_not_said() -> None:
    known = (consented(), ordered(at=NOON + 1, cents=20_000), viewed(at=NOON + HOUR))
    (said,) = answered(*known, asked("s1", NOON + HOUR + 1, "r", ("a", 1, None)), rules=SURE)
    assert said.ad_id == "a"


def test_a_cap_slides() -> None:
    ads = [asked("s1", NOON + i * HOUR, f"r{i}", ("a", 1, 20_000)) for i in range(1, 30)]
    events = sorted(
        [consented(), *(viewed(at=NOON + i * HOUR - 1, event_id=f"v{i}") for i in range(1, 30)), *ads],
        key=lambda event: event.event_time,
    )
    shown = [(d.event_time_ms - NOON) // HOUR for d in answered(*events, rules=SURE) if d.ad_id]
    assert shown == [1, 2, 3, 25, 26, 27]


def test_ads_of_both_ids_count_after_a_login() -> None:
    """The newest 16 of both stay: while they fill the memory nothing is shown, so none that counts is forgotten."""
    ours, theirs = (Rows.zeros(row_layout(SHOPPER), 1) for _ in range(2))
    for rows, first in ((ours, 0), (theirs, 1)):
        at = NOON + HOUR * (first + 2 * np.arange(10))
        rows.data["ads/at"][0, :10], rows.data["ads/ad"][0, :10] = at, 7 + first
    merge(ours, 0, theirs)
    held, of = ours.data["ads/at"][0], ours.data["ads/ad"][0]
    assert sorted(held.tolist()) == [NOON + HOUR * i for i in range(4, 20)]
    assert {int((at - NOON) // HOUR) % 2 for at, ad in zip(held.tolist(), of.tolist(), strict=True) if ad == 7} == {0}


def slates(k: int, n: int, rng: np.random.Generator) -> Slates:
    filled = np.arange(n) < rng.integers(1, n + 1, k)[:, None]
    ad, cost, price = (rng.integers(0, most, (k, n)) * filled for most in (4, 60, 9))
    return Slates(filled, ad.astype(np.uint64), cost.astype(np.float64), price.astype(np.float64) * 1_000)


@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.0, 0.05, 0.5, 1.0]), cap=st.integers(1, 4))
@settings(max_examples=60)
def test_no_cap_is_exceeded_nothing_is_worth_less_than_it_costs_and_chances_add_up(
    seed: int, share: float, cap: int
) -> None:
    """Requests of three shoppers, up to an hour late, one after the other."""
    rng = np.random.default_rng(seed)
    policy = AdPolicy(cap=cap, cap_all=cap + 3, cap_hours=5.0, exploration_share=share)
    at, ad = np.zeros((3, ADS_KEPT), np.int64), np.zeros((3, ADS_KEPT), np.uint64)
    shown: list[list[tuple[int, int]]] = [[], [], []]
    now = NOON
    for _ in range(60):
        now += int(rng.integers(0, 40 * 60_000))
        when = now - rng.integers(0, LATENESS, 3)
        offered = slates(3, 4, rng)
        worth = np.where(rng.random(3) < 0.1, np.nan, rng.random(3) * 0.02)
        consents, click = rng.random(3) < 0.9, rng.random(3) * 0.1
        due = rng.integers(0, 2**63, 3).astype(np.uint64)
        found = weigh(policy, offered, click, worth, consents, (at, ad), when, LATENESS, due)
        np.testing.assert_allclose(found.propensity.sum(axis=1), 1.0, atol=1e-12)
        assert (found.propensity >= 0).all()
        for i, place in enumerate(found.chosen.tolist()):
            assert share == 0 or share == 1 or found.propensity[i, place] > 0
            if place == 4:
                continue
            assert offered.filled[i, place]
            assert found.refused[i, place] < 0
            assert found.value[i, place] > 0
            assert offered.cost[i, place] <= found.bid[i, place] <= worth[i] * offered.price[i, place]
            assert consents[i]
            recent = [a for t, a in shown[i] if when[i] - t < policy.window_ms]
            assert len(recent) < policy.cap_all
            assert recent.count(int(offered.ad[i, place])) < cap
            shown[i].append((int(when[i]), int(offered.ad[i, place])))
            oldest = int(at[i].argmin())
            at[i, oldest], ad[i, oldest] = when[i], offered.ad[i, place]


def test_draws_come_as_often_as_their_chances_say() -> None:
    k = 40_000
    policy = AdPolicy(exploration_share=0.4)
    offered = Slates(
        np.ones((k, 3), np.bool_),
        np.tile(np.array([1, 2, 3], np.uint64), (k, 1)),
        np.tile(np.array([5.0, 500.0, 1.0]), (k, 1)),
        np.full((k, 3), 10_000.0),
    )
    nobody = np.zeros((k, ADS_KEPT), np.int64), np.zeros((k, ADS_KEPT), np.uint64)
    due = np.random.default_rng(4).integers(0, 2**63, k).astype(np.uint64)
    every = np.ones(k, np.bool_)
    found: Weighed = weigh(
        policy, offered, np.full(k, 0.01), np.full(k, 0.01), every, nobody, np.full(k, NOON), LATENESS, due
    )
    came = np.bincount(found.chosen, minlength=4) / k
    np.testing.assert_allclose(came, found.propensity[0], atol=0.01)
    assert came[1] == 0
    assert REFUSALS[found.refused[0, 1]] == "not_worth_it"
    other = weigh(
        replace(policy, salt="other"), offered, np.full(k, 0.01), np.full(k, 0.01), every, nobody,
        np.full(k, NOON), LATENESS, due,
    )  # fmt: skip
    assert (other.chosen != found.chosen).any()


def visits_log(seed: int) -> Log:
    """Some shoppers who look at things while ads are asked for, a little out of order."""
    rng = np.random.default_rng(seed)
    events: list[e.ShopperEvent] = [consented(f"s{i}", event_id=f"k{i}") for i in range(3)]
    at = NOON
    for i in range(80):
        at += int(rng.integers(1, 3_000_000))
        who, when = f"s{rng.integers(0, 4)}", at - int(rng.integers(0, HOUR // 2))
        if rng.random() < 0.4:
            events.append(viewed(who, when, f"v{i}"))
        else:
            ads = [(f"a{j}", int(rng.integers(0, 400)), int(rng.integers(1, 9)) * 5_000) for j in range(3)]
            events.append(asked(who, when, f"r{i}", *ads[: rng.integers(1, 4)]))
    return log_of(*events)


@given(seed=st.integers(0, 1_000), cuts=st.lists(st.integers(1, 80), max_size=12))
@settings(max_examples=12)
def test_the_same_log_decides_alike_however_it_is_cut(seed: int, cuts: list[int]) -> None:
    log, rules = visits_log(seed), Rules(ads=AdPolicy(exploration_share=0.5))
    whole, parts = run_plain(cut(log, []), rules), run_plain(cut(log, cuts), rules)
    assert whole.outcomes == parts.outcomes
    assert whole.rows == parts.rows
    said = decided(whole)
    assert said
    for each in said:
        assert each.expected_value_cents >= 0
        assert sum(ad.propensity for ad in each.slate) + each.propensity_of_nothing == pytest.approx(1, abs=1e-5)
        assert each.model is None or each.conversion is not None


def test_decisions_that_are_too_old_are_remembered_but_not_published() -> None:
    log = log_of(consented(), viewed(at=NOON + 1), asked("s1", NOON + 2, "r", ("a", 1, 20_000)))
    world = run_plain(cut(log, []), replace(SURE, publish_from_ms=NOON + DAY))
    assert not decided(world)
    assert encode_outcome(answered(consented(), asked("s1", NOON + 2, "r", ("a", 1, 9)))[0])


@pytest.mark.parametrize("caps", [(0, 1), (3, 2), (1, ADS_KEPT + 1)])
def test_caps_that_a_row_cannot_remember_are_refused(caps: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cap is"):
        AdPolicy(cap=caps[0], cap_all=caps[1])

"""Guards as laws: whatever happens, many shoppers at once are decided as one at a time is by a plain oracle, and
nothing is offered that must not be."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, get_args

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.campaigns import memory
from streams.campaigns.arms import ItemFacts
from streams.campaigns.asking import Afforded, Asked
from streams.campaigns.deciding import Decided, Inputs, decide, remember
from streams.campaigns.draws import shopper_hashes
from streams.campaigns.plan import Plans
from streams.campaigns.reasons import Why
from streams.campaigns.terms import KINDS
from streams.columns.arrays import TYPE_CODE
from streams.records.campaigns import CampaignSet
from streams.records.events import ItemViewed, OfferDismissed, OrderPlaced, OrderReturned
from streams.records.profiled import Segment, Stage
from tests.campaigns import oracle
from tests.campaigns.builders import DAY, HOUR, NOON, WORDS, campaign, moment, purses, rows

SHOPPERS = [f"s{i}" for i in range(6)]
STAGES = ("new", "active", "at_risk")
SEGMENTS = ("champions", "lost", "won_back", "promising")
EVENTS = (ItemViewed, ItemViewed, ItemViewed, OrderPlaced, OrderReturned, OfferDismissed)


def arms(rng: random.Random) -> list[dict[str, Any]]:
    every: list[dict[str, Any]] = [
        {"kind": "percent", "percent": rng.choice([5, 10, 25]), "max_discount_cents": rng.choice([300, 5000])},
        {"kind": "amount", "amount_cents": rng.choice([100, 400]), "min_order_cents": rng.choice([0, 3000])},
        {"kind": "free_shipping", "shipping_cents": 490},
        {"kind": "bundle", "discount_cents": 150, "applies_to": "items", "names": ["a", "b"]},
        {"kind": "content", "applies_to": rng.choice(["anything", "recommended"])},
    ]
    more = {"assumed_uplift": 0.1, "assumed_redemption": 0.2}
    return [
        {"id": f"a{i}", "valid_days": rng.choice([0.1, 1, 7]), **more, **arm}
        for i, arm in enumerate(rng.sample(every, rng.randint(1, 3)))
    ]


def a_set(rng: random.Random) -> CampaignSet:
    """Two or three campaigns with guards of all kinds."""
    made = []
    for i in range(rng.randint(2, 3)):
        made.append(
            campaign(
                id=f"c{i}",
                audience=rng.choice(["true", "true", *oracle.AUDIENCES]),
                priority=rng.choice([100, 100, 200]),
                arms=arms(rng),
                economics={
                    "margin_floor": rng.choice([0.0, 0.1, 0.2]),
                    "basket_cents": rng.choice([0, 2000]),
                    "contact_cents": rng.choice([0, 5]),
                    "min_stock": rng.choice([0, 5]),
                    "min_rating": rng.choice([0, 4]),
                },
                caps=[
                    {"offers": rng.randint(1, 3), "days": rng.choice([0.5, 3, 20])} for _ in range(rng.randint(1, 2))
                ],
                cooldown={
                    "after_purchase_days": rng.choice([0, 0.5]),
                    "after_return_days": rng.choice([0, 1]),
                    "after_complaint_days": rng.choice([0, 2]),
                },
                quiet_hours=rng.choice([None, {"start": "21:00", "end": "08:00"}, {"start": "12:30", "end": "13:30"}]),
                holdout_share=rng.choice([0, 0.3]),
                exploration_share=rng.choice([0, 0.5, 1]),
                exclusions=rng.choice([[], [f"c{(i + 1) % 2}"]]),
                minimum_age=rng.choice([None, None, 18]),
            )
        )
    shop = {
        "time_zone": rng.choice(["UTC", "Europe/Berlin", "America/Sao_Paulo"]),
        "caps": [{"offers": rng.randint(1, 8), "days": rng.choice([1, 10])}],
        "holdout_share": rng.choice([0, 0.2]),
        "default_consent": rng.random() < 0.5,
        "blocked_shoppers": rng.choice([[], ["s1"]]),
    }
    return msgspec.convert({"shop": shop, "campaigns": made}, CampaignSet)


def due_at(rng: random.Random, chosen: CampaignSet, now: int, step: int) -> oracle.Due:
    kind = rng.choice(["event", "event", "event", "silence", "deferred"])
    nan = float("nan")
    return oracle.Due(
        now=now,
        kind=kind,
        event=rng.choice(EVENTS) if kind == "event" else None,
        ref=f"event:e{step}",
        consent=rng.choice([1, 1, 1, 0, -1]),
        basket=rng.choice([0, 1500, 4000, 10_000, nan]),
        age=rng.choice([17, 18, 40, nan]),
        stock=rng.choice([0, 5, 100, nan]),
        rating=rng.choice([0, 3, 4.5, nan]),
        stage=rng.choice([None, *STAGES]),
        segment=rng.choice([None, *SEGMENTS]),
        nothing=rng.random() < 0.3,
        worse=rng.random() < 0.2,
        uplift={c.id: [rng.choice([-0.1, 0.02, 0.3, 0.3, nan]) for _ in c.arms] for c in chosen.campaigns},
        left={},
    )


def code(name: str | None, names: tuple[str, ...]) -> float:
    """As rows keep it: the place in the order in which the schema of profiles names them."""
    every: tuple[str, ...] = get_args(Stage if names is STAGES else Segment)
    return float("nan") if name is None else 1.0 + every.index(name)


class World:
    """Rows and oracle side by side."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.chosen = a_set(self.rng)
        self.plans = Plans.of(self.chosen, WORDS)
        self.state, self.oracles = rows(len(SHOPPERS)), [oracle.Shopper(name) for name in SHOPPERS]
        self.now, self.offered = NOON + self.rng.randrange(365) * DAY, 0

    def step(self, number: int) -> None:
        """Some shoppers are due at once, each at a time of their own, which may lie a little back."""
        rng = self.rng
        self.now += rng.choice([60_000, HOUR, 7 * HOUR, 2 * DAY])
        at = np.array(sorted(rng.sample(range(len(SHOPPERS)), rng.randint(1, len(SHOPPERS)))))
        dues = [due_at(rng, self.chosen, self.now - rng.choice([0, 0, HOUR]), number) for _ in at]
        price = rng.choice([0.0, 0.5])
        left = {c.id: rng.choice([0, 120, 500, 5100, 8000]) for c in self.chosen.campaigns if rng.random() < 0.5}
        remaining = dict(left)
        for due in dues:
            due.left = remaining
        decided = self._decide(at, dues, purses(left, price))
        for n, i in enumerate(at.tolist()):
            wanted = oracle.decide(self.chosen, self.oracles[i], dues[n], price)
            for found in decided:
                self._same(found, n, *wanted[found.plan.id], dues[n], i)
        for found in decided:
            if found.plan.id in left:
                assert 0 <= left[found.plan.id] - found.spent_cents == remaining[found.plan.id]

    def _decide(self, at: np.ndarray, dues: list[oracle.Due], afford: Callable[[Asked], Afforded]) -> list[Decided]:
        events = np.array([0 if d.event is None else TYPE_CODE[d.event] for d in dues])
        now = [d.now for d in dues]
        asked = moment(
            [SHOPPERS[i] for i in at],
            now,
            kind=[KINDS.index(d.kind) for d in dues],
            event_type=events.tolist(),
            ref=dues[0].ref,
            columns={
                "offers.consent": [d.consent for d in dues],
                "orders.average_value": [d.basket for d in dues],
                "profile.stage": [code(d.stage, STAGES) for d in dues],
                "profile.segment": [code(d.segment, SEGMENTS) for d in dues],
            },
            age_years=np.array([d.age for d in dues]),
        )
        memory.note_events(self.state, at, np.array(now), events)
        inputs = Inputs(
            uplift={c.id: np.array([d.uplift[c.id] for d in dues]).T for c in self.chosen.campaigns},
            afford=afford,
            items={
                c.id: ItemFacts(
                    np.tile([d.stock for d in dues], (len(c.arms), 1)),
                    np.tile([d.rating for d in dues], (len(c.arms), 1)),
                    np.tile([d.nothing for d in dues], (len(c.arms), 1))
                    & np.array([[arm.applies_to == "recommended"] for arm in c.offers]),
                    np.tile([d.worse for d in dues], (len(c.arms), 1)),
                )
                for c in self.chosen.campaigns
            },
        )
        decided = decide(self.plans, asked, memory.read(self.state, at), inputs)
        ids = [shopper_hashes([f"{found.plan.id}{dues[0].ref}"] * len(found.at)) for found in decided]
        remember(self.state, at, asked, decided, ids)
        return decided

    def _same(self, found: Decided, n: int, why: str, arm: str | None, due: oracle.Due, i: int) -> None:
        assert Why(int(found.why[n])).word == why, (found.plan.campaign, due, self.oracles[i])
        if n in found.at:
            (place,) = np.flatnonzero(found.at == n)
            chosen = int(found.drawn.arm[place])
            assert (found.plan.campaign.arms[chosen].id if chosen >= 0 else None) == arm
            self.offered += why == "offered"

    def use_one(self) -> None:
        """A shopper uses an offer: it is live no more."""
        i = self.rng.randrange(len(SHOPPERS))
        live = self.oracles[i].live(self.now)
        if live:
            used = self.rng.choice(live)
            for made in self.oracles[i].made:
                if made.offer == used.offer:
                    made.until = min(made.until, self.now)
            memory.close_offers(self.state, np.array([i]), shopper_hashes([used.offer]), np.array([self.now]))

    def merge_one(self) -> None:
        """A shopper turns out to be another one; somebody new comes in their place."""
        i, j = self.rng.sample(range(len(SHOPPERS)), 2)
        other = self.state.copy(np.array([i]))
        memory.merge(self.state, j, other)
        memory.remember_id(self.state, j, int(shopper_hashes([SHOPPERS[i]])[0]))
        self.oracles[j].merge(self.oracles[i])
        self.state.words[i] = 0
        self.oracles[i] = oracle.Shopper(SHOPPERS[i])


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_whoever_was_two_is_decided_about_as_the_oracle_does_who_remembers_both(seed: int) -> None:
    world = World(seed)
    for number in range(20):
        world.step(number)
        if number % 2:
            world.merge_one()
        if number % 3 == 2:
            world.use_one()


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_many_at_once_are_decided_as_one_at_a_time_is_by_the_oracle(seed: int) -> None:
    world = World(seed)
    for number in range(14):
        world.step(number)
        if number % 3 == 2:
            world.use_one()


def test_the_laws_are_not_held_by_offering_nothing() -> None:
    assert sum(sum(1 for _ in _played(seed)) for seed in range(20)) > 50


def _played(seed: int) -> list[oracle.Made]:
    world = World(seed)
    for number in range(14):
        world.step(number)
    return [made for shopper in world.oracles for made in shopper.made]


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_no_cap_is_exceeded_and_no_shopper_holds_two_offers_of_a_campaign(seed: int) -> None:
    """Read off what was offered, by sliding windows over it; the oracle's own guards are not asked."""
    world = World(seed)
    for number in range(14):
        world.step(number)
    assert {made.campaign for s in world.oracles for made in s.made} <= {c.id for c in world.chosen.campaigns}
    for shopper in world.oracles:
        by_time = sorted(shopper.made, key=lambda made: made.at)
        for caps, made in [
            (world.chosen.shop.caps, by_time),
            *((c.caps, [m for m in by_time if m.campaign == c.id]) for c in world.chosen.campaigns),
        ]:
            for cap in caps:
                for first in made:
                    within = [m for m in made if 0 <= m.at - first.at < round(cap.days * DAY)]
                    assert len(within) <= cap.offers
        for c in world.chosen.campaigns:
            own = [m for m in by_time if m.campaign == c.id]
            assert all(a.until <= b.at or b.at <= a.at for a, b in pairwise(own))

"""The core as a decider among the others: however the log is cut, the same bits, the same receipts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.registry import TASKS
from streams.campaigns import memory
from streams.campaigns.deciding import Moment, decide, remember
from streams.campaigns.draws import due_hashes, shopper_hashes
from streams.campaigns.plan import Plans
from streams.campaigns.receipts import Whom, receipts
from streams.campaigns.terms import DAY as DAY_KIND
from streams.campaigns.terms import EVENT, SILENCE
from streams.columns.layout import Rows
from streams.decisions.decider import Group, Said
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.campaigns import CampaignSet
from streams.records.receipts import Receipt
from streams.records.slices import Slice
from tests.campaigns.builders import CONTENT, PERCENT, WORDS, campaign
from tests.shoppers import random_history
from tests.worlds import World, cut, run_plain, shipped

HAPPENED = {"event": EVENT, "silence": SILENCE, "day": DAY_KIND}
SET = msgspec.convert(
    {
        "shop": {"time_zone": "Europe/Berlin", "default_consent": True, "receipt_share": 0.2, "holdout_share": 0.1},
        "campaigns": [
            campaign(
                id="leaving",
                priority=200,
                audience="lapse_30d > 0.2",
                trigger={"kind": "silence"},
                arms=[PERCENT, CONTENT],
                caps=[{"offers": 1, "days": 5}],
                cooldown={},
                exploration_share=0.3,
                quiet_hours={},
                holdout_share=0.1,
            ),
            campaign(
                id="cart",
                audience="carts.adds_24h >= 1 and orders.count_24h < 1",
                economics={"basket_cents": 3000},
                arms=[PERCENT, CONTENT],
                caps=[{"offers": 2, "days": 3}],
                exploration_share=0.5,
            ),
        ],
    },
    CampaignSet,
)
PLANS = Plans.of(SET, WORDS)
NAMES = frozenset(task.name for task in TASKS)


class Campaigns:
    """The decider: only receipts are said."""

    columns = memory.COLUMNS
    reads = tuple(a for a in PLANS.addresses if a.partition(".")[0] not in NAMES)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        def column(address: str) -> npt.NDArray[np.floating[Any]]:
            task, _, output = address.partition(".")
            return group.answer(task, output) if task in NAMES else group.feature(address)

        memory.note_events(state, group.row, group.now_ms, group.event_type)
        moment = Moment(
            now_ms=group.now_ms,
            kind=np.array([HAPPENED[due.kind] for due in group.due]),
            event_type=group.event_type,
            amount=np.full(len(group), np.nan),
            shopper=shopper_hashes(group.key),
            due=due_hashes(group.key, [group.ref(i) for i in range(len(group))]),
            columns=column,
        )
        decided = decide(PLANS, moment, memory.read(state, group.row))
        whom = Whom(group.key, group.due, group.model, NAMES, "USD")
        ids = [shopper_hashes([whom.offer_id(found.plan, int(i)) for i in found.at]) for found in decided]
        remember(state, group.row, moment, decided, ids)
        return [one for found in decided for one in receipts(PLANS, moment, found, whom)]


class Side(ShopperSide):
    """A partition of shoppers, with campaigns."""

    def under(self, rules: Rules, watermark_ms: int) -> None:
        super().under(rules, watermark_ms)
        self.deciders = (*self.deciders, Campaigns())


ENTITY = replace(SHOPPER, deciders=(*SHOPPER.deciders, Campaigns), side=Side)


def played(slices: list[Slice]) -> World:
    return run_plain(slices, processor=PartitionProcessor(ENTITY, 0, Rules(), shipped()))


def said(world: World) -> dict[str, Receipt]:
    found = {}
    for name, raw in world.outcomes.items():
        if b'"campaigns":' in raw:
            found[name] = msgspec.json.decode(raw, type=Receipt)
    return found


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 399), max_size=40))
def test_any_cut_of_the_log_gives_the_same_bits_and_the_same_receipts(seed: int, cuts: list[int]) -> None:
    log = random_history(seed, 400, 20)
    whole, parts = played(cut(log, [])), played(cut(log, cuts))
    assert parts.rows == whole.rows
    assert said(parts) == said(whole)


@pytest.fixture(scope="module")
def receipts_of_a_history() -> list[Receipt]:
    """What was said over a history of 40 shoppers."""
    return list(said(played(cut(random_history(7, 2500, 40), range(500, 2500, 500)))).values())


def test_a_history_has_all_kinds_of_decisions(receipts_of_a_history: list[Receipt]) -> None:
    decisions = {(r.campaign, r.decision) for r in receipts_of_a_history}
    for each in ("offered", "live_offer", "not_in_audience", "explored_nothing", "global_holdout"):
        assert ("cart", each) in decisions
    assert {"offered", "quiet_hours", "audience_unknown"} <= {d for c, d in decisions if c == "leaving"}


def test_what_a_model_said_is_named_with_the_model(receipts_of_a_history: list[Receipt]) -> None:
    digest = shipped().model("churn").digest[:16]
    leaving = [r for r in receipts_of_a_history if r.campaign == "leaving" and r.decision != "audience_unknown"]
    assert leaving
    assert {tuple(m.digest for m in r.models) for r in leaving} == {(digest,)}
    assert all(r.values["churn.lapse_30d"] is not None for r in leaving)

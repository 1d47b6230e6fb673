"""Budgets that operators set come to the ledgers that keep them, once."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from prometheus_client import generate_latest

from streams.agents.budgets import Budgets, budget_of
from streams.agents.entity_log import EntityLog
from streams.entities.campaign import CampaignSide
from streams.metrics import Metrics
from streams.processing.spending import homes_of
from streams.records.campaign_parts import Budget
from streams.records.campaigns import Campaign, CampaignSet
from streams.records.effects import EffectMeasured, EffectReported
from tests.budget.stream import PARTITIONS, RULES, Owner, Stream
from tests.effects.reports import reports

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def campaign(name: str, **changed: Any) -> Campaign:
    """One that is approved."""
    said: dict[str, Any] = {
        "id": name, "approval": "approved", "approved_by": "ann", "audience": "orders.count >= 1",
        "trigger": {"kind": "due_point"}, "arms": [{"kind": "content", "id": "hello", "assumed_uplift": 0.02}],
        "budget": {"USD": {"total_cents": 5_000, "daily_cents": 700}}, "start": START, "end": END,
    } | changed  # fmt: skip
    return msgspec.convert(said, Campaign)


class Written:
    """Into the campaigns' log, at once."""

    def __init__(self, owners: list[Owner]) -> None:
        self.owners, self.count = owners, 0

    def say(self, topic: str, value: bytes, *, partition: int) -> None:
        """Append a record."""
        assert topic == "shop-campaigns-log"
        self.owners[partition].log.append((None, value))
        self.count += 1


def test_what_operators_set_comes_to_the_ledgers_once() -> None:
    stream, metrics = Stream(1), Metrics()
    written = Written(stream.campaigns)
    processors = {owner.partition: owner.processor for owner in stream.campaigns}
    log = SimpleNamespace(
        topic="shop-campaigns-log", writer=written, processors=processors, metrics=metrics, rules=RULES
    )
    budgets = Budgets(cast(EntityLog, log), PARTITIONS, 15)
    names = ("win-back", "back-in-stock")
    wanted = [campaign(name) for name in names]

    def held() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for owner in stream.campaigns:
            owner.work()
            assert isinstance(owner.processor.side, CampaignSide)
            assert {homes_of([name], PARTITIONS)[0] for name in owner.processor.side.budgets} <= {owner.partition}
            found |= owner.processor.side.budgets
        return found

    budgets.set(CampaignSet(campaigns=tuple(wanted)))
    budgets.set(CampaignSet(campaigns=tuple(wanted)))  # the ledger has not come to it yet
    assert written.count == 2
    assert held() == {name: budget_of(one, "USD", PARTITIONS, 15) for name, one in zip(names, wanted, strict=True)}
    assert all(b.open and b.ends_at_ms == END.timestamp() * 1000 and b.daily_cents == 700 for b in held().values())
    budgets.set(CampaignSet(campaigns=tuple(wanted)))  # and now it has
    assert written.count == 2
    # One is paused with more money, the other is gone.
    paused = msgspec.structs.replace(wanted[0], approval="paused", budget={"USD": Budget(total_cents=9_000)})
    budgets.set(CampaignSet(campaigns=(paused,)))
    assert written.count == 4
    found = held()
    assert [(b.revision, b.open, b.total_cents) for b in found.values()] == [(1, False, 9_000), (1, False, 5_000)]
    # A currency that the group does not add up is not its business.
    assert budget_of(campaign("x", budget={"EUR": {"total_cents": 1}}), "USD", PARTITIONS, 15) is None
    budgets.show()
    sample = metrics.registry.get_sample_value
    assert sample("offerstream_campaign_budget_cents", {"campaign": "win-back", "part": "remaining"}) == 9_000
    assert sample("offerstream_campaign_price", {"campaign": "back-in-stock"}) == 1.0
    assert sample("offerstream_campaign_open", {"campaign": "win-back"}) == 0.0
    assert sample("offerstream_campaign_shoppers", {"campaign": "win-back", "side": "offered"}) is None
    processors.clear()  # another worker owns them now
    budgets.show()
    assert sample("offerstream_campaign_budget_cents", {"campaign": "win-back", "part": "remaining"}) is None


def test_what_campaigns_brought_is_shown_as_of_the_newest_report() -> None:
    stream, metrics = Stream(1), Metrics()
    written = Written(stream.campaigns)
    processors = {owner.partition: owner.processor for owner in stream.campaigns}
    log = SimpleNamespace(
        topic="shop-campaigns-log", writer=written, processors=processors, metrics=metrics, rules=RULES
    )
    budgets = Budgets(cast(EntityLog, log), PARTITIONS, 15)
    (home,) = homes_of(["win-back"], PARTITIONS)
    some = reports(days=40, held=0.16, lift=-0.05)
    shown = metrics.registry.get_sample_value
    budgets.set(CampaignSet(campaigns=(campaign("win-back"),)))

    def profit(bound: str) -> float | None:
        return shown("offerstream_campaign_profit_cents", {"campaign": "win-back", "bound": bound})

    def after(*few: EffectReported) -> EffectMeasured:
        stream.campaigns[home].log += [(None, msgspec.json.encode(each)) for each in few]
        stream.campaigns[home].work()
        budgets.show()
        side = stream.campaigns[home].processor.side
        assert isinstance(side, CampaignSide)
        return side.effects["win-back"][0]

    first = after(some[0])
    assert first.verdict == "too_few"
    assert (profit("low"), profit("high")) == (None, None)
    newest = after(*some[1:])
    told = newest.incremental["profit"]
    assert (profit("low"), profit("mean"), profit("high")) == (told.low, told.mean, told.high)
    assert (newest.verdict, newest.sides_differ) == ("loses", True)
    for name, labels, value in (
        ("campaign_shoppers", {"side": "offered"}, newest.shoppers),
        ("campaign_shoppers", {"side": "holdout"}, newest.held),
        ("campaign_sides_differ", {}, 1),
        ("campaign_open", {}, 1),
    ):
        assert shown(f"offerstream_{name}", {"campaign": "win-back", **labels}) == value
    processors.clear()
    budgets.show()
    assert "win-back" not in generate_latest(metrics.registry).decode()

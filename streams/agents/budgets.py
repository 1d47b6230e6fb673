"""Writes into the campaigns' log which budgets campaigns have, and shows where they are and what they brought."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import msgspec

from streams.agents.choices import ASK_AGAIN_SECONDS
from streams.agents.entity_log import EntityLog
from streams.budget.ledger import ARITHMETIC, REUSING
from streams.entities.campaign import CampaignSide
from streams.processing.partition import PartitionProcessor
from streams.processing.spending import homes_of
from streams.records.budget import PRICE_UNIT, BudgetSet, encode_budget_record
from streams.records.campaigns import Campaign, CampaignSet
from streams.records.effects import EffectMeasured


def budget_of(campaign: Campaign, currency: str, partitions: int, lease_minutes: int) -> BudgetSet | None:
    """What a campaign may spend in a currency; None where it says nothing of it. ``partitions``: of shoppers;
    ``lease_minutes``: how long a lease is good for."""
    said = campaign.budget.get(currency)
    if said is None:
        return None
    return BudgetSet(
        campaign=campaign.id,
        currency=currency,
        revision=0,
        total_cents=said.total_cents,
        daily_cents=said.daily_cents,
        starts_at_ms=int(campaign.start.timestamp() * 1000),
        ends_at_ms=int(campaign.end.timestamp() * 1000),
        pacing=campaign.pacing,
        open=campaign.approval == "approved",
        partitions=partitions,
        lease_minutes=lease_minutes,
        arithmetic=REUSING if campaign.of_ads else ARITHMETIC,
    )


class Budgets:
    """What operators want, held against the ledgers of the partitions that this worker owns: ``log`` is theirs, of so
    many ``partitions``; ``lease_minutes``: how long a lease is good for."""

    def __init__(self, log: EntityLog, partitions: int, lease_minutes: int) -> None:
        self._log, self._partitions, self._lease_minutes = log, partitions, lease_minutes
        self._asked: dict[str, tuple[float, BudgetSet]] = {}
        self._shown: set[str] = set()

    def set(self, wanted: CampaignSet) -> None:
        """Write the budget of each campaign into its partition where its ledger has another; a campaign that is not
        wanted any more leases nothing. Written again when the ledger has not come to it for a while."""
        now, currency = time.monotonic(), self._log.rules.decode.currency
        said = {
            campaign.id: budget_of(campaign, currency, self._partitions, self._lease_minutes)
            for campaign in wanted.campaigns
        }
        for side, partition in self._sides():
            gone = {name: held for name, held in side.budgets.items() if held.open and said.get(name) is None}
            ours = [
                name for name, home in zip(said, homes_of(said, self._partitions), strict=True) if home == partition
            ]
            budgets = [msgspec.structs.replace(held, open=False) for held in gone.values()]
            budgets += [budget for name in ours if (budget := said[name]) is not None]
            for budget in budgets:
                self._write(budget, side.budgets.get(budget.campaign), partition, now)

    def _write(self, budget: BudgetSet, held: BudgetSet | None, partition: int, now: float) -> None:
        if held is not None:
            same = msgspec.structs.replace(budget, revision=held.revision, arithmetic=held.arithmetic)
            same = msgspec.structs.replace(same, first_price_micros=held.first_price_micros)
            if same == held:
                return
            budget = msgspec.structs.replace(same, revision=held.revision + 1)
        asked, what = self._asked.get(budget.campaign, (0.0, None))
        if what == budget and now - asked < ASK_AGAIN_SECONDS:
            return
        self._asked[budget.campaign] = now, budget
        self._log.writer.say(self._log.topic, encode_budget_record(budget), partition=partition)

    def show(self) -> None:
        """Where the budgets are that this worker keeps, and what their campaigns brought, as metrics."""
        m, before, self._shown = self._log.metrics, self._shown, set()
        gauges = (m.campaign_budget, m.campaign_price, m.campaign_open)
        effects = (m.campaign_profit, m.campaign_shoppers, m.campaign_sides_differ)
        for side, _ in self._sides():
            for name, (balance, price_micros) in side.balances().items():
                for part, value in zip(("total", "remaining", "leased", "spent"), balance, strict=True):
                    m.campaign_budget.labels(name, part).set(value)
                m.campaign_price.labels(name).set(price_micros / PRICE_UNIT)
                m.campaign_open.labels(name).set(side.budgets[name].open)
                self._shown.add(name)
            for name, estimates in side.effects.items():
                for whole in estimates[:1]:
                    self._show_effect(name, whole)
        for name in before - self._shown:
            for gauge in (*gauges, *effects):
                gauge.remove_by_labels({"campaign": name})

    def _show_effect(self, name: str, whole: EffectMeasured) -> None:
        m, profit = self._log.metrics, whole.incremental.get("profit")
        for bound in ("low", "mean", "high"):
            value = None if profit is None else getattr(profit, bound)
            if value is None:
                m.campaign_profit.remove_by_labels({"campaign": name, "bound": bound})
            else:
                m.campaign_profit.labels(name, bound).set(value)
        m.campaign_shoppers.labels(name, "offered").set(whole.shoppers)
        m.campaign_shoppers.labels(name, "holdout").set(whole.held)
        m.campaign_sides_differ.labels(name).set(whole.sides_differ)
        self._shown.add(name)

    def _sides(self) -> Iterator[tuple[CampaignSide, int]]:
        processors: Mapping[int, PartitionProcessor] = self._log.processors
        for partition, processor in list(processors.items()):
            assert isinstance(processor.side, CampaignSide)
            yield processor.side, partition

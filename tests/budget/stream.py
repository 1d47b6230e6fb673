"""The logs of shoppers and campaigns in a few partitions each, side by side; workers that die anywhere; and what became
of budgets, held against the rows of shoppers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from streams.columns.layout import Column
from streams.entities.campaign import CAMPAIGN, CampaignSide
from streams.entities.shopper import ShopperSide
from streams.processing.entity import Emitted, Entity
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.processing.spending import Spending, homes_of
from streams.records import events as e
from streams.records.budget import BudgetSet, encode_budget_record
from streams.records.outcomes import encode_outcome
from streams.records.slices import Slice
from streams.state.keys import ALIAS, OPEN, PROGRESS, ROW, TALLY
from tests.shoppers import NOON, Log, log_of
from tests.spender import CAMPAIGNS, CURRENCY, ONLY_SPENDERS
from tests.worlds import DictTier

PARTITIONS = 2
MINUTE, HOUR = 60_000, 3_600_000
#: After midnight: all of it is one day.
START = NOON + 2 * HOUR
RULES = Rules(allowed_lateness_ms=10 * MINUTE)
APPENDED = NOON + 10**9


class NoModels:
    """A shelf of nothing: only what is decided without models is decided."""

    def tasks_of(self, entity: str) -> Sequence[str]:
        """None."""
        return ()

    def outputs(self, task: str) -> Any:
        """Never asked."""
        raise KeyError(task)

    def shipped(self, task: str) -> str:
        """Never asked."""
        raise KeyError(task)

    def model(self, task: str, version: str | None = None) -> object:
        """Never asked."""
        raise KeyError(task)


def budgets(partitions: int = PARTITIONS, **changed: object) -> list[BudgetSet]:
    """One of each campaign."""
    plain = {"revision": 0, "total_cents": 60_000, "daily_cents": 40_000} | changed
    return [BudgetSet(campaign=c, currency=CURRENCY, partitions=partitions, **plain) for c in CAMPAIGNS]  # type: ignore[arg-type]


def history(seed: int, n: int, shoppers: int = 30, hours: float = 2.0) -> Log:
    """Carts, views and redemptions of some hours, with duplicates and disorder."""
    rng, found = random.Random(seed), list[e.ShopperEvent]()
    for k in range(n):
        at = START + int(k / n * hours * HOUR) - rng.randint(0, 5 * MINUTE) * (rng.random() < 0.2)
        base = {"event_id": f"e{k}", "shopper_id": f"shopper-{rng.randrange(shoppers)}", "event_time": at}
        kind = rng.random()
        if kind < 0.6:
            found.append(e.CartItemAdded(item_id="tea", quantity=1, **base))  # type: ignore[arg-type]
        elif kind < 0.75:
            found.append(e.OfferRedeemed(offer_id="x", **base))  # type: ignore[arg-type]
        else:
            found.append(e.ItemViewed(item_id="tea", **base))  # type: ignore[arg-type]
        if rng.random() < 0.02:
            found.append(rng.choice(found[-20:]))
    return log_of(*found)


def by_home(log: Log, partitions: int = PARTITIONS) -> dict[int, Log]:
    """A log by the partition of each key."""
    home = homes([key for key, _ in log], "murmur2", partitions).tolist()
    return {p: [one for one, q in zip(log, home, strict=True) if q == p] for p in range(partitions)}


def slices(entity: Entity, partition: int, log: Log, start: int, cuts: Iterable[int] = ()) -> list[Slice]:
    """A log from an offset on, cut before the given ones."""
    bounds = sorted({start, *(c for c in cuts if start < c < len(log)), len(log)})
    return [
        Slice(
            entity.log, partition, range(a, b), [APPENDED] * (b - a), [k for k, _ in log[a:b]], [v for _, v in log[a:b]]
        )
        for a, b in itertools.pairwise(bounds)
    ]


@dataclass
class Owner:
    """One partition of one of the two, with whoever owns it now."""

    entity: Entity
    partition: int
    rules: Rules = RULES
    log: Log = field(default_factory=list)
    tier: DictTier = field(default_factory=DictTier)
    outcomes: dict[str, bytes] = field(default_factory=dict)
    """By id; the same id must always say the same."""

    def __post_init__(self) -> None:
        self.processor = self.begin()

    def begin(self, tier: DictTier | None = None) -> PartitionProcessor:
        """A processor that goes on from what is durable, or from a copy of it."""
        return PartitionProcessor(
            self.entity,
            self.partition,
            self.rules,
            NoModels(),  # type: ignore[arg-type]
            tier=tier or self.tier,
            partitions=PARTITIONS,
            group="shop",
        )

    def work(self, cuts: Iterable[int] = (), processor: PartitionProcessor | None = None) -> list[Emitted]:
        """Apply all that waits."""
        processor = processor or self.processor
        found: list[Emitted] = []
        for slice_ in slices(self.entity, self.partition, self.log, processor.next_offset, cuts):
            result = processor.apply(slice_)
            assert not result.dead
            found += result.emitted
            for outcome in result.outcomes:
                value = encode_outcome(outcome)
                assert self.outcomes.setdefault(outcome.outcome_id, value) == value
        return found

    def die(self, rng: random.Random, lost: float) -> None:
        """Within a flush: what is known beside rows came, and some rows; or before it."""
        if rng.random() < 0.7:
            changes = self.processor.drain_changes()
            beside = (ALIAS, OPEN, TALLY)
            self.tier.write(
                {k: v for k, v in changes.items() if k[:1] in beside or (k != PROGRESS and rng.random() > lost)}
            )
        self.processor = self.begin()


class Stream:
    """All logs and their owners. What is said is delivered at the end of a step, some of it twice."""

    def __init__(self, seed: int, spender: Entity = ONLY_SPENDERS, rules: Rules = RULES) -> None:
        self.rng = random.Random(seed)
        self.shoppers = [Owner(spender, p, rules) for p in range(PARTITIONS)]
        self.campaigns = [Owner(CAMPAIGN, q, rules) for q in range(PARTITIONS)]
        self.total = dict.fromkeys(CAMPAIGNS, 0)

    @property
    def owners(self) -> list[Owner]:
        """All."""
        return [*self.shoppers, *self.campaigns]

    def set(self, some: Iterable[BudgetSet]) -> None:
        """An operator sets budgets."""
        for budget in some:
            (q,) = homes_of([budget.campaign], PARTITIONS)
            self.campaigns[q].log.append((None, encode_budget_record(budget)))
            self.total[budget.campaign] = max(self.total[budget.campaign], budget.total_cents)

    def deliver(self, said: Iterable[Emitted]) -> None:
        """To the logs of the other."""
        for one in said:
            if one.entity in ("shopper", "campaign"):
                owners = self.shoppers if one.entity == "shopper" else self.campaigns
                owners[one.partition].log.append((None, one.value))

    def step(self, owner: Owner, trouble: float = 0.0) -> None:
        """An owner applies what waits; it flushes, or dies in one, or wakes up late and says all again."""
        # With a store of its own, as another worker's is.
        zombie = owner.begin(DictTier(owner.tier.held)) if self.rng.random() < trouble / 2 else None
        n = len(owner.log)
        cuts = [self.rng.randrange(n) for _ in range(self.rng.randint(0, 3))] if n else []
        said = owner.work(cuts)
        if self.rng.random() < trouble:
            # Delivered before rows are written, or up to anywhere when it died before.
            self.deliver(said[: self.rng.randint(0, len(said))])
            died_before_rows = self.rng.random() < 0.3
            if died_before_rows:
                owner.processor = owner.begin()
            else:
                self.deliver(said)
                owner.die(self.rng, self.rng.random())
        else:
            self.deliver(said)
            if self.rng.random() < 0.5:
                owner.tier.write(owner.processor.drain_changes())
        if zombie is not None:
            self.deliver(owner.work((), zombie))

    def run(self, log: Log, chunk: int, trouble: float = 0.0) -> None:
        """Shoppers come, ``chunk`` records at a time; ledgers answer in between."""
        waiting = by_home(log)
        for q in self.campaigns:
            self.step(q)
        at = dict.fromkeys(waiting, 0)
        while any(at[p] < len(waiting[p]) for p in waiting):
            # Side by side by event time, more or less.
            p = min((p for p in waiting if at[p] < len(waiting[p])), key=lambda p: at[p] / len(waiting[p]))
            n = self.rng.randint(1, chunk)
            self.shoppers[p].log += waiting[p][at[p] : at[p] + n]
            at[p] += n
            self.step(self.shoppers[p], trouble)
            if self.rng.random() < 0.8:
                for q in self.campaigns:
                    self.step(q, trouble)
            self.check()

    def settle(self, at_ms: int) -> None:
        """The campaigns are paused, and time goes on without shoppers until all is told and every lease is back."""
        sides = [owner.processor.side for owner in self.campaigns]
        held = [b for side in sides if isinstance(side, CampaignSide) for b in side.budgets.values()]
        self.set(msgspec.structs.replace(b, revision=b.revision + 1, open=False) for b in held)
        for k in range(0, 4 * HOUR, 20 * MINUTE):
            for owner in self.shoppers:
                owner.log += log_of(e.ClockTicked(event_time=at_ms + k))
            for owner in self.owners:
                self.step(owner)
            self.check()
        for owner in self.owners:
            owner.tier.write(owner.processor.drain_changes())

    def check(self) -> None:
        """At every place in every log no cent is lost, and nobody holds what was not granted."""
        for owner in self.campaigns:
            side = owner.processor.side
            assert isinstance(side, CampaignSide)
            for campaign, (balance, _) in side.balances().items():
                assert balance.budget_cents == balance.remaining_cents + balance.leased_cents + balance.spent_cents
                assert min(balance.leased_cents, balance.spent_cents) >= 0
                assert balance.leased_cents + balance.spent_cents <= self.total[campaign]
        for owner in self.shoppers:
            for campaign in CAMPAIGNS:
                purse = spending(owner.processor).purse(campaign, CURRENCY)
                if purse is not None:
                    reserved = sum(purse.reserved.values())
                    assert purse.committed == reserved + purse.settled + purse.released
                    assert purse.granted == purse.free + purse.returned + purse.committed
                    assert min(purse.free, reserved, purse.settled, purse.released, purse.returned) >= 0


def spending(processor: PartitionProcessor) -> Spending:
    """What a partition may spend."""
    assert isinstance(processor.side, ShopperSide)
    assert processor.side.spending is not None
    return processor.side.spending


def summed(processors: Iterable[PartitionProcessor], column: Column) -> int:
    """Of all rows."""
    processors = list(processors)
    for processor in processors:
        processor.arena.warm(ROW, 1_000_000)
    return sum(
        int(np.sum(p.arena.rows.copy(p.arena.find(sorted(p.arena.keys()))).column(column.name)))
        for p in processors
        if len(p.arena)
    )

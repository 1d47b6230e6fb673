"""Whatever happens to workers, what campaigns spend adds up to the cent, and no budget is overspent."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from models.store import Shelf, Store
from streams.admin import TopicError
from streams.budget.ledger import Balance
from streams.campaign_book import publish
from streams.entities.campaign import CAMPAIGN, CampaignSide
from streams.outside.inspect import changelog_values, features_at
from streams.processing.entity import Entity
from streams.processing.partition import PartitionProcessor
from streams.processing.spending import PURSES, Spending, homes_of
from streams.records import events as e
from streams.records.budget import BudgetSet, LeaseGranted, SpendReported, budget_decoder, encode_budget_record
from streams.records.campaign_changes import CampaignApplied, CampaignChange
from streams.records.events import encode_event
from streams.state.codec import row_bytes
from streams.state.keys import PROGRESS
from streams.topics import EVENTS
from tests.budget.stream import HOUR, MINUTE, START, budgets, history, spending, summed
from tests.budget.test_budgets import campaign as one_campaign
from tests.kafka.harness import SHORT, UNLIKE_STEPS, Cluster, Worker, wait_until
from tests.shoppers import Log
from tests.spender import CAMPAIGNS, COMMITTED, CURRENCY, SPENDERS, SPENT

pytestmark = pytest.mark.kafka
TOTAL, DAILY = 60_000, 30_000


@dataclass
class Shop:
    """Shoppers of two hours, who come some minutes at a time, and what became of two budgets."""

    cluster: Cluster
    n: int = 1500
    sent: int = 0
    log: Log = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = history(7, self.n, 60)
        self.campaigns_log = CAMPAIGN.topic(self.cluster.app_id)

    def worker(self, kill_at: str = "", **settings: str) -> Worker:
        """One that spends."""
        return self.cluster.worker(kill_at, spends="yes", flush_seconds="0.1", **settings)

    def say(self, topic: str, records: Iterable[tuple[int, bytes]]) -> None:
        """Produce into partitions, as workers do."""
        producer = Producer({"bootstrap.servers": self.cluster.bootstrap})
        for partition, value in records:
            producer.produce(topic, value, partition=partition)
        assert producer.flush(60) == 0

    def budget(self, some: Iterable[BudgetSet]) -> None:
        """An operator sets budgets."""
        values = [(budget.campaign, encode_budget_record(budget)) for budget in some]
        home = homes_of([name for name, _ in values], self.cluster.partitions)
        self.say(self.campaigns_log, [(p, value) for p, (_, value) in zip(home, values, strict=True)])

    def tick(self, at_ms: int) -> None:
        """Time passes in every partition."""
        value = encode_event(e.ClockTicked(event_time=at_ms))
        self.say(EVENTS.name, [(p, value) for p in range(self.cluster.partitions)])

    def come(self, part: float) -> None:
        """The next shoppers: a part of all."""
        n = min(len(self.log), self.sent + int(part * len(self.log)))
        self.cluster.send(self.log[self.sent : n])
        self.sent = n

    def day(self, until: float) -> None:
        """Shoppers come until so many of all have; ledgers answer in between."""
        while self.sent < until * len(self.log):
            self.come(0.05)
            self.cluster.wait_caught_up()

    def close(self) -> None:
        """The campaigns are paused, and time goes on until every lease is back."""
        self.budget(budgets(3, revision=1, open=False, total_cents=TOTAL, daily_cents=DAILY, pacing="asap"))
        for k in range(10):
            self.tick(START + 3 * HOUR + k * 25 * MINUTE)
            self.cluster.wait_caught_up()

    def plain(self, entity: Entity) -> tuple[list[PartitionProcessor], set[tuple[str, int, bytes]]]:
        """What a plain loop makes of an entity's log, and what it says of budgets."""
        found, said = list[PartitionProcessor](), set[tuple[str, int, bytes]]()
        for partition, slices in self.cluster.slices(entity.topic(self.cluster.app_id)).items():
            processor = PartitionProcessor(
                entity,
                partition,
                self.cluster.settings().rules(),
                Shelf(Store(self.cluster.models)),
                partitions=self.cluster.partitions,
                group=self.cluster.app_id,
            )
            for slice_ in slices:
                for one in processor.apply(slice_).emitted:
                    if one.entity != "item":
                        said.add((one.entity, one.partition, one.value))
            found.append(processor)
        return found, said

    def assert_adds_up(self) -> None:
        """All is as in a plain loop, and every ledger knows what the rows of shoppers say."""
        (shoppers, reports), (campaigns, leases) = self.plain(SPENDERS), self.plain(CAMPAIGN)
        for entity, processors in ((SPENDERS, shoppers), (CAMPAIGN, campaigns)):
            rows = [p.drain_changes().items() for p in processors]
            plain = {k: row_bytes(v) for held in rows for k, v in held if k[:1] == b"s" and v is not None}
            assert self.cluster.rows(entity) == plain
        assert self.said("shopper", EVENTS.name) == leases
        assert self.said("campaign", self.campaigns_log) == reports
        self._same_ledgers(campaigns)
        self._same_purses(shoppers)
        balances: dict[str, tuple[Balance, int]] = {}
        for processor in campaigns:
            assert isinstance(processor.side, CampaignSide)
            balances |= processor.side.balances()
        for c, campaign in enumerate(CAMPAIGNS):
            balance, _ = balances[campaign]
            committed, spent = summed(shoppers, COMMITTED[c]), summed(shoppers, SPENT[c])
            assert 0 < spent == balance.spent_cents < committed <= DAILY
            assert (balance.budget_cents, balance.leased_cents) == (TOTAL, 0)
            assert balance.remaining_cents == TOTAL - spent

    def said(self, entity: str, topic: str) -> set[tuple[str, int, bytes]]:
        """Leases or reports as they stand in a log: said twice they say the same, and what is new is said in order."""
        found, newest = dict[Any, bytes](), dict[Any, int]()
        for partition, _, _, _, value in self.cluster.read(topic):
            kind = msgspec.json.decode(value or b"")["type"]
            if kind not in ("lease_granted", "spend_reported"):
                continue
            record = budget_decoder.decode(value or b"")
            assert isinstance(record, LeaseGranted | SpendReported)
            who = record.partition if isinstance(record, LeaseGranted) else record.source_partition
            key = (partition, record.campaign, who)
            if record.sequence > newest.get(key, -1):
                assert record.sequence == newest.get(key, -1) + 1
                newest[key] = record.sequence
            assert found.setdefault((*key, record.sequence), value or b"") == value
        return {(entity, key[0], value) for key, value in found.items()}

    def _same_ledgers(self, plain: list[PartitionProcessor]) -> None:
        held = changelog_values(self.cluster.settings(), lambda key: key == PROGRESS, entity=CAMPAIGN.name)
        for processor in plain:
            meta = msgspec.json.decode(held[processor.partition][PROGRESS])
            assert meta["ledger"] == msgspec.json.decode(msgspec.json.encode(processor.side.progress()["ledger"]))

    def _same_purses(self, plain: list[PartitionProcessor]) -> None:
        held = changelog_values(self.cluster.settings(), lambda key: key == PURSES)
        for processor in plain:
            theirs = Spending(processor.partition, self.cluster.app_id, "UTC")
            theirs.restore(held[processor.partition][PURSES])
            for campaign in CAMPAIGNS:
                ours = spending(processor).purse(campaign, CURRENCY)
                assert ours == theirs.purse(campaign, CURRENCY) is not None


@pytest.fixture
def shop(cluster: Cluster) -> Shop:
    """Two budgets are set."""
    found = Shop(cluster)
    found.budget(budgets(3, total_cents=TOTAL, daily_cents=DAILY, pacing="asap"))
    return found


def test_what_operators_apply_is_a_budget_that_is_leased(cluster: Cluster) -> None:
    worker = cluster.worker()
    cluster.send(history(3, 60))

    def apply(**changed: Any) -> None:
        changes: list[CampaignChange] = [
            CampaignApplied(campaign=one_campaign(name, **changed), change_id="1", reason="", changed_at_ms=0)
            for name in CAMPAIGNS
        ]
        publish(cluster.settings().access, changes)

    def wait(total: float) -> None:
        """Until the ledger of each campaign says so."""

        def says(name: str) -> bool:
            with suppress(TopicError):
                return features_at(cluster.settings(), name, None, CAMPAIGN)[1]["budget.total"][0] == total
            return False

        wait_until(lambda: all(map(says, CAMPAIGNS)), worker)

    apply()
    wait(5_000)
    apply(budget={"USD": {"total_cents": 9_000}})
    wait(9_000)
    lines = [
        line
        for name in CAMPAIGNS
        for line in (
            f'offerstream_campaign_budget_cents{{campaign="{name}",part="remaining"}} 9000.0',
            f'offerstream_campaign_price{{campaign="{name}"}} 1.0',
        )
    ]
    wait_until(lambda: all(line in worker.get("/metrics")[1] for line in lines), worker, 30)
    # Every partition of shoppers knows both.
    values = [value or b"" for *_, value in cluster.read(EVENTS.name)]
    leases = [budget_decoder.decode(value) for value in values if b'"lease_granted"' in value]
    told = {(lease.campaign, lease.partition, lease.group) for lease in leases if isinstance(lease, LeaseGranted)}
    assert told == {(name, p, cluster.app_id) for name in CAMPAIGNS for p in range(cluster.partitions)}
    worker.stop()


def test_kill_9_within_flushes_and_a_slice(shop: Shop) -> None:
    """One day, a worker killed at one step after the other; the last but one starts with an empty disk."""
    for i, step in enumerate(UNLIKE_STEPS):
        worker = shop.worker(kill_at=f"{step}:{3 if step == 'mid_slice' else 2}", data=f"data-{i // 2}")

        def died(worker: Worker = worker) -> bool:
            if worker.process.poll() is None:
                shop.come(0.003)
            return worker.process.poll() is not None

        wait_until(died, pause=0.2, told=worker.tail)
        worker.wait_killed()
    last = shop.worker(data="data-last")
    shop.day(1.0)
    shop.close()
    last.stop()
    shop.assert_adds_up()


def test_two_workers_hand_budgets_over(shop: Shop) -> None:
    first = shop.worker(data="first", **SHORT)
    shop.day(0.3)
    second = shop.worker(data="second")
    shop.come(0.1)
    second.wait_ready()
    shop.day(0.6)
    shop.come(0.05)
    first.kill()
    shop.day(1.0)
    shop.close()
    second.stop()
    shop.assert_adds_up()


def test_a_worker_stopped_and_continued_spends_nothing_twice(shop: Shop) -> None:
    """It sleeps past its session, with leases in its purses and a ledger of its own; another takes over."""
    zombie = shop.worker(data="zombie", **SHORT)
    shop.day(0.3)
    shop.come(0.05)
    zombie.process.send_signal(signal.SIGSTOP)
    other = shop.worker(data="other")
    shop.day(0.6)
    shop.come(0.1)
    zombie.process.send_signal(signal.SIGCONT)
    shop.day(1.0)
    zombie.wait_ready()
    shop.close()
    other.stop()
    zombie.stop()
    shop.assert_adds_up()

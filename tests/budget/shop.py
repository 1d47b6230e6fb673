"""Partitions of shoppers, a ledger, and their logs, small enough to be killed anywhere; and what really happened, kept
by plain sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streams.budget.candidates import Candidates, SliceTimes
from streams.budget.ledger import Ledger
from streams.budget.purses import Purses
from streams.features.days import Days
from streams.records.budget import (
    AnyBudgetRecord,
    BudgetSet,
    LeaseGranted,
    SpendReported,
    budget_decoder,
    encode_budget_record,
)

CAMPAIGN, CURRENCY, ZONE = "win-back", "USD", "America/New_York"
MIDNIGHT = 1_772_946_000_000
"""2026-03-08 00:00 in New York: a day of 23 hours."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LATENESS = 5 * MINUTE
Row = tuple[int, dict[int, tuple[int, int]]]
"""Before which offset it stands; the shopper's open offers, by offset: what was reserved, and their end."""


class Asked(NamedTuple):
    """A record that makes shoppers due: ``of`` each with the offer's cost and value."""

    time_ms: int
    of: tuple[tuple[int, int, float], ...]
    valid_ms: int = 2 * HOUR


class Redeemed(NamedTuple):
    """A shopper redeems the oldest of their open offers."""

    time_ms: int
    shopper: int
    cost: int


def budget(**changed: Any) -> BudgetSet:
    """A budget of three partitions that paces a day."""
    plain = {"revision": 0, "total_cents": 10_000, "daily_cents": 4_000, "partitions": 3}
    return BudgetSet(campaign=CAMPAIGN, currency=CURRENCY, **(plain | changed))


@dataclass(slots=True)
class Truth:
    """What was answered where, by all who ever answered."""

    accepted: dict[tuple[int, int, int], tuple[bool, int, int]] = field(default_factory=dict)
    """By partition, offset and shopper: whether, its cost, the shop's day."""
    charged: dict[tuple[int, int], int] = field(default_factory=dict)
    reports: dict[tuple[int, int], SpendReported] = field(default_factory=dict)
    grants: dict[tuple[int, int], LeaseGranted] = field(default_factory=dict)
    released: dict[int, int] = field(default_factory=dict)

    def agree(self, held: dict[Any, Any], key: Any, said: Any) -> None:
        """What was said before is said again just so."""
        assert held.setdefault(key, said) == said, (key, held[key], said)

    def committed(self, day: int | None = None) -> int:
        """Cost of all that was accepted (on a day)."""
        return sum(cost for yes, cost, at in self.accepted.values() if yes and day in (None, at))

    @property
    def bound(self) -> int:
        """What is spent or may have to be."""
        return self.committed() - sum(self.released.values())


class Shoppers:
    """One partition: its log, its worker, and what of its work is durable."""

    def __init__(self, partition: int, truth: Truth) -> None:
        self.partition, self.truth = partition, truth
        self.log: list[Asked | Redeemed | LeaseGranted | int] = []
        self.purses = Purses(partition, ZONE)
        self.rows: dict[int, Row] = {}
        self.next_offset, self.newest_ms = 0, 0
        self.durable: tuple[bytes, dict[int, Row], int, int] = (b"", {}, 0, 0)

    @property
    def end_ms(self) -> int:
        """Newest time in the log."""
        return max([MIDNIGHT, *map(_time, self.log)])

    def work(self, stop: int, cut: int = 0) -> list[SpendReported]:
        """Apply the log up to an offset as one slice; ``cut``: offers are asked for in two calls."""
        start = self.next_offset
        records = self.log[start:stop]
        if not records:
            return []
        offset = np.arange(start, start + len(records))
        newest = np.maximum.accumulate(np.array([self.newest_ms, *map(_time, records)]))
        times = SliceTimes(offset, newest[1:], newest[:-1] - LATENESS)
        grants = [(start + i, one) for i, one in enumerate(records) if isinstance(one, LeaseGranted)]
        self.purses.begin(times, grants)
        before = {shopper: row[0] for shopper, row in self.rows.items()}
        asked = [
            (start + i, shopper, cost, value, int(newest[i + 1]) + one.valid_ms)
            for i, one in enumerate(records)
            if isinstance(one, Asked)
            for shopper, cost, value in one.of
            if start + i >= before.get(shopper, 0)
        ]
        answers = [yes for some in (asked[:cut], asked[cut:]) for yes in self._afford(some)]
        answered = {(one[0], one[1]): (yes, one) for one, yes in zip(asked, answers, strict=True)}
        for i, record in enumerate(records):
            at = start + i
            if isinstance(record, Asked):
                for shopper, _, _ in record.of:
                    if (at, shopper) in answered:
                        yes, (_, _, cost, _, ends) = answered[at, shopper]
                        said = yes, cost, _day(int(newest[i + 1]))
                        self.truth.agree(self.truth.accepted, (self.partition, at, shopper), said)
                        held = dict(self.rows.get(shopper, (0, {}))[1])
                        self.rows[shopper] = at + 1, held | ({at: (cost, ends)} if yes else {})
            elif isinstance(record, Redeemed) and at >= before.get(record.shopper, 0):
                self._redeem(at, record, record.time_ms < int(times.watermark_ms[i]))
        self.next_offset, self.newest_ms = start + len(records), int(newest[-1])
        reports = self.purses.end()
        for report in reports:
            self.truth.agree(self.truth.reports, (self.partition, report.sequence), report)
        purse = self.purses.purse(CAMPAIGN, CURRENCY)
        if purse is not None:
            held_back = max(self.truth.released.get(self.partition, 0), purse.released)
            self.truth.released[self.partition] = held_back
        return reports

    def _afford(self, asked: list[tuple[int, int, int, float, int]]) -> list[bool]:
        if not asked:
            return []
        offset, key, cost, value, ends = (np.array(column) for column in zip(*asked, strict=True))
        some = Candidates(offset, key.astype(np.uint64), cost, value.astype(float), ends, np.zeros(len(key), np.bool_))
        answers: list[bool] = self.purses.afford(CAMPAIGN, CURRENCY, some).tolist()
        return answers

    def _redeem(self, at: int, record: Redeemed, late: bool) -> None:
        offers = dict(self.rows.get(record.shopper, (0, {}))[1])
        if late or not offers:
            return
        reserved, ends = offers.pop(min(offers))
        self.rows[record.shopper] = at + 1, offers
        charged = self.purses.settle(CAMPAIGN, CURRENCY, at, record.time_ms, reserved, ends, record.cost)
        self.truth.agree(self.truth.charged, (self.partition, at), charged)
        assert 0 <= charged <= min(reserved, record.cost)

    def flush(self, upto: int) -> None:
        """Write what is known. ``upto``: 0 nothing comes, 1 the purses, 2 and some rows, 3 and all, 4 and progress."""
        held, rows, progress, newest = self.durable
        value = self.purses.drain_changes(self.next_offset)
        if upto >= 1:
            held = value
        if upto >= 2:
            rows = rows | {shopper: row for shopper, row in self.rows.items() if upto > 2 or shopper % 2}
        if upto >= 4:
            progress, newest = self.next_offset, self.newest_ms
        self.durable = held, rows, progress, newest
        if upto < 4:
            self.crash()

    def crash(self) -> None:
        """Begin anew with what is durable."""
        held, rows, self.next_offset, self.newest_ms = self.durable
        self.rows, self.purses = dict(rows), Purses(self.partition, ZONE)
        if held:
            self.purses.restore(held)


class Campaigns:
    """The campaigns' log, and the ledger that its owner keeps."""

    def __init__(self, truth: Truth, partitions: int) -> None:
        self.truth, self.log = truth, list[AnyBudgetRecord]()
        self.shoppers = [Shoppers(p, truth) for p in range(partitions)]
        self.ledger, self.applied = Ledger(ZONE), 0
        self.durable: tuple[bytes, int] = (b"[]", 0)

    def lead(self, most: int = 10**6) -> None:
        """Apply records of the log; what is granted goes to the ends of the shoppers' logs."""
        stop = min(self.applied + most, len(self.log))
        self.say(self.ledger, self.log[self.applied : stop])
        self.applied = stop

    def say(self, ledger: Ledger, records: list[AnyBudgetRecord]) -> None:
        """A ledger, the owner's or not, applies records and grants."""
        for record in records:
            before = _leased(ledger)
            for grant in ledger.apply(budget_decoder.decode(encode_budget_record(record))):
                self.truth.agree(self.truth.grants, (grant.partition, grant.sequence), grant)
                assert _leased(ledger) <= before or ledger.balance(CAMPAIGN, CURRENCY).remaining_cents >= 0
                self.shoppers[grant.partition].log.append(grant)

    def flush(self) -> None:
        """Write what the ledger came to, as JSON, with the offset in one record."""
        self.durable = msgspec.json.encode(self.ledger.progress()), self.applied

    def crash(self) -> Ledger:
        """Another owner begins with what is durable; gives the one that is taken for dead."""
        late, self.ledger = self.ledger, Ledger(ZONE)
        held, self.applied = self.durable
        self.ledger.restore(msgspec.json.decode(held))
        return late


def _leased(ledger: Ledger) -> int:
    try:
        return ledger.balance(CAMPAIGN, CURRENCY).leased_cents
    except KeyError:
        return 0


def _time(record: Asked | Redeemed | LeaseGranted | int) -> int:
    if isinstance(record, LeaseGranted):
        return 0
    return record if isinstance(record, int) else record.time_ms


def _day(time_ms: int) -> int:
    return int(Days(ZONE).number(np.array([time_ms // MINUTE * MINUTE]))[0])

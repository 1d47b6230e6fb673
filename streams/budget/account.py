"""A campaign's budget in one currency, as its ledger keeps it: what partitions hold, the shop's days, and the price.

The price is the dual variable of the day's budget: it rises where more is committed than was planned, and falls where
less is (dual subgradient descent: Balseiro, Lu and Mirrokni, "The best of many worlds", Operations Research 2023),
once a minute, in steps relative to itself. What was planned for a time is what is left of the day's budget, by the
share of the demand that is expected then in all that is still expected (``plan.py``).
"""

from __future__ import annotations

import msgspec
import numpy as np

from streams.budget.plan import PARTS, WHOLE, DayPlan, learned, part_of
from streams.features.days import Days
from streams.records.budget import BudgetSet, LeaseGranted, SpendReported

#: The price moves by so many times the part of the day's budget that was committed beyond what was planned, in one step
#: by half of it at most, and stays within these bounds (millionths of a cent of value per cent of cost).
GAIN = 20
LEAST_PRICE, MOST_PRICE = 1_000, 10**12


class Holder(msgspec.Struct):
    """What the ledger knows of one partition of shoppers; sums in cents, as in ``SpendReported``."""

    granted: int = 0
    """What the ledger has granted, whether it has arrived or not."""
    returned: int = 0
    committed: int = 0
    committed_before: int = 0
    settled: int = 0
    released: int = 0
    short: int = 0
    demand: int = 0
    offers: int = 0
    day: int = -1
    reported: int = -1
    """Sequence of the newest report."""
    wanted: int = 0
    """What it came short of since the report before."""
    sequence: int = 0
    """Of the next grant."""
    told_price: int = -1
    told_day: int = -1
    told_expires_ms: int = 0
    told_lease: int = 0
    released_before: int = 0
    """``released`` when its day began."""

    @property
    def free(self) -> int:
        """What it may still commit, or has not given back yet."""
        return self.granted - self.returned - self.committed


class Book(msgspec.Struct):
    """One of the shop's days."""

    starts_ms: int
    ends_ms: int
    cents: int
    """What may be committed on it."""
    demand: list[int]
    """[PARTS] at the reference price, in cents of cost."""
    now_ms: int = 0
    share: int = 0
    """Of the plan, up to the last step of the price."""
    committed: int = 0
    """Up to the last step of the price."""
    stepped: int = 0
    """Demand up to the last step of the price."""
    came: int = 0
    """Demand lately, faded; and what would have been usual."""
    usual: int = 0
    prices: int = 0
    """Sum over steps of price and share."""
    shares: int = 0


class Account(msgspec.Struct):
    """State of one budget; plain values only."""

    budget: BudgetSet
    price: int
    reference: int
    weights: list[int] = msgspec.field(default_factory=lambda: [WHOLE // PARTS] * PARTS)
    days: int = 0
    """How many days the weights were learned from."""
    newest: int = -1
    holders: list[Holder] = []
    closed: dict[int, int] = {}
    """Day → what was committed on it by partitions that are on a later one."""
    came_back: dict[int, int] = {}
    """Day → what came back on it to them, where it may be committed again."""
    books: dict[int, Book] = {}

    @property
    def outstanding(self) -> int:
        """What is leased, reserved or spent."""
        return sum(holder.granted - holder.returned - holder.released for holder in self.holders)

    def committed_on(self, day: int) -> int:
        """What was committed on a day, as far as is known."""
        there = (holder.committed - holder.committed_before for holder in self.holders if holder.day == day)
        return self.closed.get(day, 0) + sum(there)

    def back_on(self, day: int) -> int:
        """What came back on a day, of whatever day it was, and may be committed again; 0 under the first arithmetic."""
        if self.budget.arithmetic == 1:
            return 0
        there = (holder.released - holder.released_before for holder in self.holders if holder.day == day)
        return self.came_back.get(day, 0) + sum(there)

    def exposed_on(self, day: int) -> int:
        """What may be committed on a day at most, from what was granted so far."""
        there = (h.granted - h.returned - h.committed_before for h in self.holders if h.day == day)
        return self.closed.get(day, 0) + sum(there)

    @property
    def usual_cost(self) -> int:
        """What an offer costs on average, rounded up; 0 before there is one."""
        return -(-sum(h.committed for h in self.holders) // max(sum(h.offers for h in self.holders), 1))

    def plan(self) -> DayPlan:
        """How a day is spread."""
        return DayPlan(self.weights, self.budget.pacing)

    def until_ms(self, book: Book) -> int:
        """When leasing ends on a day."""
        ends = self.budget.ends_at_ms
        return book.ends_ms if ends is None else min(book.ends_ms, ends)

    def opening(self, partition: int) -> LeaseGranted:
        """Nothing yet, but the partition knows the campaign from here on, and says what time it is there."""
        return self.grant(partition, 0, 0, -1, 0)

    def grant(self, partition: int, more: int, lease_cents: int, day: int, expires_ms: int) -> LeaseGranted:
        """The next lease of a partition."""
        holder = self.holders[partition]
        holder.granted += more
        holder.told_price, holder.told_day, holder.told_lease = self.price, day, lease_cents
        holder.told_expires_ms = expires_ms
        holder.sequence += 1
        return LeaseGranted(
            campaign=self.budget.campaign,
            currency=self.budget.currency,
            partition=partition,
            sequence=holder.sequence - 1,
            granted_cents=holder.granted,
            lease_cents=lease_cents,
            day=day,
            expires_at_ms=expires_ms,
            price_micros=0 if self.budget.pacing == "asap" else self.price,
            reference_micros=self.reference,
            ends_at_ms=self.budget.ends_at_ms,
        )

    def hear(self, holder: Holder, report: SpendReported, days: Days) -> None:
        """A partition reports, for the first time under this sequence."""
        if report.day > holder.day:
            before = report.committed_before_cents - holder.committed_before
            if holder.day >= self.newest - 1:
                self.closed[holder.day] = self.closed.get(holder.day, 0) + before
                if self.budget.arithmetic > 1:
                    back = holder.released - holder.released_before
                    self.came_back[holder.day] = self.came_back.get(holder.day, 0) + back
            holder.day, holder.released_before = report.day, holder.released
        holder.reported, holder.wanted = report.sequence, report.short_cents - holder.short
        holder.returned, holder.committed = report.returned_cents, report.committed_cents
        holder.committed_before, holder.short = report.committed_before_cents, report.short_cents
        holder.settled, holder.released = report.settled_cents, report.released_cents
        holder.offers = report.offers
        demand, holder.demand = report.demand_cents - holder.demand, report.demand_cents
        if report.day >= max(self.newest - 1, 0) and report.day not in self.books:
            self._open(report.day, days)
        if self.budget.arithmetic > 1:
            self.rebudget(days)
        book = self.books.get(report.day)
        if book is not None:
            # What is reported at a time was done before it.
            book.demand[part_of(report.event_time - 1, book.starts_ms, book.ends_ms)] += demand
            if report.day == self.newest and report.event_time > book.now_ms:
                self._step(book, report.event_time)

    def _open(self, day: int, days: Days) -> None:
        if day > self.newest:
            book = self.books.get(self.newest)
            if book is not None and book.shares and any(book.demand):
                self.weights = learned(self.weights, self.days, book.demand)
                self.days += 1
                # What the day came to on the whole is what the next one begins with.
                self.price = self.reference = max(book.prices // book.shares, LEAST_PRICE)
            self.newest = day
            for kept in (self.books, self.closed, self.came_back):
                for old in [old for old in kept if old < day - 1]:
                    del kept[old]
        starts, ends = days.start_ms(np.array([day, day + 1])).tolist()
        self.books[day] = Book(starts, ends, self._allowed(day, days), [0] * PARTS)

    def rebudget(self, days: Days) -> None:
        """The budget was changed: so are the days that are open."""
        for day, book in self.books.items():
            book.cents = max(self._allowed(day, days), 0)

    def _allowed(self, day: int, days: Days) -> int:
        """What may be committed on a day, what was committed on it before included."""
        budget, back = self.budget, self.back_on(day)
        today = self.committed_on(day) - back
        left = budget.total_cents - sum(h.committed - h.released for h in self.holders) + today
        if budget.daily_cents is None and budget.ends_at_ms is not None:
            last = int(days.number(np.array([budget.ends_at_ms - 1]))[0])
            left = left // max(last - day + 1, 1)
        return max(left if budget.daily_cents is None else min(left, budget.daily_cents), 0) + back

    def _step(self, book: Book, now_ms: int) -> None:
        """Time went on: the price moves by what was committed beyond the plan."""
        plan, committed = self.plan(), self.committed_on(self.newest)
        share = plan.share(now_ms, book.starts_ms, book.ends_ms)
        if book.now_ms and book.cents and self.budget.pacing != "asap":
            passed = share - book.share
            planned = self._planned(book, passed, plan.share(self.until_ms(book), book.starts_ms, book.ends_ms) - share)
            beyond = GAIN * (committed - book.committed - planned)
            beyond = min(max(beyond, -book.cents // 2), book.cents // 2)
            self.price = min(max(self.price + self.price * beyond // book.cents, LEAST_PRICE), MOST_PRICE)
            book.prices, book.shares = book.prices + self.price * passed, book.shares + passed
        book.now_ms, book.share, book.committed, book.stepped = now_ms, share, committed, sum(book.demand)

    def _planned(self, book: Book, passed: int, ahead: int) -> int:
        """What should have been committed since the last step, of what was left of the day's budget: half by the clock,
        ``passed`` of what was still to come of the plan's shares; half by what came, of the demand still to come then.
        At the reference price the demand of a usual day is its budget; how far today's is from that, the last eighth
        of a day of demand tells. By the clock alone, a quiet hour would make offers cheap for the next one; by demand
        alone, a day on which everything is worth more would be spent by noon."""
        left = max(book.cents - book.committed, 0)
        came, usual = sum(book.demand) - book.stepped, book.cents * passed // WHOLE
        window = max(book.cents // 8, 1)
        faded = max(window - usual, 0)
        book.came, book.usual = book.came * faded // window + came, book.usual * faded // window + usual
        prior = window // 2 + 1
        awaited = book.cents * max(ahead, 0) // WHOLE * (book.came + prior) // (book.usual + prior)
        by_clock = left * passed // (passed + ahead) if ahead > 0 else left
        return (by_clock + left * came // max(came + awaited, 1)) // 2

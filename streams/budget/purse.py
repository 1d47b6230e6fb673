"""What one partition of shoppers may commit of a campaign's budget, and did: its state, and its steps in log order."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from streams.budget.candidates import HOUR_MS, MINUTE_MS, Candidates, fit
from streams.columns.arrays import Bools
from streams.records.budget import PRICE_UNIT, LeaseGranted, SpendReported

#: A purse with nothing new to say speaks up after so many minutes of event time, and after twice as many each time that
#: nothing is granted since: a backlog is not answered where it stands.
BEAT, LONGEST_BEAT = 5, 60


class Closing(NamedTuple):
    """A record carried the log's newest event time into another minute."""

    offset: int
    minute: int
    """Since 1970."""
    day: int
    """The shop's, since 1970; -1 before any time was seen."""
    watermark_ms: int


class Settlement(NamedTuple):
    """Of an offer, what was reserved and what of that was spent."""

    offset: int
    bucket: int
    reserved_cents: int
    charged_cents: int


class Standing(NamedTuple):
    """The committing side at a closing."""

    closing: Closing
    granted: int
    returned: int
    committed: int
    committed_before: int
    short: int
    demand: int
    candidates: int
    offers: int
    answered: bool
    """Whether something was granted since the closing before."""
    active: bool
    """Whether the campaign has not ended."""


def bucket_of(expires_at_ms: int) -> int:
    """Offers are released hour by hour: number of the hour that ends at or after an offer's end."""
    return -(-expires_at_ms // HOUR_MS)


class Purse(msgspec.Struct):
    """Sums since the budget began, in cents; ``free`` is what may be committed. All of it is a function of the log."""

    campaign: str
    currency: str
    seen: int = -1
    """Sequence of the newest grant."""
    granted: int = 0
    returned: int = 0
    committed: int = 0
    committed_before: int = 0
    settled: int = 0
    released: int = 0
    short: int = 0
    demand: int = 0
    candidates: int = 0
    offers: int = 0
    minute: int = -1
    """The log's, since 1970."""
    day: int = -1
    lease_day: int = -1
    expires_at_ms: int = 0
    price: int = 0
    reference: int = 0
    ends_at_ms: int | None = None
    reserved: dict[int, int] = {}
    """Of offers that are open, by the hour in which they end."""
    sequence: int = 0
    """Of the next report."""
    told: tuple[int, ...] = ()
    """What the newest report said of what is worth a report."""
    told_minute: int = -(10**9)
    answered: bool = False
    beat: int = BEAT

    @property
    def free(self) -> int:
        """What was leased and is neither committed nor given back."""
        return self.granted - self.returned - self.committed

    @property
    def spendable(self) -> int:
        """What may be committed now: a lease is good for its day and until its end."""
        return self.free if self.lease_day == self.day and self.minute * MINUTE_MS < self.expires_at_ms else 0

    def close(self, closing: Closing) -> Standing:
        """The log comes to another minute: what must not be spent any more goes back."""
        if closing.day != self.day:
            self.returned += self.free
            self.day, self.committed_before = closing.day, self.committed
        self.minute = closing.minute
        self.returned += self.free - self.spendable
        answered, self.answered = self.answered, False
        active = self.ends_at_ms is None or closing.minute * MINUTE_MS < self.ends_at_ms
        return Standing(
            closing, self.granted, self.returned, self.committed, self.committed_before, self.short, self.demand,
            self.candidates, self.offers, answered, active,
        )  # fmt: skip

    def hear(self, grant: LeaseGranted) -> None:
        """A lease arrives; one that came before does nothing, whoever sent it again."""
        if grant.sequence <= self.seen or grant.granted_cents < self.granted:
            return
        self.seen, self.granted, self.answered = grant.sequence, grant.granted_cents, True
        self.lease_day, self.expires_at_ms, self.ends_at_ms = grant.day, grant.expires_at_ms, grant.ends_at_ms
        self.price, self.reference = grant.price_micros, grant.reference_micros
        self.returned += self.free - min(self.spendable, grant.lease_cents)

    def commit(self, some: Candidates) -> Bools:
        """[k] which of some offers, all within one minute and under one lease, are accepted: worth more than their
        price, and covered by what is left when their turn comes."""
        cost, worth = some.cost_cents, some.value * PRICE_UNIT
        passing = np.flatnonzero(worth > cost * self.price)
        fits = fit(cost[passing], some.held[passing], self.spendable)
        accepted = np.zeros(len(some), np.bool_)
        accepted[passing[fits]] = True
        taken = accepted & ~some.held
        self.candidates += int(np.count_nonzero(~some.held))
        self.offers += int(np.count_nonzero(taken))
        self.demand += int(cost[(worth > cost * self.reference) & ~some.held].sum())
        short = passing[~fits]
        self.short += int(cost[short[~some.held[short]]].sum())
        for ends, cents in zip(some.expires_at_ms[taken].tolist(), cost[taken].tolist(), strict=True):
            bucket = bucket_of(ends)
            self.reserved[bucket] = self.reserved.get(bucket, 0) + cents
            self.committed += cents
        return accepted

    def settle(self, settlement: Settlement) -> None:
        """An offer was redeemed: of what was reserved for it, some was spent, the rest goes back."""
        left = self.reserved.get(settlement.bucket, 0) - settlement.reserved_cents
        if left < 0:
            raise ValueError(
                f"{self.campaign}: an offer of {settlement.reserved_cents} cents was settled at offset "
                f"{settlement.offset}, but less is reserved. Settle each offer once, with what was reserved for it."
            )
        self.reserved[settlement.bucket] = left
        self.settled += settlement.charged_cents
        self.released += settlement.reserved_cents - settlement.charged_cents

    def release(self, watermark_ms: int) -> None:
        """What offers reserved that can not be redeemed any more goes back."""
        for bucket in [bucket for bucket in self.reserved if bucket * HOUR_MS <= watermark_ms]:
            self.released += self.reserved.pop(bucket)

    def report(self, standing: Standing, partition: int) -> SpendReported | None:
        """What is told at a closing, settlements before it included; None where there is nothing new."""
        closing = standing.closing
        s = standing
        telling = (closing.day, s.returned, s.committed, s.short, self.settled, self.released)
        if s.answered:
            self.beat = BEAT
        beaten = s.active and closing.minute - self.told_minute >= self.beat
        if telling == self.told and not beaten:
            return None
        if telling == self.told:
            self.beat = min(2 * self.beat, LONGEST_BEAT)
        self.told, self.told_minute = telling, closing.minute
        self.sequence += 1
        return SpendReported(
            campaign=self.campaign,
            currency=self.currency,
            source_partition=partition,
            sequence=self.sequence - 1,
            event_time=max(closing.minute, 0) * MINUTE_MS,
            day=closing.day,
            granted_cents=s.granted,
            returned_cents=s.returned,
            committed_cents=s.committed,
            committed_before_cents=s.committed_before,
            settled_cents=self.settled,
            released_cents=self.released,
            short_cents=s.short,
            demand_cents=s.demand,
            candidates=s.candidates,
            offers=s.offers,
        )

"""No budget is overspent and no cent is lost, whoever is killed, late, doubled, or says everything twice."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.budget.ledger import ARITHMETIC, REUSING, Ledger
from streams.budget.purses import Purses
from tests.budget.shop import (
    CAMPAIGN,
    CURRENCY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    ZONE,
    Asked,
    Campaigns,
    Redeemed,
    Shoppers,
    Truth,
    budget,
)

#: Total and daily budget, in cents: large ones, such as are soon empty, and one that is spread until it ends.
SIZES = ((8_000, 4_000), (60_000, 20_000), (3_000, 9_000), (2_000, 1_000), (5_000, None))


class Budgets:
    """Logs grow; workers, ledgers and Kafka do to them what they can."""

    def __init__(self, seed: int, pacing: str, arithmetic: int) -> None:
        self.random, self.pacing, self.arithmetic = Random(seed), pacing, arithmetic
        self.truth = Truth()
        self.campaigns = Campaigns(self.truth, 3)
        self.shoppers = self.campaigns.shoppers
        self.most_total = self.most_daily = self.revision = 0
        self.set_the_budget(True)
        self.campaigns.lead()
        for _ in range(2):
            for shoppers in self.shoppers:
                shoppers.log.append(shoppers.end_ms + MINUTE)
                self.campaigns.log += shoppers.work(10**6)
            self.campaigns.lead()

    def change(self) -> None:
        """An operator sets the budget."""
        self.set_the_budget(self.random.random() < 0.8)

    def set_the_budget(self, open_: bool) -> None:
        total, daily = self.random.choice(SIZES)
        self.most_total, self.most_daily = max(self.most_total, total), max(self.most_daily, daily or total)
        changed = {"revision": self.revision, "total_cents": total, "daily_cents": daily, "pacing": self.pacing}
        changed |= {"arithmetic": self.arithmetic}
        ends = None if daily else MIDNIGHT + 40 * HOUR
        self.campaigns.log.append(budget(open=open_, ends_at_ms=ends, **changed))
        self.revision += 1

    def shop(self) -> None:
        """Some are due, some redeem; workers work, or take a part of it, or lie down."""
        random = self.random
        for shoppers in self.shoppers:
            at = shoppers.end_ms + random.choice((0, 1, 2)) * MINUTE
            for _ in range(random.randrange(8)):
                at += random.choice((0, 1_000, MINUTE // 2))
                who = random.randrange(6)
                if random.random() < 0.3:
                    behind = random.choice((0, 0, 4, 300))
                    shoppers.log.append(Redeemed(at - behind * MINUTE, who, random.randrange(120)))
                else:
                    n = random.choice((1, 3))
                    due = [(who + i, random.choice((5, 20, 90)), random.random() * 900) for i in range(n)]
                    shoppers.log.append(Asked(at, tuple(due), random.choice((HOUR // 2, 3 * HOUR))))
            if random.random() < 0.8:
                self.campaigns.log += shoppers.work(random.choice((10**6, shoppers.next_offset + 5)), 3)
        if random.random() < 0.8:
            self.campaigns.lead(random.choice((10**6, 2)))

    def time(self) -> None:
        """Much time passes, for some sooner than for others."""
        latest = max(shoppers.end_ms for shoppers in self.shoppers) + self.random.choice((1, 4, 9, 15)) * HOUR
        for shoppers in self.shoppers:
            if self.random.random() < 0.7:
                shoppers.log.append(latest)

    def flush(self) -> None:
        """A worker flushes, to the end or not: then it begins anew."""
        self.random.choice(self.shoppers).flush(self.random.choice((0, 1, 2, 3, 4, 4, 4, 4)))

    def kill(self) -> None:
        """A worker is killed; the one that takes over may be killed on its way as well."""
        self.random.choice(self.shoppers).crash()

    def keep(self) -> None:
        """The ledger flushes."""
        self.campaigns.flush()

    def doubt(self) -> None:
        """A ledger is taken for dead and goes on; another takes over, and both speak in turn."""
        log, ahead = self.campaigns.log, self.campaigns.applied
        late, more = self.campaigns.crash(), self.random.randrange(6)
        self.campaigns.say(late, log[ahead : ahead + more])
        self.campaigns.lead(self.random.randrange(20))
        self.campaigns.say(late, log[ahead + more : ahead + 2 * more])

    def again(self) -> None:
        """Kafka, or a worker that wakes up, brings records of long ago once more."""
        for grant in self.random.sample(list(self.truth.grants.values()), min(2, len(self.truth.grants))):
            self.shoppers[grant.partition].log.append(grant)
        self.campaigns.log += self.random.sample(self.campaigns.log, min(2, len(self.campaigns.log)))

    def hold(self) -> None:
        """Nothing is overspent: granted + remaining + spent = budget, at the ledger and in each purse."""
        assert self.truth.bound <= self.most_total
        assert sum(self.truth.charged.values()) <= self.most_total
        # What came back may be committed again.
        back = sum(self.truth.released.values()) if self.arithmetic == REUSING else 0
        for day in {day for _, _, day in self.truth.accepted.values()}:
            assert self.truth.committed(day) <= self.most_daily + back
        if self.campaigns.applied:
            balance = self.campaigns.ledger.balance(CAMPAIGN, CURRENCY)
            assert balance.budget_cents == balance.remaining_cents + balance.leased_cents + balance.spent_cents
            assert min(balance.leased_cents, balance.spent_cents) >= 0
        for shoppers in self.shoppers:
            purse = shoppers.purses.purse(CAMPAIGN, CURRENCY)
            if purse is not None:
                assert min(purse.free, *purse.reserved.values(), 0) == 0
                assert purse.committed == sum(purse.reserved.values()) + purse.settled + purse.released

    def end(self) -> None:
        """The campaign is stopped and time passes: all comes back but what was spent; and the logs, applied once more
        from their begin and as they are, say the same."""
        self.set_the_budget(False)
        for _ in range(6):
            latest = max(shoppers.end_ms for shoppers in self.shoppers)
            self.campaigns.lead()
            for shoppers in self.shoppers:
                shoppers.log.append(latest + 5 * HOUR)
                self.campaigns.log += shoppers.work(10**6)
        self.campaigns.lead()
        balance, spent = self.campaigns.ledger.balance(CAMPAIGN, CURRENCY), sum(self.truth.charged.values())
        assert balance[1:] == (balance.budget_cents - spent, 0, spent)
        for shoppers in self.shoppers:
            assert not shoppers.purses.awaited
            fresh = Shoppers(shoppers.partition, self.truth)
            fresh.log = shoppers.log
            fresh.work(10**6)
            assert _purse(fresh.purses) == _purse(shoppers.purses)
        ledger = Ledger(ZONE)
        for record in self.campaigns.log:
            for grant in ledger.apply(record):
                self.truth.agree(self.truth.grants, (grant.partition, grant.sequence), grant)
        assert ledger.progress() == self.campaigns.ledger.progress()


def _purse(purses: Purses) -> object:
    return purses.purse(CAMPAIGN, CURRENCY)


#: What happens, the usual more often.
HAPPENS: tuple[Callable[[Budgets], None], ...] = (
    *[Budgets.shop] * 8,
    *[Budgets.flush] * 4,
    Budgets.kill, Budgets.kill, Budgets.keep, Budgets.doubt, Budgets.again, Budgets.time, Budgets.change,
)  # fmt: skip


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    pacing=st.sampled_from(["even", "asap", "front_loaded"]),
    arithmetic=st.sampled_from([ARITHMETIC, REUSING]),
    happens=st.lists(st.sampled_from(HAPPENS), min_size=30, max_size=60),
)
def test_laws(seed: int, pacing: str, arithmetic: int, happens: list[Callable[[Budgets], None]]) -> None:
    budgets = Budgets(seed, pacing, arithmetic)
    for happen in happens:
        happen(budgets)
        budgets.hold()
    budgets.end()

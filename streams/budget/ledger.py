"""The ledger of a campaign: who was leased how much, and at which price offers are worth it.

Only the owner of the campaign's partition keeps it, from that partition's log alone: records in, leases out, whole
numbers only. So a ledger that wakes up late, or two of them, say the same under the same sequences.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.budget.account import Account, Holder
from streams.budget.leasing import lease
from streams.features.days import Days
from streams.records.budget import AnyBudgetRecord, BudgetSet, LeaseGranted, SpendReported

#: Numbers of the rules in this package. Whoever changes what a ledger grants for the same log adds one, and keeps the
#: old rules for logs that began under them. Under 1 what comes back on a day is for the days after it; under 2 it may
#: be committed again on the same day: most of what is set aside for ads comes back within hours.
ARITHMETIC, REUSING = 1, 2


class OtherArithmetic(RuntimeError):
    """A budget was set under rules of leasing that this version does not know."""


class Balance(NamedTuple):
    """Where a budget is, in cents: ``budget = remaining + leased + spent``."""

    budget_cents: int
    remaining_cents: int
    """Not leased; below 0 when the budget was lowered under what was committed already."""
    leased_cents: int
    """With partitions: free, or reserved for offers that are open, as far as the ledger knows."""
    spent_cents: int


class Ledger:
    """All campaigns of one partition of the campaigns' log. ``time_zone``: IANA name; the shop's days."""

    def __init__(self, time_zone: str) -> None:
        self._days = Days(time_zone)
        self._accounts: dict[tuple[str, str], Account] = {}

    def apply(self, record: AnyBudgetRecord) -> list[LeaseGranted]:
        """The next record of the log; gives what is to be written into the partitions of shoppers, in order. A record
        that is known already, or of a campaign that has no budget, does nothing. Raises ``OtherArithmetic``."""
        account = self._accounts.get((record.campaign, record.currency))
        if isinstance(record, BudgetSet):
            return self._set(account, record)
        if isinstance(record, LeaseGranted) or account is None:
            return []
        return self._report(account, record)

    def balance(self, campaign: str, currency: str) -> Balance:
        """Where a budget is. Raises ``KeyError`` for a campaign that has none in this currency."""
        account = self._accounts[campaign, currency]
        spent = sum(holder.settled for holder in account.holders)
        out = account.outstanding
        return Balance(account.budget.total_cents, account.budget.total_cents - out, out - spent, spent)

    def price_micros(self, campaign: str, currency: str) -> int:
        """The price of the newest day: value that a cent of cost must bring, in millionths of a cent."""
        return self._accounts[campaign, currency].price

    def _set(self, account: Account | None, budget: BudgetSet) -> list[LeaseGranted]:
        _refuse_others(budget)
        if account is None:
            account = Account(budget=budget, price=budget.first_price_micros, reference=budget.first_price_micros)
            self._accounts[budget.campaign, budget.currency] = account
        elif budget.revision <= account.budget.revision:
            return []
        else:
            account.budget = budget
            account.rebudget(self._days)
        fresh = range(len(account.holders), budget.partitions)
        account.holders += [Holder() for _ in fresh]
        return [account.opening(partition) for partition in fresh]

    def _report(self, account: Account, report: SpendReported) -> list[LeaseGranted]:
        if report.source_partition >= len(account.holders):
            return []
        holder = account.holders[report.source_partition]
        if report.sequence <= holder.reported:
            return []
        account.hear(holder, report, self._days)
        granted = lease(account, holder, report)
        return [] if granted is None else [granted]

    def progress(self) -> list[Account]:
        """What belongs into the progress record: written with the offset that it stands at, as one record."""
        return list(self._accounts.values())

    def restore(self, held: object) -> None:
        """Take it back, as it was or as it came out of JSON. Raises ``OtherArithmetic``."""
        for account in msgspec.convert(msgspec.to_builtins(held), list[Account], strict=False):
            _refuse_others(account.budget)
            self._accounts[account.budget.campaign, account.budget.currency] = account


def _refuse_others(budget: BudgetSet) -> None:
    if budget.arithmetic not in (ARITHMETIC, REUSING):
        raise OtherArithmetic(
            f"The budget of {budget.campaign} is kept under arithmetic {budget.arithmetic}, this version knows "
            f"{ARITHMETIC} and {REUSING}. Run the version that the campaign began with."
        )

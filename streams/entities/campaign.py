"""A campaign: the ledger of its budget and of its effect. What was set, and what partitions of shoppers spent and saw
come of offers, comes in; leases go out to them, and what the campaign brought is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec
import numpy as np

from streams.budget.account import Account
from streams.budget.ledger import Balance, Ledger
from streams.columns.arrays import Bools, EventBatch, Ints, of_types
from streams.columns.campaign_records import CAMPAIGN_RECORDS, FACTS, WIRE
from streams.columns.layout import Readable, Rows
from streams.effects.account import Effects
from streams.features.campaign import CATALOGUE
from streams.features.catalogue import Catalogue
from streams.processing.decode import NO_TIME, Decoded
from streams.processing.entity import Emitted, Entity, Start, Told
from streams.processing.fates import APPLIED, Fates, Judged, watermarks
from streams.processing.rules import Rules
from streams.processing.side import PlainSide
from streams.records.budget import BudgetSet, LeaseGranted, SpendReported, encode_budget_record
from streams.records.effects import EffectMeasured, EffectReported
from streams.records.slices import Slice
from streams.state.codec import NEVER
from streams.state.keys import EFFECT

#: The entity whose partitions spend.
SPENDING = "shopper"
#: What says what time it is.
_REPORTS = of_types(SpendReported, EffectReported)


class NoTimer:
    """Nothing makes a campaign due without a record."""

    @property
    def kind(self) -> Literal["day"]:
        """What outcomes would call it."""
        return "day"

    @property
    def stays(self) -> bool:
        """Nothing was set."""
        return False

    def due_ms(self, rows: Readable, catalogue: Catalogue, last_event_ms: Ints, fired: Ints) -> Ints:
        """[k] never."""
        return np.full(len(last_event_ms), NEVER)

    def may_fire(self, time_ms: Ints, seen_ms: Ints) -> Bools:
        """[n] never."""
        return np.zeros(len(time_ms), np.bool_)


class CampaignSide(PlainSide):
    """What a partition of campaigns knows beside their rows: the ledger of each, and its effect."""

    ticks = False

    def __init__(self, start: Start) -> None:
        self._group, self._told = start.group, start.partitions is not None
        self._ledger = Ledger(start.rules.time_zone)
        self._accounts: dict[str, Account] = {}
        self._effects = Effects()
        self._granted: list[LeaseGranted] = []
        self._measured: list[EffectMeasured] = []
        super().__init__(start)

    @property
    def budgets(self) -> dict[str, BudgetSet]:
        """What was set last, by campaign."""
        return {campaign: account.budget for campaign, account in self._accounts.items()}

    def balances(self) -> dict[str, tuple[Balance, int]]:
        """By campaign: where its budget is, and its price (``Ledger.price_micros``)."""
        return {
            campaign: (self._ledger.balance(campaign, of.budget.currency), of.price)
            for campaign, of in self._accounts.items()
        }

    def judge(self, decoded: Decoded, rows: Ints, state: Rows, slice_: Slice, rules: Rules) -> Judged:
        """What each source says comes once, in order, and is never late. The batch comes back with what the ledger made
        of each record."""
        batch = decoded.batch
        # Rows may be ahead of the progress record, the ledger is not: it takes all, rows only what they have not.
        duplicate = batch.offset < state.flat["i8"][state.cells(APPLIED, rows)]
        facts = np.zeros((len(FACTS), len(batch)), np.int64)
        for i, record in enumerate(batch.records):
            duplicate[i] |= not self._enter(record, facts[:, i])
        # What time it is, shoppers say; a budget is set at whatever time that is.
        clock = np.full(len(slice_), NO_TIME)
        reported = _REPORTS[batch.type]
        clock[batch.position[reported]] = batch.time_ms[reported]
        newest, before, after = watermarks(clock, self.newest_ms, rules.allowed_lateness_ms, self._least_watermark_ms)
        self.newest_ms = int(newest[-1])
        never_late = np.full(len(batch), NO_TIME)
        time_ms = np.where(reported, batch.time_ms, np.maximum(newest[batch.position], 0))
        batch = replace(batch, time_ms=time_ms, facts=dict(zip(FACTS, facts, strict=True)))
        return Judged(batch, Fates(duplicate, np.zeros(len(batch), np.bool_)), newest, before, after, never_late)

    def _enter(self, record: BudgetSet | SpendReported | EffectReported, facts: Ints) -> bool:
        """Enter a record into the ledger; whether it says something new. ``facts`` [FACTS]: to be filled in."""
        campaign, account = record.campaign, self._accounts.get(record.campaign)
        if isinstance(record, EffectReported):
            measured = self._effects.hear(record)
            self._measured += measured or []
            if measured is not None and account is not None:
                self._fill(facts, record, account, (0, 0))
            return measured is not None
        if isinstance(record, BudgetSet):
            new = account is None or record.revision > account.budget.revision
            before = (0, 0)
        else:
            p = record.source_partition
            holder = account.holders[p] if account is not None and p < len(account.holders) else None
            new = holder is not None and record.sequence > holder.reported
            before = (0, 0) if holder is None else (holder.committed, holder.offers)
        if not new:
            return False
        self._granted += self._ledger.apply(record)
        if account is None:
            self._list_accounts()
        committed = (0, 0) if isinstance(record, BudgetSet) else (record.committed_cents, record.offers)
        self._fill(facts, record, self._accounts[campaign], (committed[0] - before[0], committed[1] - before[1]))
        return True

    def _fill(
        self,
        facts: Ints,
        record: BudgetSet | SpendReported | EffectReported,
        account: Account,
        committed: tuple[int, int],
    ) -> None:
        balance = self._ledger.balance(record.campaign, account.budget.currency)
        held = (balance.budget_cents, balance.remaining_cents, balance.leased_cents, balance.spent_cents)
        facts[:] = (*held, account.price, *committed)

    def _list_accounts(self) -> None:
        self._accounts = {account.budget.campaign: account for account in self._ledger.progress()}

    def emit(self, batch: EventBatch, applied: Ints, judged: Judged, slice_: Slice, rules: Rules) -> Told:
        """Leases, each into the log of the partition of shoppers that it is for; what campaigns brought."""
        granted, self._granted = self._granted, []
        measured, self._measured = self._measured, []
        leases = [
            Emitted(SPENDING, one.partition, encode_budget_record(msgspec.structs.replace(one, group=self._group)))
            for one in granted
        ]
        return Told(leases if self._told else [], list(measured))

    @property
    def effects(self) -> Mapping[str, Sequence[EffectMeasured]]:
        """By campaign, what it brought when that was measured last."""
        return self._effects.newest

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Effects, ids."""
        stands = next_offset.to_bytes(8, "big")
        changes: dict[bytes, bytes | None] = {
            EFFECT + campaign.encode(): stands + value for campaign, value in self._effects.drain_changes().items()
        }
        return changes | super().drain_changes(next_offset, watermark_ms)

    def progress(self) -> dict[str, Any]:
        """How far time has come, and every account."""
        return super().progress() | {"ledger": self._ledger.progress()}

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any], rules: Rules) -> None:
        """Take it back."""
        held = list(records)
        for key, value in held:
            if key[:1] == EFFECT:
                self._effects.restore(key[1:].decode(), value[8:])
        self._ledger.restore(meta.get("ledger", []))
        self._list_accounts()
        super().restore(held, meta, rules)


CAMPAIGN = Entity(
    name="campaign",
    log="campaigns-log",
    internal=True,
    wire=WIRE,
    records=CAMPAIGN_RECORDS,
    catalogue=CATALOGUE,
    decisive=(),
    # Nothing is decided about a campaign; what its budget comes to is decided by every record.
    cadence_ms=lambda rules: 10**15,
    timer=lambda rules: NoTimer(),
    columns=(),
    deciders=(),
    side=CampaignSide,
)

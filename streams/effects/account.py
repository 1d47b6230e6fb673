"""What all partitions of shoppers reported of campaigns' effects, and what that comes to.

A report holds sums since the campaign began, so the newest of each partition says it all, and one that comes again
does nothing. With each report the effect is measured from the newest sums of all partitions.
"""

from __future__ import annotations

import msgspec

from streams.effects import sample_ratio
from streams.effects.attribution import DAY_MS
from streams.effects.campaign import Plan, measure
from streams.effects.sums import Sums, merged, of_record
from streams.records.effects import EffectMeasured, EffectReported


class Account(msgspec.Struct):
    """State of one campaign's effect; plain values only."""

    newest: dict[int, EffectReported] = {}
    """By partition of shoppers."""
    first_ms: int = 0
    """Event time of the first report."""
    estimates: list[EffectMeasured] = []
    """What was measured last."""

    def hear(self, report: EffectReported) -> list[EffectMeasured] | None:
        """A report comes; what the campaign brought so far, None where the report is known."""
        known = self.newest.get(report.source_partition)
        if known is not None and report.sequence <= known.sequence:
            return None
        self.newest[report.source_partition] = report
        self.first_ms = self.first_ms or report.event_time
        self.estimates = self._measured(report)
        return self.estimates

    def _measured(self, report: EffectReported) -> list[EffectMeasured]:
        """Every estimate, as it stands with a report."""
        cells = merged(dict(of_record(tally) for tally in each.tallies) for each in self.newest.values())
        said, at_ms = report.plan, max(each.event_time for each in self.newest.values())
        plan = Plan(shoppers=said.shoppers, arms=said.arms, segments=said.segments)
        days = (at_ms - self.first_ms) / DAY_MS
        shoppers = sum(cells.values(), Sums()).shoppers
        per_day, ref = shoppers / days if days >= 1 else None, f"{report.source_partition}/{report.sequence}"
        found = measure(report.campaign, cells, plan, report.currency, at_ms=at_ms, ref=ref, shoppers_per_day=per_day)
        sides, differ = self._sides(said.holdout_share)
        return [msgspec.structs.replace(one, sides=sides, sides_differ=differ) for one in found]

    def _sides(self, share: float) -> tuple[str, bool]:
        """Whether shoppers entered in the shares that were asked for, in words and as such."""
        if not 0 < share < 1:
            return "", False
        entered = [sum(each.entered for each in self.newest.values())]
        entered.append(sum(each.entered_held for each in self.newest.values()))
        ratio = sample_ratio.check((entered[0], entered[1]), (1 - share, share))
        return ratio.words, ratio.mismatch


class Effects:
    """Every campaign's."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._changed: set[str] = set()

    def hear(self, report: EffectReported) -> list[EffectMeasured] | None:
        """A report comes; what its campaign brought so far, None where the report is known."""
        found = self.accounts.setdefault(report.campaign, Account()).hear(report)
        if found is not None:
            self._changed.add(report.campaign)
        return found

    @property
    def newest(self) -> dict[str, list[EffectMeasured]]:
        """By campaign, what was measured last; the whole campaign's first."""
        return {campaign: account.estimates for campaign, account in self.accounts.items()}

    def drain_changes(self) -> dict[str, bytes]:
        """By campaign, what changed since this was last called."""
        changed, self._changed = sorted(self._changed), set()
        return {campaign: msgspec.msgpack.encode(self.accounts[campaign]) for campaign in changed}

    def restore(self, campaign: str, value: bytes) -> None:
        """Take one back."""
        self.accounts[campaign] = msgspec.msgpack.decode(value, type=Account)

"""What one partition of shoppers may spend of campaigns' budgets: its purses, fed by leases in its log.

Of a slice: ``begin`` when its records are judged, then what is decided asks ``afford`` and tells ``settle``, then
``end`` gives what the campaigns' log is to be told. Deciders that spend do so in the order of the log
(``streams.decisions.decider.in_log_order``). A partition that was never leased anything keeps nothing and does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.budget.candidates import Candidates, SliceTimes
from streams.budget.purse import Purse
from streams.budget.purses import Purses
from streams.columns.arrays import Bools, Floats, Ints
from streams.processing.decode import Decoded
from streams.processing.fates import Judged
from streams.processing.partitioning import WORKERS, homes
from streams.records.budget import PRICE_UNIT, SpendReported
from streams.records.slices import Slice
from streams.state.keys import OPEN

#: The key of all purses in the feature table.
PURSES = OPEN + b"purses"


def homes_of(campaigns: Iterable[str], partitions: int) -> list[int]:
    """The partition of the campaigns' log that keeps each campaign, however a shop's producers place their keys."""
    names = [campaign.encode() for campaign in campaigns]
    found: list[int] = homes(names, WORKERS, partitions).tolist() if names else []
    return found


class Spending:
    """``group``: the workers that keep the partition: leases that others were granted are passed over. ``time_zone``:
    whose days a daily budget is of."""

    def __init__(self, partition: int, group: str, time_zone: str) -> None:
        self._group = group
        self._purses = Purses(partition, time_zone)
        self._leased = self._begun = False

    def __bool__(self) -> bool:
        """Whether anything was ever leased here."""
        return self._leased

    @property
    def awaited(self) -> bool:
        """Whether something waits for time to go on."""
        return self._purses.awaited

    def begin(self, decoded: Decoded, judged: Judged, slice_: Slice) -> None:
        """A slice begins: what it leases holds from each lease on, what its time ends goes back."""
        leases = [(i, lease) for i, lease in decoded.leases if lease.group == self._group]
        if not leases and not self._leased:
            return
        self._leased = self._begun = True
        offsets = np.asarray(slice_.offsets, np.int64)
        times = SliceTimes(offsets, judged.newest_ms, judged.before_ms)
        self._purses.begin(times, [(int(offsets[i]), lease) for i, lease in leases])

    def purse(self, campaign: str, currency: str) -> Purse | None:
        """How it stands; None where nothing was ever leased."""
        return self._purses.purse(campaign, currency)

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Campaign and currency of all that was ever leased here."""
        return self._purses.keys

    def afford(self, campaign: str, currency: str, some: Candidates) -> Bools:
        """[k] which offers of a campaign are accepted: worth more than their price, and set aside for from here on.

        Raises ``ValueError`` where they are asked for against the order of the log."""
        return self._purses.afford(campaign, currency, some)

    def prices(self, campaign: str, currency: str, offset: Ints) -> Floats:
        """[k] what a cent of cost must bring beyond itself, as leases said at each offset; asked after ``afford``."""
        return self._purses.prices(campaign, currency, offset) / PRICE_UNIT

    def settle(
        self, campaign: str, currency: str, offset: int, at_ms: int, reserved_cents: int, ends_ms: int, cost_cents: int
    ) -> int:
        """An offer was redeemed by the record at ``offset``: what the campaign pays of it, in cents; see ``Purses``."""
        return self._purses.settle(campaign, currency, offset, at_ms, reserved_cents, ends_ms, cost_cents)

    def end(self) -> list[SpendReported]:
        """The slice is over: what each campaign's ledger is told."""
        begun, self._begun = self._begun, False
        return self._purses.end() if begun else []

    def described(self) -> dict[str, tuple[int, int]]:
        """By campaign, how many offers were made, and the cents that were set aside for them."""
        purses = {key: self._purses.purse(*key) for key in self.keys}
        return {campaign: (of.offers, of.committed) for (campaign, _), of in sorted(purses.items()) if of is not None}

    def drain_changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """All purses as a record of the feature table, which goes before the rows."""
        return {PURSES: self._purses.drain_changes(next_offset)} if self._leased else {}

    def restore(self, value: bytes) -> None:
        """Take them back."""
        self._purses.restore(value)
        self._leased = True

"""All purses of one partition of shoppers: what its log comes to, slice by slice, however it is cut.

Of each slice, in this order: ``begin`` with its times and the leases in it; ``afford`` for the offers of each
campaign, in log order (``candidates.runs`` cuts due points so); ``settle`` for offers that were redeemed; ``end``,
which gives what is to be told to the campaigns' log.

After a crash a partition goes on from its progress record, but some rows may be ahead of it: what was due at them is
not asked again, at others it is. So the purses are written before the rows of a flush, with the answers that they gave
since the flush before. What is asked again at an offset that is in them gets the same answer, and nothing else is done
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from streams.budget.candidates import MINUTE_MS, Candidates, SliceTimes
from streams.budget.purse import Closing, Purse, Settlement, Standing, bucket_of
from streams.columns.arrays import Bools, Ints
from streams.features.days import Days
from streams.records.budget import LeaseGranted, SpendReported

_Step = tuple[int, Closing | LeaseGranted]


class _Held(msgspec.Struct, array_like=True):
    until: int
    minute: int
    day: int
    purses: list[Purse]
    offsets: list[int]
    keys: list[int]
    campaigns: list[int]
    prices: list[list[tuple[int, int]]] = []


class _Open:
    """A purse within a slice: steps of the log that are still to be taken, and what is to be told."""

    def __init__(self, purse: Purse, steps: list[_Step], prices: list[tuple[int, int]]) -> None:
        self.purse, self.steps, self.prices, self.taken, self.asked = purse, steps, prices, 0, -1
        self.since = 0
        """Offset of its first lease, where that is in this slice: before it nothing is asked of it."""
        self.standings: list[Standing] = []
        self.settlements: list[Settlement] = []

    def advance(self, offset: int | None) -> None:
        """Take the steps up to and with an offset; None: all."""
        while self.taken < len(self.steps) and (offset is None or self.steps[self.taken][0] <= offset):
            at, step = self.steps[self.taken]
            self.taken += 1
            if isinstance(step, Closing):
                self.standings.append(self.purse.close(step))
            else:
                self.purse.hear(step)
                if not self.prices or self.prices[-1][1] != self.purse.price:
                    self.prices.append((at, self.purse.price))

    def bounds(self, offsets: Sequence[int]) -> list[int]:
        """Where some ascending offsets are cut by the steps that are still to be taken."""
        cuts = np.searchsorted(np.asarray(offsets), [at for at, _ in self.steps[self.taken :]], side="left")
        return sorted({0, *cuts.tolist(), len(offsets)})

    def told(self, partition: int) -> list[tuple[int, SpendReported]]:
        """What is told at each closing, by its offset."""
        self.advance(None)
        settlements = sorted(self.settlements, key=lambda one: one.offset)
        found, settled = [], 0
        for standing in self.standings:
            closing = standing.closing
            while settled < len(settlements) and settlements[settled].offset < closing.offset:
                self.purse.settle(settlements[settled])
                settled += 1
            self.purse.release(closing.watermark_ms)
            report = self.purse.report(standing, partition)
            if report is not None:
                found.append((closing.offset, report))
        for settlement in settlements[settled:]:
            self.purse.settle(settlement)
        return found


class Purses:
    """``time_zone``: IANA name; the shop's days are counted in it."""

    def __init__(self, partition: int, time_zone: str) -> None:
        self._partition, self._days = partition, Days(time_zone)
        self._purses: dict[tuple[str, str], Purse] = {}
        self._open: dict[tuple[str, str], _Open] = {}
        self._minute, self._day, self._until = -1, -1, 0
        self._places: dict[tuple[str, str], int] = {}
        self._answers: list[tuple[int, int, int]] = []
        """Offset, key and place of the campaign: of what was accepted since the last flush."""
        self._known: set[tuple[int, int, int]] = set()
        self._prices: dict[tuple[str, str], list[tuple[int, int]]] = {}
        """Offset of the lease that set it, and a price: all that may still be asked for."""

    @property
    def awaited(self) -> bool:
        """Whether something waits for time to go on: leases and reservations go back by the log's time."""
        return any(purse.free or any(purse.reserved.values()) for purse in self._purses.values())

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Campaign and currency of every purse."""
        return list(self._purses)

    def purse(self, campaign: str, currency: str) -> Purse | None:
        """How a campaign's purse stands; None where nothing was ever leased."""
        return self._purses.get((campaign, currency))

    def begin(self, times: SliceTimes, grants: Sequence[tuple[int, LeaseGranted]] = ()) -> None:
        """A slice's times, and the leases in it with their offsets, in log order."""
        start = int(np.searchsorted(times.offset, self._until))
        offset = times.offset[start:]
        minute = np.maximum(times.newest_ms[start:] // MINUTE_MS, self._minute)
        day = np.where(minute < 0, -1, self._days.number(np.maximum(minute, 0) * MINUTE_MS))
        at = np.flatnonzero(minute > np.concatenate(([self._minute], minute[:-1])))
        columns = (offset[at], minute[at], day[at], times.watermark_ms[start:][at])
        closings = [Closing(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        found: dict[tuple[str, str], list[_Step]] = {
            key: [(closing.offset, closing) for closing in closings] for key in self._purses
        }
        for position, grant in grants:
            if position < self._until:
                continue
            key = grant.campaign, grant.currency
            if key not in found:
                i = int(np.searchsorted(offset, position))
                self._add(Purse(*key, minute=int(minute[i]), day=int(day[i])))
                found[key] = [(closing.offset, closing) for closing in closings if closing.offset > position]
            found[key].append((position, grant))
        # At one record, its time comes before what it says.
        order = {key: sorted(steps, key=lambda step: (step[0], isinstance(step[1], LeaseGranted)))
                 for key, steps in found.items()}  # fmt: skip
        self._open = {key: _Open(self._purses[key], steps, self._prices[key]) for key, steps in order.items()}
        for key, opened in self._open.items():
            if opened.purse.seen < 0 and order[key]:
                opened.since = next(at for at, step in order[key] if isinstance(step, LeaseGranted))
        if len(minute):
            self._minute, self._day = int(minute[-1]), int(day[-1])

    def _add(self, purse: Purse) -> None:
        key = purse.campaign, purse.currency
        self._places[key] = len(self._purses)
        self._purses[key], self._prices[key] = purse, []

    def afford(self, campaign: str, currency: str, some: Candidates) -> Bools:
        """[k] which of a campaign's offers are accepted: they are worth more than their price, and are reserved.

        Raises ``ValueError`` where offsets fall, within a call or from one to the next.
        """
        opened = self._open.get((campaign, currency))
        accepted = np.zeros(len(some), np.bool_)
        if opened is None or not len(some):
            return accepted
        if int(some.offset[0]) < opened.asked or np.any(np.diff(some.offset) < 0):
            raise ValueError(
                f"{campaign}: offers are asked for against the order of the log; ask in order of offsets, run by run."
            )
        opened.asked = int(some.offset[-1])
        place = self._places[campaign, currency]
        again = int(np.searchsorted(some.offset, max(self._until, opened.since)))
        keys, offsets = some.key.tolist(), some.offset.tolist()
        accepted[:again] = [(o, k, place) in self._known for o, k in zip(offsets[:again], keys[:again], strict=True)]
        bounds = [again + bound for bound in opened.bounds(offsets[again:])]
        for start, stop in pairwise(bounds):
            opened.advance(offsets[start])
            accepted[start:stop] = opened.purse.commit(some.part(start, stop))
        self._answers += [(offsets[i], keys[i], place) for i in (again + np.flatnonzero(accepted[again:])).tolist()]
        return accepted

    def prices(self, campaign: str, currency: str, offset: Ints) -> Ints:
        """[k] the price of the lease that held at each offset, in millionths; to be asked once these were affordable or
        not. 0 where nothing was ever leased."""
        held = self._prices.get((campaign, currency), [])
        since, micros = [at for at, _ in held], [0, *(price for _, price in held)]
        return np.array(micros)[np.searchsorted(since, offset, side="right")]

    def settle(
        self, campaign: str, currency: str, offset: int, at_ms: int, reserved_cents: int, ends_ms: int, cost_cents: int
    ) -> int:
        """An offer was redeemed at an offset: what the campaign pays, in cents. To be called once for each offer, with
        what was reserved for it (its cost as a candidate) and its end (``expires_at_ms``); ``at_ms`` is the event time
        of the redemption, ``cost_cents`` what it came to.

        Nothing is paid beyond what was reserved, nor from the offer's end on: what a shop grants beyond its offer is
        not the campaign's.
        """
        if at_ms >= ends_ms:
            return 0
        charged = min(cost_cents, reserved_cents)
        opened = self._open.get((campaign, currency))
        if opened is not None and offset >= self._until:
            opened.settlements.append(Settlement(offset, bucket_of(ends_ms), reserved_cents, charged))
        return charged

    def end(self) -> list[SpendReported]:
        """The slice is over: what is told to the campaigns' log, in order."""
        told = [one for opened in self._open.values() for one in opened.told(self._partition)]
        self._open = {}
        return [report for _, report in sorted(told, key=lambda one: (one[0], one[1].campaign, one[1].currency))]

    def drain_changes(self, next_offset: int) -> bytes:
        """All purses, as a record of the feature table (first the offset before which it stands, 8 bytes); to be
        written before the rows of the same flush. Not within a slice. When this is called again, the flush before has
        come to its end."""
        answers = sorted({*self._answers, *self._known})
        self._until = max(self._until, next_offset)
        offsets, keys, places = ([one[i] for one in answers] for i in range(3))
        purses, prices = list(self._purses.values()), list(self._prices.values())
        held = _Held(self._until, self._minute, self._day, purses, offsets, keys, places, prices)
        value = self._until.to_bytes(8, "big") + msgspec.msgpack.encode(held)
        # Read again from here on, answers and prices that lie ahead may still be asked for.
        self._answers, self._known = [], {answer for answer in answers if answer[0] >= next_offset}
        for known in prices:
            past = sum(at <= next_offset for at, _ in known)
            del known[: max(past - 1, 0)]
        return value

    def restore(self, value: bytes) -> None:
        """Take it back."""
        held = msgspec.msgpack.decode(value[8:], type=_Held)
        self._until, self._minute, self._day = held.until, held.minute, held.day
        for i, purse in enumerate(held.purses):
            self._add(purse)
            # Of purses that were kept before prices were, only the last one is known.
            self._prices[purse.campaign, purse.currency] = held.prices[i] if held.prices else [(0, purse.price)]
        self._known = set(zip(held.offsets, held.keys, held.campaigns, strict=True))

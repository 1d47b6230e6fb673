"""What became of campaigns' offers in one partition of shoppers, and what that adds up to, told once a day.

A shopper enters a campaign with its first offer, or with the first that its holdout alone kept back
(``streams/effects/attribution.py``). From the next record on, all that they order and return, and how they react to
offers, is kept until the window and the time for returns are over by the watermark: then the outcome is said, and what
was measured goes into the sums of its campaign. At the first record that carries the watermark into another day (UTC)
the campaigns' ledgers are told the sums, if they changed. All of that depends on the log alone, however it is cut.

A crash may leave rows ahead of the progress record. Sums and windows are written before the rows of a flush, sums
first; each stands for all records before an offset, and takes none before it again.

Of an id that turns out to be somebody else what is open goes to them with the row (``moving.py``), and what they do
from there on counts in it. Who had entered the campaign already keeps their own; the other one closes with what was
known.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from streams.columns.arrays import EventBatch, Ints, of_types
from streams.effects.attribution import (
    DAY_MS,
    Charged,
    Journeys,
    Opened,
    Ordered,
    Reacted,
    Reaction,
    Returned,
    Used,
    Window,
)
from streams.effects.sums import Cell, Sums, merged, of_outcomes, of_record
from streams.processing.fates import Judged
from streams.processing.windows_kept import Followed, Known, MovedWindows, Open
from streams.records import events as e
from streams.records.campaigns import Campaign
from streams.records.effects import EffectPlan, EffectReported, OfferOutcome
from streams.records.slices import Slice
from streams.state.keys import EFFECT, WINDOW

_REACTIONS: dict[type, Reaction] = {
    e.OfferShown: "shown",
    e.OfferClicked: "clicked",
    e.OfferRedeemed: "redeemed",
    e.OfferDismissed: "dismissed",
    e.AdShown: "shown",
    e.AdClicked: "clicked",
}
_TOLD = of_types(*_REACTIONS, e.OrderPlaced, e.OrderCancelled, e.OrderReturned)


class OfferWindows:
    """``currency``: of all money that is added up."""

    def __init__(self, partition: int, currency: str) -> None:
        self._partition, self.currency = partition, currency
        self._open: dict[tuple[str, str], Open] = {}
        """By shopper and campaign; kept after the last window has closed, for nobody enters a campaign twice."""
        self._shoppers: dict[str, list[str]] = {}
        """Shopper → campaigns that they entered."""
        self._next: list[tuple[int, str, str]] = []
        """When a window closes, whose, of which campaign: a heap; what closed already may still be in it."""
        self._known: dict[str, Known] = {}
        self._entries: list[tuple[int, str, bool]] = []
        """Who entered in this slice: offset, campaign, whether held back."""
        self._day = -1
        self._until = 0
        self._changed: set[tuple[str, str]] = set()
        self._leaving: list[tuple[int, tuple[str, str]]] = []
        """What has left by a record, that offset first: until a progress record says so."""
        self._durable = 0
        self._summed = False

    @property
    def awaited(self) -> bool:
        """Whether a window waits for its end."""
        return bool(self._next)

    @property
    def told(self) -> bool:
        """Whether campaigns' ledgers know all that is known here."""
        return all(known.reported for known in self._known.values())

    def entered(self, shopper: str, campaign: str) -> bool:
        """Whether a shopper entered a campaign before."""
        return (shopper, campaign) in self._open

    # -- in

    def open(self, campaign: Campaign, opened: Opened, offset: int) -> None:
        """An offer was decided at an offset, or kept back by the campaign's holdout alone."""
        key = opened.shopper_id, opened.campaign
        found = self._open.get(key)
        if found is None:
            of = campaign.effect
            journeys = Journeys(Window(days=of.window_days, return_days=of.return_days), self.currency)
            found = self._open[key] = Open(journeys, since=offset, margin=campaign.economics.gross_margin)
            self._shoppers.setdefault(opened.shopper_id, []).append(opened.campaign)
            self._enter(campaign, opened.held, offset)
        elif opened.held or offset < found.until:
            return
        found.journeys.feed(opened)
        self._changed.add(key)
        heapq.heappush(self._next, (found.journeys.window.closed_ms(opened.at_ms), *key))

    def _enter(self, campaign: Campaign, held: bool, offset: int) -> None:
        if campaign.id not in self._known:
            of = campaign.effect
            arms = tuple(arm.id for arm in campaign.arms)
            plan = EffectPlan(
                shoppers=of.expected_shoppers, holdout_share=campaign.holdout_share, arms=arms, segments=of.segments
            )
            self._known[campaign.id] = Known(plan)
        if offset >= self._until:
            self._entries.append((offset, campaign.id, held))

    def feed(self, batch: EventBatch, applied: Ints, judged: Judged) -> None:
        """What shoppers did; ``applied``: of the batch, in log order. What was forwarded may be older than the
        watermark, and too late here: a window that it falls into may have closed."""
        if not self._shoppers:
            return
        told = _TOLD[batch.type[applied]] & (batch.time_ms[applied] >= judged.late_before_ms[applied])
        for i in applied[told].tolist():
            for campaign in self._shoppers.get(batch.keys[i], ()):
                found = self._open[batch.keys[i], campaign]
                if found.journeys.opened and int(batch.offset[i]) >= max(found.until, found.since + 1):
                    self._feed(found, batch, i)
                    self._changed.add((batch.keys[i], campaign))

    def _feed(self, found: Open, batch: EventBatch, i: int) -> None:
        record, at_ms, journeys = batch.records[i], int(batch.time_ms[i]), found.journeys
        cents, units, off = (int(batch.facts[name][i]) for name in ("cents", "quantity", "discount_cents"))
        # The goods cost what they cost at the price without discounts.
        margin = round((cents + off) * found.margin) - off
        if isinstance(record, e.OrderPlaced):
            of = [o.offer_id for o in journeys.opened.values() if o.coupon_code and o.coupon_code == record.coupon_code]
            journeys.feed(Ordered(record.order_id, at_ms, units, cents, margin, of[0] if of else "", off))
        elif isinstance(record, (e.OrderCancelled, e.OrderReturned)):
            journeys.feed(Returned(record.event_id, record.order_id, at_ms, units or None, cents, margin))
        elif isinstance(record, (e.AdShown, e.AdClicked)):
            if record.decision_id is None:
                return
            journeys.feed(Reacted(record.decision_id, _REACTIONS[type(record)], at_ms))
            if isinstance(record, e.AdClicked):
                journeys.feed(Charged(record.decision_id, at_ms, record.cost_cents))
        else:
            journeys.feed(Reacted(record.offer_id, _REACTIONS[type(record)], at_ms))
            if isinstance(record, e.OfferRedeemed) and record.order_id:
                journeys.feed(Used(record.offer_id, record.order_id, at_ms, record.discount_cents))

    # -- who turns out to be somebody else

    def leave(self, shopper: str, offset: int, watermark_ms: int) -> dict[str, bytes]:
        """A shopper turns out to be another one by a record at an offset; gives what is open then, by campaign. To be
        called once all that they did before was fed."""
        found: dict[str, bytes] = {}
        for campaign in self._shoppers.get(shopper, ()):
            of, key = self._open[shopper, campaign], (shopper, campaign)
            if not of.left:
                rest = msgspec.msgpack.decode(msgspec.msgpack.encode(of.journeys), type=Journeys)
                rest.close(watermark_ms)
                gone, of.left = rest.opened, offset + 1
                of.journeys.opened = {name: each for name, each in of.journeys.opened.items() if name not in gone}
                if gone:
                    of.moved = msgspec.msgpack.encode(MovedWindows(self._known[campaign].plan, rest, of.margin))
                    self._leaving.append((offset, key))
                self._changed.add(key)
            if of.left == offset + 1 and of.moved:
                found[campaign] = of.moved
        return found

    def adopt(self, shopper: str, windows: Mapping[str, bytes], offset: int, watermark_ms: int) -> None:
        """What was open of another id goes on as somebody's, by a record at an offset: what counts comes after it. What
        should have closed by then does when time goes on."""
        for campaign, packed in windows.items():
            moved, key = msgspec.msgpack.decode(packed, type=MovedWindows), (shopper, campaign)
            if campaign not in self._known:
                self._known[campaign], self._summed = Known(moved.plan), True
            found = self._open.get(key)
            if found is not None and offset < found.until:
                continue
            came = Followed(moved.journeys, watermark_ms + 1)
            if found is None:
                self._shoppers.setdefault(shopper, []).append(campaign)
            if found is None or found.left:
                self._open[key] = Open(moved.journeys, watermark_ms + 1, since=offset, margin=moved.margin)
            else:
                found.others.append(came)
            self._changed.add(key)
            for ends in came.ends:
                heapq.heappush(self._next, (ends, *key))

    # -- out

    def close(self, judged: Judged, slice_: Slice) -> tuple[list[OfferOutcome], list[EffectReported]]:
        """What closed within a slice, in the order of its ends, and what the campaigns' ledgers are told. To be called
        once all of the slice was fed."""
        watermark, offsets = judged.watermark_ms, np.asarray(slice_.offsets, np.int64)
        days = np.maximum(watermark // DAY_MS, self._day)
        starts = np.flatnonzero(days > np.concatenate(([self._day], days[:-1])))
        said, told = list[OfferOutcome](), list[EffectReported]()
        for i in starts.tolist():
            day = int(days[i])
            self._count_entries(int(offsets[i]))
            said += self._close(day * DAY_MS, watermark, offsets)
            told += self.tell(day * DAY_MS)
            self._day = day
        said += self._close(int(watermark[-1]), watermark, offsets)
        self._count_entries(None)
        return said, told

    def _count_entries(self, before: int | None) -> None:
        """Those before an offset; None: all."""
        left = []
        for entry in self._entries:
            offset, campaign, held = entry
            if before is not None and offset >= before:
                left.append(entry)
                continue
            known = self._known[campaign]
            known.entered[held] += 1
            known.reported, self._summed = False, True
        self._entries = left

    def _close(self, until_ms: int, watermark: Ints, offsets: Ints) -> list[OfferOutcome]:
        said, counted = list[OfferOutcome](), defaultdict[str, list[OfferOutcome]](list)
        while self._next and self._next[0][0] <= until_ms:
            closes_ms, shopper, campaign = heapq.heappop(self._next)
            found = self._open.get((shopper, campaign))
            outcomes = [] if found is None else found.close(closes_ms)
            if outcomes:
                said += outcomes
                self._changed.add((shopper, campaign))
                if offsets[np.searchsorted(watermark, closes_ms)] >= self._until:
                    counted[campaign] += outcomes
        for campaign, outcomes in counted.items():
            self._sum(campaign, outcomes)
        return said

    def _sum(self, campaign: str, outcomes: list[OfferOutcome]) -> None:
        measured = of_outcomes(outcomes)
        if not measured:
            return
        known = self._known[campaign]
        before: dict[Cell, Sums] = dict(of_record(tally) for tally in known.tallies)
        known.tallies = [sums.record(cell) for cell, sums in sorted(merged((before, measured)).items())]
        known.reported, self._summed = False, True

    def tell(self, at_ms: int) -> list[EffectReported]:
        """What the campaigns' ledgers do not know yet; all windows that close up to ``at_ms`` have closed."""
        said = list[EffectReported]()
        for campaign, known in sorted(self._known.items()):
            if known.reported:
                continue
            known.reported, self._summed = True, True
            said.append(
                EffectReported(
                    campaign=campaign,
                    currency=self.currency,
                    source_partition=self._partition,
                    sequence=known.sequence,
                    event_time=max(at_ms, 0),
                    plan=known.plan,
                    entered=known.entered[0],
                    entered_held=known.entered[1],
                    tallies=known.tallies,
                )
            )
            known.sequence += 1
        return said

    def forget(self, campaigns: Iterable[str]) -> None:
        """Only these campaigns are left: of others nobody needs to know any more who entered them."""
        kept = set(campaigns)
        for key in [key for key, of in self._open.items() if key[1] not in kept and not any(o.ends for o in of.all)]:
            del self._open[key]
            self._shoppers[key[0]].remove(key[1])
            if not self._shoppers[key[0]]:
                del self._shoppers[key[0]]
            self._changed.add(key)

    # -- kept

    def drain_changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """Sums, then windows, as records of the feature table; to be written before the rows of the same flush."""
        stands, changes = next_offset.to_bytes(8, "big"), dict[bytes, bytes | None]()
        durable, self._durable = self._durable, next_offset
        for offset, key in self._leaving:
            if offset < durable and (of := self._open.get(key)) is not None and of.left == offset + 1:
                of.moved = b""
                self._changed.add(key)
        self._leaving = [one for one in self._leaving if one[0] >= durable]
        if self._summed:
            self._summed, self._until = False, next_offset
            changes[EFFECT] = stands + msgspec.msgpack.encode((self._day, self._known))
        for key in sorted(self._changed):
            found, name = self._open.get(key), WINDOW + msgspec.msgpack.encode(key)
            if found is None:
                changes[name] = None
            else:
                found.until = next_offset
                changes[name] = stands + msgspec.msgpack.encode(found)
        self._changed = set()
        return changes

    def restore(self, records: Mapping[bytes, bytes]) -> None:
        """Take them back."""
        for key, value in records.items():
            if key == EFFECT:
                self._until = int.from_bytes(value[:8], "big")
                self._day, self._known = msgspec.msgpack.decode(value[8:], type=tuple[int, dict[str, Known]])
            elif key[:1] == WINDOW:
                shopper, campaign = msgspec.msgpack.decode(key[1:], type=tuple[str, str])
                found = self._open[shopper, campaign] = msgspec.msgpack.decode(value[8:], type=Open)
                self._shoppers.setdefault(shopper, []).append(campaign)
                for ends in [ends for each in found.all for ends in each.ends]:
                    heapq.heappush(self._next, (ends, shopper, campaign))
                if found.moved:
                    self._leaving.append((found.left - 1, (shopper, campaign)))

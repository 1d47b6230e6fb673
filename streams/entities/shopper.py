"""A shopper: what storefronts tell of them, what is kept, when they are due, and what is decided about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from streams.budget.candidates import Candidates
from streams.campaigns import memory
from streams.campaigns.deciding import Asked
from streams.campaigns.draws import shopper_hashes
from streams.campaigns.plan import Plans
from streams.campaigns.table import code_of
from streams.columns.arrays import Bools, EventBatch, Hashes, Ints
from streams.columns.layout import Rows
from streams.columns.shopper_events import WIRE, category_code
from streams.decisions import churn_alert, promotion
from streams.decisions.campaigns import CampaignOffers
from streams.decisions.churn_alert import ChurnAlerts
from streams.decisions.decider import Decider, Group
from streams.decisions.profile import Profiles
from streams.decisions.promotion import Promotions
from streams.decisions.scores import Scores
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.latest import repeat_no
from streams.features.kinds.recent import CATEGORIES
from streams.features.shopper import CATALOGUE
from streams.monitoring import calibration
from streams.monitoring.alert_labels import WAITING, AlertLabels
from streams.monitoring.known import Known
from streams.monitoring.late_labels import LateLabels
from streams.processing import alarms, order_book, recalibrating
from streams.processing.alarms import Alarms
from streams.processing.decode import NO_TIME, Decoded
from streams.processing.entity import Emitted, Entity, Start
from streams.processing.fates import Fates, Judged, judge, watermarks
from streams.processing.identity import CLOSED, Identities
from streams.processing.merging import Merge
from streams.processing.names import CategoryNames
from streams.processing.recalibrating import Recalibrating
from streams.processing.reserved import Reserved
from streams.processing.rules import Rules
from streams.processing.scoring import TaskScores
from streams.processing.side import PlainSide
from streams.processing.spending import PURSES, Spending, worth
from streams.processing.tallies import Tallies
from streams.records import events as e
from streams.records.campaigns import Campaign
from streams.records.events import ShopperMerged
from streams.records.slices import Slice
from streams.state import keys

#: The entity that events touch, and are told to; the one whose budgets are spent here.
TOUCHED, SPENT = "item", "campaign"


class ShopperSide(PlainSide):
    """What a partition of shoppers knows beside their rows."""

    def __init__(self, start: Start) -> None:
        self.names = CategoryNames()
        self.recalibrating = Recalibrating()
        self._plans: Plans | None = None
        self._reserved = Reserved()
        self.late_labels, self.alert_labels = LateLabels(start.outputs), AlertLabels()
        self._tallies = None if start.partitions is None else Tallies(start.partition, start.partitions, TOUCHED)
        self.spending = None if start.partitions is None else _spending(start)
        if start.partitions is not None:
            self.identities = Identities(start.partition, start.partitions, start.group)
        super().__init__(start)

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold."""
        super().under(rules, watermark_ms)
        currency, digest, names = rules.decode.currency, rules.digest, self.names
        alerts, offer = rules.churn_alert, rules.promotion
        self._rules = rules
        offers = CampaignOffers(self._plans, self, currency, digest, names)
        built_in = Promotions(offer, alerts.thresholds, currency, digest, names)
        self.deciders: Sequence[Decider] = (
            self.late_labels,
            Scores("shopper"),
            Profiles(names),
            ChurnAlerts(alerts, currency, offer.gross_margin, digest, names),
            self.alert_labels,
            *((built_in,) if self._plans is None else ()),
            offers,
        )

    def plan(self, plans: Plans | None) -> None:
        """From here on these campaigns hold, and the built-in offer says nothing."""
        self._plans = plans
        self.alarms = None if plans is None else Alarms.of(plans)
        self.under(self._rules, NO_TIME)

    def cuts(self, decoded: Decoded, rules: Rules) -> list[int]:
        """Where an id is identified; where quiet hours end, for which decisions before may wait."""
        found = [] if self.identities is None else self.identities.cuts(decoded)
        if self.alarms is None or not self.alarms.quiet_ends:
            return found
        return found + self.alarms.cuts(self._watermarks(decoded.clock_ms, rules))

    def steps(self, decoded: Decoded, rules: Rules) -> Ints:
        """Ends of quiet hours that the first record passes at once."""
        stood = self.watermark_ms(rules)
        if self.alarms is None or not self.alarms.quiet_ends or stood <= 0:
            return super().steps(decoded, rules)
        return self.alarms.ends(stood, int(self._watermarks(decoded.clock_ms[:1], rules)[0]))

    def _watermarks(self, clock_ms: Ints, rules: Rules) -> Ints:
        return watermarks(clock_ms, self.newest_ms, rules.allowed_lateness_ms, self._least_watermark_ms)[2]

    def left_cents(self, campaign: Campaign) -> int:
        """What may be set aside for offers of a campaign: its whole budget less what this partition has reserved."""
        budget = campaign.budget.get(self._rules.decode.currency)
        return 0 if budget is None else max(0, budget.total_cents - self._reserved.cents[campaign.id])

    def reserve(self, campaign: Campaign, cents: int, offset: int) -> None:
        """Set something aside for an offer that was decided at an offset of the log."""
        self._reserved.add(campaign.id, cents, offset)

    @property
    def leased(self) -> bool:
        """Whether budgets are leased here: not where nothing is said to other logs."""
        return self.spending is not None

    def afford(self, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes) -> Bools:
        """[n] which offers there is money for; what it costs to send them is spent at once."""
        assert self.spending is not None
        campaign, currency = asked.plan.campaign, self._rules.decode.currency
        reserve, ends = asked.plan.arms.reserve[asked.arm], now_ms + asked.plan.arms.valid_ms[asked.arm]
        value = worth(asked.profit, asked.cost, reserve, asked.explored)
        yes = self.spending.afford(campaign.id, currency, Candidates(offset, due, reserve, value, ends))
        contact = campaign.economics.contact_cents
        if contact:
            for i in np.flatnonzero(yes).tolist():
                at, until = int(now_ms[i]), int(ends[i])
                self.spending.settle(campaign.id, currency, int(offset[i]), at, contact, until, contact)
        return yes

    def redeem(self, code: int, offset: int, at_ms: int, reserved_cents: int, ends_ms: int) -> None:
        """An offer was used: all that was set aside for it counts as spent, because no record says what it came to."""
        if self.spending is None:
            return
        for campaign, currency in self.spending.keys:
            if code_of(campaign) == code and currency == self._rules.decode.currency:
                self.spending.settle(campaign, currency, offset, at_ms, reserved_cents, ends_ms, reserved_cents)

    def mark(self) -> Any:
        """What is set aside now, to go back to."""
        return self._reserved.mark()

    def go_back(self, mark: Any) -> None:
        """Forget what was set aside since a mark."""
        self._reserved.go_back(mark)

    def judge(self, decoded: Decoded, rows: Ints, state: Rows, slice_: Slice, rules: Rules) -> Judged:
        """Events come once, and not older than the watermark; an order is placed once."""
        self.names.learn(decoded.names)
        if self.identities is not None:
            self.identities.begin(decoded)
        judged = super().judge(decoded, rows, state, slice_, rules)
        if self.identities is not None:
            self.identities.refuse(decoded, judged.fates, slice_)
        if self.spending is not None:
            self.spending.begin(decoded, judged, slice_)
        return judged

    def _fates(self, batch: EventBatch, rows: Ints, state: Rows, late_before: Ints) -> tuple[EventBatch, Fates]:
        judge_ = judge if self.identities is None else self.identities.judge
        return judge_(batch, rows, state, self.applied_ids, late_before)

    @property
    def awaited(self) -> bool:
        """Whether tallies wait for their minute to be closed, or leases and reservations for their end."""
        return bool(self._tallies) or (self.spending is not None and self.spending.awaited)

    def emit(self, batch: EventBatch, applied: Ints, judged: Judged, slice_: Slice, rules: Rules) -> list[Emitted]:
        """What was done to items, minute by minute; what became of campaigns' budgets."""
        if self._tallies is None or self.spending is None:
            return []
        told = self._tallies.count(batch, applied, judged.newest_ms, slice_, rules)
        return told + self.spending.end()

    @property
    def idle(self) -> bool:
        """Whether items do not wait for this partition."""
        return self._tallies is None or self._tallies.idle

    def fall_idle(self, offset: int, rules: Rules) -> list[Emitted]:
        """What is open is told, and items need not wait for this partition."""
        return [] if self._tallies is None else self._tallies.fall_idle(offset, rules)

    def left(self, state: Rows, row: int, offset: int, at_ms: int) -> list[str]:
        """What was foretold of an id that is identified is not judged: it comes no more. What is set aside for its
        offers counts as spent, as whoever redeems them does it where nothing was set aside."""
        for column in (calibration.START, WAITING, *self.late_labels.waits.due):
            state.data[column.name][row] = 0
        # Who somebody is may be said late: what had ended by then has gone back.
        at_ms = max(at_ms, self.watermark_ms(self._rules))
        for code, cents, ends_ms in memory.take_all_reserved(state, row):
            self.redeem(code, offset, at_ms, cents, ends_ms)
        names = [self.names.of_code(code, offset) for code in np.unique(state.data[CATEGORIES][row]).tolist()]
        return [name for name in names if name is not None]

    def joins(self, state: Rows, row: int, other: Rows, said: ShopperMerged, offset: int) -> None:
        """Who has said no under another id says so again by turning out to be this one; who is held out under either is
        held out; categories are named as they were named there."""
        repeat_no(other, said.event_time)
        self.names.learn({category_code(name): (offset, name) for name in said.categories})
        memory.remember_id(other, 0, int(shopper_hashes(said.via[:1])[0]))
        if self._rules.promotion.in_holdout(said.via[0]):
            promotion.hold_out(other, 0)

    def correct(self, state: Rows, groups: Sequence[Group], scores: Mapping[str, TaskScores]) -> None:
        """What models foretell is corrected by what became of their forecasts."""
        for task in scores.values():
            self.recalibrating.recalibrate(state, groups, task)

    def known(self, state: Rows, places: Ints, watermark_ms: int) -> Known:
        """Labels of scores, and what alerts came to."""
        return Known(
            self.late_labels.sweep(state, places, watermark_ms), self.alert_labels.known(state, places, watermark_ms)
        )

    def progress(self) -> dict[str, Any]:
        """How far time has come, and others' records, and what offers have set aside, for people to look at."""
        moved = {} if self.identities is None else self.identities.progress()
        return {**super().progress(), **moved, "reserved": self._reserved.described()}

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Sums that calibration learns from, what offers have set aside, names, ids."""
        changes = self.recalibrating.drain_changes(next_offset, watermark_ms // DAY_MS)
        if self._tallies is not None:
            changes |= self._tallies.drain_changes(next_offset)
        if self.spending is not None:
            changes |= self.spending.drain_changes(next_offset)
        changes |= self._reserved.drain_changes(next_offset)
        if self.identities is not None:
            changes |= self.identities.drain_changes()
        return changes | self.names.drain_changes() | super().drain_changes(next_offset, watermark_ms)

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any], rules: Rules) -> None:
        """Take it back."""
        held = list(records)
        for key, value in held:
            if key[:1] == keys.NAME:
                self.names.restore(key, value)
            elif key == keys.OPEN and self._tallies is not None:
                self._tallies.restore(value)
            elif key == PURSES and self.spending is not None:
                self.spending.restore(value)
        self.recalibrating.restore([(key, value) for key, value in held if key[:1] == keys.TALLY])
        self._reserved.restore(held)
        if self.identities is not None:
            self.identities.restore(held, meta)
        super().restore(held, meta, rules)
        self.late_labels.swept_ms = self.alert_labels.swept_ms = max(0, self.watermark_ms(rules))


def _spending(start: Start) -> Spending:
    assert start.partitions is not None
    return Spending(start.partition, start.partitions, start.group, SPENT, start.rules.time_zone)


SHOPPER = Entity(
    name="shopper",
    log="storefront.events.v1",
    wire=WIRE,
    records=e.SHOPPER_EVENTS,
    catalogue=CATALOGUE,
    decisive=(
        e.CartItemAdded,
        e.CartItemRemoved,
        e.OrderPlaced,
        e.OrderCancelled,
        e.OrderReturned,
        e.OfferClicked,
        e.OfferRedeemed,
        e.OfferDismissed,
        e.ConsentChanged,
    ),
    cadence_ms=lambda rules: rules.cadence_ms,
    timer=lambda rules: rules.silence,
    columns=(*order_book.COLUMNS, *recalibrating.COLUMNS, *alarms.COLUMNS, CLOSED),
    deciders=(LateLabels, Scores, Profiles, ChurnAlerts, AlertLabels, Promotions, CampaignOffers),
    side=ShopperSide,
    merges=(
        Merge(order_book.COLUMNS, order_book.merge),
        Merge(alarms.COLUMNS, alarms.merge),
        Merge(ChurnAlerts.columns, churn_alert.merge),
        Merge((promotion.TIMES, promotion.COUNT, promotion.HELD_OUT), promotion.merge),
        Merge(memory.COLUMNS, memory.merge),
    ),
    campaigns=True,
)

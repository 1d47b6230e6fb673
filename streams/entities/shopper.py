"""A shopper: what storefronts tell of them, what is kept, when they are due, and what is decided about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from streams.budget.candidates import Candidates
from streams.campaigns import memory
from streams.campaigns.asking import Afforded, Asked
from streams.campaigns.draws import shopper_hashes
from streams.campaigns.plan import Plans
from streams.columns.arrays import Bools, EventBatch, Hashes, Ints
from streams.columns.layout import Rows
from streams.columns.shopper_events import WIRE, category_code, item_code
from streams.decisions import ad_campaigns, ads, churn_alert, promotion
from streams.decisions.ad_campaigns import AdCampaigns
from streams.decisions.ads import Ads
from streams.decisions.campaigns import CampaignOffers, SetAside
from streams.decisions.churn_alert import ChurnAlerts
from streams.decisions.decider import Decider, Group
from streams.decisions.profile import Profiles
from streams.decisions.promotion import Promotions
from streams.decisions.recommendations import Recommendations, Recommender
from streams.decisions.scores import Scores
from streams.decisions.shopper_profile import ShopperProfiles
from streams.effects.attribution import Opened
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.latest import repeat_no
from streams.features.kinds.recent import CATEGORIES
from streams.features.shopper import CATALOGUE
from streams.monitoring.alert_labels import WAITING, AlertLabels
from streams.monitoring.known import Known
from streams.monitoring.late_labels import LateLabels
from streams.processing import affording, alarms, left_items, order_book, wishes
from streams.processing.alarms import Alarms
from streams.processing.coupon_pools import CouponPools, Stock
from streams.processing.decode import NO_TIME, Decoded
from streams.processing.entity import Emitted, Entity, Start, Told
from streams.processing.fates import Fates, Judged, judge
from streams.processing.forgetting import Forgetting
from streams.processing.heard_news import HeardNews
from streams.processing.identity import CLOSED, Identities, Left, When
from streams.processing.merging import Merge
from streams.processing.names import CategoryNames
from streams.processing.offer_windows import OfferWindows
from streams.processing.recalibrating import Recalibrating
from streams.processing.rounds import IN_BUCKET
from streams.processing.rules import Rules
from streams.processing.said_of_items import SaidOfItems
from streams.processing.scoring import TaskScores
from streams.processing.side import PlainSide
from streams.processing.spending import PURSES, Spending, homes_of
from streams.processing.tallies import Tallies
from streams.processing.wishes import Wishes
from streams.records import events as e
from streams.records.budget import AnyBudgetRecord
from streams.records.campaigns import Campaign
from streams.records.effects import EffectReported
from streams.records.events import ShopperMerged
from streams.records.slices import Slice
from streams.state import keys

#: The entity that events touch, and are told to; the one whose budgets are spent here.
TOUCHED, SPENT = "item", "campaign"


class ShopperSide(PlainSide):
    """What a partition of shoppers knows beside their rows."""

    wishes: Wishes

    def __init__(self, start: Start) -> None:
        self.forgetting = Forgetting(start.rules.forget)
        self.names = CategoryNames()
        self._told_names: list[tuple[int, tuple[int, str]]] = []
        """Code, offset and name of categories that merged shoppers know, in the slice that begins."""
        self.recalibrating = Recalibrating(start.outputs)
        self._plans: Plans | None = None
        self.late_labels, self.alert_labels = LateLabels(start.outputs), AlertLabels()
        self._tallies = None if start.partitions is None else Tallies(start.partition, start.partitions, TOUCHED)
        self._partitions = start.partitions
        self.spending = Spending(start.partition, start.group, start.rules.time_zone)
        self.windows = OfferWindows(start.partition, start.rules.decode.currency)
        self.coupons = CouponPools(start.group)
        self.wishes, self.heard, self.said = Wishes(), HeardNews(), SaidOfItems()
        if start.partitions is not None:
            self.identities = Identities(start.partition, start.partitions, start.group)
        super().__init__(start)

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold."""
        super().under(rules, watermark_ms)
        currency, digest, names = rules.decode.currency, rules.digest, self.names
        self.windows.currency = currency
        alerts, offer = rules.churn_alert, rules.promotion
        self._rules = rules
        recommender = Recommender(rules.recommendation, self.heard.levels, self.said, self.heard.arrivals)
        offers = CampaignOffers(self._plans, self, currency, digest, names, self.wishes.item, recommender)
        built_in = Promotions(offer, alerts.thresholds, currency, digest, names)
        self.deciders: Sequence[Decider] = (
            self.late_labels,
            Scores("shopper"),
            Profiles(names),
            ShopperProfiles(rules.profile, currency, digest, names),
            Recommendations(recommender, rules.recommendation, digest),
            ChurnAlerts(alerts, currency, offer.gross_margin, digest, names),
            self.alert_labels,
            *((built_in,) if self._plans is None else ()),
            Ads(rules.ads, offer, rules.allowed_lateness_ms, currency, digest, self._ad_campaigns()),
            offers,
        )

    def _ad_campaigns(self) -> AdCampaigns | None:
        plans = self._plans
        return None if plans is None or not plans.ads else AdCampaigns(plans, self)

    def plan(self, plans: Plans | None) -> None:
        """From here on these campaigns hold, and the built-in offer says nothing."""
        self._plans = plans
        stood = self.watermark_ms(self._rules)
        self.alarms = None if plans is None else Alarms.of(plans).follows(self.alarms, stood)
        self.wishes.plan(plans)
        self.under(self._rules, NO_TIME)
        self.windows.forget([] if plans is None else [plan.id for plan in (*plans.plans, *plans.ads.values())])

    def cuts(self, decoded: Decoded, rules: Rules) -> list[int]:
        """Around news of items and codes of coupons; where quiet hours end, for which decisions before may wait."""
        found = self.wishes.cuts(decoded) + [place for i, _ in decoded.coupons for place in (i, i + 1)]
        if self.alarms is None or not self.alarms.quiet_ends:
            return found
        return found + self.alarms.cuts(self.watermarks_ms(decoded.clock_ms, rules))

    def steps(self, decoded: Decoded, rules: Rules) -> Ints:
        """Ends of quiet hours that the first record passes at once."""
        stood = self.watermark_ms(rules)
        if self.alarms is None or not self.alarms.quiet_ends or stood <= 0:
            return super().steps(decoded, rules)
        return self.alarms.ends(stood, int(self.watermarks_ms(decoded.clock_ms[:1], rules)[0]))

    def afford(self, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes) -> Afforded:
        """Which offers there is money and a code for; what it costs to send them is spent at once."""
        currency = self._rules.decode.currency
        return affording.afford(self.spending, self.coupons, currency, asked, offset, now_ms, due)

    def set_aside(self, campaign: str, some: Candidates) -> Bools:
        """Which clicks on ads there is money for."""
        return self.spending.afford(campaign, self._rules.decode.currency, some)

    def price(self, campaign: str, offset: int) -> float:
        """What a cent of cost had to bring beyond itself at an offset."""
        return float(self.spending.prices(campaign, self._rules.decode.currency, np.array([offset]))[0])

    def redeem(self, code: int, offset: int, at_ms: int, set_aside: SetAside, cost_cents: int | None) -> None:
        """An offer was used: what it came to is spent, all that was set aside for it where the record does not say."""
        currency = self._rules.decode.currency
        affording.redeem(self.spending, currency, code, offset, at_ms, set_aside, cost_cents)

    def entered(self, shopper: str, campaign: str) -> bool:
        """Whether a shopper entered a campaign before."""
        return self.windows.entered(shopper, campaign)

    def open(self, campaign: Campaign, opened: Opened, offset: int) -> None:
        """A shopper was made an offer, or kept back by the campaign's holdout alone: what follows counts. An offer that
        is too old to be published reaches nobody."""
        if opened.at_ms >= self._rules.publish_from_ms:
            self.windows.open(campaign, opened, offset)

    @property
    def items_unavailable(self) -> int:
        """Items that are known not to be offered."""
        return len(self.heard)

    @property
    def items_new(self) -> int:
        """Items that are known to be new."""
        return len(self.heard.arrivals)

    @property
    def stocks(self) -> Mapping[str, Stock]:
        """Codes of coupons, by pool."""
        return self.coupons.stocks

    def judge(self, decoded: Decoded, rows: Ints, state: Rows, slice_: Slice, rules: Rules) -> Judged:
        """Events come once, and not older than the watermark; an order is placed once."""
        names = dict[int, tuple[int, str]]()
        for code, told in sorted([*decoded.names.items(), *self._told_names], key=lambda one: one[1][0]):
            names.setdefault(code, told)
        self.names.learn(names)
        self._told_names.clear()
        if self.alarms is not None and self.alarms.items:
            self.wishes.learn(left_items.named(decoded.batch))
        judged = super().judge(decoded, rows, state, slice_, rules)
        if self.identities is not None:
            self.identities.refuse(decoded, judged.fates, slice_)
        if rules.recommendation.asks_facts:
            self.said.learn(decoded.batch, judged.late_before_ms)
        # What comes again after a crash of the items' side is no news.
        decoded.news = self.heard.hear(decoded.news, slice_.offsets)
        self.spending.begin(decoded, judged, slice_)
        self.coupons.load([(int(slice_.offsets[i]), said) for i, said in decoded.coupons])
        return judged

    def _fates(self, batch: EventBatch, rows: Ints, state: Rows, late_before: Ints) -> tuple[EventBatch, Fates]:
        judge_ = judge if self.identities is None else self.identities.judge
        return judge_(batch, rows, state, self.applied_ids, late_before)

    @property
    def awaited(self) -> bool:
        """Whether tallies wait for their minute to be closed, or leases, reservations and windows for their end."""
        return bool(self._tallies) or self.spending.awaited or self.windows.awaited

    def emit(self, batch: EventBatch, applied: Ints, judged: Judged, slice_: Slice, rules: Rules) -> Told:
        """What was done to items, minute by minute; what became of campaigns' budgets, and of their offers."""
        closed, reports = self.windows.close(judged, slice_)
        said: list[AnyBudgetRecord | EffectReported] = [*self.spending.end(), *reports]
        tallied = [] if self._tallies is None else self._tallies.count(batch, applied, judged.newest_ms, slice_, rules)
        return Told([*tallied, *self._to_campaigns(said)], list(closed))

    def _to_campaigns(self, said: Sequence[AnyBudgetRecord | EffectReported]) -> list[Emitted]:
        """Each into the partition of its campaign."""
        if self._partitions is None:
            return []
        home = homes_of([record.campaign for record in said], self._partitions)
        return [
            Emitted(SPENT, partition, msgspec.json.encode(record)) for partition, record in zip(home, said, strict=True)
        ]

    @property
    def idle(self) -> bool:
        """Whether neither items nor campaigns wait for this partition."""
        return self._tallies is None or (self._tallies.idle and self.windows.told)

    def fall_idle(self, offset: int, rules: Rules) -> list[Emitted]:
        """What is open is told, and nobody need wait for this partition."""
        if self._tallies is None:
            return []
        told = self._tallies.fall_idle(offset, rules)
        return told + self._to_campaigns(self.windows.tell(self.watermark_ms(rules)))

    def note(self, state: Rows, rows: Ints, batch: EventBatch, applied: Ints, judged: Judged) -> None:
        """What shoppers wish for, what clicks on ads cost, and what follows offers and ads."""
        self.wishes.note(state, rows, batch, applied)
        ad_campaigns.clicked(state, rows, batch, applied, judged.late_before_ms, self.redeem)
        self.windows.feed(batch, applied, judged)

    def left(self, state: Rows, row: int, key: str, when: When) -> Left:
        """What was foretold of an id that is identified is not judged: it comes no more. What is set aside for its
        offers counts as spent, as whoever redeems them does it where nothing was set aside; that for clicks on ads goes
        back, for hardly any comes."""
        offset = when.offset
        for column in (*self.recalibrating.starts, WAITING, *self.late_labels.waits.due):
            state.data[column.name][row] = 0
        ad_campaigns.forget(state, row)
        for code, cents, ends_ms in memory.take_all_reserved(state, row):
            self.redeem(code, offset, when.at_ms, (cents, ends_ms), None)
        names = [self.names.of_code(code, offset) for code in np.unique(state.data[CATEGORIES][row]).tolist()]
        items = [self.wishes.item(code) for code in left_items.codes(state, row)]
        return Left(
            [name for name in names if name is not None],
            [item for item in items if item is not None],
            self.windows.leave(key, offset, when.watermark_ms),
        )

    def came(self, said: ShopperMerged, offset: int, watermark_ms: int) -> None:
        """What follows the offers to an id follows those to whom it belongs."""
        self.windows.adopt(said.shopper_id, said.windows, offset, watermark_ms)

    def joins(self, state: Rows, row: int, other: Rows, said: ShopperMerged, offset: int) -> None:
        """Who has said no under another id says so again by turning out to be this one; who is held out under either is
        held out; categories are named as they were named there."""
        repeat_no(other, said.event_time)
        self._told_names += [(category_code(name), (offset, name)) for name in said.categories]
        self.wishes.learn({item_code(item): item for item in said.items})
        self.wishes.join(other, said.shopper_id, offset)
        memory.remember_id(other, 0, int(shopper_hashes(said.via[:1])[0]))
        if self._rules.promotion.in_holdout(said.via[0]):
            promotion.hold_out(other, 0)

    def correct(self, state: Rows, groups: Sequence[Group], scores: Mapping[str, TaskScores]) -> None:
        """What models foretell is corrected by what became of their forecasts."""
        self.recalibrating.recalibrate(state, groups, scores)

    def known(self, state: Rows, places: Ints, watermark_ms: int) -> Known:
        """Labels of scores, and what alerts came to."""
        return Known(
            self.late_labels.sweep(state, places, watermark_ms), self.alert_labels.known(state, places, watermark_ms)
        )

    def progress(self) -> dict[str, Any]:
        """How far time has come, and others' records, and what offers have set aside, for people to look at."""
        moved = {} if self.identities is None else self.identities.progress()
        moved |= self.heard.progress()
        told: dict[str, Any] = {"offers": self.spending.described(), "coupons": self.stocks}
        if self.alarms is not None:
            told["alarms_since_ms"] = self.alarms.since_ms
        return {**super().progress(), **moved, **told}

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Sums that calibration learns from, tallies, budgets, coupons, what became of offers, names, ids, items."""
        changes = self.recalibrating.drain_changes(next_offset, watermark_ms // DAY_MS)
        if self._tallies is not None:
            changes |= self._tallies.drain_changes(next_offset)
        changes |= self.spending.drain_changes(next_offset) | self.coupons.drain_changes(next_offset)
        changes |= self.windows.drain_changes(next_offset) | self.said.drain_changes(watermark_ms)
        if self.identities is not None:
            changes |= self.identities.drain_changes()
        changes |= self.wishes.drain_changes() | self.heard.drain_changes(next_offset, watermark_ms)
        return changes | self.names.drain_changes() | super().drain_changes(next_offset, watermark_ms)

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any], rules: Rules) -> None:
        """Take it back."""
        held = list(records)
        for key, value in held:
            if key[:1] == keys.NAME:
                self.names.restore(key, value)
            elif key == keys.OPEN and self._tallies is not None:
                self._tallies.restore(value)
            elif key == PURSES:
                self.spending.restore(value)
        self.recalibrating.restore(held)
        self.windows.restore(dict(held))
        self.coupons.restore(dict(held))
        self.wishes.restore(held)
        self.said.restore(held)
        self.heard.restore(held, meta)
        if self.identities is not None:
            self.identities.restore(held, meta)
        if self.alarms is not None:
            self.alarms = replace(self.alarms, since_ms=meta.get("alarms_since_ms", NO_TIME))
        super().restore(held, meta, rules)
        self.late_labels.swept_ms = self.alert_labels.swept_ms = max(0, self.watermark_ms(rules))


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
        e.AdRequested,
    ),
    cadence_ms=lambda rules: rules.cadence_ms,
    timer=lambda rules: rules.silence,
    columns=(*order_book.COLUMNS, *alarms.COLUMNS, *left_items.COLUMNS, *wishes.COLUMNS, IN_BUCKET, CLOSED),
    most_due=500,
    deciders=(
        LateLabels,
        Scores,
        Profiles,
        ShopperProfiles,
        Recommendations,
        ChurnAlerts,
        AlertLabels,
        Promotions,
        Ads,
        CampaignOffers,
    ),
    side=ShopperSide,
    merges=(
        Merge(order_book.COLUMNS, order_book.merge),
        Merge(alarms.COLUMNS, alarms.merge),
        Merge(left_items.COLUMNS, left_items.merge),
        Merge((wishes.ITEM, wishes.SINCE), wishes.merge),
        Merge(ChurnAlerts.columns, churn_alert.merge),
        Merge((promotion.TIMES, promotion.COUNT, promotion.HELD_OUT), promotion.merge),
        Merge(memory.COLUMNS, memory.merge),
        Merge(Ads.columns, ads.merge),
    ),
    campaigns=True,
)

"""An item: what catalogues say and shoppers did, what is kept of it, when it is due, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from streams.campaigns.plan import Plans
from streams.columns.arrays import EventBatch, Ints
from streams.columns.item_records import WIRE, ItemColumns
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Decider, Group
from streams.decisions.described import Describes
from streams.decisions.embedded import Embeds
from streams.decisions.enrichment import Enrichment
from streams.decisions.inventory import Inventory
from streams.decisions.item_news import ItemNews
from streams.decisions.item_profile import ItemProfiles
from streams.decisions.pictured import Pictured
from streams.decisions.price_forecast import PriceForecasts
from streams.decisions.price_optimize import PriceSuggestions
from streams.decisions.price_tests import PriceTests
from streams.decisions.rating_drop import RatingDrops
from streams.decisions.reviews_told import ReviewsSaid
from streams.decisions.sales_forecast import SalesForecasts
from streams.decisions.scores import Scores
from streams.features.days import Days
from streams.features.item import CATALOGUE
from streams.features.item.sales import WEEKS_KEPT
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.held import column
from streams.features.kinds.newest import NewestKind
from streams.features.kinds.windows import week
from streams.monitoring.known import Known
from streams.monitoring.late_labels import LateLabels
from streams.processing.alarms import Alarms
from streams.processing.categories import WEEKS, CategoryUnits
from streams.processing.coupon_pools import Stock
from streams.processing.day_end import DayEnd
from streams.processing.decode import NO_TIME, Decoded
from streams.processing.due import DuePoints
from streams.processing.entity import Emitted, Entity, Start, Told
from streams.processing.fates import APPLIED, Fates, Judged
from streams.processing.forgetting import Forgetting
from streams.processing.identity import Left, When
from streams.processing.names import CategoryNames
from streams.processing.recalibrating import Recalibrating
from streams.processing.rules import Rules
from streams.processing.scoring import TaskScores
from streams.processing.sources import Carried, Sources
from streams.records.events import ShopperMerged
from streams.records.items import ITEM_RECORDS, ItemChanged, ItemDelisted, ItemListed, ItemReviewed, StockCounted
from streams.records.news import AnyItemNews, encode_news, news_order
from streams.records.slices import Slice
from streams.state import keys

CATEGORY_UNITS = column("category.units_30d")
CATEGORY_WEEKS = column("category.week_units", WEEKS_KEPT)
#: Which week the first of them is.
CATEGORY_WEEK = Column("held/category.week", "i8")
#: The entity that is told news of items.
TOLD = "shopper"


class ItemSide:
    """What a partition of items knows beside their rows."""

    ticks = False
    awaited = False
    alarms: Alarms | None = None
    forgetting: Forgetting | None = None
    identities = None
    wishes = None
    items_unavailable = items_new = 0
    idle = True

    def __init__(self, start: Start) -> None:
        self.newest_ms = self._began_ms = NO_TIME
        self._sources, self._carried = Sources(start.partitions or 1), Carried()
        self._names, self._categories = CategoryNames(), CategoryUnits()
        self._late_labels, self._recalibrating = LateLabels(start.outputs), Recalibrating(start.outputs)
        self._told_to = range(start.partitions or 0)
        self._noticed: list[AnyItemNews] = []
        self._group, self._partition = start.group, start.partition
        self.deciders: tuple[Decider, ...] = ()
        self.under(start.rules, NO_TIME)

    @property
    def stocks(self) -> Mapping[str, Stock]:
        """Codes of coupons, by pool: none."""
        return {}

    @property
    def ids_held(self) -> int:
        """Ids that duplicates are told by."""
        return sum(len(ids) for ids in self._carried.ids.values())

    def watermark_ms(self, rules: Rules) -> int:
        """The least of what partitions of shoppers have come to, less the allowed lateness."""
        return self._sources.watermark_ms

    def watermarks_ms(self, clock_ms: Ints, rules: Rules) -> Ints:
        """[n] where the watermark stands: sources move it, not records' times."""
        return np.full(len(clock_ms), self.watermark_ms(rules))

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold."""
        self._days = Days(rules.time_zone)
        drops = RatingDrops(rules.rating, rules.digest)
        profiles = ItemProfiles(rules.decode.currency, rules.digest, self._names, rules.rating)
        enrichment = Enrichment(rules.digest, self._names)
        forecasts = SalesForecasts(rules.forecast, rules.digest)
        prices = PriceForecasts(rules.price_forecast, rules.decode.currency, rules.digest)
        suggests = PriceSuggestions(rules.prices, rules.decode.currency, rules.digest)
        experiments = rules.prices.experiment != "off"
        tests = PriceTests(experiments, rules.prices.assumed_margin, rules.decode.currency, rules.digest)
        inventory = Inventory(rules.inventory, rules.decode.currency, rules.digest, self._days)
        said = (
            drops, profiles, enrichment, Pictured(), Embeds(), Describes(), forecasts, prices, suggests, tests,
            inventory, ReviewsSaid(),
        )  # fmt: skip
        news = ItemNews(self._group, self._partition, rules.rating, self._noticed.append, lambda: self._began_ms)
        self.deciders = (self._late_labels, Scores("item"), *said, news)

    def plan(self, plans: Plans | None) -> None:
        """Campaigns decide about shoppers only."""

    def cuts(self, decoded: Decoded, rules: Rules) -> list[int]:
        """Nothing that is decided changes when something is due."""
        return []

    def steps(self, decoded: Decoded, rules: Rules) -> Ints:
        """Nothing that is decided changes when something is due."""
        return np.zeros(0, np.int64)

    def judge(self, decoded: Decoded, rows: Ints, state: Rows, slice_: Slice, rules: Rules) -> Judged:
        """What shoppers did comes once and is never late. What a catalogue says comes once, and is late by its own
        topic's time."""
        batch, columns, lateness = decoded.batch, decoded.columns, rules.allowed_lateness_ms
        assert isinstance(columns, ItemColumns)
        self._names.learn(columns.names)
        before, repeated = self._sources.advance(columns.sources, len(slice_), lateness)
        for source in columns.sources:
            if source.categories and source.position not in repeated:
                day, said = self._days.number(np.array([source.closed_ms, before[source.position]])).tolist()
                self._categories.add(int(slice_.offsets[source.position]), source.categories, day, said)
        told = decoded.clock_ms[decoded.clock_ms != NO_TIME]
        if self._began_ms == NO_TIME and len(told):
            self._began_ms = int(told[0])
        newest = np.maximum.accumulate(np.maximum(decoded.clock_ms, self.newest_ms))
        self.newest_ms = int(newest[-1])
        duplicate = batch.offset < state.flat["i8"][state.cells(APPLIED, rows)]
        duplicate |= np.isin(batch.position, repeated)
        known, late_before = self._carried.judge(batch, slice_, lateness)
        duplicate |= known
        late = batch.time_ms < late_before
        return Judged(batch, Fates(duplicate, late & ~duplicate), newest, before, before, late_before)

    def emit(self, batch: EventBatch, applied: Ints, judged: Judged, slice_: Slice, rules: Rules) -> Told:
        """News, to every partition of shoppers, in the order of the log."""
        news = sorted(self._noticed, key=news_order)
        self._noticed.clear()
        return Told([Emitted(TOLD, p, value) for value in map(encode_news, news) for p in self._told_to], [])

    def fall_idle(self, offset: int, rules: Rules) -> list[Emitted]:
        """Nobody waits for what items have to say."""
        return []

    def note(self, state: Rows, rows: Ints, batch: EventBatch, applied: Ints, judged: Judged) -> None:
        """Nothing of it is kept but rows."""

    def left(self, state: Rows, row: int, key: str, when: When) -> Left:
        """No item turns out to be another one."""
        return Left([], [], {})

    def came(self, said: ShopperMerged, offset: int, watermark_ms: int) -> None:
        """No item turns out to be another one."""

    def joins(self, state: Rows, row: int, other: Rows, said: ShopperMerged, offset: int) -> None:
        """No item turns out to be another one."""

    def refresh(self, state: Rows, points: DuePoints) -> None:
        """At the end of a day: what each item's category sold in the whole shop, in 30 days and in each week."""
        if not points.timer:
            return
        newest = CATALOGUE.kind(NewestKind).value(state.pick(points.row), "category")
        day = self._days.number(points.set_ms)
        units, weeks = np.zeros(len(day), np.int64), np.zeros((len(day), WEEKS), np.int64)
        # Day by day: a day's sums are made from those of the day before.
        for at in np.unique(day).tolist():
            some = np.flatnonzero(day == at)
            units[some] = self._categories.units(newest[some], at)
            weeks[some] = self._categories.weeks(newest[some], at)
        state.flat["i8"][state.cells(CATEGORY_UNITS, points.row)] = units
        # Weeks before those that are known again move on as they are.
        cells, head = state.cells(CATEGORY_WEEKS, points.row), state.cells(CATEGORY_WEEK, points.row)
        whole = cells[:, None] + np.arange(WEEKS_KEPT)
        before = np.arange(WEEKS_KEPT) - (week(day) - state.flat["i8"][head])[:, None]
        held = np.take_along_axis(state.flat["i8"][whole], np.clip(before, 0, WEEKS_KEPT - 1), axis=1)
        state.flat["i8"][whole] = np.c_[weeks, np.where(before >= 0, held, 0)[:, weeks.shape[1] :]]
        state.flat["i8"][head] = week(day)

    def correct(self, state: Rows, groups: Sequence[Group], scores: Mapping[str, TaskScores]) -> None:
        """What models foretell is corrected by what became of their forecasts."""
        self._recalibrating.recalibrate(state, groups, scores)

    def known(self, state: Rows, places: Ints, watermark_ms: int) -> Known:
        """Labels of answers."""
        return Known(self._late_labels.sweep(state, places, watermark_ms))

    def progress(self) -> dict[str, Any]:
        """How far the sources have come, and what was carried over."""
        carried = self._carried.progress()
        told = {"newest_ms": self.newest_ms, "began_ms": self._began_ms}
        return {**told, "sources": self._sources.progress(), "carried": carried}

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Sums that calibration learns from, sums of categories, names, ids."""
        today = int(self._days.number(np.array([max(watermark_ms, 0)]))[0])
        changes = self._recalibrating.drain_changes(next_offset, watermark_ms // DAY_MS)
        changes |= self._categories.drain_changes(next_offset, today) | self._names.drain_changes()
        for topic, ids in self._carried.ids.items():
            changes |= ids.drain_changes(next_offset, self._carried.newest_ms(topic))
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any], rules: Rules) -> None:
        """Take it back."""
        self.newest_ms = meta.get("newest_ms", NO_TIME)
        # Of a table that was made before this was kept nobody knows when it began: as far as it had come at the latest.
        self._began_ms = meta.get("began_ms", self.newest_ms)
        if "sources" in meta:
            self._sources.restore(meta["sources"])
            self._carried.restore(meta["carried"])
        records = list(records)
        self._recalibrating.restore(records)
        chunks: dict[str, list[tuple[bytes, bytes]]] = {topic: [] for topic in self._carried.topics}
        for key, value in records:
            if key[:1] == keys.NAME:
                self._names.restore(key, value)
            elif key[:1] == keys.OPEN:
                self._categories.restore(value)
            elif key[:1] == keys.IDS:
                topic = key[1 : key.index(b"\0")].decode()
                chunks.setdefault(topic, []).append((key, value))
        for topic, held in chunks.items():
            ids = self._carried.ids_of(topic)
            ids.recover(held, meta.get("next_offset", 0), self._carried.newest_ms(topic))
        self._late_labels.swept_ms = max(0, self.watermark_ms(rules))
        self.under(rules, NO_TIME)


ITEM = Entity(
    name="item",
    log="items-log",
    internal=True,
    wire=WIRE,
    records=ITEM_RECORDS,
    catalogue=CATALOGUE,
    decisive=(ItemListed, ItemChanged, ItemDelisted, StockCounted, ItemReviewed),
    # The end of each day makes due; what shoppers do in between only adds up.
    cadence_ms=lambda rules: 10**15,
    timer=lambda rules: DayEnd(rules.time_zone),
    columns=(CATEGORY_WEEK,),
    deciders=(
        LateLabels,
        Scores,
        RatingDrops,
        ItemProfiles,
        Enrichment,
        Pictured,
        Embeds,
        Describes,
        SalesForecasts,
        PriceForecasts,
        PriceSuggestions,
        PriceTests,
        Inventory,
        ReviewsSaid,
        ItemNews,
    ),
    side=ItemSide,
)

"""What partitions of shoppers are told of items: what must not be offered, what may be again, what costs less, what is
new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.decisions.embedded import TASK as EMBEDS
from streams.decisions.likeness import BY_DIGITS
from streams.decisions.looks import in_steps
from streams.decisions.new_items import NEW_DAYS, TOLD_FROM
from streams.decisions.rating_drop import RatingPolicy
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.taste import code
from streams.records.items import CatalogRecord
from streams.records.news import (
    AVAILABLE,
    BADLY_REVIEWED,
    DELISTED,
    LEVELS,
    RATED_WORSE,
    SOLD_OUT,
    AnyItemNews,
    ItemArrived,
    ItemAvailable,
    ItemPriceDropped,
    ItemUnavailable,
)

#: Of a price that fell an item is told at most once in so long, in event time of the item.
ONCE_IN_MS = 86_400_000
#: That less is against an item than before is told at most once in so long: what sells out all the time stays out.
CALM_MS = 6 * 3_600_000
#: A price that falls by less is no news; no campaign can ask for less.
LEAST_PERCENT = 0.1
#: An item with so many reviews of fewer stars on average is not offered, until it has so many again.
LEAST_REVIEWS, FEWEST_STARS, STARS_AGAIN = 5, 2.0, 2.25
TOLD = Column("news/told", "u1")
"""How much there is against offering it, as was told last: a place in ``LEVELS``."""
RAN_OUT = Column("news/ran_out", "u1")
"""Whether it was sold out since it was told to be available."""
LISTED = Column("news/listed", "u1")
"""Whether a catalogue ever listed it: what none lists is for sale, what is listed no more is not."""
PRICE = Column("news/price+1", "i8")
EASED = Column("news/eased", "i8")
"""When it was told last that less is against it, as ``DROPPED`` of the price; 0: never."""
DROPPED = Column("news/dropped", "i8")
ARRIVED = Column("news/arrived+1", "i8")
"""Units of which was told that it sold them since it came; 0: it was not told that it is new."""
ON_HAND, LOCATIONS, NOW, RATING, REVIEWS, IS_LISTED = (
    "stock.on_hand", "stock.locations", "price.now", "reviews.rating", "reviews.count", "listing.listed",
)  # fmt: skip
LISTED_DAYS, SOLD_DAYS, UNITS, CATEGORY, CATEGORY_UNITS = (
    "listing.age_days", "sales.days_since_first", "sales.units", "listing.category", "listing.category_units_30d",
)  # fmt: skip


class ItemNews:
    """Notices news at an item's due points and has it told; says nothing itself. ``group`` and ``partition``: of the
    items' log; ``rating``: of the decider that finds drops, which goes before this one; ``began_ms``: when that log
    begins.

    Prevents three accidents: an item that cannot be bought, or whose reviews just fell, is offered, so what is worse
    than before is told at once; an item whose stock flickers floods every partition of shoppers, so what is better is
    told at most every six hours: at most 4 times in 24 hours, and worse, of which there are four steps, at most 20
    times; and all that a shop sells counts as new when its log begins: what came within 28 days of that was there
    before, as far as anybody can tell.
    """

    columns: tuple[Column, ...] = (TOLD, RAN_OUT, LISTED, PRICE, EASED, DROPPED, ARRIVED)
    reads = (
        ON_HAND, LOCATIONS, NOW, RATING, REVIEWS, IS_LISTED, LISTED_DAYS, SOLD_DAYS, UNITS, CATEGORY, CATEGORY_UNITS,
    )  # fmt: skip

    def __init__(
        self,
        group: str,
        partition: int,
        rating: RatingPolicy,
        tell: Callable[[AnyItemNews], None],
        began_ms: Callable[[], int],
    ) -> None:
        self._group, self._partition, self._rating, self._tell = group, partition, rating, tell
        self._began_ms = began_ms

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """The price of an item that is not for sale is no news."""
        listed, flags = group.feature(IS_LISTED) > 0, state.flat["u1"]
        ever = state.cells(LISTED, group.row)
        first_listed = listed & (flags[ever] == 0)
        flags[ever] |= listed
        for_sale = listed | (flags[ever] == 0)
        level, changed, restocked = self._availability(state, group, for_sale)
        fell = self._fell(state, group)
        dropped = for_sale & (fell >= LEAST_PERCENT) & self._rested(state, group, DROPPED, ONCE_IN_MS)
        state.flat["i8"][state.cells(DROPPED, group.row[dropped])] = group.now_ms[dropped]
        arrived, came, units = self._arrived(state, group, for_sale, first_listed)
        embedded = self._embedded(group, np.flatnonzero(arrived))
        for i in np.flatnonzero(changed | dropped | arrived).tolist():
            said = self._known(group, i)
            if changed[i] and level[i] == AVAILABLE:
                self._tell(ItemAvailable(**said, restocked=bool(restocked[i])))
            elif changed[i]:
                self._tell(ItemUnavailable(**said, why=LEVELS[level[i]]))
            if dropped[i]:
                cents = group.record[i].unit_price_cents
                self._tell(ItemPriceDropped(**said, unit_price_cents=cents, percent=float(fell[i])))
            if arrived[i]:
                sold: dict[str, Any] = self._sold(group, i)
                sold |= embedded.get(i, {})
                self._tell(ItemArrived(**said, came_ms=int(came[i]), units=int(units[i]), **sold))
        return []

    def _arrived(self, state: Rows, group: Group, for_sale: Bools, first_listed: Bools) -> tuple[Bools, Ints, Ints]:
        """[k] of which is to be told that they are new, or sell more than was told; when they came, and the units they
        sold as they are told; remembers it. What no catalogue lists is told of when it sold a few, and again when one
        lists it first: then it is known what it is like."""
        features = (LISTED_DAYS, SOLD_DAYS, UNITS)
        listed, sold, units = (group.feature(name).astype(np.float64) for name in features)
        came = group.now_ms - (np.maximum(listed, sold) * DAY_MS).astype(np.int64)
        # The largest power of two that is not more.
        power = np.ldexp(1.0, np.frexp(np.maximum(units, 1.0))[1] - 1)
        step = np.where(units >= TOLD_FROM, power, 0.0).astype(np.int64)
        told, days = state.cells(ARRIVED, group.row), NEW_DAYS * DAY_MS
        new = for_sale & (group.now_ms - came <= days) & (came >= self._began_ms() + days)
        new &= ((group.feature(IS_LISTED) > 0) | (step > 0)) & ((step + 1 > state.flat["i8"][told]) | first_listed)
        state.flat["i8"][told[new]] = step[new] + 1
        return new, came, step

    @staticmethod
    def _embedded(group: Group, some: Ints) -> dict[int, dict[str, Any]]:
        """What some items are like, and by which model, where it is said of their records."""
        scores = group.seen.scores.get(EMBEDS)
        if scores is None or not len(some):
            return {}
        some = some[group.whole(EMBEDS)[some]]
        steps = in_steps(group.answer(EMBEDS, "embedding")[some])
        used = group.seen.which(EMBEDS)[group.span][some].tolist()
        return {
            i: {"embedding": like.tobytes(), "embedded_by": scores.models[which].digest[:BY_DIGITS]}
            for i, which, like in zip(some.tolist(), used, steps, strict=True)
            if like.any()
        }

    @staticmethod
    def _sold(group: Group, i: int) -> dict[str, int]:
        """What is said of a new item's price, its category and that category's sales."""
        category = int(code(group.feature(CATEGORY)[i : i + 1])[0])
        units, cents = int(group.feature(CATEGORY_UNITS)[i]), int(group.feature(NOW)[i])
        return {"category": category, "category_units": units, "unit_price_cents": cents}

    def _availability(self, state: Rows, group: Group, for_sale: Bools) -> tuple[Ints, Bools, Bools]:
        """[k] how much there is against each, of which that is to be told, and which were sold out before; remembers
        it."""
        flags, told, out = state.flat["u1"], state.cells(TOLD, group.row), state.cells(RAN_OUT, group.row)
        sold_out = (group.feature(LOCATIONS) > 0) & (group.feature(ON_HAND) == 0)
        stars = np.where(flags[told] == BADLY_REVIEWED, STARS_AGAIN, FEWEST_STARS)
        bad = (group.feature(REVIEWS) >= LEAST_REVIEWS) & (group.feature(RATING) < stars)
        fell = self._rating.holds_back(state, group.row, group.now_ms)
        against = {DELISTED: ~for_sale, RATED_WORSE: fell, SOLD_OUT: sold_out, BADLY_REVIEWED: bad}
        level = np.select(list(against.values()), list(against), AVAILABLE)
        eased = (level < flags[told]) & self._rested(state, group, EASED, CALM_MS)
        changed = (level > flags[told]) | eased
        ran_out = (flags[out] > 0) | sold_out
        flags[told[changed]] = level[changed]
        flags[out] = ran_out & ~(eased & (level == AVAILABLE))
        state.flat["i8"][state.cells(EASED, group.row[eased])] = group.now_ms[eased]
        return level, changed, ran_out

    @staticmethod
    def _fell(state: Rows, group: Group) -> Floats:
        """[k] by how many percent each price fell with its record, 0 where it did not; remembers the price."""
        fell, now = np.zeros(len(group)), group.feature(NOW)
        prices = state.data[PRICE.name]
        for i, record in enumerate(group.record):
            price = record.unit_price_cents if isinstance(record, CatalogRecord) else None
            # Of a price that a newer record changed before, nobody need hear.
            if price is not None and now[i] == np.float32(price):
                before = int(prices[group.row[i]]) - 1
                prices[group.row[i]] = price + 1
                fell[i] = (before - price) * 100 / before if before > price else 0.0
        return fell

    @staticmethod
    def _rested(state: Rows, group: Group, told: Column, rest_ms: int) -> Bools:
        """[k] whether nothing of the kind was told within so long."""
        at: Ints = state.flat["i8"][state.cells(told, group.row)]
        return group.now_ms - at >= rest_ms

    def _known(self, group: Group, i: int) -> dict[str, Any]:
        """What all news says."""
        counted, rating = group.feature(LOCATIONS)[i] > 0, float(group.feature(RATING)[i])
        return {
            "group": self._group,
            "item_id": group.key[i],
            "event_time": int(group.now_ms[i]),
            "source_partition": self._partition,
            "source_offset": int(group.offset[i]),
            "on_hand": int(group.feature(ON_HAND)[i]) if counted else None,
            "rating": round(rating, 2) if rating > 0 else None,
        }

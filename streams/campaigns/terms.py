"""What the parts of a campaign say, in numbers: arms, windows, hours, triggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, Floats, Ints
from streams.features.days import DAY_MS
from streams.records.campaign_parts import (
    Amount,
    AnyOffer,
    AnyTrigger,
    BackInStock,
    BrowseAbandoned,
    Bundle,
    Cap,
    CartAbandoned,
    Cooldown,
    DuePoint,
    Event,
    FreeShipping,
    Overdue,
    Percent,
    PriceDrop,
    QuietHours,
    Silence,
)
from streams.records.events import SHOPPER_EVENTS
from streams.records.news import AnyItemNews, ItemAvailable, ItemPriceDropped
from streams.records.outcomes import DueKind
from streams.records.tags import tag_of

#: What may have made a shopper due, as campaigns tell it apart; its place is its code.
KINDS: tuple[DueKind, ...] = get_args(DueKind)
EVENT, SILENCE, DAY, CART, BROWSE, STOCK, PRICE, OVERDUE, DEFERRED = range(len(KINDS))
#: The code of the news of an item that a trigger waits for.
NEWS_TRIGGERS: dict[type, int] = {BackInStock: STOCK, PriceDrop: PRICE}
#: The same of all triggers that are about an item: of news, and of what a shopper left.
ITEM_TRIGGERS: dict[type, int] = {**NEWS_TRIGGERS, CartAbandoned: CART, BrowseAbandoned: BROWSE}
#: The code of each shopper event by its name on the wire.
EVENT_CODES = {tag_of(cls): TYPE_CODE[cls] for cls in SHOPPER_EVENTS}
MINUTE_MS = 60_000


def news_kind(record: AnyItemNews) -> int | None:
    """The code of what news of an item makes due for whoever wishes for it; None: nobody."""
    if isinstance(record, ItemPriceDropped):
        return PRICE
    return STOCK if isinstance(record, ItemAvailable) and record.restocked else None


@dataclass(frozen=True, slots=True)
class Arms:
    """A arms as arrays."""

    rate: Floats
    """[A] share off the price."""
    fixed: Floats
    """[A] cents off the price, besides."""
    most: Floats
    """[A] cents off at most."""
    least_order: Floats
    """[A] smallest order that it holds for, cents."""
    uplift: Floats
    """[A] assumed."""
    redemption: Floats
    """[A] assumed."""
    reserve: Ints
    """[A] cents that an open offer may cost at most."""
    valid_ms: Ints
    """[A] how long it holds."""
    of_items: Bools
    """[A] whether it names items, so that their stock and reviews count."""

    def __len__(self) -> int:
        return len(self.reserve)

    @staticmethod
    def of(arms: Iterable[AnyOffer], contact_cents: int) -> Arms:
        """The arms of a campaign."""
        rows = [(*_discount(arm), arm.assumed_uplift, arm.assumed_redemption) for arm in arms]
        rate, fixed, most, least, uplift, redemption = np.array(rows, np.float64).T
        return Arms(
            rate=rate,
            fixed=fixed,
            most=most,
            least_order=least,
            uplift=uplift,
            redemption=redemption,
            reserve=most.astype(np.int64) + contact_cents,
            valid_ms=np.array([milliseconds(arm.valid_days) for arm in arms], np.int64),
            of_items=np.array(
                [isinstance(a, Bundle) or a.applies_to in ("items", "recommended", "trigger_item") for a in arms]
            ),
        )


def _discount(arm: AnyOffer) -> tuple[float, float, float, float]:
    """Share off, cents off, cents off at most, smallest order."""
    if isinstance(arm, Percent):
        return arm.percent / 100, 0, arm.max_discount_cents, 0
    if isinstance(arm, Amount):
        return 0, arm.amount_cents, arm.amount_cents, arm.min_order_cents
    if isinstance(arm, (FreeShipping, Bundle)):
        cents = arm.shipping_cents if isinstance(arm, FreeShipping) else arm.discount_cents
        return 0, cents, cents, 0
    return 0, 0, 0, 0


def milliseconds(days: float) -> int:
    """Of so many days, to the nearest one."""
    return round(days * DAY_MS)


@dataclass(frozen=True, slots=True)
class Window:
    """A cap: at most so many ``offers`` in so many milliseconds."""

    offers: int
    length_ms: int

    @staticmethod
    def of(caps: Iterable[Cap]) -> tuple[Window, ...]:
        """The windows of caps."""
        return tuple(Window(cap.offers, milliseconds(cap.days)) for cap in caps)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours without contact, in minutes of the day, under a zone's clock."""

    start: int
    end: int
    shoppers_clock: bool

    @staticmethod
    def of(hours: QuietHours | None) -> Quiet | None:
        """The hours, or None where there are none."""
        if hours is None:
            return None
        start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (hours.start, hours.end))
        return Quiet(start, end, hours.clock == "shopper")


def cooldown_ms(rest: Cooldown) -> tuple[int, int, int]:
    """Rest after a purchase, a return, a complaint."""
    days = (rest.after_purchase_days, rest.after_return_days, rest.after_complaint_days)
    purchase, back, complaint = (milliseconds(each) for each in days)
    return purchase, back, complaint


_KIND_OF: dict[type, int] = {
    Event: EVENT,
    Silence: SILENCE,
    CartAbandoned: CART,
    BrowseAbandoned: BROWSE,
    BackInStock: STOCK,
    PriceDrop: PRICE,
    Overdue: OVERDUE,
}


def triggered_by(trigger: AnyTrigger) -> tuple[Bools, float]:
    """By code of ``KINDS`` whether such a due point triggers, and how much there must be at least of what it measures
    (minutes, percent, gaps); -inf where nothing is."""
    kinds = np.zeros(len(KINDS), np.bool_)
    kinds[[EVENT, SILENCE, DAY] if isinstance(trigger, DuePoint) else _KIND_OF[type(trigger)]] = True
    if isinstance(trigger, (CartAbandoned, BrowseAbandoned)):
        return kinds, float(trigger.minutes)
    if isinstance(trigger, PriceDrop):
        return kinds, trigger.percent
    return kinds, trigger.gaps if isinstance(trigger, Overdue) else -np.inf


def event_codes(trigger: AnyTrigger) -> Bools:
    """By code of an event's type whether it triggers; also that of a timer, 0."""
    if not isinstance(trigger, Event):
        return np.ones(256, np.bool_)
    types = np.zeros(256, np.bool_)
    types[[EVENT_CODES[name] for name in trigger.types]] = True
    return types

"""What can be counted or added up: a signal is a set of event types and the number each such event stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.processing.batch import EventBatch, Ints, Touches, type_codes
from streams.records import events as e

Value = Literal["count", "cents", "discount_cents", "quantity", "dwell_ms"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A named stream of (time, number) pairs per shopper.

    ``value`` is what one event contributes; ``flagged`` keeps only events whose flag is set (orders with a coupon,
    searches without a result). All values are integers ≥ 0, so sums are exact.
    """

    name: str
    types: tuple[type[e.ShopperEvent], ...]
    value: Value = "count"
    flagged: bool = False


ANY = Signal("any.count", e.SHOPPER_EVENTS)
ORDERS = Signal("orders.count", (e.OrderPlaced,))
SPEND = Signal("orders.spend", (e.OrderPlaced,), "cents")
DISCOUNTS = Signal("orders.discount", (e.OrderPlaced,), "discount_cents")
UNITS = Signal("orders.units", (e.OrderPlaced,), "quantity")
COUPONS = Signal("orders.coupons", (e.OrderPlaced,), flagged=True)
CANCELLED = Signal("orders.cancelled", (e.OrderCancelled,))
RETURNED = Signal("orders.returned", (e.OrderReturned,))
REFUNDED = Signal("orders.refunded", (e.OrderReturned, e.OrderCancelled), "cents")
VIEWS = Signal("views.count", (e.ItemViewed,))
DWELL = Signal("views.dwell", (e.ItemViewed,), "dwell_ms")
CART_ADDS = Signal("carts.adds", (e.CartItemAdded,))
CART_REMOVES = Signal("carts.removes", (e.CartItemRemoved,))
CART_VALUE = Signal("carts.value", (e.CartItemAdded,), "cents")
WISHES = Signal("wishlist.count", (e.ItemWishlisted,))
SEARCHES = Signal("searches.count", (e.Searched,))
EMPTY_SEARCHES = Signal("searches.empty", (e.Searched,), flagged=True)
OFFERS_SHOWN = Signal("offers.shown", (e.OfferShown,))
OFFERS_CLICKED = Signal("offers.clicked", (e.OfferClicked,))
OFFERS_REDEEMED = Signal("offers.redeemed", (e.OfferRedeemed,))
OFFERS_DISMISSED = Signal("offers.dismissed", (e.OfferDismissed,))
ADS_SHOWN = Signal("ads.shown", (e.AdShown,))
ADS_CLICKED = Signal("ads.clicked", (e.AdClicked,))

#: Every signal; its index is its code in ``Entries.signal``.
SIGNALS: tuple[Signal, ...] = (
    ANY, ORDERS, SPEND, DISCOUNTS, UNITS, COUPONS, CANCELLED, RETURNED, REFUNDED, VIEWS, DWELL, CART_ADDS,
    CART_REMOVES, CART_VALUE, WISHES, SEARCHES, EMPTY_SEARCHES, OFFERS_SHOWN, OFFERS_CLICKED, OFFERS_REDEEMED,
    OFFERS_DISMISSED, ADS_SHOWN, ADS_CLICKED,
)  # fmt: skip
SIGNAL_CODE = {signal.name: code for code, signal in enumerate(SIGNALS)}

_N_TYPES = len(e.SHOPPER_EVENTS) + 1
_MEMBERS = np.zeros((len(SIGNALS), _N_TYPES), np.bool_)
for _code, _signal in enumerate(SIGNALS):
    _MEMBERS[_code, list(type_codes(*_signal.types))] = True


@dataclass(frozen=True, slots=True)
class Entries:
    """The (signal, row, time, value) quadruples of a run of events. Within a signal they stand in log order."""

    signal: Ints
    event: Ints
    row: Ints
    time_ms: Ints
    value: Ints

    @property
    def present(self) -> set[int]:
        """The codes of the signals that occur."""
        return set(np.flatnonzero(np.bincount(self.signal, minlength=len(SIGNALS))).tolist())

    def select(self, chosen: Ints | slice) -> Entries:
        """Some of the entries."""
        return Entries(
            self.signal[chosen],
            self.event[chosen],
            self.row[chosen],
            self.time_ms[chosen],
            self.value[chosen],
        )


def entries(batch: EventBatch, chosen: Ints, rows: Ints) -> Entries:
    """The entries of the chosen events (indices into the batch, ascending), whose shoppers' rows are given."""
    kinds, flags = batch.type[chosen], batch.flag[chosen] != 0
    present = np.zeros(_N_TYPES, np.bool_)
    present[kinds] = True
    signals: list[Ints] = []
    events: list[Ints] = []
    values: list[Ints] = []
    for code, signal in enumerate(SIGNALS):
        members = _MEMBERS[code]
        if not (members & present).any():
            continue
        mask = members[kinds]
        if signal.flagged:
            mask &= flags
        index = np.flatnonzero(mask)
        if signal.value == "count":
            value = np.ones(len(index), np.int64)
        else:
            value = getattr(batch, signal.value)[chosen[index]]
            keep = value != 0
            index, value = index[keep], value[keep]
        signals.append(np.full(len(index), code, np.int64))
        events.append(index)
        values.append(value)
    if not signals:
        empty = np.zeros(0, np.int64)
        return Entries(empty, empty, empty, empty, empty)
    event = np.concatenate(events)
    return Entries(np.concatenate(signals), event, rows[event], batch.time_ms[chosen][event], np.concatenate(values))


@dataclass(frozen=True, slots=True)
class Run:
    """Events to fold at once: n events of k shoppers, in log order, in every form that a kind may want.

    ``row[i]`` is the shopper's row of event i. ``touch.event`` counts from 0 within the run.
    """

    row: Ints
    time_ms: Ints
    type: Ints
    id_hash: Ints
    cents: Ints
    category: Ints
    item: Ints
    flag: Ints
    entries: Entries
    touch: Touches

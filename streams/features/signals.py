"""What can be counted or added up: a signal is a set of event types and the number each such event stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import EventBatch, Ints, Touches, of_types
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

#: Every signal; its index is its code.
SIGNALS: tuple[Signal, ...] = (
    ANY, ORDERS, SPEND, DISCOUNTS, UNITS, COUPONS, CANCELLED, RETURNED, REFUNDED, VIEWS, DWELL, CART_ADDS,
    CART_REMOVES, CART_VALUE, WISHES, SEARCHES, EMPTY_SEARCHES, OFFERS_SHOWN, OFFERS_CLICKED, OFFERS_REDEEMED,
    OFFERS_DISMISSED, ADS_SHOWN, ADS_CLICKED,
)  # fmt: skip
SIGNAL_CODE = {signal.name: code for code, signal in enumerate(SIGNALS)}

#: [signals, codes of types] which events a signal takes.
_MEMBERS = np.stack([of_types(*signal.types) for signal in SIGNALS])


@dataclass(frozen=True, slots=True)
class Entries:
    """What a run's events say of one signal, in log order. [m] each."""

    row: Ints
    time_ms: Ints
    value: Ints


def entries(batch: EventBatch, chosen: Ints, rows: Ints, bounds: Ints) -> list[dict[int, Entries]]:
    """Per run the entries of each signal that occurs, by the signal's code.

    ``chosen`` are the events (indices into the batch) in the order of the runs, ``rows`` their shoppers' rows;
    ``bounds`` [runs + 1] says where each run starts.
    """
    kinds, flags, times = batch.type[chosen], batch.flag[chosen] != 0, batch.time_ms[chosen]
    present = np.zeros(_MEMBERS.shape[1], np.bool_)
    present[kinds] = True
    runs: list[dict[int, Entries]] = [{} for _ in range(len(bounds) - 1)]
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
        row, time_ms = rows[index], times[index]
        cuts = np.searchsorted(index, bounds).tolist()
        for run, a, b in zip(runs, cuts, cuts[1:], strict=False):
            if a < b:
                run[code] = Entries(row[a:b], time_ms[a:b], value[a:b])
    return runs


@dataclass(frozen=True, slots=True)
class Run:
    """Events to fold at once: n events of k shoppers, in log order, in every form that a kind may want.

    ``row[i]`` is the shopper's row of event i. ``entries`` are by code of the signal. ``touch.event`` counts from 0
    within the run.
    """

    row: Ints
    time_ms: Ints
    type: Ints
    id_hash: Ints
    cents: Ints
    category: Ints
    item: Ints
    flag: Ints
    entries: dict[int, Entries]
    touch: Touches

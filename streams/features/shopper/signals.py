"""What can be counted of a shopper, or added up."""

from __future__ import annotations

from streams.features.signals import Signal
from streams.records import events as e

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

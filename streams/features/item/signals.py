"""What can be counted of an item, or added up."""

from __future__ import annotations

from streams.features.signals import Signal
from streams.records.items import ItemChanged, ItemListed, ItemReviewed, ItemTally, StockCounted

_DONE = (ItemTally,)
VIEWS = Signal("items.views", _DONE, "views")
CART_ADDS = Signal("items.cart_adds", _DONE, "cart_adds")
WISHES = Signal("items.wishes", _DONE, "wishes")
ORDERS = Signal("items.orders", _DONE, "orders")
UNITS = Signal("items.units", _DONE, "units")
REVENUE = Signal("items.revenue", _DONE, "revenue_cents")
DISCOUNT = Signal("items.discount", _DONE, "discount_cents")
RETURNED = Signal("items.returned", _DONE, "returned_units")
REFUNDED = Signal("items.refunded", _DONE, "refunded_cents")
LISTED = Signal("listing.listed", (ItemListed,))
SAID = Signal("listing.said", (ItemListed, ItemChanged))
REVIEWS = Signal("reviews.count", (ItemReviewed,))
RATINGS = Signal("reviews.rating", (ItemReviewed,), "rating")
RATINGS_SQUARED = Signal("reviews.rating_squared", (ItemReviewed,), "rating_squared")
COUNTED = Signal("stock.counted", (StockCounted,))
IN_STOCK = Signal("stock.counted_some", (StockCounted,), "on_hand")

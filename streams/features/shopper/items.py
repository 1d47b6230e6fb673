"""The items that a shopper bought, looked at and put into the cart, as tensors for models that name items."""

from streams.features.feature import Feature
from streams.features.kinds.bought import ITEMS_TOLD, MOST, Bought, Seen
from streams.features.kinds.cart import CART_TOLD, InCart
from streams.features.kinds.marks import MAX_DAYS
from streams.features.kinds.recent import EVENTS_KEPT

FEATURES = (
    Feature("items.bought_code", "The 64 items that tell most of what is bought, often or lately: upper, then lower halves of hashes", "code", Bought("code"), 0, 65535, width=2 * ITEMS_TOLD),
    Feature("items.bought_days", "Days since the last order of each of these items", "days", Bought("days"), 0, MAX_DAYS, width=ITEMS_TOLD),
    Feature("items.bought_times", "Order lines of each of these items since it is one of them", "lines", Bought("times"), 0, MOST, width=ITEMS_TOLD),
    Feature("items.seen_code", "Items of the last 32 events that are not among those 64: upper, then lower halves of hashes", "code", Seen("code"), 0, 65535, width=2 * EVENTS_KEPT),
    Feature("items.known", "Different items known, bought or seen last", "items", Seen("known"), 0, ITEMS_TOLD + EVENTS_KEPT),
    Feature("items.in_cart", "Items put into the cart since the last order, of the last 32 events, newest first: upper, then lower halves of hashes", "code", InCart(), 0, 65535, width=2 * CART_TOLD),
)  # fmt: skip

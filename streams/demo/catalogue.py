"""What the shop's catalogue would have told of its items in the replayed period: real products, at prices as paid.

The data have no price list. A price is what a unit cost on the shelf on most days: of each day the lower median over
its order lines, before shoppers' own coupons. An item is listed at the first one, when the period begins; its price
changes when another one was seen on three days with a sale in a row, and then as of the first of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from streams.demo import stock
from streams.demo.samples import samples
from streams.producer.replay import event_time_ms
from streams.records.items import ItemChanged, ItemListed, ItemReviewed, StockCounted
from streams.topics import DAY_MS
from training.datasets.complete_journey_items import DailySales, Items, Product

#: So many items are listed, and the stock of so many simulated: those with the most order lines.
LISTED, STOCKED = 5_000, 300
HELD_DAYS = 3
#: A price that is this near is the same one.
TOLERANCE = 0.02
#: Nobody counts these.
UNCOUNTED = {"FUEL", "MISCELLANEOUS", "COUPON"}
CatalogueRecord = ItemListed | ItemChanged | StockCounted | ItemReviewed


def told(items: Items) -> Iterator[CatalogueRecord]:
    """Every record in order of time: the listings first, then samples for models of words."""
    sales = items.sales
    if not sales.items:
        return
    products = items.products(sales.ranked()[:LISTED])
    first_day = int(sales.day.min())
    for product in products:
        yield _listed(product, first_day, int(sales.price_cents[sales.place[product.item_id]][0]))
    yield from samples(first_day * DAY_MS)
    stocked = [product.item_id for product in products if _counted(product)][:STOCKED]
    counted = stock.counts(stocked, first_day, sales.daily_units(stocked))
    changes: Iterable[CatalogueRecord] = _changes(sales, products)
    yield from heapq.merge(changes, counted, key=event_time_ms)


def _counted(product: Product) -> bool:
    return product.category_path is not None and product.category_path[0] not in UNCOUNTED


def price_changes(days: Sequence[int], prices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The days on which another price began to hold, with it. ``prices``: of ``days`` with a sale, in order.

    >>> list(price_changes(range(8), [200, 200, 100, 200, 150, 150, 151, 150]))
    [(4, 150)]
    """
    holds, since, other, seen = prices[0], 0, 0, 0
    for day, price in zip(days, prices, strict=True):
        if _alike(price, holds):
            seen = 0
        elif seen and _alike(price, other):
            seen += 1
        else:
            since, other, seen = day, price, 1
        if seen == HELD_DAYS:
            holds, seen = other, 0
            yield since, other


def _alike(price: int, other: int) -> bool:
    return abs(price - other) <= max(1, TOLERANCE * other)


def _changes(sales: DailySales, products: Iterable[Product]) -> list[ItemChanged]:
    found = [
        ItemChanged(event_id=f"price-{day}", item_id=product.item_id, event_time=day * DAY_MS, unit_price_cents=price)
        for product in products
        for where in (sales.place[product.item_id],)
        for day, price in price_changes(sales.day[where].tolist(), sales.price_cents[where].tolist())
    ]
    return sorted(found, key=event_time_ms)


def _listed(product: Product, first_day: int, price_cents: int) -> ItemListed:
    return ItemListed(
        event_id="listed",
        item_id=product.item_id,
        event_time=first_day * DAY_MS,
        title=product.title,
        brand=product.brand,
        category_path=product.category_path,
        attributes=None if product.package is None else {"package": product.package},
        unit_price_cents=price_cents,
    )

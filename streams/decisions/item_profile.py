"""An item in numbers, whenever its day is over or its catalogue entry, stock or reviews changed."""

from __future__ import annotations

from collections.abc import Iterable

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Names, Said
from streams.features.kinds.taste import code
from streams.records.outcomes import ItemProfiled, outcome_id

CATEGORY = "listing.category"
#: field of the record → address, digits
NUMBERS: dict[str, tuple[str, int]] = {
    "units_24h": ("sales.units_24h", 0),
    "units_7d": ("sales.units_7d", 0),
    "units_30d": ("sales.units_30d", 0),
    "revenue_30d_cents": ("sales.revenue_30d", 0),
    "momentum": ("sales.momentum", 2),
    "category_share": ("listing.category_share", 4),
    "views_30d": ("interest.views_30d", 0),
    "conversion_30d": ("interest.conversion_30d", 4),
    "price_cents": ("price.now", 0),
    "usual_price_cents": ("price.usual", 0),
    "lowest_price_30d_cents": ("price.lowest_30d", 0),
    "discount_depth": ("price.discount_depth", 4),
    "on_hand": ("stock.on_hand", 0),
    "on_order": ("stock.on_order", 0),
    "cover_days": ("stock.cover_days", 1),
    "reviews": ("reviews.count", 0),
    "rating": ("reviews.rating", 2),
    "rating_recent": ("reviews.rating_recent", 2),
}


class ItemProfiles:
    """One ``ItemProfiled`` per due point; ``currency`` and ``rules`` are said with it."""

    columns: tuple[Column, ...] = ()
    reads = (
        *(address for address, _ in NUMBERS.values()), CATEGORY, "listing.listed", "stock.locations",
    )  # fmt: skip

    def __init__(self, currency: str, rules: str, names: Names) -> None:
        self._currency, self._rules, self._names = currency, rules, names

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        read = {
            name: group.feature(address).astype(float).round(digits).tolist()
            for name, (address, digits) in NUMBERS.items()
        }
        listed, counted = group.feature("listing.listed").tolist(), group.feature("stock.locations").tolist()
        category = code(group.feature(CATEGORY)).tolist()
        whole = [name for name, (_, digits) in NUMBERS.items() if digits == 0]
        for i, item in enumerate(group.key):
            numbers = {name: values[i] for name, values in read.items()}
            numbers |= {name: int(numbers[name]) for name in whole}
            if not counted[i]:
                numbers |= dict.fromkeys(("on_hand", "on_order", "cover_days"))
            yield (
                i,
                ItemProfiled(
                    outcome_id=outcome_id("item_profiled", item, group.ref(i), ""),
                    item_id=item,
                    event_time_ms=int(group.now_ms[i]),
                    due=group.due[i],
                    listed=bool(listed[i]),
                    category=self._names.of_code(category[i], group.before[i]),
                    currency=self._currency,
                    rules=self._rules,
                    **numbers,
                ),
            )

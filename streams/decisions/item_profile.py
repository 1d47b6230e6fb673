"""An item in numbers, whenever its day is over or its catalogue entry, stock or reviews changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Names, Said
from streams.decisions.rating_drop import RatingPolicy
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
#: What is not known of an item that nobody counted.
STOCK = ("on_hand", "on_order", "cover_days")


class ItemProfiles:
    """One ``ItemProfiled`` per due point; ``currency`` and ``rules`` are said with it. ``rating``: of the decider that
    finds drops, which goes before this one."""

    columns: tuple[Column, ...] = ()
    reads = (
        *(address for address, _ in NUMBERS.values()), CATEGORY, "listing.listed", "stock.locations",
    )  # fmt: skip

    def __init__(self, currency: str, rules: str, names: Names, rating: RatingPolicy) -> None:
        self._currency, self._rules, self._names, self._rating = currency, rules, names, rating

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        columns = {name: _numbers(group.feature(address), digits) for name, (address, digits) in NUMBERS.items()}
        counted = group.feature("stock.locations") > 0
        if not counted.all():
            for name in STOCK:
                columns[name] = [n if known else None for n, known in zip(columns[name], counted.tolist(), strict=True)]
        columns["event_time_ms"] = group.now_ms.tolist()
        columns["rated_worse"] = self._rating.holds_back(state, group.row, group.now_ms).tolist()
        columns["listed"] = (group.feature("listing.listed") > 0).tolist()
        names, category = list(columns), code(group.feature(CATEGORY)).tolist()
        for i, (item, values) in enumerate(zip(group.key, zip(*columns.values(), strict=True), strict=True)):
            said = ItemProfiled(
                outcome_id=outcome_id("item_profiled", item, group.ref(i), ""),
                item_id=item,
                due=group.due[i],
                category=self._names.of_code(category[i], group.before[i]),
                currency=self._currency,
                rules=self._rules,
                **dict(zip(names, values, strict=True)),
            )
            yield i, said


def _numbers(values: npt.NDArray[np.float32], digits: int) -> list[Any]:
    """[k] rounded to so many digits; whole numbers where that is none."""
    rounded = values.astype(np.float64).round(digits)
    found: list[Any] = (rounded if digits else rounded.astype(np.int64)).tolist()
    return found

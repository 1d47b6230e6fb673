"""The items of Complete Journey: what its catalogue says of them, and what each sold on each day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from training.datasets.complete_journey import files, lines_of, shopper_of
from training.datasets.dataset import read_table

DAY_MS = 86_400_000
Ints = npt.NDArray[np.int64]


class Product(NamedTuple):
    """A line of the catalogue; None where it says nothing."""

    item_id: str
    title: str | None
    """What kind of thing it is, and how large: such as ``Fluid milk white only, 1 GA``."""
    brand: str
    """``National``, or ``Private``: the shop's own."""
    category_path: list[str] | None
    """Department, category."""
    package: str | None


@dataclass(frozen=True, slots=True)
class DailySales:
    """What items sold, a line for each item and day with a sale, in order of item and day. Days are UTC's."""

    items: list[str]
    """[n] their ids."""
    item: Ints
    """[k] which of them."""
    day: Ints
    """[k] days since 1970."""
    units: Ints
    """[k] units sold."""
    lines: Ints
    """[k] order lines."""
    price_cents: Ints
    """[k] the price on the shelf: the lower median of what a unit cost before shoppers' own coupons."""
    place: dict[str, slice]
    """Where the lines of each item are."""

    def ranked(self) -> list[str]:
        """The items, those with the most order lines first."""
        return [self.items[i] for i in np.argsort(-np.bincount(self.item, self.lines), kind="stable").tolist()]

    def daily_units(self, items: Iterable[str]) -> Ints:
        """[n, days] what some items sold on each day from the first to the last of all."""
        first, last = int(self.day.min()), int(self.day.max())
        wanted = list(items)
        units: Ints = np.zeros((len(wanted), last - first + 1), np.int64)
        for i, item in enumerate(wanted):
            where = self.place[item]
            units[i, self.day[where] - first] = self.units[where]
        return units


class Items:
    """The catalogue and the sales of [start_ms, stop_ms), None: from the first, to the last, to shoppers that are
    ``wanted``. Reads the tables once. Raises ``DatasetError``."""

    def __init__(
        self,
        start_ms: int | None = None,
        stop_ms: int | None = None,
        wanted: Callable[[str], bool] = lambda _: True,
        data_dir: Path | None = None,
    ) -> None:
        tables = {path.stem: read_table(path) for path in files(data_dir) if path.stem in ("transactions", "products")}
        self._products = tables["products"].set_index("product_id")
        lines = lines_of(tables)
        names = {household: wanted(shopper_of(household)) for household in lines["household_id"].unique().tolist()}
        self.sales = _daily(lines[lines["household_id"].map(names)], start_ms, stop_ms)

    def products(self, item_ids: Iterable[str]) -> list[Product]:
        """What the catalogue says of some items, in the order asked; a few that were sold are not in it."""
        wanted = [int(item) for item in item_ids]
        found = self._products.loc[[item for item in wanted if item in self._products.index]]
        columns = (found[name].tolist() for name in ("product_type", "package_size", "brand", "department"))
        rows = zip(found.index.tolist(), *columns, found["product_category"].tolist(), strict=True)
        return [_product(*row) for row in rows]


def title_of(kind: Any, package: Any) -> str | None:
    """What an item is called, of its kind and how large it is; None where nothing says.

    >>> title_of("FLUID MILK WHITE ONLY", "1 GA")
    'Fluid milk white only, 1 GA'
    """
    words = [kind.capitalize() if isinstance(kind, str) else None, package if isinstance(package, str) else None]
    return ", ".join(part for part in words if part) or None


def _product(item: int, kind: Any, package: Any, brand: str, department: str, category: Any) -> Product:
    size = package if isinstance(package, str) else None
    path = [department, category] if isinstance(category, str) else None
    return Product(str(item), title_of(kind, package), brand, path, size)


def _daily(lines: Any, start_ms: int | None, stop_ms: int | None) -> DailySales:
    at = lines["at"].to_numpy()
    wanted = lines["gross"].to_numpy() > 0
    if start_ms is not None:
        wanted &= at >= start_ms
    if stop_ms is not None:
        wanted &= at < stop_ms
    product, day, units = (
        lines["product_id"].to_numpy()[wanted], at[wanted] // DAY_MS, lines["units"].to_numpy()[wanted],
    )  # fmt: skip
    price = (lines["paid"] + lines["coupon"]).to_numpy()[wanted] // units
    order = np.lexsort((price, day, product))
    product, day, units, price = product[order], day[order], units[order], price[order]
    first = np.flatnonzero(np.r_[True, (np.diff(product) != 0) | (np.diff(day) != 0)][: len(product)])
    count = np.diff(np.r_[first, len(product)])
    ids, item = np.unique(product[first], return_inverse=True)
    items = [str(i) for i in ids.tolist()]
    bounds = np.searchsorted(item.reshape(-1), np.arange(len(items) + 1)).tolist()
    return DailySales(
        items=items,
        item=item.reshape(-1),
        day=day[first],
        units=np.add.reduceat(units, first) if len(first) else units,
        lines=count,
        price_cents=price[first + (count - 1) // 2],
        place=dict(zip(items, map(slice, bounds[:-1], bounds[1:]), strict=True)),
    )

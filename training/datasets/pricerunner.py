"""PriceRunner: 35,311 titles under which 306 merchants listed 12,849 products of ten categories.

The data say no times. Merchants are taken to list one after the other, a day each, in an order that is drawn once: what
comes after a cut is of merchants who taught nothing. Titles are in lower case and have lost most punctuation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from streams.records.items import ItemListed
from training.datasets.dataset import Dataset, folder_of, read_table

DAY_MS = 86_400_000
FIRST_MS = int(datetime(2019, 1, 1, tzinfo=UTC).timestamp() * 1000)
SEED = 1


def files(data_dir: Path | None) -> list[Path]:
    """The one file it is read from."""
    return [folder_of(data_dir, "pricerunner", "pricerunner_aggregate.csv")]


def read(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Every listing in order of time. ``attributes`` say who lists it (``seller``) and which product it is."""
    rows = read_table(files(data_dir)[0]).rename(columns=str.strip)
    merchants = np.unique(rows["Merchant ID"].to_numpy())
    day = np.empty(len(merchants), np.int64)
    day[np.random.default_rng(SEED).permutation(len(merchants))] = np.arange(len(merchants))
    of = np.searchsorted(merchants, rows["Merchant ID"].to_numpy())
    columns = ("Product ID", "Product Title", "Merchant ID", "Cluster ID", "Category Label")
    listed = list(zip(*(rows[name].tolist() for name in columns), strict=True))
    for i in np.argsort(day[of], kind="stable").tolist():
        product, title, merchant, cluster, category = listed[i]
        yield ItemListed(
            event_id="listed",
            item_id=f"pr-{product}",
            event_time=FIRST_MS + int(day[of[i]]) * DAY_MS,
            title=str(title),
            category_path=[category],
            attributes={"seller": str(merchant), "product": str(cluster)},
        )


PRICERUNNER = Dataset(
    name="pricerunner",
    meaning="35,311 titles of 12,849 products in ten categories, from 306 merchants",
    licence="CC BY 4.0",
    ship=True,
    currency="GBP",
    read=read,
    files=files,
    events=35_311,
    about="item",
)

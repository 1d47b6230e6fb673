"""CDNOW: every purchase of the customers that an online CD shop won in the first quarter of 1997, to 1998-06.

From PyPI's ``lifetimes``, so it is there on any machine. Only days are known: an order is dated at noon UTC. Items
are not known: an order is one line, so many CDs for so much money.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from streams.records.events import OrderLine, OrderPlaced, ShopperEvent
from training.datasets.dataset import Dataset, DatasetError, epoch_ms, read_table, unit_price

NOON_MS = 12 * 3_600_000
COLUMNS = ("customer", "day", "quantity", "dollars")


def files(data_dir: Path | None = None) -> list[Path]:
    """The one file it is read from; always the package's."""
    package = find_spec("lifetimes")
    if package is None or package.origin is None:
        raise DatasetError("CDNOW needs the extra 'train': pip install 'offerstream[train]'.")
    return [Path(package.origin).parent / "datasets" / "CDNOW_master.txt"]


def read(data_dir: Path | None = None) -> Iterator[ShopperEvent]:
    """Every event in order of time: about 69,600 orders. Some 80 orders that cost nothing are left out."""
    import pandas as pd

    lines = read_table(files()[0], sep=r"\s+", header=0, names=list(COLUMNS))
    cents = (lines["dollars"] * 100).round().astype("int64")
    lines = lines.assign(cents=cents, at=epoch_ms(pd.to_datetime(lines["day"].astype(str), format="%Y%m%d")) + NOON_MS)
    lines = lines[lines["cents"] > 0].sort_values(["at", "customer"], kind="stable")
    columns = (lines[name].tolist() for name in ("customer", "at", "quantity", "cents"))
    for i, (customer, at, quantity, paid) in enumerate(zip(*columns, strict=True)):
        price, discount = unit_price(paid, 0, quantity)
        line = OrderLine(item_id="cd", quantity=quantity, unit_price_cents=price, discount_cents=discount)
        yield OrderPlaced(
            event_id=f"cd-{i}", shopper_id=f"customer-{customer}", event_time=at, order_id=f"cd-{i}", lines=[line]
        )


CDNOW = Dataset(
    name="cdnow",
    meaning="Purchases of 23,570 customers of an online CD shop, 1997-01 to 1998-06",
    licence="MIT (lifetimes)",
    ship=True,
    currency="USD",
    read=read,
    files=files,
    events=69_579,
)

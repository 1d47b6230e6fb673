"""Taobao UserBehavior: views, carts, wish lists and purchases of 983 shoppers, 2017-11-25 to 12-03; no prices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streams.records.events import (
    CartItemAdded,
    ItemViewed,
    ItemWishlisted,
    OrderLine,
    OrderPlaced,
    ShopperEvent,
)
from training.datasets.dataset import Dataset, folder_of, read_table

COLUMNS = ("shopper", "item", "category", "behaviour", "at")


def files(data_dir: Path | None) -> list[Path]:
    """The one file it is read from."""
    return [folder_of(data_dir, "taobao_userbehavior", "UserBehavior_100k.csv")]


def read(data_dir: Path | None = None) -> Iterator[ShopperEvent]:
    """Every event in order of time: about 100,000. A few rows with a clock far off are left out."""
    path = files(data_dir)[0]
    rows = read_table(path, header=None, names=list(COLUMNS))
    rows = rows[(rows["at"] >= 1_511_000_000) & (rows["at"] < 1_513_000_000)]
    rows = rows.sort_values(["at", "shopper", "item", "behaviour"], kind="stable").reset_index(drop=True)
    for i, (shopper, item, category, behaviour, at) in enumerate(
        zip(*(rows[name].tolist() for name in COLUMNS), strict=True)
    ):
        event_id, shopper_id, time_ms = f"tb-{i}", f"user-{shopper}", at * 1000
        item_id, name = str(item), str(category)
        if behaviour == "pv":
            yield ItemViewed(
                event_id=event_id, shopper_id=shopper_id, event_time=time_ms, item_id=item_id, category=name
            )
        elif behaviour == "cart":
            yield CartItemAdded(
                event_id=event_id,
                shopper_id=shopper_id,
                event_time=time_ms,
                item_id=item_id,
                category=name,
                quantity=1,
            )
        elif behaviour == "fav":
            yield ItemWishlisted(
                event_id=event_id, shopper_id=shopper_id, event_time=time_ms, item_id=item_id, category=name
            )
        else:
            line = OrderLine(item_id=item_id, quantity=1, unit_price_cents=0, category=name)
            yield OrderPlaced(
                event_id=event_id, shopper_id=shopper_id, event_time=time_ms, order_id=event_id, lines=[line]
            )


TAOBAO = Dataset(
    name="taobao",
    meaning="Clickstream of 983 shoppers, 2017-11-25 to 2017-12-03",
    licence="research release: measure, do not ship",
    ship=False,
    currency="CNY",
    read=read,
    files=files,
    events=99_999,
)

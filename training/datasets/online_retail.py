"""Online Retail: two years' invoices of a British wholesaler of gifts, 2010-12 to 2011-12.

Lines without a customer, exact duplicates and lines that are no goods (postage, bank charges, manual) are left out.
An invoice whose number starts with C is a cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streams.records.events import OrderCancelled, OrderLine, OrderPlaced, ShopperEvent
from training.datasets.dataset import Dataset, epoch_ms, folder_of, read_table

NO_GOODS = ("POST", "M", "C2", "DOT", "D", "CRUK", "BANK CHARGES", "PADS", "AMAZONFEE", "S", "B")


def files(data_dir: Path | None) -> list[Path]:
    """The one file it is read from."""
    return [folder_of(data_dir, "online_retail", "online_retail.parquet")]


def read(data_dir: Path | None = None) -> Iterator[ShopperEvent]:
    """Every event in order of time: about 22,000."""
    lines = read_table(files(data_dir)[0])
    lines = lines[lines["CustomerID"].notna()].drop_duplicates()
    lines = lines[~lines["StockCode"].isin(NO_GOODS)].copy()
    cents = (lines["UnitPrice"] * 100).round()
    lines = lines[(cents > 0) & (lines["Quantity"] != 0)]
    # An invoice may span two minutes: it counts at its last line.
    lines["at"] = epoch_ms(lines["InvoiceDate"])
    lines["at"] = lines.groupby("InvoiceNo")["at"].transform("max")
    lines = lines.sort_values(["at", "InvoiceNo", "StockCode"], kind="stable")
    invoices, shoppers, times = (
        lines["InvoiceNo"].tolist(),
        lines["CustomerID"].tolist(),
        lines["at"].tolist(),
    )
    items, quantities = lines["StockCode"].tolist(), lines["Quantity"].tolist()
    prices = (lines["UnitPrice"] * 100).round().astype("int64").tolist()
    start = 0
    for stop in range(1, len(invoices) + 1):
        if stop < len(invoices) and invoices[stop] == invoices[start]:
            continue
        found = [
            OrderLine(item_id=items[i], quantity=int(abs(quantities[i])), unit_price_cents=prices[i])
            for i in range(start, stop)
        ]
        invoice = str(invoices[start])
        common = {
            "event_id": f"or-{invoice}",
            "shopper_id": f"customer-{int(shoppers[start])}",
            "event_time": int(times[start]),
            "order_id": invoice.removeprefix("C"),
            "lines": found,
            "currency": "GBP",
        }
        if invoice.startswith("C"):
            yield OrderCancelled(**common)  # type: ignore[arg-type]
        else:
            yield OrderPlaced(**common)  # type: ignore[arg-type]
        start = stop


ONLINE_RETAIL = Dataset(
    name="online_retail",
    meaning="Invoices of 4,372 customers of a British wholesaler, 2010-12 to 2011-12",
    licence="CC0 (CRAN onlineretail)",
    ship=True,
    currency="GBP",
    read=read,
    files=files,
    events=21_785,
)

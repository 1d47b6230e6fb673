"""Online Shoppers Purchasing Intention: 12,330 sessions, each of another visitor, 1,908 with a purchase.

The data give counts and durations of page views per session, and only the month. Times are made up within the
month: sessions evenly over it in file order, the views of a session evenly over its duration. Of who came back nothing
is known but that: they have looked at something in January, in which there is no session. Prices are unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from streams.records.events import ItemViewed, OrderLine, OrderPlaced, ShopperEvent
from training.datasets.dataset import Dataset, folder_of, read_table

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KINDS = ("Administrative", "Informational", "ProductRelated")
RETURNING = "Returning_Visitor"
MONTH_MS = 28 * 86_400_000


def files(data_dir: Path | None) -> list[Path]:
    """The one file it is read from."""
    return [folder_of(data_dir, "online_shoppers", "online_shoppers_intention.csv")]


def read(data_dir: Path | None = None) -> Iterator[ShopperEvent]:
    """Every event in order of time: about 440,000 views and 1,908 orders."""
    rows = read_table(files(data_dir)[0])
    events: list[ShopperEvent] = []
    per_month: dict[str, int] = rows["Month"].value_counts().to_dict()
    seen: dict[str, int] = {}
    for i, row in enumerate(rows.to_dict("records")):
        month = row["Month"]
        place = seen[month] = seen.get(month, -1) + 1
        start = int(datetime(2017, MONTHS.index(month) + 1, 1, tzinfo=UTC).timestamp() * 1000)
        at = float(start + place * MONTH_MS // per_month[month])
        shopper = f"session-{i}"
        n = 0
        if row["VisitorType"] == RETURNING:
            earlier = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp() * 1000) + i
            events.append(
                ItemViewed(event_id=f"os-{i}-0", shopper_id=shopper, event_time=earlier, item_id="earlier-page")
            )
        for kind in KINDS:
            views = int(row[kind])
            dwell = max(0.0, float(row[f"{kind}_Duration"])) / max(1, views)
            for _ in range(views):
                n += 1
                events.append(
                    ItemViewed(
                        event_id=f"os-{i}-{n}",
                        shopper_id=shopper,
                        event_time=int(at),
                        item_id=f"{kind.lower()}-page",
                        category=kind,
                        dwell_seconds=min(dwell, 86_400.0),
                    )
                )
                at += dwell * 1000
        if row["Revenue"]:
            line = OrderLine(item_id="unknown", quantity=1, unit_price_cents=0)
            events.append(
                OrderPlaced(
                    event_id=f"os-{i}-order",
                    shopper_id=shopper,
                    event_time=int(at),
                    order_id=f"os-{i}",
                    lines=[line],
                )
            )
    events.sort(key=lambda event: event.event_time)
    yield from events


ONLINE_SHOPPERS = Dataset(
    name="online_shoppers",
    meaning="12,330 shopping sessions with or without a purchase",
    licence="CC BY 4.0",
    ship=True,
    currency="USD",
    read=read,
    files=files,
    events=438_463,
)

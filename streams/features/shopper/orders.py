"""Features of what a shopper bought."""

from math import inf

from streams.features.feature import Feature, Less, Ratio
from streams.features.kinds.cycle import Cycle
from streams.features.kinds.decay import HALF_LIVES, Decayed
from streams.features.kinds.distinct import Distinct
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.rhythm import MAX_OVERDUE, ORDERS_KEPT, Rhythm
from streams.features.kinds.windows import Windowed
from streams.features.shopper.signals import (
    CANCELLED,
    COUPONS,
    DISCOUNTS,
    ORDERS,
    REFUNDED,
    RETURNED,
    SPEND,
    UNITS,
)
from streams.records.events import OrderPlaced

FEATURES = (
    Feature("orders.count", "Orders ever", "orders", Total(ORDERS)),
    Feature("orders.spend", "Money spent ever, before returns", "cents", Total(SPEND)),
    Feature("orders.discount", "Discounts received ever", "cents", Total(DISCOUNTS)),
    Feature("orders.units", "Units bought ever", "units", Total(UNITS)),
    Feature("orders.coupons", "Orders with a coupon ever", "orders", Total(COUPONS)),
    Feature("orders.cancelled", "Cancellations ever", "events", Total(CANCELLED)),
    Feature("orders.returned", "Returns ever", "events", Total(RETURNED)),
    Feature("orders.refunded", "Money returned or cancelled ever", "cents", Total(REFUNDED)),
    Feature("orders.net_spend", "Money spent ever, less what was returned or cancelled", "cents", Less("orders.spend", "orders.refunded"), -inf),
    Feature("orders.days_since_last", "Days since the last order", "days", DaysSince(ORDERS), 0, MAX_DAYS, MAX_DAYS),
    Feature("orders.days_since_first", "Days since the first order", "days", DaysSince(ORDERS, "first"), 0, MAX_DAYS),
    *(
        Feature(f"orders.count_decayed_{h}", f"Orders, faded with a half-life of {h}", "orders", Decayed(ORDERS, h))
        for h in HALF_LIVES
    ),
    *(
        Feature(f"orders.spend_decayed_{h}", f"Money spent, faded with a half-life of {h}", "cents", Decayed(SPEND, h))
        for h in ("1d", "7d", "30d")
    ),
    Feature("orders.count_24h", "Orders in 24 hours", "orders", Windowed(ORDERS, "24h")),
    Feature("orders.count_7d", "Orders in 7 days", "orders", Windowed(ORDERS, "7d")),
    Feature("orders.count_30d", "Orders in 30 days", "orders", Windowed(ORDERS, "30d")),
    Feature("orders.spend_7d", "Money spent in 7 days", "cents", Windowed(SPEND, "7d")),
    Feature("orders.spend_30d", "Money spent in 30 days", "cents", Windowed(SPEND, "30d")),
    Feature("orders.gaps", "Gaps between the last 12 orders", "gaps", Rhythm("gaps"), 0, ORDERS_KEPT - 1),
    Feature("orders.gap_mean", "Mean gap between the last 12 orders", "days", Rhythm("mean"), 0, MAX_DAYS),
    Feature("orders.gap_spread", "Spread of the gaps between the last 12 orders", "days", Rhythm("spread"), 0, MAX_DAYS),
    Feature("orders.gap_newest", "Newest gap between orders", "days", Rhythm("newest"), 0, MAX_DAYS),
    Feature("orders.overdue", "Days since the last order, in mean gaps", "ratio", Rhythm("overdue"), 0, MAX_OVERDUE),
    Feature("orders.distinct_items", "Different items bought", "items", Distinct("bought", "item", (OrderPlaced,))),
    Feature("orders.average_value", "Money per order", "cents", Ratio("orders.spend", "orders.count", 1e16)),
    Feature("orders.average_units", "Units per order", "units", Ratio("orders.units", "orders.count", 1e9)),
    Feature("orders.discount_rate", "Discounts over money spent", "ratio", Ratio("orders.discount", "orders.spend", 10.0), 0, 10),
    Feature("orders.coupon_share", "Share of orders with a coupon", "ratio", Ratio("orders.coupons", "orders.count"), 0, 1),
    Feature("orders.return_rate", "Returns per order", "ratio", Ratio("orders.returned", "orders.count", 5.0), 0, 5),
    Feature("orders.weekday_share", "Share of each weekday in the orders, Monday first", "ratio", Cycle(ORDERS, "weekday"), 0, 1, width=7),
    Feature("orders.hour_share", "Share of each hour of the day in the orders", "ratio", Cycle(ORDERS, "hour"), 0, 1, width=24),
)  # fmt: skip

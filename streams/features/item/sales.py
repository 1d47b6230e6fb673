"""Features of what an item sells."""

from streams.features.feature import Feature, Ratio, Scaled
from streams.features.item.signals import DISCOUNT, ORDERS, REFUNDED, RETURNED, REVENUE, UNITS
from streams.features.kinds.cycle import Cycle
from streams.features.kinds.decay import Decayed
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import ActiveBuckets, Weekly, Windowed

#: Of so many weeks is known what was sold and paid in each.
WEEKS_KEPT = 26
FULL_DAYS = ("8d", "15d", "22d", "29d")

FEATURES = (
    Feature("sales.units", "Units sold ever", "units", Total(UNITS)),
    Feature("sales.revenue", "Revenue ever, before returns", "cents", Total(REVENUE)),
    Feature("sales.orders", "Order lines ever", "lines", Total(ORDERS)),
    Feature("sales.returned", "Units returned or cancelled ever", "units", Total(RETURNED)),
    Feature("sales.refunded", "Money returned or cancelled ever", "cents", Total(REFUNDED)),
    Feature("sales.days_since_last", "Days since the last sale", "days", DaysSince(UNITS), 0, MAX_DAYS, MAX_DAYS),
    Feature("sales.days_since_first", "Days since the first sale", "days", DaysSince(UNITS, "first"), 0, MAX_DAYS),
    *(Feature(f"sales.units_{w}", f"Units sold in {w}", "units", Windowed(UNITS, w)) for w in ("24h", "7d", "30d")),
    Feature("sales.orders_30d", "Order lines in 30 days", "lines", Windowed(ORDERS, "30d")),
    Feature("sales.revenue_7d", "Revenue in 7 days", "cents", Windowed(REVENUE, "7d")),
    Feature("sales.revenue_30d", "Revenue in 30 days", "cents", Windowed(REVENUE, "30d")),
    Feature("sales.discount_30d", "Discounts given in 30 days", "cents", Windowed(DISCOUNT, "30d")),
    # Of 1 to 4 full weeks, and what of the next day has begun: they share the ring of 30.
    *(Feature(f"sales.units_{w}", f"Units sold in {w}", "units", Windowed(UNITS, w)) for w in FULL_DAYS),
    *(Feature(f"sales.revenue_{w}", f"Revenue in {w}", "cents", Windowed(REVENUE, w)) for w in FULL_DAYS),
    Feature("sales.week_units", "Units sold in each week, Monday to Sunday, the one that has begun first", "units", Weekly(UNITS, WEEKS_KEPT), width=WEEKS_KEPT),
    Feature("sales.week_revenue", "Revenue in each week, likewise", "cents", Weekly(REVENUE, WEEKS_KEPT), width=WEEKS_KEPT),
    Feature("sales.active_days_30d", "Days with a sale, of 30", "days", ActiveBuckets(UNITS, "30d"), 0, 30),
    *(
        Feature(f"sales.units_decayed_{h}", f"Units sold, faded with a half-life of {h}", "units", Decayed(UNITS, h))
        for h in ("1d", "7d", "30d")
    ),
    Feature("sales.revenue_decayed_30d", "Revenue, faded with a half-life of 30d", "cents", Decayed(REVENUE, "30d")),
    Feature("sales.units_per_day", "Units sold per day, of 30 days", "units", Scaled("sales.units_30d", 1 / 30)),
    Feature("sales.average_price", "Money per unit, faded with a half-life of 30d", "cents", Ratio("sales.revenue_decayed_30d", "sales.units_decayed_30d", 1e12)),
    Feature("sales.discount_rate_30d", "Discounts over revenue in 30 days", "ratio", Ratio("sales.discount_30d", "sales.revenue_30d", 10.0), 0, 10),
    Feature("sales.return_rate", "Units returned per unit sold", "ratio", Ratio("sales.returned", "sales.units", 5.0), 0, 5),
    Feature("sales.share_7d", "Share of the units of 30 days that were sold in the last 7", "ratio", Ratio("sales.units_7d", "sales.units_30d"), 0, 1),
    Feature("sales.momentum", "Pace of the last 7 days over that of 30; 1 is steady", "ratio", Scaled("sales.share_7d", 30 / 7), 0, 30 / 7),
    Feature("sales.weekday_share", "Share of each weekday in the units sold, Monday first", "ratio", Cycle(UNITS, "weekday"), 0, 1, width=7),
    Feature("sales.hour_share", "Share of each hour of the day in the units sold", "ratio", Cycle(UNITS, "hour"), 0, 1, width=24),
    Feature("sales.revenue_weekday_share", "Share of each weekday in the revenue, Monday first", "ratio", Cycle(REVENUE, "weekday"), 0, 1, width=7),
    Feature("sales.revenue_hour_share", "Share of each hour of the day in the revenue", "ratio", Cycle(REVENUE, "hour"), 0, 1, width=24),
)  # fmt: skip

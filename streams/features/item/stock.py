"""Features of how much there is of an item, and for how long that lasts."""

from streams.features.feature import Feature, Ratio, Scaled
from streams.features.item.signals import COUNTED, IN_STOCK
from streams.features.kinds.marks import MAX_DAYS, DaysSince
from streams.features.kinds.newest import Newest
from streams.features.kinds.stock import DAYS, LOCATIONS, Stock

FEATURES = (
    Feature("stock.on_hand", "Units that can be sold now, in all locations", "units", Stock("on_hand")),
    Feature("stock.on_order", "Units on their way from suppliers", "units", Stock("on_order")),
    Feature("stock.locations", "Locations where it was counted; 0: never", "locations", Stock("locations"), 0, LOCATIONS),
    Feature("stock.lead_time_days", "Days from an order at the supplier until it is in stock", "days", Newest("lead_days+1"), 0, MAX_DAYS),
    Feature("stock.days_since_counted", "Days since it was counted anywhere", "days", DaysSince(COUNTED), 0, MAX_DAYS, MAX_DAYS),
    Feature("stock.days_since_some", "Days since there was some at a location", "days", DaysSince(IN_STOCK), 0, MAX_DAYS, MAX_DAYS),
    Feature("stock.days_out_30d", "Days of 30 with none in any location all day, a count holding until the next", "days", Stock("days_out"), 0, DAYS),
    Feature("stock.cover_months", "Units on hand over the units sold in 30 days", "months", Ratio("stock.on_hand", "sales.units_30d", 1e6), 0, 1e6),
    Feature("stock.cover_days", "Days that the stock lasts at the pace of 30 days; 0 when nothing sells", "days", Scaled("stock.cover_months", 30.0)),
)  # fmt: skip

"""Features of how shoppers look at an item before they buy it, or do not."""

from streams.features.feature import Feature, Ratio
from streams.features.item.signals import CART_ADDS, VIEWS, WISHES
from streams.features.kinds.cycle import Cycle
from streams.features.kinds.decay import Decayed
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import Windowed

FEATURES = (
    Feature("interest.views", "Views ever", "views", Total(VIEWS)),
    Feature("interest.cart_adds", "Units put into carts ever", "units", Total(CART_ADDS)),
    Feature("interest.wishes", "Times saved for later ever", "events", Total(WISHES)),
    Feature("interest.days_since_view", "Days since the last view", "days", DaysSince(VIEWS), 0, MAX_DAYS, MAX_DAYS),
    *(Feature(f"interest.views_{w}", f"Views in {w}", "views", Windowed(VIEWS, w)) for w in ("24h", "7d", "30d")),
    Feature("interest.cart_adds_7d", "Units put into carts in 7 days", "units", Windowed(CART_ADDS, "7d")),
    Feature("interest.cart_adds_30d", "Units put into carts in 30 days", "units", Windowed(CART_ADDS, "30d")),
    *(
        Feature(f"interest.views_decayed_{h}", f"Views, faded with a half-life of {h}", "views", Decayed(VIEWS, h))
        for h in ("1h", "1d", "7d")
    ),
    *(
        Feature(f"interest.cart_adds_decayed_{h}", f"Units put into carts, faded with a half-life of {h}", "units", Decayed(CART_ADDS, h))
        for h in ("1h", "1d", "7d")
    ),
    Feature("interest.conversion_30d", "Order lines per view in 30 days", "ratio", Ratio("sales.orders_30d", "interest.views_30d", 5.0), 0, 5),
    Feature("interest.cart_rate_30d", "Units put into carts per view in 30 days", "ratio", Ratio("interest.cart_adds_30d", "interest.views_30d", 5.0), 0, 5),
    Feature("interest.view_weekday_share", "Share of each weekday in the views, Monday first", "ratio", Cycle(VIEWS, "weekday"), 0, 1, width=7),
    Feature("interest.view_hour_share", "Share of each hour of the day in the views", "ratio", Cycle(VIEWS, "hour"), 0, 1, width=24),
    Feature("interest.cart_weekday_share", "Share of each weekday in the units put into carts, Monday first", "ratio", Cycle(CART_ADDS, "weekday"), 0, 1, width=7),
    Feature("interest.cart_hour_share", "Share of each hour of the day in the units put into carts", "ratio", Cycle(CART_ADDS, "hour"), 0, 1, width=24),
)  # fmt: skip

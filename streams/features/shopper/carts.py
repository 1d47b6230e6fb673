"""Features of what a shopper put aside: carts and wish lists."""

from streams.features.feature import Feature, Ratio
from streams.features.kinds.decay import Decayed
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import Windowed
from streams.features.shopper.signals import CART_ADDS, CART_REMOVES, CART_VALUE, WISHES

FEATURES = (
    Feature("carts.adds", "Items put into the cart ever", "events", Total(CART_ADDS)),
    Feature("carts.removes", "Items taken out ever", "events", Total(CART_REMOVES)),
    Feature("carts.wishes", "Items saved for later ever", "events", Total(WISHES)),
    Feature("carts.days_since_add", "Days since something was put in", "days", DaysSince(CART_ADDS), 0, MAX_DAYS, MAX_DAYS),
    *(
        Feature(f"carts.adds_decayed_{h}", f"Items put in, faded with a half-life of {h}", "events", Decayed(CART_ADDS, h))
        for h in ("5m", "1h", "1d", "7d")
    ),
    Feature("carts.value_decayed_1h", "Money put in, faded with a half-life of 1h", "cents", Decayed(CART_VALUE, "1h")),
    Feature("carts.value_decayed_1d", "Money put in, faded with a half-life of 1d", "cents", Decayed(CART_VALUE, "1d")),
    Feature("carts.adds_1h", "Items put in within 1 hour", "events", Windowed(CART_ADDS, "1h")),
    Feature("carts.adds_24h", "Items put in within 24 hours", "events", Windowed(CART_ADDS, "24h")),
    Feature("carts.adds_30d", "Items put in within 30 days", "events", Windowed(CART_ADDS, "30d")),
    Feature("carts.remove_rate", "Items taken out per item put in", "ratio", Ratio("carts.removes", "carts.adds", 2.0), 0, 2),
    Feature("carts.adds_per_view_30d", "Items put in over views in 30 days", "ratio", Ratio("carts.adds_30d", "browsing.views_30d", 5.0), 0, 5),
    Feature("carts.orders_per_add_30d", "Orders over items put in, 30 days", "ratio", Ratio("orders.count_30d", "carts.adds_30d", 5.0), 0, 5),
)  # fmt: skip

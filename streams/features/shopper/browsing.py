"""Features of what a shopper looked at."""

from streams.features.feature import Feature, Ratio
from streams.features.kinds.decay import HALF_LIVES, Decayed
from streams.features.kinds.distinct import Distinct
from streams.features.kinds.favourites import SLOTS, Favourite
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.taste import FavouriteCategory
from streams.features.kinds.windows import WINDOWS, Windowed
from streams.features.shopper.signals import DWELL, VIEWS
from streams.records.events import CartItemAdded, ItemViewed, ItemWishlisted, OrderPlaced

TASTE = (ItemViewed, ItemWishlisted, CartItemAdded, OrderPlaced)
FEATURES = (
    Feature("browsing.views", "Items viewed ever", "views", Total(VIEWS)),
    Feature("browsing.days_since_view", "Days since the last view", "days", DaysSince(VIEWS), 0, MAX_DAYS, MAX_DAYS),
    *(
        Feature(f"browsing.views_decayed_{h}", f"Views, faded with a half-life of {h}", "views", Decayed(VIEWS, h))
        for h in HALF_LIVES
    ),
    *(Feature(f"browsing.views_{w}", f"Views in {w}", "views", Windowed(VIEWS, w)) for w in WINDOWS),
    Feature("browsing.dwell_decayed_1h", "Time on items, faded with a half-life of 1h", "ms", Decayed(DWELL, "1h")),
    Feature("browsing.dwell_decayed_1d", "Time on items, faded with a half-life of 1d", "ms", Decayed(DWELL, "1d")),
    Feature("browsing.distinct_items", "Different items viewed", "items", Distinct("viewed", "item", (ItemViewed,))),
    Feature("browsing.distinct_categories", "Different categories touched", "categories", Distinct("categories", "category", TASTE)),
    Feature("browsing.favourite_share", "Weight of the favourite category", "ratio", Favourite("first_share"), 0, 1),
    Feature("browsing.second_share", "Weight of the second favourite", "ratio", Favourite("second_share"), 0, 1),
    Feature("browsing.taste_entropy", "How widely the weights are spread", "nats", Favourite("entropy"), 0, 3.5),
    Feature("browsing.favourite_category", "The favourite category, as two halves of a hash", "code", FavouriteCategory(), 0, 65535, width=2),
    Feature("browsing.category_weights", "Weight of the categories of each slot", "weight", Favourite("weights"), width=SLOTS),
    Feature("browsing.live_categories", "Categories with some weight", "slots", Favourite("alive"), 0, SLOTS),
    Feature("browsing.orders_per_view_30d", "Orders over views in 30 days", "ratio", Ratio("orders.count_30d", "browsing.views_30d", 5.0), 0, 5),
)  # fmt: skip

"""Will this shopper stop buying?"""

from models.task import AtLeast, Grows, Output, Task

CHURN = Task(
    name="churn",
    question="How likely is it that this shopper places no order in the 15, 30, 60 and 90 days after the due point?",
    features=(
        "orders.count",
        "orders.gaps",
        "orders.gap_mean",
        "orders.gap_spread",
        "orders.gap_newest",
        "orders.overdue",
        "orders.days_since_last",
        "orders.days_since_first",
        "orders.count_decayed_7d",
        "orders.count_decayed_30d",
        "orders.spend_decayed_30d",
        "orders.count_7d",
        "orders.count_30d",
        "orders.spend_30d",
        "orders.average_value",
        "orders.average_units",
        "orders.distinct_items",
        "orders.discount_rate",
        "orders.coupon_share",
        "orders.cancelled",
        "visits.days_since_last",
        "visits.events_30d",
        "visits.active_days_30d",
        "browsing.distinct_categories",
        "browsing.favourite_share",
        "browsing.taste_entropy",
        "offers.shown",
        "offers.redeemed",
    ),
    # The first one is explained and drives decisions; of 15 days, the stream soon knows how right it was.
    outputs=(
        Output("lapse_30d", horizon_days=30, label=Grows("orders.count", 30, "none")),
        Output("lapse_60d", horizon_days=60, label=Grows("orders.count", 60, "none")),
        Output("lapse_90d", horizon_days=90, label=Grows("orders.count", 90, "none")),
        Output("lapse_15d", horizon_days=15, label=Grows("orders.count", 15, "none")),
    ),
    owner="retention",
    # Whoever never ordered cannot stop ordering; no history says what such a score would mean.
    population=(AtLeast("orders.count", 1),),
)

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
    # The first one is explained; of 15 days, the stream soon knows how right it was, and recalibrates all of them.
    outputs=tuple(
        Output(
            f"lapse_{days}d",
            horizon_days=days,
            event="order_placed",
            label=Grows("orders.count", days, "none"),
        )
        for days in (30, 60, 90, 15)
    ),
    owner="retention",
    # Whoever never ordered cannot stop ordering; no history says what such a score would mean.
    population=(AtLeast("orders.count", 1),),
)

"""What will this shopper bring in the next 90 days?"""

from models.task import AtLeast, Grows, Output, Task

DAYS = 90
LEVELS = (0.1, 0.5, 0.9)
_ORDERS = Grows("orders.count", DAYS, "sum")
_REVENUE = Grows("orders.net_spend", DAYS, "sum")

VALUE = Task(
    name="value",
    question="How many orders, and how much net revenue, will this shopper bring in the 90 days after the due point?",
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
        "orders.spend_decayed_7d",
        "orders.spend_decayed_30d",
        "orders.count_30d",
        "orders.spend_30d",
        "orders.spend",
        "orders.refunded",
        "orders.average_value",
        "orders.average_units",
        "orders.distinct_items",
        "orders.discount_rate",
        "orders.coupon_share",
        "orders.return_rate",
        "orders.cancelled",
        "visits.days_since_last",
        "visits.events_30d",
        "visits.active_days_30d",
        "browsing.distinct_categories",
        "browsing.taste_entropy",
        "offers.shown",
        "offers.redeemed",
    ),
    # Money in cents of the shop's currency. Net: what is paid after discounts, less what comes back within the days.
    outputs=(
        Output("revenue_90d", "number", label=_REVENUE),
        Output("revenue_90d_quantiles", "quantiles", len(LEVELS), label=_REVENUE, levels=LEVELS),
        Output("orders_90d", "number", label=_ORDERS),
        Output("active_90d", label=Grows("orders.count", DAYS, "any")),
    ),
    owner="retention",
    # Of whoever never ordered there is no basket to go by, and no history says what such an answer would mean.
    # Money is an exponential: its last bits differ by more than a probability's.
    tolerance=1e-4,
    population=(AtLeast("orders.count", 1),),
)

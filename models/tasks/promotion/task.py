"""How much likelier does each offer make an order of this shopper?"""

from models.task import Output, Task

#: How many arms a version can tell of, of all campaigns together.
ARMS = 32

PROMOTION = Task(
    name="promotion",
    question="How much likelier does each arm of each campaign make an order of this shopper in the days after?",
    features=(
        "orders.count",
        "orders.gap_mean",
        "orders.gap_spread",
        "orders.overdue",
        "orders.days_since_last",
        "orders.days_since_first",
        "orders.count_30d",
        "orders.spend_30d",
        "orders.spend_decayed_30d",
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
        "carts.adds_24h",
        "offers.shown",
        "offers.redeemed",
    ),
    # Places are those of the ``names`` of a version, which say of which arm each is.
    outputs=(
        Output(
            "uplift",
            kind="effects",
            width=ARMS,
            untold="Nobody is seen with and without an offer; offerstream effect measures it over many.",
        ),
    ),
    owner="marketing",
    # What an offer does is known only of a shop's own campaigns.
    shipped=False,
)

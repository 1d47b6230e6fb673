"""How much of this item will be sold in the next 7 and 14 days?"""

from models.task import AtLeast, Grows, Output, Task

HORIZONS = (7, 14)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
#: What an item has to have sold in the last 30 days: of fewer, whatever a model says is a rate, not a forecast.
LEAST_UNITS, LEAST_ORDERS = 20, 10

SALES = Task(
    name="sales",
    question="How many units of this item will be ordered in the 7 and in the 14 days after the end of this day?",
    features=(
        "sales.units_7d",
        "sales.units_30d",
        "sales.units_decayed_1d",
        "sales.units_decayed_7d",
        "sales.units_decayed_30d",
        "sales.units_24h",
        "sales.units",
        "sales.orders",
        "sales.orders_30d",
        "sales.active_days_30d",
        "sales.days_since_last",
        "sales.days_since_first",
        "sales.revenue_7d",
        "sales.revenue_30d",
        "sales.discount_30d",
        "sales.average_price",
        "sales.discount_rate_30d",
        "sales.share_7d",
    ),
    # Units ordered; what comes back is not taken off.
    outputs=tuple(
        output
        for days in HORIZONS
        for label in (Grows("sales.units", days, "sum"),)
        for output in (
            Output(f"units_{days}d", "number", label=label),
            Output(f"units_{days}d_quantiles", "quantiles", len(LEVELS), label=label, levels=LEVELS),
        )
    ),
    owner="supply",
    entity="item",
    # Asked when a day is over: what is counted from the middle of one lacks an evening.
    at=("day",),
    population=(AtLeast("sales.orders", LEAST_ORDERS), AtLeast("sales.units_30d", LEAST_UNITS)),
    tolerance=1e-4,
)

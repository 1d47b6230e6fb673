"""What will a unit of this item be paid with in the next two weeks?"""

from models.task import Output, PerUnit, Task
from models.tasks.sales.task import LEVELS, SALES

#: The weeks after the end of a day that are foretold: days 1 to 7, and 8 to 14.
WEEKS = (1, 2)

PRICE_FORECAST = Task(
    name="price_forecast",
    question="What will a unit of this item cost on average, discounts taken off, in the 7 days after the end of this "
    "day, and in the 7 days after those?",
    features=(
        *(f"sales.{what}_{days}d" for what in ("units", "revenue") for days in (8, 15, 22, 29)),
        "sales.week_units",
        "sales.week_revenue",
    ),
    # Held against what was paid for what was sold in the week; where nothing was sold there is no price.
    outputs=tuple(
        output
        for week in WEEKS
        for label in (PerUnit("sales.revenue", "sales.units", 7 * week, 7 * (week - 1)),)
        for output in (
            # The middle quantile: of absolute errors no other number makes fewer.
            Output(f"price_week_{week}", "number", label=label),
            Output(f"price_week_{week}_quantiles", "quantiles", len(LEVELS), label=label, levels=LEVELS),
        )
    ),
    owner="supply",
    entity="item",
    at=SALES.at,
    # Of what sells less, the price of a week is that of a few baskets.
    population=SALES.population,
    tolerance=1e-4,
    latency_us_per_row=20.0,
)

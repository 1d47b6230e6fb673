"""Who is this shopper, and what will they do next?"""

from models.task import NO_TRUTH, Grows, Next, Output, Task

BEHAVIOUR = Task(
    name="behaviour",
    question="Who is this shopper, and what will they do next?",
    features=(
        "sequence.types",
        "sequence.categories",
        "sequence.items",
        "sequence.cents",
        "sequence.gap_hours",
        # Habits that 32 events may not reach back to; none of them changes while nothing happens.
        "orders.count",
        "orders.gaps",
        "orders.gap_mean",
        "orders.gap_spread",
        "orders.gap_newest",
        "orders.average_value",
        "orders.average_units",
        "orders.coupon_share",
    ),
    outputs=(
        Output("purchase_7d", label=Grows("orders.count", 7)),
        Output(
            "purchase_session",
            untold="Of the visit that goes on, or of the next one, whenever that is: no number of days tells when.",
        ),
        Output("next_type", "distribution", 16, label=Next("sequence.types", "visits.events")),
        Output("next_category", "ranking", 8, label=Next("sequence.categories", "visits.events")),
        Output(
            "next_category_probability",
            "probability",
            8,
            untold="Chances of what next_category lists, which is held against what comes.",
        ),
        Output("embedding", "embedding", 32, untold=NO_TRUTH),
    ),
    owner="personalization",
    latency_us_per_row=25.0,
)

"""How does what this item sells answer to its price?"""

from models.task import Output, Task
from models.tasks.sales.task import SALES

#: 95% of what is believed of an elasticity lies between the outer two.
ENDS = (0.025, 0.5, 0.975)
_UNTOLD = "Nothing tells what would have been sold at another price."

PRICE_OPTIMIZE = Task(
    name="price_optimize",
    question="By how many percent do the units of this item change when its price changes by one percent, how sure is "
    "that, and did its category pass the test that prices to come must not explain what was sold before?",
    features=(
        "listing.category",
        "sales.week_units",
        "sales.week_revenue",
        "listing.category_week_units",
    ),
    outputs=(
        Output("elasticity", "number", untold=_UNTOLD),
        Output("elasticity_quantiles", "quantiles", len(ENDS), levels=ENDS, untold=_UNTOLD),
        # Of the category: the mean elasticity of its items, and the test: 1 passed; 0 failed; -1 too few items to
        # tell, or a category that was never seen.
        Output("category", "number", 2, untold=_UNTOLD),
    ),
    owner="pricing",
    entity="item",
    at=SALES.at,
    population=SALES.population,
    tolerance=1e-3,
)

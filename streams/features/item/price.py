"""Features of what an item costs."""

from streams.features.feature import Feature, Ratio
from streams.features.kinds.newest import Newest
from streams.features.kinds.prices import CHANGES_KEPT, Price

FEATURES = (
    Feature("price.now", "Price of one unit; 0 when unknown", "cents", Price("now")),
    Feature("price.usual", "The price that held longest within 90 days", "cents", Price("usual")),
    Feature("price.lowest_30d", "The lowest price that held within 30 days", "cents", Price("lowest")),
    Feature("price.changes_30d", "Times the price was set within 30 days", "times", Price("changes"), 0, CHANGES_KEPT),
    Feature("price.discount_depth", "How far the price lies below the usual one", "ratio", Price("depth"), 0, 1),
    Feature("price.discount_days_30d", "Days of 30 with a price below the usual one", "days", Price("days"), 0, 30),
    Feature("price.days_held", "Days since the price became what it is", "days", Price("held")),
    Feature("price.minimum", "The lowest price that may be advertised; 0 when none is said", "cents", Newest("minimum+1")),
    Feature("price.cost", "What one unit costs the shop; 0 when unknown", "cents", Newest("cost+1")),
    Feature("price.cost_share", "Cost over price; 0 when either is unknown", "ratio", Ratio("price.cost", "price.now", 10.0), 0, 10),
)  # fmt: skip

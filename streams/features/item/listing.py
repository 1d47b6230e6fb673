"""Features of an item's place in the catalogue."""

from streams.features.feature import Feature, Ratio
from streams.features.item.sales import WEEKS_KEPT
from streams.features.item.signals import LISTED, SAID
from streams.features.kinds.held import Held
from streams.features.kinds.marks import MAX_DAYS, DaysSince
from streams.features.kinds.newest import Newest

FEATURES = (
    Feature("listing.listed", "Whether it is for sale; 1 yes, 0 no: delisted, or never listed", "flag", Newest("listed+1"), 0, 1),
    Feature("listing.age_days", "Days since it was first listed", "days", DaysSince(LISTED, "first"), 0, MAX_DAYS),
    Feature("listing.days_since_changed", "Days since the catalogue last said something", "days", DaysSince(SAID), 0, MAX_DAYS, MAX_DAYS),
    Feature("listing.category", "Its category, as two halves of a hash", "code", Newest("category", halves=True), 0, 65535, width=2),
    Feature("listing.category_units_30d", "Units that its category sold in 30 days, as of the last day that was over for it", "units", Held("category.units_30d")),
    Feature("listing.category_week_units", "Units that its category sold in each week, the one that has begun first, as of the last day that was over for it", "units", Held("category.week_units", WEEKS_KEPT), width=WEEKS_KEPT),
    Feature("listing.category_share", "Its share of the units that its category sold in 30 days", "ratio", Ratio("sales.units_30d", "listing.category_units_30d"), 0, 1),
)  # fmt: skip
